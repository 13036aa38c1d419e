/**
 * The device status as a table of steps, and what a written byte means by it (§2.1, §3.1, §3.4).
 * The byte alone is not the state: the phase is. This only judges; lifecycle.ts does what follows.
 */
import type { PolicyUse } from "../negotiation/control-event";
import { hex } from "../negotiation/control-event";
import { statusNames } from "../negotiation/status-names";
import {
  VIRTIO_CONFIG_S_ACKNOWLEDGE as ACKNOWLEDGE,
  VIRTIO_CONFIG_S_DRIVER as DRIVER,
  VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK,
  VIRTIO_CONFIG_S_FAILED as FAILED,
  VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
  VIRTIO_CONFIG_S_SUSPEND as SUSPEND,
} from "../spec/status";
import type { DevicePolicies, PolicyName } from "./policies";

/** Where a device stands between reset and reset. */
export type Phase =
  | "reset"
  | "acknowledged"
  | "negotiating"
  | "setup"
  | "live"
  /** SUSPEND was set, buffers in progress are being finished (§3.4.1). */
  | "suspending"
  | "suspended"
  /** DRIVER_OK was set again, SUSPEND is not cleared yet. */
  | "resuming"
  /** 0 was written and the device is not quiet yet (§2.4). */
  | "resetting"
  | "needs-reset"
  | "failed";

/** One step that a driver may take by writing the status. */
export interface StatusStep {
  readonly from: Phase;
  /** The one bit that the write adds. */
  readonly sets: number;
  readonly to: Phase;
  /** What the device does: "negotiate" may refuse and then nothing changes; "start" begins to serve. */
  readonly does?: "negotiate" | "start" | "suspend" | "resume";
  /** Only while the driver uses the legacy interface, or with SUSPEND negotiated. */
  readonly only?: "legacy" | "suspend";
  readonly section: string;
}

/** All steps of a kind of device. */
export type StatusTable = readonly StatusStep[];

/** Where a device can be found at rest: every phase but a reset that is under way. */
export const PHASES = [
  "reset",
  "acknowledged",
  "negotiating",
  "setup",
  "live",
  "suspending",
  "suspended",
  "resuming",
  "needs-reset",
  "failed",
] as const satisfies readonly Phase[];

const PHASES_TO_FAIL: readonly Phase[] = PHASES.filter((phase) => phase !== "failed");

/** The order of §3.1, every bit by itself and FEATURES_OK before DRIVER_OK; SUSPEND of §3.4; FAILED from everywhere. */
export const MODERN_STATUS: StatusTable = [
  { from: "reset", sets: ACKNOWLEDGE, to: "acknowledged", section: "3.1.1" },
  { from: "acknowledged", sets: DRIVER, to: "negotiating", section: "3.1.1" },
  { from: "negotiating", sets: FEATURES_OK, to: "setup", does: "negotiate", section: "3.1.1" },
  { from: "setup", sets: DRIVER_OK, to: "live", does: "start", section: "3.1.1" },
  { from: "live", sets: SUSPEND, to: "suspending", does: "suspend", only: "suspend", section: "3.4" },
  { from: "suspended", sets: DRIVER_OK, to: "resuming", does: "resume", only: "suspend", section: "3.4" },
  ...PHASES_TO_FAIL.map((from): StatusStep => ({ from, sets: FAILED, to: "failed", section: "2.1" })),
];

/** Beside them, what a legacy driver does: DRIVER_OK without FEATURES_OK, perhaps on a device in use (§3.1.2). */
export const TRANSITIONAL_STATUS: StatusTable = [
  ...MODERN_STATUS,
  { from: "negotiating", sets: DRIVER_OK, to: "live", does: "start", only: "legacy", section: "3.1.2" },
  { from: "live", sets: DRIVER_OK, to: "live", does: "start", only: "legacy", section: "3.1.2" },
];

const BEFORE_SETUP: readonly Phase[] = ["reset", "acknowledged", "negotiating"];

