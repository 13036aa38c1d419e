/**
 * What a driver writes to the status register (§2.1.1, §2.4.2, §3.1.1, §3.4.1). A byte is held against what the
 * driver read last or wrote since, less the bits that the device may have taken back (corner: DRIVER_OK on suspend).
 */
import { hex } from "../../negotiation/control-event";
import { statusNames } from "../../negotiation/status-names";
import {
  VIRTIO_CONFIG_S_ACKNOWLEDGE as ACKNOWLEDGE,
  VIRTIO_CONFIG_S_DRIVER as DRIVER,
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_FAILED as FAILED,
  VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_CONFIG_S_SUSPEND as SUSPEND,
} from "../../spec/status";
import type { Run, RunPhase } from "../run";
import type { AccessStep, Report, Rule } from "./rule";

const STEPS = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
/** Bit 5 stands for nothing. */
const NO_STEP = NEEDS_RESET | 0x20;

/** The one step that may come next. */
const NEXT: Partial<Record<RunPhase, number>> = {
  reset: ACKNOWLEDGE,
  acknowledged: DRIVER,
  negotiating: FEATURES_OK,
  setup: DRIVER_OK,
};

/** Rules about the driver's status writes. */
export function statusRule(): Rule {
  return {
    access(step) {
      const { access, run, report } = step;
      if (access.register !== "status" || access.how === "read" || access.value === 0) return;
      if (run.phase === "unknown") {
        const what = `status written ${hex(access.value)} before any reset: the first write is 0`;
        report("driver", ["INIT-001"], what);
      } else if (run.phase === "resetting") {
        const what = `status written ${hex(access.value)} after 0 was written and before 0 was read`;
        report("driver", ["RESET-003"], what);
      } else judgeBits(step);
    },
  };
}

function judgeBits({ run, access, report }: AccessStep): void {
  const written = access.value;
  const lost = run.shown & ~written;
  const change = `status written ${hex(written)} for ${hex(run.shown)}`;
  if (lost !== 0) report("driver", ["STATUS-002"], `${change} clears ${statusNames(lost)}`);
  const added = run.added(written);
  const notTheirs = added & NO_STEP;
  if (notTheirs !== 0) {
    report(
      "driver",
      ["STATUS-001"],
      `${change} sets ${statusNames(notTheirs)}, which is no step of the driver's`,
    );
  }
  if (run.phase === "failed") {
    if (lost !== 0 || (added & STEPS) !== 0) {
      report("driver", ["STATUS-003"], `${change}: after FAILED (128) only a reset goes on`);
    }
    return;
  }
  if ((written & FAILED) !== 0) return;
  if (run.phase === "suspending") {
    report("driver", ["SUSPEND-002"], `${change}: SUSPEND set and DRIVER_OK clear were not read yet`);
  } else if (run.phase === "resuming") {
    report("driver", ["SUSPEND-006"], `${change}: SUSPEND clear and DRIVER_OK set were not read yet`);
  } else {
    if ((added & SUSPEND) !== 0) judgeSuspend(run, change, report);
    judgeStep(run, added & STEPS & ~run.dropped, change, report);
  }
}

function judgeSuspend({ phase, negotiated }: Run, change: string, report: Report): void {
  if (negotiated?.has("SUSPEND") !== true) {
    report(
      "driver",
      ["SUSPEND-001", "STATUS-009"],
      `${change} sets SUSPEND (16): VIRTIO_F_SUSPEND is not negotiated`,
    );
  } else if (phase !== "live")
    report("driver", ["SUSPEND-001"], `${change} sets SUSPEND (16) without DRIVER_OK (4)`);
}

function judgeStep(run: Run, steps: number, change: string, report: Report): void {
  if (steps === 0) return;
  const { phase, isLegacy, wasLive } = run;
  const attempt = `${change} sets ${statusNames(steps)}`;
  if (isLegacy && (steps & FEATURES_OK) !== 0) {
    report("driver", ["INIT-010"], `${attempt}: the legacy interface has no FEATURES_OK (8)`);
  } else if (phase === "checking") {
    report("driver", ["INIT-005"], `${attempt}: FEATURES_OK (8) was written and not read back`);
  } else if (phase === "refused" && steps === FEATURES_OK) {
    report("driver", ["INIT-005"], `${attempt} again: it was refused, and the device not reset since`);
  } else if (phase === "refused") {
    report("driver", ["INIT-005", "INIT-007"], `${attempt}: FEATURES_OK (8) was refused`);
  } else if (phase === "needs-reset" && !wasLive) {
    report("driver", ["INIT-007"], `${attempt}: the initialisation went wrong, only a reset goes on`);
  } else {
    const next = isLegacy && phase === "negotiating" ? DRIVER_OK : NEXT[phase];
    if (next === undefined || steps === next) return;
    report("driver", ["INIT-001"], `${attempt}: the next step is ${statusNames(next)} by itself`);
  }
}
