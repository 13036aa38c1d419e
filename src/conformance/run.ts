/**
 * Where a device stands, as far as the driver's accesses and their answers tell (§2.1, §3.1, §3.4).
 * Follows both sides and judges nobody. The status byte is not enough: 31 is two phases, and the device alone may
 * take FEATURES_OK, DRIVER_OK and SUSPEND back, so a write is held against what the driver could know.
 */

import type { ConfigLayout } from "../negotiation/config-table";
import type { RegisterAccess } from "../negotiation/control-event";
import { featureBit } from "../negotiation/feature-names";
import { FeatureSet } from "../negotiation/feature-set";
import {
  VIRTIO_CONFIG_S_ACKNOWLEDGE as ACKNOWLEDGE,
  VIRTIO_CONFIG_S_DRIVER as DRIVER,
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_FAILED as FAILED,
  VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_CONFIG_S_SUSPEND as SUSPEND,
} from "../spec/status";
import type { Act } from "./act";
import type { JudgeContext } from "./context";
import { OfferSeen } from "./offer-seen";

/** A stretch of a device's life in which the same things are allowed. */
export type RunPhase =
  /** Nothing was written yet; what went before the transcript is not known. */
  | "unknown"
  /** 0 was written and not yet read. */
  | "resetting"
  | "reset"
  | "acknowledged"
  | "negotiating"
  /** FEATURES_OK was written and not yet read back. */
  | "checking"
  | "refused"
  | "setup"
  | "live"
  | "suspending"
  | "suspended"
  | "resuming"
  /** DEVICE_NEEDS_RESET was read. */
  | "needs-reset"
  | "failed";

/** The bit that a phase rests on: without it the device is further back. */
const RESTS_ON: Partial<Record<RunPhase, number>> = {
  acknowledged: ACKNOWLEDGE,
  negotiating: DRIVER,
  setup: FEATURES_OK,
  live: DRIVER_OK,
};

/** Acts of the set-up: they come after FEATURES_OK was read back (§3.1.1 step 7). */
const SETS_UP: readonly Act[] = ["write-config", "find-queue", "enable-queue", "reset-queue"];

/** What is known of one device, access by access. */
export class Run {
  readonly context: JudgeContext;
  readonly isLegacy: boolean;
  readonly offer: OfferSeen;
  phase: RunPhase = "unknown";
  /** Status bits that are set for all that the driver can know: read, or written and not the device's to take back. */
  shown = 0;
  /** Bits that the driver itself took out of the byte, against §2.1.1; setting them again is no new step. */
  dropped = 0;
  /** What the driver feature words hold. */
  accepted = FeatureSet.empty;
  /** The accepted set at FEATURES_OK; undefined while the set is open. */
  frozen: FeatureSet | undefined;
  /** The frozen set once the device has confirmed it, or the driver went on as if it had. */
  negotiated: FeatureSet | undefined;
  /** This life began with a status that read 0; else what the device shows may be left from the life before. */
  resetWasSeen = false;
  /** DRIVER_OK was set in this life. */
  wasLive = false;
  /** Which queues were stopped or reset in this life, and may be enabled again. */
  readonly stopped = new Set<number>();
  private readonly bitsOfField = new Map<ConfigLayout, readonly number[]>();

  constructor(context: JudgeContext) {
    this.context = context;
    this.isLegacy = context.legacy === true;
    this.offer = new OfferSeen(context.offered);
  }

  /** The bits of a status write that are new. */
  added(written: number): number {
    const settled = this.frozen === undefined ? 0 : FEATURES_OK;
    return written & ~(this.shown | settled);
  }

  /** Between two ends of a suspend or a resume, where the device alone says when it is done (§3.4). */
  get isInTransition(): boolean {
    return this.phase === "suspending" || this.phase === "resuming";
  }

  /** What the driver said it would use: frozen from FEATURES_OK on, the words as they are before. */
  get declared(): FeatureSet {
    return this.frozen ?? this.accepted;
  }

  /** The feature bits that a field hangs on, any one of them; none: the field is always there. */
  governors(field: ConfigLayout): readonly number[] {
    const known = this.bitsOfField.get(field);
    if (known !== undefined) return known;
    const bits = field.anyOf.map((name) => featureBit(name, this.context.deviceType));
    this.bitsOfField.set(field, bits);
    return bits;
  }