/** Any bit from anywhere, as devices have it that only look whether a bit is there. */
export const LENIENT_STATUS: StatusTable = [
  ...TRANSITIONAL_STATUS.filter(({ sets }) => sets === SUSPEND || sets === FAILED),
  { from: "suspended", sets: DRIVER_OK, to: "resuming", does: "resume", only: "suspend", section: "3.4" },
  ...BEFORE_SETUP.map((from): StatusStep => {
    const to = from === "reset" ? "acknowledged" : from;
    return { from, sets: ACKNOWLEDGE, to, section: "2.1" };
  }),
  ...BEFORE_SETUP.map((from): StatusStep => ({ from, sets: DRIVER, to: "negotiating", section: "2.1" })),
  ...BEFORE_SETUP.map(
    (from): StatusStep => ({ from, sets: FEATURES_OK, to: "setup", does: "negotiate", section: "2.2.2" }),
  ),
  ...[...BEFORE_SETUP, "setup" as const].map(
    (from): StatusStep => ({ from, sets: DRIVER_OK, to: "live", does: "start", section: "2.1" }),
  ),
  { from: "setup", sets: ACKNOWLEDGE, to: "setup", section: "2.1" },
  { from: "setup", sets: DRIVER, to: "setup", section: "2.1" },
  { from: "live", sets: ACKNOWLEDGE, to: "live", section: "2.1" },
  { from: "live", sets: DRIVER, to: "live", section: "2.1" },
];

/** Where a device stands when a byte is written to its status. */
export interface StatusState {
  readonly phase: Phase;
  /** What the register shows, 0…255. */
  readonly status: number;
  readonly isLegacy: boolean;
  /** Whether SUSPEND is negotiated. */
  readonly canSuspend: boolean;
}

/** What a status write amounts to. */
export type StatusVerdict =
  | { readonly kind: "reset" }
  | {
      readonly kind: "steps";
      /** Bits that go before anything else. */
      readonly clears: number;
      /** In the order of §3.1; none for bits that are stored without meaning. */
      readonly steps: readonly StatusStep[];
      /** Bits that are stored as they are written and mean nothing. */
      readonly stores: number;
      readonly breach?: StatusBreach;
      readonly policy?: PolicyUse;
    }
  /** Nothing new: the byte that was there, or a bit that has no meaning now. */
  | { readonly kind: "nothing"; readonly note?: string }
  /** The whole write is refused and the status stays. */
  | { readonly kind: "breach"; readonly breach: StatusBreach; readonly policy?: PolicyUse };

/** What a driver did wrong on the status register. */
export interface StatusBreach {
  readonly code: "BAD_ARGUMENT" | "STATUS_CLEARED_BIT" | "STATUS_SEQUENCE";
  readonly reason: string;
  readonly section: string;
}

const ORDER = [ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, SUSPEND, FAILED];

/**
 * Judges a written status byte.
 *
 * @param table the steps that count
 * @param policies what happens where the specification is silent
 * @param written what the driver wrote, any number
 */
export function judgeStatusWrite(
  table: StatusTable,
  policies: DevicePolicies,
  state: StatusState,
  written: number,
): StatusVerdict {
  const { phase, status, isLegacy, canSuspend } = state;
  if (!Number.isInteger(written) || written < 0 || written > 0xff) {
    return refused("BAD_ARGUMENT", `status ${written} is no byte`, "2.1");
  }
  if (phase === "resetting") {
    if (written === 0) return { kind: "nothing", note: "the reset is under way already" };
    return refused("STATUS_SEQUENCE", `status ${hex(written)} before the reset was over`, "2.4.2");
  }
  if (written === 0) return { kind: "reset" };
  const rows = table.filter(({ only }) => only === undefined || (only === "legacy" ? isLegacy : canSuspend));
  // §3.4.2: SUSPEND is ignored until the initialisation is complete, and without the feature it means nothing.
  const meansSuspend = rows.some(({ from, sets }) => from === phase && sets === SUSPEND);
  const added = written & ~status & (meansSuspend ? 0xff : ~SUSPEND);
  const removed = status & ~written;
  const cleared = clearedBits(policies, status, written, removed);
  if (cleared !== undefined && policies.clearedStatusBit === "refuse-write") {
    return { kind: "breach", ...cleared };
  }
  // Some drivers resume by taking SUSPEND back themselves: that is DRIVER_OK being set again, however it is written.
  const resumes = phase === "suspended" && (added & DRIVER_OK) !== 0;
  const clears = policies.clearedStatusBit === "store" ? removed & ~(resumes ? SUSPEND : 0) : 0;
  if (added === 0 && removed === 0) {
    return written === status
      ? { kind: "nothing" }
      : { kind: "nothing", note: ignoredSuspend(canSuspend, phase) };
  }
  const rest = { ...cleared, clears };
  const walk = walkSteps(rows, phase, added);
  if (walk.wrong === 0 && (walk.steps.length <= 1 || policies.severalStatusBits === "in-order")) {
    const several = walk.steps.length > 1 ? { policy: use(policies, "severalStatusBits") } : {};
    return { kind: "steps", steps: walk.steps, stores: 0, ...several, ...rest };
  }
  if (policies.clearedStatusBit === "store") {
    return { kind: "steps", steps: walk.steps, stores: walk.wrong, ...rest };
  }
  const breach = outOfOrder(rows, phase, status, added);
  const policy = walk.wrong === 0 ? { policy: use(policies, "severalStatusBits") } : {};
  return { kind: "breach", breach: { code: "STATUS_SEQUENCE", reason: breach, section: "3.1.1" }, ...policy };
}

