/**
 * What a simulation reports: one SimReport a run, the same for people, for programs (schema/virtq.sim-1.schema.json)
 * and for tests. Everything but the times is the same for the same options and seed.
 */
import type { TranscriptEvent } from "../trace/transcript";
import type { RunFinding } from "./findings";

/** Name of the JSON form; it changes whenever the form does. */
export const SIM_SCHEMA = "virtq.sim/1";

/** How a run ended. */
export type Outcome =
  /** Everything arrived as it was sent. */
  | "completed"
  /** No negotiation: `reason` says why, `layout` is null. */
  | "refused"
  /** Bytes differ, or chains did not come back: see `integrity`. */
  | "mismatch"
  /** A device answered a request with an error: see `reason`. */
  | "failed";

/** Notifications of one direction. A publish that sends none because the other side asked for none suppresses one. */
export interface NotificationCount {
  readonly sent: number;
  readonly suppressed: number;
}

/** The first byte that differs. */
export interface FirstMismatch {
  /** The chain's or frame's number in the run, from 0; for a disk the offset alone counts and this is null. */
  readonly chain: number | null;
  readonly direction: "toDevice" | "fromDevice";
  /** Bytes from the start of the chain's readable or writable part, of the frame, or of the disk. */
  readonly offset: number;
  /** 0…255, or null when no byte came at all. */
  readonly expected: number | null;
  readonly actual: number | null;
}

/** What became of the bytes. */
export interface Integrity {
  /** "xxh32" for a workload or a capture, "sha256" for a disk. */
  readonly algorithm: "xxh32" | "sha256";
  /** What went in. But for a disk: digest of the bytes to the device, "-", digest of the bytes from it. */
  readonly sent: string;
  /** What arrived, in the same form. */
  readonly received: string;
  /** Bytes that differ. */
  readonly mismatches: number;
  readonly firstMismatch: FirstMismatch | null;
}

/** A recorded step of the control plane. */
export type SimEvent = TranscriptEvent;

/** What only a disk run reports. */
export interface DiskReport {
  readonly bytes: number;
  /** Data bytes of one request. */
  readonly blockSize: number;
  /** From the first request to the last completion and flush; no digest in it. */
  readonly copySeconds: number;
  /** A plain read-and-write loop over the same file with the same block size, in this run; null if not measured. */
  readonly plainSeconds: number | null;
}

/** What only the replay of a capture reports. */
export interface CaptureReport {
  /** Frames of the capture. */
  readonly frames: number;
  /** Bytes of them that were captured, and so sent. */
  readonly bytes: number;
  /** Bytes of the largest one. */
  readonly largest: number;
  /** What the devices offer as MTU: the largest frame without its Ethernet header, at least 68. */
  readonly mtu: number;
  /** Frames that were cut when they were captured: what there is of them was sent. */
  readonly cut: number;
  /** Frames that arrived otherwise than they were sent. */
  readonly differ: number;
  /** Frames that did not arrive. */
  readonly dropped: number;
}

/** One run: one negotiation, one layout, one workload. */
export interface SimReport {
  readonly kind: "echo" | "disk" | "capture";
  readonly outcome: Outcome;
  /** What was negotiated; null if nothing was. */
  readonly layout: "split" | "packed" | null;
  /** Why this layout, or why none; after a failed request what failed. */
  readonly reason: string;
  readonly offered: readonly string[];
  readonly accepted: readonly string[];
  readonly negotiated: readonly string[];
  readonly transcript: readonly SimEvent[];
  /** What driver and device did against the clauses of the specification, as src/conformance judges the transcript. */
  readonly findings: readonly RunFinding[];
  readonly queueSize: number;
  readonly indirect: boolean;
  readonly seed: number;
  readonly batch: number;
  /** Chains that came back to the driver. */
  readonly chains: number;
  /** Descriptors that they took in the ring: 1 each with an indirect table. */
  readonly descriptors: number;
  /** Bytes that the device took, and that it wrote. */
  readonly bytes: { readonly toDevice: number; readonly fromDevice: number };
  readonly notifications: { readonly available: NotificationCount; readonly used: NotificationCount };
  readonly integrity: Integrity;
  /** Wall clock of the whole run. */
  readonly seconds: number;
  /**
   * `rings`: driver, device and reclaim on the rings alone, checks on, crossings into WebAssembly included.
   * `total`: the run with model, payload and digests. Null when no chain was moved.
   */
  readonly nsPerChain: { readonly rings: number; readonly total: number } | null;
  readonly disk: DiskReport | null;
  readonly capture: CaptureReport | null;
}

/** The JSON form: one object, whatever the number of runs. */
export interface SimDocument {
  readonly schema: typeof SIM_SCHEMA;
  readonly runs: readonly SimReport[];
}
