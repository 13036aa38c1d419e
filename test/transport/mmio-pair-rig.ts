/**
 * Both sides of virtio-mmio with nothing but registers, guest memory and an interrupt line between them: a driver on
 * MmioPort, its accesses logged and carried to MmioTransport, and a device.
 */
import { expect } from "vitest";
import { judge } from "../../src/conformance/judge";
import { loadCoreSync } from "../../src/core/core";
import { type DeviceOptions, VirtioDevice } from "../../src/device/device";
import type { DeviceModel } from "../../src/device/model";
import { type DriverOptions, VirtioDriver } from "../../src/driver/driver";
import { EchoModel } from "../../src/models/echo";
import { Transcript } from "../../src/trace/transcript";
import { type MmioOptions, MmioTransport } from "../../src/transport/mmio";
import { MmioPort } from "../../src/transport/mmio-port";
import type { RegisterBus } from "../../src/transport/register-bus";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";

/** What a pair is made of besides its model. */
export interface PairOptions {
  readonly later?: boolean;
  readonly version?: 1 | 2;
  readonly device?: DeviceOptions;
  readonly mmio?: Pick<MmioOptions, "sharedMemory">;
  readonly driver?: Partial<DriverOptions>;
}

/** What the driver did to a register; `offset` counts from the start of the window. */
export interface PairAccess {
  readonly how: "read" | "write";
  readonly offset: number;
  readonly bytes: number;
  /** What was read or written. */
  readonly value: number;
}

/** A driver and a device with nothing but registers, guest memory and an interrupt line between them. */
export async function pair(model: DeviceModel, supports: readonly string[], options: PairOptions = {}) {
  const core = loadCoreSync({ guestBytes: 1 << 20 });
  const transcript = new Transcript({ clock: () => 0 });
  const codes: string[] = [];
  const device: VirtioDevice = new VirtioDevice(core, model, {
    ...options.device,
    onEvent: transcript.sink,
    onViolation: ({ code }) => codes.push(code),
    // The host works whenever there is something to do, but never from within an access.
    onWork: () => queueMicrotask(() => device.process()),
  });
  let interrupts = 0;
  let port: MmioPort | undefined;
  let isHandled = false;
  const onInterrupt = (level: boolean) => {
    if (level) interrupts++;
    if (level && !isHandled) queueMicrotask(handle);
  };
  /** The line is level-triggered: whoever owns it comes back until it is low. */
  const handle = async () => {
    isHandled = true;
    while (transport.interruptLevel) await port?.handleInterrupt();
    isHandled = false;
  };
  const transport = new MmioTransport(device, {
    ...options.mmio,
    version: options.version ?? 2,
    onInterrupt,
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const accesses: PairAccess[] = [];
  const carry = <T>(access: () => T) => (options.later ? turn().then(access) : access());
  const bus: RegisterBus = {
    read: (offset, bytes) =>
      carry(() => {
        const value = transport.read(offset, bytes);
        accesses.push({ how: "read", offset, bytes, value });
        return value;
      }),
    write: (offset, bytes, value) =>
      carry(() => {
        accesses.push({ how: "write", offset, bytes, value });
        transport.write(offset, value, bytes);
      }),
  };
  port = await MmioPort.open(bus);
  const used: number[] = [];
  const changes = { count: 0 };
  const driver = new VirtioDriver({
    core,
    allocator: new GuestAllocator(core),
    port,
    supports,
    queueSize: 16,
    onUsed: (queue) => used.push(queue),
    onConfigChange: () => changes.count++,
    ...options.driver,
  });
  const findings = () =>
    judge(transcript.events, {
      transport: "mmio",
      offered: device.offered,
      ...(device.model.deviceType === undefined ? {} : { deviceType: device.model.deviceType }),
      ...(options.version === 1 ? { legacy: true } : {}),
    }).filter(({ level }) => level.startsWith("MUST"));
  return {
    core,
    device,
    transport,
    port,
    driver,
    used,
    changes,
    codes,
    findings,
    accesses,
    turn,
    count: () => interrupts,
  };
}

export type Pair = Awaited<ReturnType<typeof pair>>;

/** An echo that MMIO can show: DeviceID 0 would be no device. */
export const echo = (): DeviceModel => ({
  name: "echo",
  deviceId: 63,
  queues: [{ name: "echoq", maxSize: 64 }],
  offers: [],
  config: [],
  process: EchoModel.prototype.process.bind(new EchoModel()),
});

/** Initialises, and fails the test if that is refused. */
export async function start(rig: Pair): Promise<Pair> {
  expect(await rig.driver.initialize()).toMatchObject({ ok: true });
  return rig;
}

/** Sends texts through queue 0 until all are back, by interrupts alone, and compares each. */
export async function echoes(rig: Pair, count: number): Promise<void> {
  const { core, driver, used } = rig;
  const [queue] = driver.queues;
  if (queue === undefined) throw new Error("there is no queue");
  const allocator = new GuestAllocator(core, { gpa: 0x80000, size: 0x10000 });
  const pieces = Array.from(
    { length: Math.min(8, queue.size >> 1) },
    () => [allocator.allocate(32), allocator.allocate(32)] as const,
  );
  for (let round = 0; round < count; round++) {
    used.length = 0;
    const tokens = pieces.map(([from, to], i) => {
      core.view(from, 32).fill(17 * round + i);
      core.view(to, 32).fill(0);
      return queue.add([{ address: from, length: 32 }], [{ address: to, length: 32 }]);
    });
    queue.arm();
    await driver.kick(0);
    const back: number[] = [];
    for (let turns = 0; turns < 200 && back.length < tokens.length; turns++) {
      await rig.turn();
      if (used.splice(0).length === 0) continue;
      do {
        for (const { token } of queue.usedBuffers()) back.push(token);
      } while (queue.arm());
    }
    expect(back.sort()).toEqual(tokens.sort());
    for (const [from, to] of pieces) expect(core.view(to, 32)).toEqual(core.view(from, 32));
  }
}
