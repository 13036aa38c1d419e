/** What a rule of the judge is: it looks at each step before the run takes it in, and reports what it breaks. */
import type { RegisterAccess } from "../../negotiation/control-event";
import type { Act } from "../act";
import type { ClauseId } from "../clauses";
import type { Run } from "../run";

/** Takes a breach: one finding for each of the clauses that the same deed breaks. */
export type Report = (side: "driver" | "device", clauses: readonly ClauseId[], what: string) => void;

/** One access or notification, with all that a rule needs. */
export interface Step {
  readonly run: Run;
  readonly report: Report;
}

/** An access of the driver. */
export interface AccessStep extends Step {
  readonly access: RegisterAccess;
  /** What it amounts to; undefined if it is free at any time, or of the status. */
  readonly act: Act | undefined;
}

/** Rules that belong together, with what they have to remember. */
export interface Rule {
  access?(step: AccessStep): void;
  /** The device notified the driver. */
  notice?(step: Step, kind: "used" | "config"): void;
  /** The device found buffers that were made available while it was suspended. */
  exposed?(step: Step, queue: string): void;
}
