/**
 * What the parts of a device share: where it stands, and how they tell the outside.
 */
import type { VirtioError } from "../errors";
import { type ControlEvent, type EventSink, hex, type RegisterAccess } from "../negotiation/control-event";
import type { FeatureSet } from "../negotiation/feature-set";
import { VIRTIO_F_SUSPEND } from "../spec/features";
import type { RingLayout } from "../virtqueue/layout";
import type { Phase } from "./status";

/** Where one device stands. Its lifecycle changes it, the other parts only look. */
export class DeviceState {
  /** The status register, 0…255. */
  status = 0;
  phase: Phase = "reset";
  /** The frozen set, from FEATURES_OK to the next reset; for a legacy driver from its first use on (§3.1.2). */
  negotiated: FeatureSet | undefined;
  /** The ring that follows from it. */
  ring: RingLayout | undefined;
  /** Moves at every reset; what began in an earlier life is dropped. */
  life = 0;
  /** Answers that this life still waits for. */
  outstanding = 0;

  get isLive(): boolean {
    return this.phase === "live";
  }

  /** Between SUSPEND and the end of the resume: the driver may touch nothing but the status (§3.4.1). */
  get isSuspended(): boolean {
    return this.phase === "suspending" || this.phase === "suspended" || this.phase === "resuming";
  }

  get canSuspend(): boolean {
    return this.negotiated?.has(VIRTIO_F_SUSPEND) ?? false;
  }
}

/** Says what happened to whoever listens. */
export class DeviceReporter {
  /** Breaches so far. */
  violations = 0;
  private readonly onEvent: EventSink | undefined;
  private readonly onViolation: ((error: VirtioError) => void) | undefined;
  /** The access that is under way and that no event has carried yet. */
  private access: RegisterAccess | undefined;

  constructor(onEvent: EventSink | undefined, onViolation: ((error: VirtioError) => void) | undefined) {
    this.onEvent = onEvent;
    this.onViolation = onViolation;
  }

  event(event: Omit<ControlEvent, "side" | "access">): void {
    const { access } = this;
    this.access = undefined;
    this.onEvent?.({ side: "device", ...event, ...(access === undefined ? {} : { access }) });
  }

  /**
   * Does what an access of the driver causes. The first event of it carries the access; if there is none, `plain` does.
   */
  during(access: RegisterAccess, plain: Omit<ControlEvent, "side" | "access">, action: () => void): void {
    this.access = access;
    action();
    if (this.access !== undefined) this.event(plain);
  }

  /** The status is another one, or would have been. */
  statusChange(
    before: number,
    after: number,
    section: string,
    note: string,
    more: Partial<ControlEvent> = {},
  ): void {
    const change = { before: hex(before), after: hex(after) };
    this.event({ step: "status", field: "status", ...change, section, note, ...more });
  }

  /** A breach of the driver: an event with its code, and `onViolation`. */
  violation(error: VirtioError, more: Pick<ControlEvent, "policy"> = {}): void {
    this.violations++;
    const field = error.queue === undefined ? {} : { field: `queue ${error.queue}` };
    this.event({
      step: "violation",
      ...field,
      section: error.section,
      note: error.message,
      code: error.code,
      ...more,
    });
    this.onViolation?.(error);
  }
}
