/**
 * What a device does on the way from reset to DRIVER_OK, into suspend and out of it, and back (§2.1, §2.4, §3.1, §3.4).
 * status.ts says what a written byte means; this carries it out. What takes its time (suspend, resume, a slow reset)
 * never ends inside a register write.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { type ControlEvent, hex, setNames } from "../negotiation/control-event";
import { statusNames } from "../negotiation/status-names";
import {
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_CONFIG_S_DRIVER,
} from "../spec/status";
import { ringLayout } from "../virtqueue/layout";
import type { ConfigSpace } from "./config-space";
import type { DeviceFeatures } from "./device-features";
import type { DeviceReporter, DeviceState } from "./device-state";
import type { Interrupts } from "./interrupts";
import type { LateWork } from "./late-work";
import type { DeviceModel } from "./model";
import type { DeviceProfile } from "./profiles";
import { asVirtioError, type QueueService } from "./queue-service";
import type { DeviceQueues } from "./queues";
import { judgeStatusWrite, phaseOf, type StatusStep, use } from "./status";
import { Suspension } from "./suspension";

/** The device around a lifecycle. */
export interface LifecycleParts {
  readonly core: Core;
  readonly model: DeviceModel;
  readonly profile: DeviceProfile;
  readonly state: DeviceState;
  readonly features: DeviceFeatures;
  readonly config: ConfigSpace;
  readonly queues: DeviceQueues;
  readonly service: QueueService;
  readonly interrupts: Interrupts;
  readonly late: LateWork;
  readonly report: DeviceReporter;
  /** The guest's byte order; only little-endian rings are served on the legacy interface (§2.7.3). */
  readonly byteOrder: "little" | "big";
  /** There is something for `settle` to do. */
  readonly onWork: (() => void) | undefined;
  /** Tells the model that the driver is ready. */
  start(): void;
  /** The driver is about to be notified of a configuration change. */
  countNotice(): void;
}

/** Moves one device through its phases. */
export class Lifecycle {
  private readonly parts: LifecycleParts;
  private readonly suspension: Suspension;

  constructor(parts: LifecycleParts) {
    this.parts = parts;
    this.suspension = new Suspension({ ...parts, needsReset: (error) => this.needsReset(error) });
  }

  /** 0 resets the device; any other byte is judged by the profile's table (§2.1, §3.1). */
  writeStatus(written: number): void {
    const { profile, state, features, report } = this.parts;
    const { phase, status, canSuspend } = state;
    const where = { phase, status, canSuspend, isLegacy: features.isLegacy };
    const verdict = judgeStatusWrite(profile.status, profile.policies, where, written);
    if (verdict.kind === "reset") this.reset();
    else if (verdict.kind === "nothing") {
      if (verdict.note !== undefined) this.changed(status, "3.4", verdict.note);
    } else {
      const { breach, policy } = verdict;
      if (breach !== undefined) {
        const error = new VirtioError(breach.code, breach.reason, { section: breach.section });
        report.violation(error, policy === undefined ? {} : { policy });
      } else if (policy !== undefined) {
        this.changed(status, "3.1.1", `${hex(written)} sets several bits at once`, { policy });
      }
      if (verdict.kind === "breach") return;
      if (verdict.clears !== 0) {
        this.clear(verdict.clears);
        this.writeStatus(written); // what is new in the byte counts from where the clearing has led
        return;
      }
      this.state.status |= verdict.stores;
      this.takeAll(verdict.steps);
    }
  }

  /** A legacy driver uses the device: whatever it has accepted is final from here on (§3.1.2). */
  firstLegacyUse(): void {
    const { features, state } = this.parts;
    if (state.negotiated !== undefined || !features.isLegacy) return;
    features.finalise();
    this.agreed("features are final: a legacy driver uses the device", "3.1.2");
  }

  /** A legacy driver notifies before DRIVER_OK, which a transitional device has to live with (§3.1.2). */
  startEarly(): void {
    this.firstLegacyUse();
    this.state.phase = "live";
    this.changed(this.state.status, "3.1.2", "in use before DRIVER_OK, by a legacy driver");
    this.start();
  }

