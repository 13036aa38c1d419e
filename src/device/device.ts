/**
 * A virtio device without a transport: status, negotiation, configuration, queues and notifications (§2, §3).
 * A transport calls what is below "Registers", the host calls `process`. Registers never throw and run nothing: a
 * breach becomes an event and `onViolation`, and a notification only marks its queue.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { type EventSink, hex, type RegisterAccess } from "../negotiation/control-event";
import type { FeatureSet } from "../negotiation/feature-set";
import type { DeviceQueue } from "../virtqueue/device-queue";
import type { RingLayout } from "../virtqueue/layout";
import { ConfigRegisters } from "./config-registers";
import { ConfigSpace } from "./config-space";
import { deviceContext } from "./device-context";
import type { DeviceCounters } from "./device-counters";
import { DeviceFeatures } from "./device-features";
import { hindrance, type ImagedDevice, judgedImage, restoreDevice, saveDevice } from "./device-image";
import type { DeviceImage } from "./device-image-form";
import { DeviceReporter, DeviceState } from "./device-state";
import { FeatureRegisters } from "./feature-registers";
import { type InterruptHandler, Interrupts } from "./interrupts";
import { LateWork } from "./late-work";
import { Lifecycle } from "./lifecycle";
import type { DeviceModel } from "./model";
import { type DeviceProfile, deviceProfile } from "./profiles";
import { QueueRegisters } from "./queue-registers";
import { asVirtioError, QueueService } from "./queue-service";
import { type DeviceQueueSettings, DeviceQueues, type QueueSetup } from "./queues";
import { type Phase, use } from "./status";

/** What a device is made with, beside its model. */
export interface DeviceOptions extends DeviceQueueSettings {
  /** The reserved features offered, instead of the profile's. */
  readonly offer?: Iterable<string | number> | FeatureSet;
  /** How it behaves: a profile or the name of one. Default "strict". */
  readonly profile?: DeviceProfile | string;
  /** The guest's byte order: legacy drivers have the configuration in it (§2.5.3). Default "little". */
  readonly byteOrder?: "little" | "big";
  /** Takes the notifications to the driver; a transport takes this over with `connect`. */
  readonly onInterrupt?: InterruptHandler;
  readonly onEvent?: EventSink;
  /** Hears of every breach of the driver, once. */
  readonly onViolation?: (error: VirtioError) => void;
  /** There is work: have `process` called soon, not from here. */
  readonly onWork?: () => void;
  /** Most chains served from one queue before it is the next one's turn. Default 64. */
  readonly share?: number;
}

/** What a transport says of itself when it connects, for legacy detection. */
export interface TransportFacts {
  /** What the Version register shows the driver (MMIO, §4.2.2). */
  readonly versionRegister?: 1 | 2;
}

/** The device half of everything but the ring. */
export class VirtioDevice {
  readonly model: DeviceModel;
  readonly profile: DeviceProfile;
  private readonly core: Core;
  private readonly state = new DeviceState();
  private readonly report: DeviceReporter;
  private readonly features: DeviceFeatures;
  private readonly featureRegisters: FeatureRegisters;
  private readonly configSpace: ConfigSpace;
  private readonly config: ConfigRegisters;
  private readonly queues: DeviceQueues;
  private readonly queueRegisters: QueueRegisters;
  private readonly service: QueueService;
  private readonly interrupts: Interrupts;
  private readonly late = new LateWork();
  private readonly life: Lifecycle;
  private readonly imaged: ImagedDevice;
  private notified = 0;

