/**
 * A driver whose device moves under it: saved on one core, restored on another one over the same guest memory, with a
 * model of its own. The driver notices nothing but its notifications.
 */
import { expect } from "vitest";
import { type Core, loadCoreSync } from "../../src/core/core";
import { stateBytes } from "../../src/core/state-area";
import { type DeviceOptions, VirtioDevice } from "../../src/device/device";
import type { DeviceImage } from "../../src/device/device-image-form";
import type { DeviceModel } from "../../src/device/model";
import { type DriverOptions, VirtioDriver } from "../../src/driver/driver";
import type { NotificationHandler, PortQueueSetup, TransportPort } from "../../src/driver/port";
import { VirtioError } from "../../src/errors";
import type { MmioTransport } from "../../src/transport/mmio";
import type { MmioImage } from "../../src/transport/mmio-image";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { imageChecksum } from "../../src/virtqueue/queue-image";
import { TestModel, type TestModelOptions } from "../control-rig";

const GUEST_BYTES = 1 << 19;
const PAGE = 65536;

/** Holds its chains, answers for them across a save, and completes them when it is told to. */
export class HoldingModel extends TestModel {
  /** Chains that it has not completed. */
  tokens: number[] = [];

  override process(...call: Parameters<TestModel["process"]>): number {
    this.holds = true;
    const before = this.taken.length;
    const count = super.process(...call);
    this.tokens.push(...this.taken.slice(before).map(({ token }) => token));
    return count;
  }

  /** Completes one chain, whatever the order; the driver sees it after `finish`. */
  complete(token: number, written = 0): void {
    this.context?.queue(0).complete(token, written);
    this.tokens = this.tokens.filter((other) => other !== token);
  }

  save(): unknown {
    return { tokens: this.tokens };
  }

  restore(state: unknown): void {
    const { tokens } = Object(state) as { tokens?: unknown };
    if (!Array.isArray(tokens)) throw new Error("a holding model wants tokens");
    this.tokens = tokens as number[];
  }

  override reset(): void {
    super.reset();
    this.tokens = [];
  }
}

/** What a rig is made of. */
export interface ImageRigOptions<M extends DeviceModel> {
  /** Makes a model for each device. */
  readonly model: () => M;
  readonly offer?: readonly string[];
  readonly supports?: readonly string[];
  readonly device?: DeviceOptions;
  readonly driver?: Partial<DriverOptions>;
}

/** Hands every call to the device of the moment. */
class MovingPort implements TransportPort {
  readonly transport = "loopback";
  private handler: NotificationHandler | undefined;
  private readonly device: () => VirtioDevice;

  constructor(device: () => VirtioDevice) {
    this.device = device;
  }

  get deviceId(): number {
    return this.device().model.deviceId;
  }

  /** Takes the notifications of another device. */
  attach(device: VirtioDevice, heard: NotificationHandler): void {
    device.connect((kind, queue) => {
      heard(kind, queue);
      this.handler?.(kind, queue);
    });
  }

  readDeviceFeatures = (word: number) => this.device().readFeatures(word);
  writeDriverFeatures = (word: number, value: number) => this.device().writeFeatures(word, value);
  readStatus = () => this.device().readStatus();
  writeStatus = (value: number) => this.device().writeStatus(value);
  readConfig = (offset: number, bytes: 1 | 2 | 4) => this.device().readConfig(offset, bytes);
  writeConfig = (offset: number, bytes: 1 | 2 | 4, value: number) =>
    this.device().writeConfig(offset, bytes, value);
  configGeneration = () => this.device().configGeneration();
  queueMaxSize = (index: number) => this.device().queueMaxSize(index);
  enableQueue = (index: number, setup: PortQueueSetup) => this.device().enableQueue(index, setup);
  queueReady = (index: number) => this.device().queueReady(index);
  notify = (kickValue: number) => this.device().notify(kickValue);
  onInterrupt = (handler: NotificationHandler) => {
    this.handler = handler;
  };
}

/** A driver, its device, and the way to another device. */
export class ImageRig<M extends DeviceModel = TestModel> {
  readonly core: Core;
  readonly allocator: GuestAllocator;
  readonly driver: VirtioDriver;
  device: VirtioDevice;
  model: M;
  readonly violations: VirtioError[] = [];
  /** Notifications to the driver since the last move. */
  readonly notifications: string[] = [];
  /** How often the device of the moment asked for `process`. */
  works = 0;
  private readonly options: ImageRigOptions<M>;
  private readonly port: MovingPort;
  private buffer: number | undefined;

