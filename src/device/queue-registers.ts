/**
 * The queues as the transports reach them (§2.6, §2.9): set-up, its end, and available buffer notifications.
 * A notification only marks its queue; who serves it is queue-service.ts.
 */
import { VirtioError } from "../errors";
import { hex, type RegisterAccess } from "../negotiation/control-event";
import type { DeviceReporter, DeviceState } from "./device-state";
import type { DeviceQueues, OnViolation, QueueSetup, QueueSlot } from "./queues";

/** What queue registers do with the device around them. */
export interface QueueRegisterActions {
  /** There may be something to take. */
  mark(slot: QueueSlot): void;
  /** The driver broke a rule of the ring; the queue is of no use until a reset, unless it could recover. */
  onRingViolation(error: VirtioError, isBroken: boolean): void;
  /** Whether the driver is taken for a legacy one. */
  isLegacy(): boolean;
  isNegotiated(feature: string): boolean;
  /** It uses the device: features are final now (§3.1.2). */
  firstLegacyUse(): void;
  /** It uses the device before DRIVER_OK. */
  startEarly(): void;
}

/** The queue registers of one device. */
export class QueueRegisters {
  private readonly queues: DeviceQueues;
  private readonly state: Readonly<DeviceState>;
  private readonly report: DeviceReporter;
  private readonly actions: QueueRegisterActions;

  constructor(
    queues: DeviceQueues,
    state: Readonly<DeviceState>,
    report: DeviceReporter,
    actions: QueueRegisterActions,
  ) {
    this.queues = queues;
    this.state = state;
    this.report = report;
    this.actions = actions;
  }

  /** Most descriptors of a queue; 0 for one that doesn't exist. */
  maxSize(index: number): number {
    const value = this.capacity(index);
    const access: RegisterAccess = { register: "queue-size", how: "read", index, value };
    const after = `at most ${value}`;
    const event = { step: "queue", field: `queue ${index}`, after, section: "2.6", note: "size read" };
    this.report.during(access, event, () => {});
    return value;
  }

  /** The same, without a word about it. */
  capacity(index: number): number {
    return this.exists(index) ? this.queues.maxSize(index, this.state.ring) : 0;
  }

  /** Sets a queue up and enables it, or says why it stays disabled. */
  enable(index: number, setup: QueueSetup): void {
    const access = { register: "queue-enable", how: "write", index, value: setup.size } as const;
    this.report.during(access, silent(index), () => this.tryToEnable(index, setup));
  }

  private tryToEnable(index: number, setup: QueueSetup): void {
    if (this.isLegacyTime) this.actions.firstLegacyUse();
    const fault = this.untimely(index) ?? this.tryEnable(index, setup);
    if (fault !== undefined) {
      this.report.violation(fault);
      return;
    }
    this.report.event({
      step: "queue",
      field: `queue ${index}`,
      before: "disabled",
      after: "enabled",
      section: "2.6",
      note: `${this.state.ring?.layout} ring of ${setup.size}`,
    });
    const slot = this.queues.slot(index);
    if (this.state.isLive && slot !== undefined) this.actions.mark(slot);
  }

  /** Stops a queue; nothing of it is touched any more when this returns. */
  disable(index: number): void {
    const access = { register: "queue-enable", how: "write", index, value: 0 } as const;
    this.report.during(access, silent(index), () => this.stop(index));
  }

  private stop(index: number): void {
    const slot = this.queues.slot(index);
    if (slot?.queue === undefined) return;
    if (this.state.isSuspended) {
      this.report.violation(whileSuspended(index, "disabled"));
      return;
    }
    this.queues.disable(slot);
    this.report.event({
      step: "queue",
      field: `queue ${index}`,
      before: "enabled",
      after: "disabled",
      section: "2.6",
    });
  }

  /** Resets one queue (§2.6.1). */
  reset(index: number): void {
    const access = { register: "queue-reset", how: "write", index, value: 1 } as const;
    this.report.during(access, { ...silent(index), note: "reset" }, () => this.tryReset(index));
  }

