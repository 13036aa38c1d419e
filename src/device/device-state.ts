/**
 * What the parts of a device share: where it stands, and how they tell the outside.
 */
import type { VirtioError } from "../errors";
import type { ControlEvent, EventSink } from "../negotiation/control-event";
import type { FeatureSet } from "../negotiation/feature-set";
import type { RingLayout } from "../virtqueue/layout";
import type { Phase } from "./status";

/** Where one device stands. VirtioDevice changes it, the parts only look. */
export class DeviceState {
  /** The status register, 0…255. */
  status = 0;
  phase: Phase = "reset";
  /** The frozen set, from FEATURES_OK to the next reset. */
  negotiated: FeatureSet | undefined;
  /** The ring that follows from it. */
  ring: RingLayout | undefined;
  /** Moves at every reset; what began in an earlier life is dropped. */
  life = 0;

  get isLive(): boolean {
    return this.phase === "live";
  }
}

/** Says what happened to whoever listens. */
export class DeviceReporter {
  private readonly onEvent: EventSink | undefined;
  private readonly onViolation: ((error: VirtioError) => void) | undefined;

  constructor(onEvent: EventSink | undefined, onViolation: ((error: VirtioError) => void) | undefined) {
    this.onEvent = onEvent;
    this.onViolation = onViolation;
  }

  event(event: Omit<ControlEvent, "side">): void {
    this.onEvent?.({ side: "device", ...event });
  }

  /** A breach of the driver: an event with its code, and `onViolation`. */
  violation(error: VirtioError): void {
    const field = error.queue === undefined ? {} : { field: `queue ${error.queue}` };
    this.event({
      step: "violation",
      ...field,
      section: error.section,
      note: error.message,
      code: error.code,
    });
    this.onViolation?.(error);
  }
}