  /**
   * @throws VirtioError BAD_ARGUMENT if the offer contradicts itself (the missing bit is named), UNKNOWN_NAME
   */
  constructor(core: Core, model: DeviceModel, options: DeviceOptions = {}) {
    const { state, late } = this;
    const { onEvent, onViolation, onInterrupt, onWork, byteOrder = "little" } = options;
    this.core = core;
    this.model = model;
    const profile = deviceProfile(options.profile ?? "strict");
    this.profile = profile;
    const report = new DeviceReporter(onEvent, onViolation);
    this.report = report;
    const features = new DeviceFeatures(model, profile, options.offer ?? profile.offers);
    this.features = features;
    const { policies } = profile;
    const breakDown = () => this.life.breakDown();
    this.featureRegisters = new FeatureRegisters({ features, policies, state, report, breakDown });
    const config = new ConfigSpace(model.config, features.offered, features.type);
    this.configSpace = config;
    this.config = new ConfigRegisters({
      space: config,
      features,
      model,
      profile,
      state,
      report,
      byteOrder,
      needsReset: (error) => this.needsReset(error),
    });
    const queues = new DeviceQueues(core, model.queues, options);
    this.queues = queues;
    const interrupts = new Interrupts(model.queues.length);
    this.interrupts = interrupts;
    interrupts.handler = onInterrupt;
    interrupts.onDeliver = (kind, queue) => this.interruptEvent(kind, queue);
    const service = new QueueService({
      model,
      queues,
      interrupts,
      state,
      share: options.share ?? 64,
      onWork,
      needsReset: (error) => this.needsReset(error),
      breakDown,
    });
    this.service = service;
    const start = () => this.startModel(() => onWork?.());
    const parts = {
      core,
      model,
      profile,
      state,
      features,
      config,
      queues,
      service,
      interrupts,
      late,
      report,
    };
    const countNotice = () => this.config.countNotice();
    this.life = new Lifecycle({ ...parts, byteOrder, onWork, start, countNotice });
    this.queueRegisters = new QueueRegisters(queues, state, report, {
      mark: (slot) => service.mark(slot),
      onRingViolation: (error, isBroken) => (isBroken ? this.needsReset(error) : report.violation(error)),
      isLegacy: () => features.isLegacy,
      isNegotiated: (feature) => features.negotiated?.has(feature, features.type) ?? false,
      firstLegacyUse: () => this.life.firstLegacyUse(),
      startEarly: () => this.life.startEarly(),
    });
    const { config: configRegisters, queueRegisters, life } = this;
    const registers = { configRegisters, queueRegisters, life, byteOrder };
    this.imaged = { ...parts, ...registers, needsReset: (error) => this.needsReset(error) };
  }

  /** What the device offers; never changes. */
  get offered(): FeatureSet {
    return this.features.offered;
  }

  /** What the driver feature words hold now. */
  get accepted(): FeatureSet {
    return this.features.accepted;
  }

  /** The accepted set that FEATURES_OK froze, or a legacy driver's first use; undefined before and after a reset. */
  get negotiated(): FeatureSet | undefined {
    return this.features.negotiated;
  }

  /** Why the last FEATURES_OK was refused, for a person. */
  get refusal(): string | undefined {
    return this.features.refusal;
  }

  /** Whether the driver is taken for a legacy one, as the profile's strategy sees it now. */
  get isLegacy(): boolean {
    return this.features.isLegacy;
  }

  /** The ring that follows from the negotiated set. */
  get ring(): RingLayout | undefined {
    return this.state.ring;
  }

  get status(): number {
    return this.state.status;
  }

  /** Where the device stands; the status byte alone doesn't always say. */
  get phase(): Phase {
    return this.state.phase;
  }

  get queueCount(): number {
    return this.queues.length;
  }

  /** Bytes of the configuration, up to the end of the last field that exists (§2.5). */
  get configLength(): number {
    return this.configSpace.length;
  }

  /** Whether `process` has something to do. */
  get hasWork(): boolean {
    return this.service.hasWork || this.life.canSettle;
  }

  /** What the device has done since it was made, as plain data. A reset or a snapshot changes nothing of it. */
  get counters(): DeviceCounters {
    const { notified: availableNotifications, model, report, queues } = this;
    const { chains, bytesToDevice, bytesFromDevice, usedNotifications, usedSuppressed } = queues.tally;
    const moved = { chains, bytesToDevice, bytesFromDevice };
    const notifications = { availableNotifications, usedNotifications, usedSuppressed };
    return { ...moved, ...notifications, drops: model.drops ?? 0, violations: report.violations };
  }

  /** Gives notifications to a transport from now on. */
  connect(handler: InterruptHandler, facts: TransportFacts = {}): void {
    this.interrupts.handler = handler;
    this.features.versionRegister = facts.versionRegister;
  }

  // Registers