  constructor(options: ImageRigOptions<M>) {
    this.options = options;
    this.core = loadCoreSync({ guestBytes: GUEST_BYTES });
    this.allocator = new GuestAllocator(this.core);
    this.port = new MovingPort(() => this.device);
    [this.device, this.model] = this.another(this.core);
    this.use(this.device, this.model);
    this.driver = new VirtioDriver({
      core: this.core,
      allocator: this.allocator,
      port: this.port,
      supports: options.supports ?? ["VERSION_1"],
      ...options.driver,
    });
  }

  /** A device like the rig's own, that nobody uses; on a core of its own unless one is given. */
  another(core: Core = this.anotherCore()): [VirtioDevice, M] {
    const model = this.options.model();
    const { offer, device } = this.options;
    const made = new VirtioDevice(core, model, {
      ...(offer === undefined ? {} : { offer }),
      ...device,
      onViolation: (error) => this.violations.push(error),
      onWork: () => this.works++,
    });
    return [made, model];
  }

  /** Another core on the same guest memory. */
  anotherCore(): Core {
    const { memory, regions } = this.core;
    const bytes = stateBytes({ queues: 2, maxQueueSize: 16 });
    const base = memory.grow(Math.ceil(bytes / PAGE)) * PAGE;
    return loadCoreSync({ memory, regions, state: { base, size: Math.ceil(bytes / PAGE) * PAGE } });
  }

  /** Saves the device, restores it elsewhere from the text of the image, and gives the old one up. */
  move(image: unknown = JSON.stringify(this.device.save())): void {
    const [device, model] = this.another();
    const old = this.device;
    this.use(device, model);
    device.restore(image);
    old.dispose();
  }

  /** The rig's driver works with this device from now on. */
  use(device: VirtioDevice, model: M): void {
    this.device = device;
    this.model = model;
    this.notifications.length = 0;
    this.works = 0;
    this.port.attach(device, (kind, queue) =>
      this.notifications.push(kind === "used" ? `used ${queue}` : kind),
    );
  }

  async start(): Promise<this> {
    expect(await this.driver.initialize()).toMatchObject({ ok: true });
    return this;
  }

  /** Adds chains of one readable buffer and shows them; whether the device is told is the ring's matter. */
  add(count: number): number[] {
    const queue = this.queue;
    this.buffer ??= this.allocator.allocate(64);
    const address = this.buffer;
    const tokens = Array.from({ length: count }, () => queue.add([{ address, length: 64 }], []));
    void this.driver.kick(0);
    return tokens;
  }

  /** Serves whatever there is. */
  serve(): void {
    while (this.device.process() === "more");
  }

  /** Tokens that have come back. */
  used(): number[] {
    return [...this.queue.usedBuffers()].map(({ token }) => token);
  }

  /** Chains go and come, one by one. */
  roundTrips(count = 3): void {
    for (let i = 0; i < count; i++) {
      const tokens = this.add(1);
      this.serve();
      expect(this.used()).toEqual(tokens);
    }
  }

  get queue() {
    const [queue] = this.driver.queues;
    if (queue === undefined) throw new Error("the driver has no queue");
    return queue;
  }
}

/** A rig of test models. */
export function testRig(
  options: Omit<ImageRigOptions<TestModel>, "model"> & { model?: TestModelOptions } = {},
) {
  const { model, ...rest } = options;
  return new ImageRig({ ...rest, model: () => new TestModel(model) });
}

/** The image with parts exchanged, and its checksums made right again: as somebody would forge it. */
export function forged(image: DeviceImage | MmioImage, change: (plain: Plain) => void): Plain {
  const plain = JSON.parse(JSON.stringify(image)) as Plain;
  change(plain);
  return resealed(plain);
}

/** Any checksum that there is, made right. */
export function resealed(plain: Plain): Plain {
  const { device, queues } = plain;
  if (typeof device === "object" && device !== null) resealed(device);
  for (const record of Array.isArray(queues) ? queues : []) {
    const queue = record?.setup?.image;
    if (typeof queue === "object" && queue !== null && "checksum" in queue) seal(queue);
  }
  if ("checksum" in plain) seal(plain);
  return plain;
}

function seal(data: Plain): void {
  const { checksum: _, ...rest } = data;
  data.checksum = imageChecksum(rest);
}

/** Plain data that a test changes as it likes. */
// biome-ignore lint/suspicious/noExplicitAny: forged images have any shape
export type Plain = Record<string, any>;

/** The refusal of an image: its message; fails the test if there is none. */
export function refusalOf(device: VirtioDevice | MmioTransport, image: unknown): string {
  try {
    device.restore(image);
  } catch (error) {
    expect(error).toBeInstanceOf(VirtioError);
    expect(error).toMatchObject({ code: "SNAPSHOT_INVALID" });
    return (error as VirtioError).message;
  }
  throw new Error("the image was not refused");
}
