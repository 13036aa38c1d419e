/**
 * The small language that golden programs are written in: what each half is asked to do, what it must answer, and which
 * bytes must then stand in guest memory. Buffers go by name; `golden.test.ts` runs a program over every backend.
 */
import type { PackedChange, SplitChange } from "./image";

export type Segments = readonly (readonly [gpa: number, length: number])[];

export type Step<Change> =
  /** The driver adds a buffer; "table" puts it into an indirect table. */
  | readonly ["add", name: string, readable: Segments, writable: Segments, how?: "table"]
  /** The driver publishes: must it send an available buffer notification, and with NOTIFICATION_DATA which value? */
  | readonly ["publish", notify: boolean, kick?: number]
  /** The device takes exactly these buffers, in this order, one letter each. */
  | readonly ["take", names: string]
  | readonly ["complete", name: string, written: number]
  /** The device publishes: must it send a used buffer notification? */
  | readonly ["publishUsed", notify: boolean]
  /** The driver takes exactly these used buffers with these lengths. */
  | readonly ["takeUsed", ...used: (readonly [name: string, length: number])[]]
  /** The driver enables used buffer notifications; is something used already? */
  | readonly ["armUsed", ahead: number, pending?: boolean]
  | readonly ["disarmUsed"]
  /** The device enables available buffer notifications; is something available already? */
  | readonly ["armAvailable", pending?: boolean]
  | readonly ["disarmAvailable"]
  /** Guest memory now differs from the last image by this, and by nothing else. */
  | readonly ["shows", what: string, change: Change];

interface GoldenOf<Layout, Start, Change> {
  readonly title: string;
  readonly layout: Layout;
  readonly size: number;
  readonly eventIdx: boolean;
  readonly inOrder: boolean;
  readonly start: Start;
  /** What stands in the ring before the program starts, where that isn't zero. */
  readonly before?: Change;
  readonly steps: readonly Step<Change>[];
}

/** Split: both indices start at `idx`, free-running. */
export type SplitGolden = GoldenOf<"split", { readonly idx: number }, SplitChange>;
/** Packed: both sides start at `slot` with wrap counter `wrap`. */
export type PackedGolden = GoldenOf<"packed", { readonly slot: number; readonly wrap: 0 | 1 }, PackedChange>;

/** The queue index of every golden queue: the low 16 bits of a notification (§2.9). */
export const GOLDEN_QUEUE = 3;
