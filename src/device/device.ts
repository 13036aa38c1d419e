/**
 * A virtio device without a transport: status, negotiation, configuration, queues and notifications (§2, §3).
 * A transport calls what is below "Registers", the host calls `process`. Registers never throw and run nothing: a
 * breach becomes an event and `onViolation`, and a notification only marks its queue.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { type ControlEvent, type EventSink, hex, setNames } from "../negotiation/control-event";
import type { FeatureSet } from "../negotiation/feature-set";
import { statusNames } from "../negotiation/status-names";
import { VIRTIO_CONFIG_S_NEEDS_RESET } from "../spec/status";
import { type RingLayout, ringLayout } from "../virtqueue/layout";
import { ConfigRegisters } from "./config-registers";
import { ConfigSpace } from "./config-space";
import { deviceContext } from "./device-context";
import { DeviceFeatures } from "./device-features";
import { DeviceReporter, DeviceState } from "./device-state";
import { type InterruptHandler, Interrupts } from "./interrupts";
import { LateWork } from "./late-work";
import type { DeviceModel } from "./model";
import { type DeviceProfile, deviceProfile } from "./profiles";
import { QueueRegisters } from "./queue-registers";
import { asVirtioError, QueueService } from "./queue-service";
import { type DeviceQueueSettings, DeviceQueues, type QueueSetup } from "./queues";
import { judgeStatusWrite, type Phase, type StatusStep } from "./status";

/** What a device is made with, beside its model. */
export interface DeviceOptions extends DeviceQueueSettings {
  /** The reserved features offered, instead of the profile's. */
  readonly offer?: Iterable<string | number> | FeatureSet;
  /** How it behaves: a profile or the name of one. Default "strict". */
  readonly profile?: DeviceProfile | string;
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

/** The device half of everything but the ring. */
export class VirtioDevice {
  readonly model: DeviceModel;
  readonly profile: DeviceProfile;
  private readonly core: Core;
  private readonly state = new DeviceState();
  private readonly report: DeviceReporter;
  private readonly features: DeviceFeatures;
  private readonly configSpace: ConfigSpace;
  private readonly config: ConfigRegisters;
  private readonly queues: DeviceQueues;
  private readonly queueRegisters: QueueRegisters;
  private readonly service: QueueService;
  private readonly interrupts: Interrupts;
  private readonly late = new LateWork();

  /**
   * @throws VirtioError BAD_ARGUMENT if the offer contradicts itself (the missing bit is named), UNKNOWN_NAME
   */
  constructor(core: Core, model: DeviceModel, options: DeviceOptions = {}) {
    const { state } = this;
    this.core = core;
    this.model = model;
    this.profile = deviceProfile(options.profile ?? "strict");
    this.report = new DeviceReporter(options.onEvent, options.onViolation);
    this.features = new DeviceFeatures(model, this.profile, options.offer ?? this.profile.offers);
    this.configSpace = new ConfigSpace(model.config, this.features.offered, this.features.type);
    this.config = new ConfigRegisters(this.configSpace, this.features, model, this.report, (error) =>
      this.needsReset(error),
    );
    this.queues = new DeviceQueues(core, model.queues, options);
    this.interrupts = new Interrupts(model.queues.length);
    this.interrupts.handler = options.onInterrupt;
    this.service = new QueueService({
      model,
      queues: this.queues,
      interrupts: this.interrupts,
      state,
      share: options.share ?? 64,
      onWork: options.onWork,
      needsReset: (error) => this.needsReset(error),
      breakDown: () => this.breakDown(),
    });
    this.queueRegisters = new QueueRegisters(this.queues, state, this.report, {
      mark: (slot) => this.service.mark(slot),
      onRingViolation: (error, isBroken) =>
        isBroken ? this.needsReset(error) : this.report.violation(error),
    });
  }

  /** What the device offers; never changes. */
  get offered(): FeatureSet {
    return this.features.offered;
  }

  /** What the driver feature words hold now. */
  get accepted(): FeatureSet {
    return this.features.accepted;
  }

  /** The accepted set that FEATURES_OK froze; undefined before and after a reset. */
  get negotiated(): FeatureSet | undefined {
    return this.features.negotiated;
  }

