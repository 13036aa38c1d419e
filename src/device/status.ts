/**
 * The device status as a table of steps, and what a written byte means by it (§2.1, §3.1).
 * The byte alone is not the state: the phase is. This only judges; VirtioDevice does what follows.
 */

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

/** Where a device stands between reset and reset. */
export type Phase = "reset" | "acknowledged" | "negotiating" | "setup" | "live" | "needs-reset" | "failed";

/** One step that a driver may take by writing the status. */
export interface StatusStep {
  readonly from: Phase;
  /** The one bit that the write adds. */
  readonly sets: number;
  readonly to: Phase;
  /** What the device does: "negotiate" may refuse and then nothing changes; "start" begins to serve. */
  readonly does?: "negotiate" | "start";
  readonly section: string;
}

/** All steps of a kind of device. */
export type StatusTable = readonly StatusStep[];

/** The order of §3.1: every bit by itself, FEATURES_OK before DRIVER_OK; FAILED from everywhere. */
export const MODERN_STATUS: StatusTable = [
  { from: "reset", sets: ACKNOWLEDGE, to: "acknowledged", section: "3.1.1" },
  { from: "acknowledged", sets: DRIVER, to: "negotiating", section: "3.1.1" },
  { from: "negotiating", sets: FEATURES_OK, to: "setup", does: "negotiate", section: "3.1.1" },
  { from: "setup", sets: DRIVER_OK, to: "live", does: "start", section: "3.1.1" },
  { from: "reset", sets: FAILED, to: "failed", section: "2.1" },
  { from: "acknowledged", sets: FAILED, to: "failed", section: "2.1" },
  { from: "negotiating", sets: FAILED, to: "failed", section: "2.1" },
  { from: "setup", sets: FAILED, to: "failed", section: "2.1" },
  { from: "live", sets: FAILED, to: "failed", section: "2.1" },
  { from: "needs-reset", sets: FAILED, to: "failed", section: "2.1" },
];

/** What a status write amounts to. */
export type StatusVerdict =
  | { readonly kind: "reset" }
  | { readonly kind: "step"; readonly step: StatusStep }
  /** Nothing new: the byte that was there, or a bit that has no meaning now. */
  | { readonly kind: "nothing"; readonly note?: string }
  /** The whole write is refused and the status stays. */
  | {
      readonly kind: "breach";
      readonly code: "BAD_ARGUMENT" | "STATUS_CLEARED_BIT" | "STATUS_SEQUENCE";
      readonly reason: string;
      readonly section: string;
    };

/**
 * Judges a written status byte.
 *
 * @param table the steps that count
 * @param phase where the device stands
 * @param status what the register shows now, 0…255
 * @param written what the driver wrote, any number
 */
export function judgeStatusWrite(
  table: StatusTable,
  phase: Phase,
  status: number,
  written: number,
): StatusVerdict {
  if (!Number.isInteger(written) || written < 0 || written > 0xff) {
    return breach("BAD_ARGUMENT", `status ${written} is no byte`, "2.1");
  }
  if (written === 0) return { kind: "reset" };
  const removed = status & ~written;
  if (removed !== 0) {
    return breach(
      "STATUS_CLEARED_BIT",
      `status ${hex(written)} clears ${statusNames(removed)} of ${hex(status)}`,
      "2.1.1",
    );
  }
  const suspends = table.some(({ sets }) => sets === SUSPEND);
  const added = written & ~status & (suspends ? 0xff : ~SUSPEND);
  if (added === 0) {
    return written === status
      ? { kind: "nothing" }
      : { kind: "nothing", note: "SUSPEND is ignored: it was not negotiated" };
  }
  const step = table.find(({ from, sets }) => from === phase && sets === added);
  if (step !== undefined) return { kind: "step", step };
  return breach("STATUS_SEQUENCE", outOfOrder(table, phase, status, added), "3.1.1");
}

function outOfOrder(table: StatusTable, phase: Phase, status: number, added: number): string {
  const reserved = added & (NEEDS_RESET | 0x20);
  if (reserved !== 0) return `${statusNames(reserved)} is not the driver's to set`;
  const attempt = `${statusNames(added)} at status ${hex(status)}`;
  if (phase === "failed" || phase === "needs-reset") {
    return `${attempt}: after ${phase === "failed" ? "FAILED" : "DEVICE_NEEDS_RESET"} only a reset goes on`;
  }
  const next = table.filter(({ from }) => from === phase).map(({ sets }) => statusNames(sets));
  return `${attempt}: from here the driver may set ${next.join(" or ")}, one at a time`;
}

function breach(
  code: "BAD_ARGUMENT" | "STATUS_CLEARED_BIT" | "STATUS_SEQUENCE",
  reason: string,
  section: string,
): StatusVerdict {
  return { kind: "breach", code, reason, section };
}
