/**
 * What the status register shows, and when the device notifies (§2.1.2, §2.4.1, §3.4.2). A time that the text leaves
 * open is not judged: only what can't be any more, or what a second look at the status still misses.
 */
import { hex } from "../../negotiation/control-event";
import { statusNames } from "../../negotiation/status-names";
import {
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_CONFIG_S_SUSPEND as SUSPEND,
} from "../../spec/status";
import type { ClauseId } from "../clauses";
import type { Run, RunPhase } from "../run";
import type { AccessStep, Rule, Step } from "./rule";

/** A reset has no time limit in the text; this many status reads are past any. */
const RESET_READS = 1000;

/** Phases after a reset in which the queues are not the device's yet. */
const INITIALISING: readonly RunPhase[] = ["acknowledged", "negotiating", "checking", "refused", "setup"];

/** Rules about the status register and the notifications. */
export function deviceStatusRule(): Rule {
  const needsReset = needsResetRule();
  let polls = 0;
  /** What the status showed at the last look, bits that nobody wrote included. */
  let last = 0;
  return {
    access(step) {
      needsReset.access(step);
      const { access, run, report } = step;
      if (access.register !== "status" || access.how === "write") {
        polls = 0;
        last = 0;
        return;
      }
      polls = run.phase === "resetting" && access.value !== 0 ? polls + 1 : 0;
      if (polls === RESET_READS) {
        const what = `status ${hex(access.value)} still, ${polls} reads after 0 was written`;
        report("device", ["RESET-001"], what);
      }
      if (access.value !== last) judgeShown(step);
      last = access.value;
    },
    notice(step, kind) {
      needsReset.notice(kind);
      judgeNotice(step, kind);
    },
  };
}

function judgeShown({ access, run, report }: AccessStep): void {
  const { value } = access;
  const change = `status shows ${hex(value)} after ${hex(run.shown)}`;
  const running = value & (SUSPEND | DRIVER_OK);
  const stray = value & ~NEEDS_RESET;
  if (run.phase === "reset" && run.resetWasSeen && stray !== 0) {
    report("device", ["RESET-001"], `${change}: nothing was written since the reset`);
    return;
  }
  if ((value & NEEDS_RESET) !== 0 || value === 0) return;
  const clause = suspendClause(run, running);
  if (clause !== undefined)
    report("device", [clause], `${change}: ${statusNames(running)} while ${run.phase}`);
  else if (run.resetWasSeen && (value & ~run.shown & SUSPEND) !== 0 && !run.isInTransition) {
    if (!run.wasLive) report("device", ["SUSPEND-007"], `${change}: SUSPEND (16) before DRIVER_OK (4)`);
    else if (run.negotiated?.has("SUSPEND") !== true) {
      report("device", ["STATUS-009"], `${change}: SUSPEND (16), VIRTIO_F_SUSPEND is not negotiated`);
    }
  }
}

/** What a phase of suspending can't show; 0, both bits and the phase's own end are fine (§3.4). */
function suspendClause({ phase }: Run, running: number): ClauseId | undefined {
  if (phase === "suspending" && running === 0) return "SUSPEND-012";
  if (phase === "resuming" && running === 0) return "SUSPEND-013";
  return phase === "suspended" && running !== SUSPEND ? "SUSPEND-015" : undefined;
}

function judgeNotice({ run, report }: Step, kind: "used" | "config"): void {
  const name = kind === "used" ? "used buffer notification" : "configuration change notification";
  const what = `${name} at status ${hex(run.shown)} (${statusNames(run.shown)})`;
  if (run.phase === "reset" && run.resetWasSeen)
    report("device", ["RESET-002"], `${what}, after the reset was over`);
  else if (run.phase === "suspended") {
    report("device", [kind === "used" ? "SUSPEND-009" : "SUSPEND-010"], `${what}, while suspended`);
  } else if (kind === "used" && !run.isLegacy && run.resetWasSeen && INITIALISING.includes(run.phase)) {
    report("device", ["STATUS-005"], `${what}, before DRIVER_OK (4)`);
  }
}

/** The notice that DEVICE_NEEDS_RESET owes to a driver that was seen running. It may be under way at the first look. */
function needsResetRule() {
  let isOwed = false;
  let looks = 0;
  return {
    access({ access, run, report }: AccessStep): void {
      if (access.register !== "status") return;
      if (access.how === "write") {
        if (access.value === 0) isOwed = false;
        return;
      }
      const isBroken = (access.value & NEEDS_RESET) !== 0;
      if (!isBroken) {
        isOwed = (access.value & DRIVER_OK) !== 0;
        looks = 0;
      } else if (isOwed && ++looks === 2) {
        const what = `status ${hex(access.value)} read twice, ${hex(run.shown & ~NEEDS_RESET)} before, and no configuration change notification between`;
        report("device", ["STATUS-007", "OPERATION-002"], what);
      }
    },
    notice(kind: "used" | "config"): void {
      if (kind === "config") isOwed = false;
    },
  };
}
