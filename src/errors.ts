/**
 * The one error class of virtq, its codes, and the "did you mean" of every message about a name.
 * Ring codes mirror src/spec/result.ts; the others belong to the control plane, the transports, captures and the
 * command line.
 */
import * as result from "./spec/result";

type ResultName = keyof typeof result;

/** Codes that no ring function returns, in alphabetical order. */
type ControlPlaneCode =
  | "BYTE_ORDER"
  | "CAPTURE_FRAME_SIZE"
  | "CAPTURE_INVALID"
  | "CAPTURE_LINK_TYPE"
  | "CAPTURE_TRUNCATED"
  | "CHAIN_TOO_SHORT"
  | "CONFIG_RANGE"
  | "CONFIG_READONLY"
  | "CONFIG_UNSTABLE"
  | "DEVICE_ABSENT"
  | "DEVICE_BUSY"
  | "DEVICE_NEEDS_RESET"
  | "EMULATOR_UNSUPPORTED"
  | "FEATURES_FROZEN"
  | "FEATURES_REFUSED"
  | "FEATURE_NOT_IN_TABLE"
  | "INTERNAL"
  | "MMIO_ALIGN"
  | "MMIO_MAGIC"
  | "MMIO_READONLY"
  | "MMIO_VERSION"
  | "MMIO_WIDTH"
  | "PCI_ALIGN"
  | "PCI_CAPABILITY"
  | "PCI_ID"
  | "PCI_READONLY"
  | "PCI_VECTOR"
  | "PCI_WIDTH"
  | "QUEUE_FULL"
  | "QUEUE_INDEX_RANGE"
  | "QUEUE_LOCKED"
  | "RESERVED_FLAGS"
  | "SNAPSHOT_INVALID"
  | "STATUS_CLEARED_BIT"
  | "STATUS_SEQUENCE"
  | "UNKNOWN_NAME";

/** What went wrong, as a stable name. */
export type ErrorCode = ResultName | ControlPlaneCode;

/** Where in virtio 1.4 the broken rule stands, and which queue broke it. */
export interface VirtioErrorDetails {
  /** Section of virtio 1.4, for example "2.7.6"; empty for a rule of virtq's own interface. */
  readonly section?: string;
  /** Queue index, 0…65535. */
  readonly queue?: number;
}

/** Every error that virtq throws or reports: a stable `code`, the section that it cites, and a message with both numbers. */
export class VirtioError extends Error {
  readonly code: ErrorCode;
  readonly section: string;
  readonly queue: number | undefined;

  constructor(code: ErrorCode, message: string, details: VirtioErrorDetails = {}) {
    super(message);
    this.name = "VirtioError";
    this.code = code;
    this.section = details.section ?? "";
    this.queue = details.queue;
  }
}

const nameOfResult = new Map<number, ResultName>(
  (Object.entries(result) as [ResultName, number][]).map(([name, value]) => [value, name]),
);

/**
 * The name of a negative result of the ring core.
 *
 * @param value a code of src/spec/result.ts
 * @returns its name, or "INTERNAL" for a number that is none
 */
export function resultName(value: number): ErrorCode {
  return nameOfResult.get(value) ?? "INTERNAL";
}

/**
 * The candidate that a misspelt name most likely meant.
 *
 * @param name what was given, any case
 * @param candidates the names that exist
 * @returns the nearest one, or undefined if none shares enough with it
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toUpperCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toUpperCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