  /** Sets DEVICE_NEEDS_RESET, then notifies a driver that has set DRIVER_OK (§2.1.2). */
  breakDown(): void {
    const { state, interrupts } = this.parts;
    const before = state.status;
    if ((before & NEEDS_RESET) !== 0 || state.phase === "resetting") return;
    state.status |= NEEDS_RESET;
    if (state.phase !== "failed") state.phase = "needs-reset";
    this.changed(before, "2.1.2", "DEVICE_NEEDS_RESET");
    interrupts.configEnabled = (before & DRIVER_OK) !== 0; // of this a driver that suspends or resumes hears, too
    if (interrupts.configEnabled) this.parts.countNotice();
    interrupts.raiseConfig(); // after the bit
  }

  /** Whether `settle` would get on with a suspend or a resume. */
  get canSettle(): boolean {
    return this.suspension.canSettle;
  }

  /** Finishes a suspend or a resume that is due. */
  settle(): void {
    this.suspension.settle();
  }

  /**
   * Goes on where an image left the device. Its queues are looked at and its driver notified once of each, since the
   * notifications on their way may be lost; while suspended or before DRIVER_OK neither (§3.4.1, §3.1.1).
   */
  wake(): void {
    const { interrupts, queues, service } = this.parts;
    const { phase, status } = this.state;
    const isOk = (status & DRIVER_OK) !== 0;
    interrupts.hold();
    try {
      interrupts.configEnabled = isOk && !this.parts.state.isSuspended; // §3.4.1: until the resume is over
      if (phase === "live" || phase === "suspending") this.parts.start();
      else if (phase === "suspended" || phase === "resuming") this.suspension.startLater();
      if (this.state.isLive) {
        service.publishAll(); // what a model had completed and not shown
        if (isOk) for (const index of queues.enabled()) interrupts.raiseUsed(index);
        service.markAll();
      } else if (this.suspension.canSettle) this.parts.onWork?.();
    } finally {
      interrupts.release();
    }
  }

  /** Forgets everything (§2.4.1). The status shows 0 at once, or when the model is quiet if it says that it isn't. */
  reset(): void {
    const { state, queues, features, config, interrupts, model, report, late } = this.parts;
    const before = state.status;
    state.life++;
    state.outstanding = 0;
    state.negotiated = undefined;
    state.ring = undefined;
    state.phase = "resetting";
    this.suspension.reset();
    queues.reset();
    features.reset();
    config.reset();
    interrupts.clear();
    let quiet: unknown;
    try {
      quiet = model.reset?.();
    } catch (error) {
      report.violation(asVirtioError(error)); // §2.4.1: the status is 0 all the same
    }
    if (!(quiet instanceof Promise)) {
      this.isReset(before);
      return;
    }
    if (before === 0) state.status = VIRTIO_CONFIG_S_DRIVER; // something that isn't 0, until the device is quiet
    this.changed(before, "2.4.1", "the reset is under way");
    const { life } = state;
    const done = () => this.isReset(before);
    const failed = (error: unknown) => {
      report.violation(asVirtioError(error));
      this.isReset(before);
    };
    late.follow(quiet, () => state.life === life, done, failed);
  }

  private get state(): DeviceState {
    return this.parts.state;
  }

  private isReset(before: number): void {
    const { state, report } = this.parts;
    state.status = 0;
    state.phase = "reset";
    const change = { before: hex(before), after: hex(0) };
    report.event({ step: "reset", field: "status", ...change, section: "2.4", sets: this.sets() });
  }

  /** Takes bits back, on a device that stores the byte as it is written. */
  private clear(bits: number): void {
    if (bits === 0) return;
    const { state, features, queues, interrupts, config } = this.parts;
    const before = state.status;
    const wasSuspended = state.isSuspended;
    state.status &= ~bits;
    if ((bits & FEATURES_OK) !== 0) {
      queues.reset();
      features.reopen();
      state.negotiated = undefined;
      state.ring = undefined;
    }
    state.phase = phaseOf(state.status, state.negotiated !== undefined);
    if (!state.isLive) interrupts.configEnabled = false;
    if (wasSuspended && !state.isSuspended) config.thaw();
    this.changed(before, "2.1.1", `${statusNames(bits)} taken back`);
  }