  /** Why the last FEATURES_OK was refused, for a person. */
  get refusal(): string | undefined {
    return this.features.refusal;
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

  /** Whether `process` has something to do. */
  get hasWork(): boolean {
    return this.service.hasWork;
  }

  /** Gives notifications to a transport from now on. */
  connect(handler: InterruptHandler): void {
    this.interrupts.handler = handler;
  }

  // Registers

  /** A word of the offered features, 32 bits; 0 beyond the fourth. */
  readFeatures(word: number): number {
    return this.offered.word(word);
  }

  /** Replaces a word of the accepted features. Without effect once FEATURES_OK was confirmed (§3.1.1). */
  writeFeatures(word: number, value: number): void {
    const before = this.accepted.word(word);
    const after = value >>> 0;
    if (this.negotiated !== undefined) {
      if (after !== before) this.frozen(word, before, after);
      return;
    }
    if (this.phase !== "negotiating") {
      const reason = `features written at status ${hex(this.status)}, their time is after DRIVER`;
      this.report.violation(new VirtioError("STATUS_SEQUENCE", reason, { section: "3.1.1" }));
    }
    this.features.writeWord(word, after);
    this.report.event({
      step: "features",
      field: `accepted word ${word}`,
      before: hex(before, 8),
      after: hex(this.accepted.word(word), 8),
      section: "2.2",
      sets: this.sets(),
    });
  }

  readStatus(): number {
    return this.status;
  }

  /** 0 resets the device; any other byte is judged by the profile's table (§2.1, §3.1). */
  writeStatus(written: number): void {
    this.interrupts.hold();
    try {
      const verdict = judgeStatusWrite(this.profile.status, this.phase, this.status, written);
      if (verdict.kind === "reset") this.reset();
      else if (verdict.kind === "step") this.take(verdict.step);
      else if (verdict.kind === "breach") {
        this.report.violation(new VirtioError(verdict.code, verdict.reason, { section: verdict.section }));
      } else if (verdict.note !== undefined) this.statusEvent(this.status, "3.4", verdict.note);
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
    return this.queues.maxSize(index, this.ring);
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
    this.queueRegisters.notify(kickValue);
  }

  // The host's side

  /**
   * Serves the queues in turn. Called from a notification handler it does nothing: the call that is under way goes on.
   *
   * @param budget most chains, ≥ 1
   * @returns "more" if there is still something to do
   */
  process(budget = 1024): "done" | "more" {
    return this.service.process(budget);
  }

  /** Settles when every backend that was asked has answered. `process` may have work then. */
  idle(): Promise<void> {
    return this.late.idle();
  }

  /** Says that a configuration value has changed; the driver hears of it once, from DRIVER_OK on (§3.2). */
  configChanged(): void {
    this.configSpace.markChanged();
    this.report.event({ step: "config", section: "3.2", note: "changed by the device" });
    this.interrupts.raiseConfig();
  }

  /** Sets DEVICE_NEEDS_RESET, then notifies a driver that has set DRIVER_OK (§2.1.2). Only a reset takes it back. */
  needsReset(error: VirtioError): void {
    this.report.violation(error);
    this.breakDown();
  }

  /** Resets the device and lets go of its queues. Late answers are dropped. */
  dispose(): void {
    this.reset();
    this.interrupts.handler = undefined;
  }

  private take(step: StatusStep): void {
    if (step.does === "negotiate") {
      this.negotiate(step);
      return;
    }
    const before = this.status;
    this.advance(step);
    this.statusEvent(before, step.section, statusNames(step.sets));
    if (step.does === "start") this.start();
  }

  private advance(step: StatusStep): void {
    this.state.status |= step.sets;
    this.state.phase = step.to;
  }

  private negotiate(step: StatusStep): void {
    const before = this.status;
    const note = this.refusal === undefined ? "confirmed" : "confirmed, after a refusal and without a reset";
    if (!this.features.confirm() || this.negotiated === undefined) {
      const refused = `refused: ${this.refusal}`;
      this.statusEvent(before, "2.2.2", refused, { code: "FEATURES_REFUSED", field: "FEATURES_OK" });
      return;
    }
    this.advance(step);
    const ring = ringLayout(this.negotiated);
    this.state.negotiated = this.negotiated;
    this.state.ring = ring;
    this.statusEvent(before, step.section, note, { field: "FEATURES_OK", sets: this.sets() });
    this.report.event({
      step: "layout",
      field: "ring",
      after: ring.layout,
      section: "2.6",
      note: ring.reason,
    });
  }

  private start(): void {
    this.interrupts.configEnabled = true;
    try {
      const { core, state, queues, service, interrupts, late } = this;
      const negotiated = state.negotiated ?? this.accepted;
      const parts = { core, negotiated, state, queues, service, interrupts, late };
      const configChanged = () => this.configChanged();
      const needsReset = (error: VirtioError) => this.needsReset(error);
      this.model.start?.(deviceContext({ ...parts, configChanged, needsReset }));
    } catch (error) {
      this.needsReset(asVirtioError(error));
    }
    this.service.markAll();
  }

  private reset(): void {
    const { state } = this;
    const before = state.status;
    state.life++;
    state.status = 0;
    state.phase = "reset";
    state.negotiated = undefined;
    state.ring = undefined;
    this.queues.reset();
    this.features.reset();
    this.configSpace.reset();
    this.interrupts.clear();
    try {
      this.model.reset?.();
    } catch (error) {
      this.report.violation(asVirtioError(error)); // §2.4.1: the status is 0 all the same
    }
    const change = { before: hex(before), after: hex(0) };
    this.report.event({ step: "reset", field: "status", ...change, section: "2.4", sets: this.sets() });
  }

  private breakDown(): void {
    const { state } = this;
    const before = state.status;
    if ((before & VIRTIO_CONFIG_S_NEEDS_RESET) !== 0) return;
    state.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    if (state.phase !== "failed") state.phase = "needs-reset";
    this.statusEvent(before, "2.1.2", "DEVICE_NEEDS_RESET");
    this.interrupts.raiseConfig(); // after the bit, and only if DRIVER_OK is set: held back until then
  }

  private frozen(word: number, before: number, after: number): void {
    const reason = `features word ${word} written after FEATURES_OK: ${hex(after, 8)} for ${hex(before, 8)}`;
    const error = new VirtioError("FEATURES_FROZEN", reason, { section: "3.1.1" });
    if (this.profile.featuresAfterOk === "needs-reset") this.needsReset(error);
    else this.report.violation(error);
  }

  private statusEvent(before: number, section: string, note: string, more: Partial<ControlEvent> = {}): void {
    const change = { before: hex(before), after: hex(this.status) };
    this.report.event({ step: "status", field: "status", ...change, section, note, ...more });
  }

  private sets() {
    const { type, offered, accepted, negotiated } = this.features;
    return setNames(type, offered, accepted, negotiated);
  }
}