  private tryReset(index: number): void {
    const slot = this.queues.slot(index);
    if (slot === undefined) this.report.violation(this.queues.noQueue(index));
    else if (this.state.negotiated?.has("RING_RESET") !== true) {
      const reason = `queue ${index} was to be reset, RING_RESET is not negotiated`;
      this.report.violation(new VirtioError("STATUS_SEQUENCE", reason, { section: "2.6.1", queue: index }));
    } else if (this.state.isSuspended) {
      this.report.violation(whileSuspended(index, "reset"));
    } else {
      this.stop(index);
      slot.wasReset = true;
    }
  }

  /** An available buffer notification; with NOTIFICATION_DATA the index is its low half (§2.9). */
  notify(kickValue: number): void {
    const index = this.state.ring?.notificationData ? kickValue & 0xffff : kickValue;
    const slot = this.queues.slot(index);
    if (this.isLegacyTime && slot?.queue !== undefined) this.actions.startEarly();
    if (!this.state.isLive) {
      const note = `ignored at status ${hex(this.state.status)}`;
      const access: RegisterAccess = { register: "notify", how: "write", value: kickValue };
      const event = { step: "notify", field: `queue ${index}`, section: "3.1.1", note };
      this.report.during(access, event, () => {});
    } else if (slot === undefined) this.report.violation(this.queues.noQueue(index));
    else if (slot.queue === undefined) {
      const reason = `queue ${index} was notified and is not enabled`;
      this.report.violation(new VirtioError("QUEUE_NOT_READY", reason, { section: "2.6", queue: index }));
    } else this.actions.mark(slot);
  }

  /** A queue that hangs on a feature is gone when that was not negotiated; what may still be shows its size. */
  private exists(index: number): boolean {
    const needs = this.queues.slot(index)?.needs;
    return needs === undefined || this.state.negotiated === undefined || this.actions.isNegotiated(needs);
  }

  /** A legacy driver is between DRIVER and DRIVER_OK, where it may do anything (§3.1.2). */
  private get isLegacyTime(): boolean {
    const { phase } = this.state;
    return (phase === "negotiating" || phase === "acknowledged") && this.actions.isLegacy();
  }

  private untimely(index: number): VirtioError | undefined {
    const slot = this.queues.slot(index);
    if (slot === undefined) return this.queues.noQueue(index);
    if (!this.exists(index)) {
      const reason = `queue ${index} hangs on ${slot.needs}, which was not negotiated`;
      return new VirtioError("QUEUE_INDEX_RANGE", reason, { section: "2.6", queue: index });
    }
    const { phase, status } = this.state;
    if (slot.queue !== undefined || phase === "setup" || (phase === "live" && slot.wasReset))
      return undefined;
    if (this.isLegacyTime) return undefined;
    const reason = `queue ${index} enabled at status ${hex(status)}: its time is between FEATURES_OK and DRIVER_OK`;
    return new VirtioError("STATUS_SEQUENCE", reason, { section: "3.1.1", queue: index });
  }

  private tryEnable(index: number, setup: QueueSetup): VirtioError | undefined {
    const { ring } = this.state;
    if (ring === undefined) {
      return new VirtioError("QUEUE_NOT_READY", "no ring before FEATURES_OK", {
        section: "3.1.1",
        queue: index,
      });
    }
    return this.queues.enable(index, setup, ring, this.violationOf(index));
  }

  /** Who hears of a breach on a queue. */
  violationOf(index: number): OnViolation {
    return (error) =>
      this.actions.onRingViolation(error, this.queues.slot(index)?.queue?.error !== undefined);
  }
}

/** What an access to a queue leaves when nothing comes of it. */
function silent(index: number) {
  return { step: "queue", field: `queue ${index}`, section: "2.6", note: "no change" };
}

/** §3.4.1: nothing but the status may be changed. */
function whileSuspended(index: number, what: string): VirtioError {
  const reason = `queue ${index} was to be ${what} while the device is suspended`;
  return new VirtioError("STATUS_SEQUENCE", reason, { section: "3.4.1", queue: index });
}
