/**
 * Which act has its time in which phase, as a table (§2.4.2, §3.1.1, §3.4.1). One row a breach: whoever does one of
 * `acts` in one of `phases` breaks `clauses`. What stands in no row is allowed. Status writes are in status.ts.
 */
import type { Act } from "../act";
import type { ClauseId } from "../clauses";
import type { Run, RunPhase } from "../run";
import { told } from "../telling";
import type { AccessStep, Rule } from "./rule";

interface Row {
  readonly acts: readonly Act[];
  readonly phases: readonly RunPhase[];
  /** Narrows the row down. */
  readonly where?: (run: Run, step: AccessStep) => boolean;
  readonly clauses: readonly ClauseId[];
  /** What is allowed instead, to follow what was done. */
  readonly but: string;
  /** Counts on the legacy interface too. */
  readonly legacy?: true;
}

const BEFORE_FEATURES_OK: readonly RunPhase[] = ["reset", "acknowledged", "negotiating"];
const GIVEN_UP: readonly RunPhase[] = ["refused", "failed", "needs-reset"];
const SUSPENDS: readonly RunPhase[] = ["suspending", "suspended"];
const ALL: readonly RunPhase[] = [
  ...BEFORE_FEATURES_OK,
  ...GIVEN_UP,
  ...SUSPENDS,
  "checking",
  "setup",
  "live",
  "resuming",
];

const ROWS: readonly Row[] = [
  {
    acts: ["accept", "write-config", "enable-queue", "reset-queue"],
    phases: ["unknown"],
    clauses: ["INIT-001"],
    but: "the device is reset first",
    legacy: true,
  },
  {
    acts: ["look", "accept", "write-config", "find-queue", "enable-queue", "stop-queue", "reset-queue"],
    phases: ["resetting"],
    clauses: ["RESET-003"],
    but: "0 was written and never read: the reset may not be over",
    legacy: true,
  },
  {
    acts: ["accept"],
    phases: ["reset", "acknowledged"],
    clauses: ["INIT-001"],
    but: "features are accepted after DRIVER (2)",
    legacy: true,
  },
  {
    acts: ["accept-more"],
    phases: ALL,
    clauses: ["INIT-004", "SEED241-004"],
    but: "no bit is added after FEATURES_OK, and only a reset opens the set again",
  },
  {
    acts: ["accept-less"],
    phases: ALL,
    clauses: ["SEED241-004"],
    but: "after FEATURES_OK only a reset opens the set again",
  },
  {
    acts: ["write-config"],
    phases: ["reset", "acknowledged"],
    clauses: ["INIT-009", "SEED241-009"],
    but: "fields are written from FEATURES_OK on",
  },
  {
    acts: ["write-config"],
    phases: ["negotiating"],
    clauses: ["INIT-003", "SEED241-009"],
    but: "fields are written from FEATURES_OK on",
  },
  {
    acts: ["find-queue"],
    phases: BEFORE_FEATURES_OK,
    clauses: ["INIT-009"],
    but: "queues are looked for from FEATURES_OK on",
  },
  {
    acts: ["enable-queue", "reset-queue"],
    phases: BEFORE_FEATURES_OK,
    clauses: ["INIT-009", "SEED241-005"],
    but: "nothing is negotiated yet, so the ring has no layout",
  },
  {
    acts: ["write-config", "find-queue", "enable-queue", "reset-queue"],
    phases: ["checking"],
    clauses: ["INIT-005"],
    but: "FEATURES_OK (8) was written and not read back",
  },
  {
    acts: ["write-config", "find-queue", "enable-queue", "reset-queue"],
    phases: ["refused"],
    clauses: ["INIT-005", "INIT-007"],
    but: "the device refused FEATURES_OK (8) and is of no use with this set",
  },
  {
    acts: ["write-config", "find-queue", "enable-queue", "reset-queue"],
    phases: ["failed", "needs-reset"],
    where: (run) => !run.wasLive,
    clauses: ["INIT-007"],
    but: "the initialisation went wrong, only a reset goes on",
  },
  {
    acts: ["accept"],
    phases: ["failed", "needs-reset"],
    where: (run) => !run.wasLive,
    clauses: ["INIT-007"],
    but: "the initialisation went wrong, only a reset goes on",
    legacy: true,
  },
  {
    acts: ["enable-queue"],
    phases: ["live"],
    where: (run, { access }) => !run.stopped.has(access.index ?? 0),
    clauses: ["INIT-001"],
    but: "queues are set up before DRIVER_OK, or again after a queue reset",
  },
  {
    acts: ["notify"],
    phases: ["unknown", "resetting", ...BEFORE_FEATURES_OK, ...GIVEN_UP, "checking", "setup"],
    where: (run) => !run.wasLive,
    clauses: ["INIT-008"],
    but: "DRIVER_OK (4) comes first",
  },
  {
    acts: ["notify"],
    phases: SUSPENDS,
    clauses: ["SUSPEND-004"],
    but: "the device suspends or is suspended",
  },
  {
    acts: ["write-config", "enable-queue", "stop-queue", "reset-queue"],
    phases: SUSPENDS,
    clauses: ["SUSPEND-005"],
    but: "only the status may change while the device suspends or is suspended",
  },
  {
    acts: ["write-config", "enable-queue", "stop-queue", "reset-queue", "notify"],
    phases: ["resuming"],
    clauses: ["SUSPEND-006"],
    but: "the device has not shown yet that it resumed",
  },
];

/** Everything about order but the status writes themselves. */
export function orderRule(): Rule {
  return {
    access(step) {
      const { run, act, access, report } = step;
      if (act === undefined) return;
      for (const { acts, phases, where, clauses, but, legacy } of ROWS) {
        if (run.isLegacy && !legacy) continue;
        if (!acts.includes(act) || !phases.includes(run.phase) || where?.(run, step) === false) continue;
        report("driver", clauses, `${told(run, access)}: ${but}`);
      }
    },
    exposed({ report }, queue) {
      report(
        "driver",
        ["SUSPEND-003"],
        `${queue} was empty when the device was suspended, and had buffers before it resumed`,
      );
    },
  };
}
