/**
 * What the parts of a device queue need of it: where its struct and records are, its verbs, and how a call ends badly.
 * The queue makes one for its own parts; nobody else sees it.
 */
import type { Core } from "../core/core";
import type { DeviceVerbs } from "../core/exports";
import type { VirtioError } from "../errors";

/** One device queue, as its parts see it. */
export interface DeviceCalls {
  readonly core: Core;
  readonly verbs: DeviceVerbs;
  /** Linear address of the queue struct. */
  readonly q: number;
  /** Queue index, for messages. */
  readonly index: number;
  /** Most chains per crossing. */
  readonly batch: number;
  /** Whether the ring has IN_ORDER. */
  readonly inOrder: boolean;
  /** @throws VirtioError QUEUE_NOT_READY once the queue was disposed */
  assertAlive(): void;
  /** A count or a flag; a breach of the driver is kept and reported, the caller's own mistake thrown. */
  result(code: number): number;
  /** A breach that was recovered from: reported, not kept. */
  reported(code: number): void;
  /** The caller's own mistake, as an error to throw. */
  mistake(code: number): VirtioError;
  /** What a verb threw, as the error to throw: a caller's mistake as it is, a trap as INTERNAL, which breaks the queue. */
  trap(cause: unknown): unknown;
}