  /** Which window the next accesses come through, for a transport that has two of them (§4.1.4.10). */
  useWindow(window: "legacy" | "modern"): void {
    this.features.window = window;
  }

  /** A word of the offered features, 32 bits; 0 beyond the last one. */
  readFeatures(word: number): number {
    return this.featureRegisters.read(word);
  }

  /** Replaces a word of the accepted features. Without effect once FEATURES_OK was confirmed (§3.1.1). */
  writeFeatures(word: number, value: number): void {
    this.featureRegisters.write(word, value >>> 0);
  }

  readStatus(): number {
    const { status: value } = this;
    const access: RegisterAccess = { register: "status", how: "read", value };
    const plain = { step: "status", field: "status", after: hex(value), section: "2.1", note: "read" };
    this.report.during(access, plain, () => {});
    return value;
  }

  /** 0 resets the device; any other byte is judged by the profile's table (§2.1, §3.1). */
  writeStatus(written: number): void {
    this.interrupts.hold();
    try {
      const access: RegisterAccess = { register: "status", how: "write", value: written };
      const change = { before: hex(this.status), after: hex(this.status) };
      const plain = { step: "status", field: "status", ...change, section: "2.1", note: "nothing new" };
      this.report.during(access, plain, () => this.life.writeStatus(written));
    } finally {
      this.interrupts.release();
    }
  }

  /** 1, 2 or 4 bytes of the configuration, little-endian; 0 where there is nothing (§2.5.2). */
  readConfig(offset: number, bytes: number): number {
    return this.config.read(offset, bytes);
  }

  /** Writes 1, 2 or 4 bytes of the configuration; refused before FEATURES_OK and for read-only fields. */
  writeConfig(offset: number, bytes: number, value: number): void {
    this.config.write(offset, bytes, value);
  }

  /** Another number whenever two accesses may have seen different configurations (§2.5). */
  configGeneration(): number {
    return this.config.generation();
  }

  /** Most descriptors of a queue; 0 for a queue that doesn't exist. */
  queueMaxSize(index: number): number {
    return this.queueRegisters.maxSize(index);
  }

  /** What {@link queueMaxSize} reads, for a transport's own use: the driver has not asked, nothing is told. */
  queueCapacity(index: number): number {
    return this.queueRegisters.capacity(index);
  }

  /** Sets a queue up and enables it; it stays disabled if anything is wrong: ask `queueReady`. */
  enableQueue(index: number, setup: QueueSetup): void {
    this.queueRegisters.enable(index, setup);
  }

  queueReady(index: number): boolean {
    return this.queues.slot(index)?.queue !== undefined;
  }

  /** Stops a queue; the device has let go of it when this returns. */
  disableQueue(index: number): void {
    this.queueRegisters.disable(index);
  }

  /** Resets one queue, which may then be enabled again with other parameters (§2.6.1); needs RING_RESET. */
  resetQueue(index: number): void {
    this.queueRegisters.reset(index);
  }

  /** An available buffer notification: marks the queue, nothing else. With NOTIFICATION_DATA its low half counts (§2.9). */
  notify(kickValue: number): void {
    this.notified++;
    this.queueRegisters.notify(kickValue);
  }

  /** Tells of a breach that a transport has seen on its registers, as of the device's own; nothing else comes of it. */
  violation(error: VirtioError): void {
    this.report.violation(error);
  }

  // The host's side

  /**
   * Serves the queues in turn, and finishes a suspend or resume that is due. Called from a notification handler it
   * does nothing: the call that is under way goes on.
   *
   * @param budget most chains, ≥ 1
   * @returns "more" if there is still something to do
   */
  process(budget = 1024): "done" | "more" {
    if (this.interrupts.held) return "done";
    this.life.settle();
    this.service.process(budget);
    this.life.settle();
    return this.hasWork ? "more" : "done";
  }

  /** Settles when every backend that was asked has answered. `process` may have work then. */
  idle(): Promise<void> {
    return this.late.idle();
  }