  /** Takes in an access; after the rules have looked at it. `act` is what it amounts to. */
  apply(access: RegisterAccess, act: Act | undefined): void {
    const { register, how, value, index = 0 } = access;
    if (register === "status") {
      if (how === "read") this.statusRead(value);
      else this.statusWritten(value);
      return;
    }
    // A driver that doesn't wait for the reset or for FEATURES_OK goes on as if it were done: so does the judge.
    if (act !== undefined && act !== "notify") {
      if (this.phase === "resetting") this.begin("reset");
      else if ((this.phase === "checking" || this.phase === "refused") && SETS_UP.includes(act)) {
        this.confirm();
      }
    }
    if (how === "read") {
      if (register === "device-features") this.offer.read(index, value);
    } else if (register === "driver-features") this.accepted = this.accepted.withWord(index, value >>> 0);
    else if (register === "queue-reset") this.stopped.add(index);
    else if (register === "queue-enable" && value === 0) this.stopped.add(index);
    else if (register === "queue-enable") this.stopped.delete(index);
  }

  private statusWritten(written: number): void {
    if (written === 0) {
      this.begin("resetting");
      return;
    }
    if (this.phase === "unknown" || this.phase === "resetting") this.begin("reset");
    const added = this.added(written);
    const isFailed = (written & FAILED) !== 0;
    this.dropped = (this.dropped | this.shown) & ~written;
    this.shown = written & ~(added & (FEATURES_OK | SUSPEND));
    if (isFailed) this.phase = "failed";
    else if ((added & SUSPEND) !== 0 && this.phase === "live" && this.negotiated?.has("SUSPEND")) {
      this.phase = "suspending";
    } else if (this.phase === "suspended") {
      // By DRIVER_OK; drivers from before there was a text cleared SUSPEND instead.
      if ((written & DRIVER_OK) !== 0 || (written & SUSPEND) === 0) this.phase = "resuming";
    } else if (this.phase !== "needs-reset" && !this.isInTransition) this.advance(added, written);
    if (this.isInTransition) this.shown &= ~(SUSPEND | DRIVER_OK);
  }

  private advance(added: number, written: number): void {
    if ((added & DRIVER_OK) !== 0) {
      this.confirm();
      this.phase = "live";
      this.wasLive = true;
    } else if ((added & FEATURES_OK) !== 0 && !this.isLegacy) {
      this.phase = "checking";
      this.frozen = this.accepted;
    } else if (this.phase === "failed" || (added & (DRIVER | ACKNOWLEDGE)) !== 0) {
      this.phase = phaseOf(written);
    }
  }

  private statusRead(value: number): void {
    if (this.phase === "unknown") {
      this.shown = value;
      return;
    }
    if (value === 0) {
      this.begin("reset");
      this.resetWasSeen = true;
      return;
    }
    if (this.phase === "resetting" || this.phase === "reset") return;
    this.shown = value;
    if ((value & NEEDS_RESET) !== 0) {
      if (this.phase !== "failed") this.phase = "needs-reset";
    } else if (this.phase === "checking") {
      if ((value & FEATURES_OK) !== 0) this.confirm();
      else {
        this.phase = "refused";
        this.frozen = undefined;
      }
    } else this.settle(value);
    if (this.isInTransition) this.shown &= ~DRIVER_OK;
    if (this.phase === "resuming") this.shown &= ~SUSPEND;
  }

  /** What the device shows decides where it stands, within what the driver has asked for. */
  private settle(value: number): void {
    const isSuspended = (value & SUSPEND) !== 0 && (value & DRIVER_OK) === 0;
    const isRunning = (value & SUSPEND) === 0 && (value & DRIVER_OK) !== 0;
    if (this.phase === "suspending" && isSuspended) this.phase = "suspended";
    else if ((this.phase === "suspended" || this.phase === "resuming") && isRunning) this.phase = "live";
    const needed = RESTS_ON[this.phase];
    if (needed === undefined || (value & needed) !== 0) return;
    this.phase = this.phase === "setup" ? "refused" : phaseOf(value);
    if ((value & FEATURES_OK) !== 0 || this.isLegacy) return;
    this.frozen = undefined;
    this.negotiated = undefined;
  }

  private confirm(): void {
    this.frozen ??= this.accepted;
    this.negotiated = this.frozen;
    this.phase = "setup";
  }

  private begin(phase: "resetting" | "reset"): void {
    this.phase = phase;
    this.shown = 0;
    this.dropped = 0;
    this.accepted = FeatureSet.empty;
    this.frozen = undefined;
    this.negotiated = undefined;
    this.resetWasSeen = false;
    this.wasLive = false;
    this.stopped.clear();
  }
}

/** The phase that a status byte speaks of, by its highest step. */
function phaseOf(status: number): RunPhase {
  if ((status & DRIVER_OK) !== 0) return "live";
  if ((status & FEATURES_OK) !== 0) return "setup";
  if ((status & DRIVER) !== 0) return "negotiating";
  return (status & ACKNOWLEDGE) !== 0 ? "acknowledged" : "reset";
}
