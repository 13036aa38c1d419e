/**
 * A driver and a device in one process, for tests of the control plane: a model that can be told what to do, a port
 * that logs and can answer by Promise, and everything wired up over the loopback transport.
 */
import { expect } from "vitest";
import { type Core, loadCoreSync } from "../src/core/core";
import { type DeviceOptions, VirtioDevice } from "../src/device/device";
import type { ConfigField, DeviceContext, DeviceModel, QueueDeclaration } from "../src/device/model";
import { type DriverOptions, type InitializeResult, VirtioDriver } from "../src/driver/driver";
import type { NotificationHandler, PortQueueSetup, TransportPort } from "../src/driver/port";
import type { VirtioError } from "../src/errors";
import type { FeatureSet } from "../src/negotiation/feature-set";
import type { DeviceType } from "../src/negotiation/feature-table";
import { Transcript } from "../src/trace/transcript";
import { Loopback, type LoopbackOptions } from "../src/transport/loopback";
import type { DeviceQueue } from "../src/virtqueue/device-queue";
import { GuestAllocator } from "../src/virtqueue/guest-allocator";

/** What a test model is to be. */
export interface TestModelOptions {
  readonly deviceId?: number;
  readonly deviceType?: DeviceType;
  readonly queues?: readonly QueueDeclaration[];
  readonly offers?: readonly (string | number)[];
  readonly config?: readonly ConfigField[];
  readonly validate?: (accepted: FeatureSet) => string | undefined;
}

/** Completes every chain at once, or keeps the tokens for the test. */
export class TestModel implements DeviceModel {
  readonly name = "test device";
  readonly deviceId: number;
  readonly deviceType?: DeviceType;
  readonly queues: readonly QueueDeclaration[];
  readonly offers: readonly (string | number)[];
  readonly config: readonly ConfigField[];
  readonly validate: (accepted: FeatureSet) => string | undefined;
  context: DeviceContext | undefined;
  /** Keep chains instead of completing them. */
  holds = false;
  /** Serve no chain. */
  refuses = false;
  /** Chains taken: queue index and token, in order. */
  readonly taken: { queue: number; token: number }[] = [];
  readonly written: { name: string; value: number | bigint }[] = [];
  starts = 0;
  resets = 0;

  constructor(options: TestModelOptions = {}) {
    this.deviceId = options.deviceId ?? 0;
    if (options.deviceType !== undefined) this.deviceType = options.deviceType;
    this.queues = options.queues ?? [{ name: "requests", maxSize: 16 }];
    this.offers = options.offers ?? [];
    this.config = options.config ?? [];
    this.validate = options.validate ?? (() => undefined);
  }

  start(context: DeviceContext): void {
    this.starts++;
    this.context = context;
  }

  process(index: number, queue: DeviceQueue, budget: number): number {
    if (this.refuses) return 0;
    const taken = queue.take(budget);
    for (let i = 0; i < taken; i++) {
      const { token } = queue.chain(i);
      this.taken.push({ queue: index, token });
      if (!this.holds) queue.complete(token, 0);
    }
    return taken;
  }

  configWritten(name: string, value: number | bigint): void {
    this.written.push({ name, value });
  }

  reset(): void {
    this.resets++;
    this.context = undefined;
  }
}

/** A port in front of another one: logs every call, and answers by Promise if it is told to. */
export class TapPort implements TransportPort {
  readonly log: (readonly [name: string, ...values: unknown[]])[] = [];
  readonly deviceId: number;
  transport: string;
  private readonly inner: TransportPort;
  private readonly later: boolean;

  constructor(inner: TransportPort, later = false) {
    this.inner = inner;
    this.later = later;
    this.deviceId = inner.deviceId;
    this.transport = inner.transport;
  }

  /** The logged calls of these names. */
  calls(...names: string[]): (readonly [string, ...unknown[]])[] {
    return this.log.filter(([name]) => names.includes(name));
  }

  readDeviceFeatures = (word: number) =>
    this.tap("readDeviceFeatures", [word], () => this.inner.readDeviceFeatures(word));
  writeDriverFeatures = (word: number, value: number) =>
    this.tap("writeDriverFeatures", [word, value], () => this.inner.writeDriverFeatures(word, value));
  readStatus = () => this.tap("readStatus", [], () => this.inner.readStatus());
  writeStatus = (value: number) => this.tap("writeStatus", [value], () => this.inner.writeStatus(value));
  readConfig = (offset: number, bytes: 1 | 2 | 4) =>
    this.tap("readConfig", [offset, bytes], () => this.inner.readConfig(offset, bytes));
  writeConfig = (offset: number, bytes: 1 | 2 | 4, value: number) =>
    this.tap("writeConfig", [offset, bytes, value], () => this.inner.writeConfig(offset, bytes, value));
  configGeneration = () => this.tap("configGeneration", [], () => this.inner.configGeneration());
  queueMaxSize = (index: number) => this.tap("queueMaxSize", [index], () => this.inner.queueMaxSize(index));
  enableQueue = (index: number, setup: PortQueueSetup) =>
    this.tap("enableQueue", [index, setup], () => this.inner.enableQueue(index, setup));
  queueReady = (index: number) => this.tap("queueReady", [index], () => this.inner.queueReady(index));
  resetQueue = (index: number) => this.tap("resetQueue", [index], () => this.inner.resetQueue?.(index));
  queueInReset = (index: number) =>
    this.tap("queueInReset", [index], () => this.inner.queueInReset?.(index) ?? false);
  disableQueue = (index: number) => this.tap("disableQueue", [index], () => this.inner.disableQueue?.(index));
  notify = (kickValue: number) => this.tap("notify", [kickValue], () => this.inner.notify(kickValue));
  onInterrupt = (handler: NotificationHandler) => this.inner.onInterrupt(handler);
  refusal = () => this.inner.refusal?.();

