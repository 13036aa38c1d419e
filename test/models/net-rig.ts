/** A network device behind a loopback, with a driver of its own or with chains made by hand. */
import { loadCoreSync } from "../../src/core/core";
import { type DeviceOptions, VirtioDevice } from "../../src/device/device";
import { type DriverOptions, VirtioDriver } from "../../src/driver/driver";
import { NetDriver } from "../../src/driver/net";
import { NET_DRIVER_FEATURES } from "../../src/driver/net-features";
import type { NetDriverOptions } from "../../src/driver/net-sizes";
import { NetModel } from "../../src/models/net";
import type { NetOptions } from "../../src/models/net-options";
import type { NetHeader } from "../../src/negotiation/net-header";
import { Loopback } from "../../src/transport/loopback";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";

/** A frame that a wire or a driver got. */
export interface Got {
  readonly bytes: Uint8Array;
  readonly header: NetHeader;
}

/** What a rig is made of. */
export interface NetRigOptions {
  readonly model?: NetOptions;
  /** Beside the ring's: default all that the driver knows. */
  readonly features?: readonly string[];
  readonly ring?: readonly string[];
  readonly device?: DeviceOptions;
  readonly driver?: Partial<DriverOptions>;
  readonly guestBytes?: number;
}

/** An initialised device whose wire keeps what is sent. */
export async function netDevice(options: NetRigOptions = {}) {
  const { ring = ["VERSION_1"], features = NET_DRIVER_FEATURES } = options;
  const core = loadCoreSync({ guestBytes: options.guestBytes ?? 0x400000 });
  const allocator = new GuestAllocator(core);
  const sent: Got[] = [];
  const model = new NetModel({
    wire: { send: (bytes, header) => void sent.push({ bytes, header }) },
    ...options.model,
  });
  const violations: string[] = [];
  const device = new VirtioDevice(core, model, {
    onViolation: ({ code }) => violations.push(code),
    ...options.device,
  });
  let interrupts = 0;
  const driver = new VirtioDriver({
    port: new Loopback(device),
    core,
    allocator,
    supports: [...ring, ...features],
    onUsed: () => interrupts++,
    ...options.driver,
  });
  const result = await driver.initialize();
  if (!result.ok) throw new Error(result.reason);
  const run = () => {
    while (device.process() === "more");
  };
  return {
    core,
    allocator,
    model,
    device,
    driver,
    sent,
    violations,
    run,
    get interrupts() {
      return interrupts;
    },
    /** Adds a chain to a queue and notifies the device; where its writable buffers are. */
    add(index: number, readable: readonly Uint8Array[], writable: readonly number[] = []) {
      const queue = driver.queues[index];
      if (queue === undefined) throw new Error(`no queue ${index}`);
      const place = (length: number) => ({ address: allocator.allocate(Math.max(1, length)), length });
      const questions = readable.map((bytes) => {
        const segment = place(bytes.length);
        core.view(segment.address, bytes.length).set(bytes);
        return segment;
      });
      const answers = writable.map(place);
      for (const { address, length } of answers) core.view(address, length).fill(0xee);
      const token = queue.add(questions, answers);
      if (token === 0) throw new Error("the queue is full");
      void driver.kick(index);
      const bytes = () => Uint8Array.from(answers.flatMap((a) => [...core.view(a.address, a.length)]));
      return { token, bytes };
    },
    /** Tokens and used lengths that came back. */
    used(index: number): { token: number; length: number }[] {
      return [...(driver.queues[index]?.usedBuffers() ?? [])];
    },
  };
}

/** An initialised device and its driver, which keeps what it receives. */
export async function netPair(options: NetRigOptions = {}, net: NetDriverOptions = {}) {
  const rig = await netDevice(options);
  const nic = await NetDriver.start(rig.driver, rig.core, rig.allocator, net);
  rig.run();
  const received: Got[] = [];
  return {
    ...rig,
    nic,
    received,
    poll: () => nic.poll((bytes, header) => void received.push({ bytes: bytes.slice(), header })),
  };
}

const NOISE = Uint8Array.from({ length: 0x12000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);

/** A frame whose bytes differ from frame to frame; not to be changed. @param seed 0…8000 */
export function frame(length: number, seed = 0): Uint8Array {
  return NOISE.subarray(seed, seed + length);
}

/** A header with some fields set. */
export function netHeader(fields: Partial<NetHeader>): NetHeader {
  return { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0, ...fields };
}

/** A chain's bytes: a header of 12 bytes and a frame. */
export function packet(fields: Partial<NetHeader>, bytes: Uint8Array, headerBytes = 12): Uint8Array {
  const whole = new Uint8Array(headerBytes + bytes.length);
  const view = new DataView(whole.buffer);
  const { flags, gsoType, hdrLen, gsoSize, csumStart, csumOffset } = netHeader(fields);
  whole[0] = flags;
  whole[1] = gsoType;
  for (const [i, value] of [hdrLen, gsoSize, csumStart, csumOffset].entries())
    view.setUint16(2 + 2 * i, value, true);
  whole.set(bytes, headerBytes);
  return whole;
}