  /**
   * Says that a configuration value has changed; the driver hears of it once, from DRIVER_OK on (§3.2), and not
   * while it has the device suspended (§3.4.1).
   */
  configChanged(): void {
    const { policies } = this.profile;
    const isEarly = !this.interrupts.configEnabled && !this.state.isSuspended;
    this.configSpace.markChanged();
    const policy = isEarly ? { policy: use(policies, "earlyConfigNotice") } : {};
    this.report.event({ step: "config", section: "3.2", note: "changed by the device", ...policy });
    if (isEarly && policies.earlyConfigNotice === "drop") return;
    this.config.countNotice();
    this.interrupts.raiseConfig();
  }

  /** Sets DEVICE_NEEDS_RESET, then notifies a driver that has set DRIVER_OK (§2.1.2). Only a reset takes it back. */
  needsReset(error: VirtioError): void {
    this.report.violation(error);
    this.life.breakDown();
  }

  /** Whether {@link save} would be let through now. */
  get canSave(): boolean {
    return hindrance(this.imaged) === undefined;
  }

  /**
   * The device as plain data, to be continued by {@link restore} on the same guest memory, here or elsewhere. Changes
   * nothing; two devices must not go on from one image. Neither guest memory nor what a backend holds is in it.
   *
   * @throws VirtioError DEVICE_BUSY from within a handler, during a slow reset, and while chains or answers are with a
   * model that has no `save`: the message has both numbers, `process` and `idle` wait for them. Also on a profile that lets
   * a driver take DEVICE_NEEDS_RESET back, while the broken queue waits for a reset
   */
  save(): DeviceImage {
    return saveDevice(this.imaged);
  }

  /**
   * Goes on where {@link save} left a device of the same offer and model. The device must be new, or after a reset.
   * A live one has its queues looked at and its driver notified of each queue, once.
   *
   * @param image what `save` gave, or `JSON.stringify` of it, to the byte
   * @throws VirtioError SNAPSHOT_INVALID for what is damaged, contradicts itself or doesn't fit, DEVICE_BUSY for a
   * device in use; nothing has changed then
   */
  restore(image: unknown): void {
    restoreDevice(this.imaged, image);
  }

  /**
   * Judges an image as {@link restore} does, and changes nothing. Guest memory is not looked at, so that it may come later.
   *
   * @throws VirtioError as {@link restore}
   */
  judge(image: unknown): void {
    judgedImage(this.imaged, image);
  }

  /**
   * Where a queue stands, as vhost counts it: see {@link DeviceQueue.vringBase}.
   *
   * @throws VirtioError QUEUE_NOT_READY if the queue is not enabled
   */
  vringBase(index: number): number {
    return this.enabled(index).vringBase;
  }

  /**
   * Puts an enabled queue without chains in flight where {@link vringBase} says; before DRIVER_OK.
   *
   * @throws VirtioError SNAPSHOT_INVALID for a base with chains in flight, whose buffers it doesn't name, or of another
   * ring; QUEUE_NOT_READY, BAD_ARGUMENT
   */
  startQueueAt(index: number, base: number): void {
    this.enabled(index).continueAt(base);
  }

  /** Resets the device and lets go of its queues. Late answers are dropped. */
  dispose(): void {
    this.life.reset();
    this.interrupts.handler = undefined;
  }

  private enabled(index: number): DeviceQueue {
    const queue = this.queues.slot(index)?.queue;
    if (queue !== undefined) return queue;
    throw new VirtioError("QUEUE_NOT_READY", `queue ${index} is not enabled`, {
      section: "2.6",
      queue: index,
    });
  }

  private startModel(onQuiet: () => void): void {
    try {
      const { core, state, queues, service, interrupts, late } = this;
      const negotiated = state.negotiated ?? this.accepted;
      const parts = { core, negotiated, state, queues, service, interrupts, late };
      const configChanged = () => this.configChanged();
      const needsReset = (error: VirtioError) => this.needsReset(error);
      this.model.start?.(deviceContext({ ...parts, configChanged, needsReset, onQuiet }));
    } catch (error) {
      this.needsReset(asVirtioError(error));
    }
  }

  /** Notifications of the configuration, and those of a queue at a time when there should be none. */
  private interruptEvent(kind: "used" | "config", queue: number | undefined): void {
    if (kind === "used" && this.state.isLive) return;
    const field = kind === "config" ? kind : `used, queue ${queue}`;
    this.report.event({ step: "interrupt", field, section: "2.3", note: "the driver is notified" });
  }
}