  private takeAll(steps: readonly StatusStep[]): void {
    const { state, profile, report } = this.parts;
    const before = { status: state.status, phase: state.phase };
    for (const step of steps) {
      if (step.does === "negotiate" && !this.negotiate(step)) {
        if (steps.length === 1) return;
        const policy = use(profile.policies, "refusedWrite");
        if (policy.choice === "drop") Object.assign(state, before);
        const note = `FEATURES_OK was refused: the other bits of the write are ${policy.choice === "drop" ? "lost" : "kept"}`;
        report.event({
          step: "status",
          field: "status",
          after: hex(state.status),
          section: "2.2.2",
          note,
          policy,
        });
        return;
      }
      if (step.does !== "negotiate") this.take(step);
    }
  }

  private take(step: StatusStep): void {
    const before = this.state.status;
    const wasLive = this.state.isLive;
    this.advance(step);
    const resume = step.does === "resume" ? ", to resume" : "";
    this.changed(before, step.section, statusNames(step.sets) + resume);
    if (step.does === "start" && wasLive) this.parts.interrupts.configEnabled = true;
    else if (step.does === "start") this.start();
    else if (step.does === "suspend" || step.does === "resume") this.suspension.begin(step.does);
  }

  private advance(step: StatusStep): void {
    this.state.status |= step.sets;
    this.state.phase = step.to;
  }

  private negotiate(step: StatusStep): boolean {
    const { features, profile } = this.parts;
    const before = this.state.status;
    const isRetry = features.refusal !== undefined;
    const isUnoffered = !features.accepted.isSubsetOf(features.offered);
    const policy = isRetry ? { policy: use(profile.policies, "retryAfterRefusal") } : {};
    if (!features.confirm()) {
      this.changed(before, "2.2.2", `${features.refusal}`, {
        code: "FEATURES_REFUSED",
        field: "FEATURES_OK",
        ...(isUnoffered ? { policy: use(profile.policies, "unofferedBits") } : policy),
      });
      return false;
    }
    this.advance(step);
    const note = isRetry ? "confirmed, after a refusal and without a reset" : "confirmed";
    this.agreed(note, step.section, before, policy);
    return true;
  }

  /** The accepted set is the negotiated one from here on, and the ring follows from it. */
  private agreed(
    note: string,
    section: string,
    before = this.state.status,
    more: Partial<ControlEvent> = {},
  ) {
    const { state, features, report } = this.parts;
    const { negotiated } = features;
    if (negotiated === undefined) return;
    const ring = ringLayout(negotiated);
    state.negotiated = negotiated;
    state.ring = ring;
    this.changed(before, section, note, { field: "FEATURES_OK", sets: this.sets(), ...more });
    report.event({ step: "layout", field: "ring", after: ring.layout, section: "2.6", note: ring.reason });
  }

  private start(): void {
    const { interrupts, service, features, byteOrder, state } = this.parts;
    if (state.negotiated === undefined) {
      features.finalise();
      this.agreed("features are final: DRIVER_OK came without FEATURES_OK", "3.1.2");
    }
    interrupts.configEnabled = (state.status & DRIVER_OK) !== 0;
    if (features.isLegacy && byteOrder === "big") {
      const text = "a legacy driver of a big-endian guest wants big-endian rings, these are little-endian";
      this.needsReset(new VirtioError("BYTE_ORDER", text, { section: "2.7.3" }));
      return;
    }
    this.parts.start();
    service.markAll();
  }

  private needsReset(error: VirtioError): void {
    this.parts.report.violation(error);
    this.breakDown();
  }

  private changed(before: number, section: string, note: string, more: Partial<ControlEvent> = {}): void {
    this.parts.report.statusChange(before, this.state.status, section, note, more);
  }

  private sets() {
    const { type, offered, accepted, negotiated } = this.parts.features;
    return setNames(type, offered, accepted, negotiated);
  }
}