  private tap<T>(name: string, values: unknown[], call: () => T | Promise<T>): T | Promise<T> {
    this.log.push([name, ...values]);
    return this.later ? Promise.resolve().then(call) : call();
  }
}

/** What a rig is made of. */
export interface RigOptions {
  readonly model?: TestModelOptions;
  /** Reserved features in the offer; default: all of profile strict. */
  readonly offer?: readonly (string | number)[];
  readonly device?: Omit<DeviceOptions, "offer" | "onEvent" | "onViolation">;
  /** What the driver supports; default: VERSION_1 alone. */
  readonly supports?: readonly (string | number)[];
  readonly driver?: Partial<DriverOptions>;
  /** The port answers by Promise. */
  readonly later?: boolean;
  /** What the loopback passes for. */
  readonly loopback?: LoopbackOptions;
}

/** A wired-up driver and device. */
export interface Rig {
  readonly core: Core;
  readonly model: TestModel;
  readonly device: VirtioDevice;
  readonly port: TapPort;
  readonly allocator: GuestAllocator;
  readonly driver: VirtioDriver;
  readonly transcript: Transcript;
  /** What the device's onViolation heard. */
  readonly violations: VirtioError[];
  readonly codes: () => string[];
  /** Every notification to the driver, in order, with the status at that time. */
  readonly notifications: { kind: string; queue: number | undefined; status: number }[];
}

/** Wires up a driver and a device. */
export function makeRig(options: RigOptions = {}): Rig {
  const core = loadCoreSync({ guestBytes: 1 << 20 });
  const transcript = new Transcript({ clock: () => 0 });
  const violations: VirtioError[] = [];
  const model = new TestModel(options.model);
  const device = new VirtioDevice(core, model, {
    ...options.device,
    ...(options.offer === undefined ? {} : { offer: options.offer }),
    onEvent: transcript.sink,
    onViolation: (error) => violations.push(error),
  });
  const port = new TapPort(new Loopback(device, options.loopback), options.later);
  const allocator = new GuestAllocator(core);
  const notifications: Rig["notifications"] = [];
  const driver = new VirtioDriver({
    core,
    allocator,
    port: {
      ...port,
      onInterrupt: (handler) =>
        port.onInterrupt((kind, queue) => {
          notifications.push({ kind, queue, status: device.status });
          handler(kind, queue);
        }),
    } as TransportPort,
    supports: options.supports ?? ["VERSION_1"],
    onEvent: transcript.sink,
    ...options.driver,
  });
  const codes = () => violations.map(({ code }) => code);
  return { core, model, device, port, allocator, driver, transcript, violations, codes, notifications };
}

/** Initialises, and fails the test if that is refused. */
export async function started(rig: Rig, supports?: readonly (string | number)[]): Promise<Rig> {
  const result = await rig.driver.initialize(supports === undefined ? {} : { supports });
  expect(result).toMatchObject({ ok: true });
  return rig;
}

/** Why an initialisation was refused; fails the test if it wasn't. */
export function refusal(result: InitializeResult): { code: string; reason: string } {
  if (result.ok) throw new Error("the initialisation was not refused");
  return result;
}

/** Sends chains of one readable buffer through queue `index`, one by one, and checks that each comes back. */
export function roundTrips(rig: Rig, count = 3, index = 0): void {
  const queue = rig.driver.queues[index];
  if (queue === undefined) throw new Error(`the driver has no queue ${index}`);
  const address = rig.allocator.allocate(64);
  for (let i = 0; i < count; i++) {
    const token = queue.add([{ address, length: 64 }], []);
    expect(token).toBeGreaterThan(0);
    void rig.driver.kick(index);
    while (rig.device.process() === "more");
    expect(queue.takeUsed()).toBe(1);
    expect(queue.used.token(0)).toBe(token);
  }
  rig.allocator.free(address);
}

/** Adds `count` chains without serving them; their tokens. */
export function addChains(rig: Rig, count: number, index = 0): number[] {
  const queue = rig.driver.queues[index];
  if (queue === undefined) throw new Error(`the driver has no queue ${index}`);
  const address = rig.allocator.allocate(64);
  return Array.from({ length: count }, () => queue.add([{ address, length: 64 }], []));
}

/** Takes a device's status register through the steps up to `status`, by hand, with these features accepted. */
export function driveTo(device: VirtioDevice, status: number, accepted?: FeatureSet): void {
  device.writeStatus(0);
  for (const next of [0x01, 0x03, 0x0b, 0x0f]) {
    if (next > status) break;
    if (next === 0x0b) {
      accepted?.words.forEach((word, index) => {
        device.writeFeatures(index, word);
      });
    }
    device.writeStatus(next);
    expect(device.readStatus()).toBe(next);
  }
}
