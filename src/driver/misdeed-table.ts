/** What a misbehaving driver can do wrong, as data: which step it is, and where among the proper ones it stands. */
import type { DriverStep, MisdeedStep } from "./driver-step";

/** One kind of wrong. */
export interface MisdeedRow {
  readonly summary: string;
  /** The clause that it breaks first; "" for what only looks wrong. */
  readonly clause: string;
  readonly step: MisdeedStep;
  /** The proper step that it follows, or takes the place of. */
  readonly after?: DriverStep;
  readonly insteadOf?: DriverStep;
  /** A strict device refuses to go on after it. */
  readonly ends?: true;
}

/** All misdeeds by name. */
export const MISDEEDS = {
  "writes-config-early": {
    summary: "writes a configuration field before FEATURES_OK",
    clause: "INIT-003",
    step: "write-config-early",
    after: "read-offer",
  },
  "clears-status-bit": {
    summary: "writes a status without ACKNOWLEDGE while it is set",
    clause: "STATUS-002",
    step: "clear-status-bit",
    after: "driver",
  },
  "sets-up-queues-early": {
    summary: "enables queue 0 before FEATURES_OK",
    clause: "INIT-009",
    step: "set-up-queue-early",
    after: "read-offer",
  },
  "accepts-unoffered": {
    summary: "accepts a bit that was not offered",
    clause: "FEATURES-001",
    step: "accept-unoffered",
    after: "accept-if-changed",
    ends: true,
  },
  "ignores-refusal": {
    summary: "goes on when FEATURES_OK was refused",
    clause: "INIT-005",
    step: "confirm-anyway",
    insteadOf: "confirm",
    ends: true,
  },
  "retries-without-reset": {
    summary: "after a refusal accepts what it accepted first, and sets FEATURES_OK again without a reset",
    clause: "INIT-005",
    step: "confirm-or-retry",
    insteadOf: "confirm",
    ends: true,
  },
  "accepts-late": {
    summary: "accepts another set after FEATURES_OK",
    clause: "INIT-004",
    step: "accept-late",
    after: "confirm",
  },
  "repeats-features-ok": {
    summary: "writes FEATURES_OK once more, as every later status write does: no breach",
    clause: "",
    step: "repeat-features-ok",
    after: "confirm",
  },
  "kicks-early": {
    summary: "notifies queue 0 before DRIVER_OK",
    clause: "INIT-008",
    step: "kick-early",
    after: "fill",
  },
} as const satisfies Record<string, MisdeedRow>;

/** A misdeed by name. */
export type Misdeed = keyof typeof MISDEEDS;

/** Puts misdeeds among proper steps. */
export function withMisdeeds(steps: readonly DriverStep[], misdeeds: readonly Misdeed[]): DriverStep[] {
  return steps.flatMap((step) => {
    const rows = misdeeds.map((name): MisdeedRow => MISDEEDS[name]);
    const instead = rows.filter(({ insteadOf }) => insteadOf === step);
    const after = rows.filter((row) => row.after === step);
    const kept: DriverStep[] = instead.length > 0 ? instead.map((row) => row.step) : [step];
    return [...kept, ...after.map((row) => row.step)];
  });
}
