/**
 * A driver and a device with nothing but a transport, guest memory and an interrupt between them; what has to come of that
 * over any transport of registers is in pair-tests.ts.
 */
import { expect } from "vitest";
import { judge } from "../../src/conformance/judge";
import { loadCoreSync } from "../../src/core/core";
import { type DeviceOptions, VirtioDevice } from "../../src/device/device";
import type { DeviceModel } from "../../src/device/model";
import { type DriverOptions, VirtioDriver } from "../../src/driver/driver";
import type { Awaitable, TransportPort } from "../../src/driver/port";
import { EchoModel } from "../../src/models/echo";
import { Transcript } from "../../src/trace/transcript";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";

/** How a bus answers. */
export const BUSES = ["at once", "later"] as const;

/** A turn of the event loop. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An access to a bus, made now or a turn later. */
export type Access = <T>(access: () => T) => Awaitable<T>;

/** The two ends of a transport in front of a device. */
export interface Wired<Port extends TransportPort, Transport> {
  readonly port: Port;
  readonly transport: Transport;
  /** Whether its accesses are judged as those of the legacy interface. Default: while the driver takes it for that. */
  readonly isLegacy?: boolean;
  /** Whether the device wants to be attended to. */
  isRaised(): boolean;
  /** Attends to it once. */
  handle(): Awaitable<void>;
}

/**
 * Puts a transport in front of a device.
 *
 * @param onRaised to be called when the device begins to want attention
 */
export type Wire<Port extends TransportPort, Transport> = (
  device: VirtioDevice,
  access: Access,
  onRaised: () => void,
) => Promise<Wired<Port, Transport>>;

/** What a pair is made of besides its model and its transport. */
export interface PairOptions {
  /** The bus answers later. */
  readonly later?: boolean;
  readonly device?: DeviceOptions;
  readonly driver?: Partial<DriverOptions>;
}

/** A pair over a transport. */
export async function pair<Port extends TransportPort, Transport>(
  wire: Wire<Port, Transport>,
  model: DeviceModel,
  supports: readonly (string | number)[],
  options: PairOptions = {},
) {
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
  let isHandled = false;
  const onRaised = () => {
    interrupts++;
    if (!isHandled) queueMicrotask(handle);
  };
  /** Whoever owns the interrupt comes back until the device is content. */
  const handle = async () => {
    isHandled = true;
    while (wired.isRaised()) await wired.handle();
    isHandled = false;
  };
  const access: Access = (make) => (options.later ? turn().then(make) : make());
  const wired = await wire(device, access, onRaised);
  const { port, transport } = wired;
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
      transport: port.transport === "pci" ? "pci" : "mmio",
      offered: device.offered,
      ...(device.model.deviceType === undefined ? {} : { deviceType: device.model.deviceType }),
      ...((wired.isLegacy ?? driver.isLegacy) ? { legacy: true } : {}),
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
    isRaised: () => wired.isRaised(),
    count: () => interrupts,
  };
}

/** What `pair` makes. */
export type Pair<Port extends TransportPort = TransportPort, Transport = unknown> = Awaited<
  ReturnType<typeof pair<Port, Transport>>
>;

/** An echo that every transport can show: on MMIO DeviceID 0 would be no device. */
export const echo = (): DeviceModel => ({
  name: "echo",
  deviceId: 63,
  queues: [{ name: "echoq", maxSize: 64 }],
  offers: [],
  config: [],
  process: EchoModel.prototype.process.bind(new EchoModel()),
});

/** Initialises, and fails the test if that is refused. */
export async function start<Rig extends Pair>(rig: Rig): Promise<Rig> {
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
      await turn();
      if (used.splice(0).length === 0) continue;
      do {
        for (const { token } of queue.usedBuffers()) back.push(token);
      } while (queue.arm());
    }
    expect(back.sort()).toEqual(tokens.sort());
    for (const [from, to] of pieces) expect(core.view(to, 32)).toEqual(core.view(from, 32));
  }
}

/** Echoes, initialises anew and echoes again; fails the test for a breach by either side. */
export async function echoesTwice(rig: Pair): Promise<void> {
  await echoes(rig, 12);
  expect([rig.findings(), rig.codes]).toEqual([[], []]);
  await start(rig);
  await echoes(rig, 3);
  expect([rig.findings(), rig.codes]).toEqual([[], []]);
}