/** The policy that decided, as an event names it. */
export function use(policies: DevicePolicies, name: PolicyName): PolicyUse {
  return { name, choice: policies[name] };
}

function clearedBits(policies: DevicePolicies, status: number, written: number, removed: number) {
  if (removed === 0) return undefined;
  const reason = `status ${hex(written)} clears ${statusNames(removed)} of ${hex(status)}`;
  const breach: StatusBreach = { code: "STATUS_CLEARED_BIT", reason, section: "2.1.1" };
  return { breach, policy: use(policies, "clearedStatusBit") };
}

/** The steps of the added bits in the order of §3.1, and the bits that have none. */
function walkSteps(rows: StatusTable, from: Phase, added: number): { steps: StatusStep[]; wrong: number } {
  const steps: StatusStep[] = [];
  let phase = from;
  let wrong = added & ~ORDER.reduce((sum, bit) => sum | bit, 0);
  for (const bit of ORDER) {
    if ((added & bit) === 0) continue;
    const step = rows.find((row) => row.from === phase && row.sets === bit);
    if (step === undefined) wrong |= bit;
    else {
      steps.push(step);
      phase = step.to;
    }
  }
  return { steps, wrong };
}

function ignoredSuspend(canSuspend: boolean, phase: Phase): string {
  return canSuspend
    ? `SUSPEND is ignored: the device is ${phase}, not live`
    : "SUSPEND is ignored: it was not negotiated";
}

function outOfOrder(rows: StatusTable, phase: Phase, status: number, added: number): string {
  const reserved = added & (NEEDS_RESET | 0x20);
  if (reserved !== 0) return `${statusNames(reserved)} is not the driver's to set`;
  const attempt = `${statusNames(added)} at status ${hex(status)}`;
  if (phase === "failed" || phase === "needs-reset") {
    return `${attempt}: after ${phase === "failed" ? "FAILED" : "DEVICE_NEEDS_RESET"} only a reset goes on`;
  }
  const next = rows.filter(({ from }) => from === phase).map(({ sets }) => statusNames(sets));
  return `${attempt}: from here the driver may set ${next.join(" or ")}, one at a time`;
}

function refused(code: StatusBreach["code"], reason: string, section: string): StatusVerdict {
  return { kind: "breach", breach: { code, reason, section } };
}

/** Where a device stands whose status was stored as it was written. */
export function phaseOf(status: number, isNegotiated: boolean): Phase {
  if ((status & FAILED) !== 0) return "failed";
  if ((status & NEEDS_RESET) !== 0) return "needs-reset";
  if ((status & DRIVER_OK) !== 0) return (status & SUSPEND) !== 0 ? "suspending" : "live";
  if ((status & SUSPEND) !== 0) return "suspended";
  if ((status & FEATURES_OK) !== 0 && isNegotiated) return "setup";
  if ((status & DRIVER) !== 0) return "negotiating";
  return status === 0 ? "reset" : "acknowledged";
}
