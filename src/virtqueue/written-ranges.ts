/**
 * What a device queue wrote to guest memory, for who keeps a copy of it: the payload, noted by the chains' writers, and
 * who is told at once. The ring's own ranges are the core's log, or its areas where only those are asked for.
 */
import type { Core } from "../core/core";
import type { WriteObserver } from "./chain";
import { ringAreas } from "./layout";
import type { RingHalf, TouchedRange } from "./ring-half";

/** What a device writes of the ring: used buffers, or where it wants notifications. */
export type WrittenArea = "used" | "event";

/** The payload and the observer of one queue. */
export class WrittenRanges {
  /** For a chain's writers. */
  readonly observe: WriteObserver;
  readonly #payload: TouchedRange[] = [];
  readonly #onTouched: ((ranges: readonly TouchedRange[]) => void) | undefined;
  readonly #areas: Readonly<Record<WrittenArea, TouchedRange>> | undefined;

  /**
   * @param onTouched who is told at once
   * @param areas what it is told of the ring, where the core logs nothing ({@link areasWritten})
   */
  constructor(
    core: Core,
    onTouched: ((ranges: readonly TouchedRange[]) => void) | undefined,
    areas: Readonly<Record<WrittenArea, TouchedRange>> | undefined,
  ) {
    this.#onTouched = onTouched;
    this.#areas = areas;
    this.observe = (linear, length) =>
      void this.#payload.push({ address: core.guestAddress(linear), length });
  }

  /** Payload written since the last call. */
  takePayload(): TouchedRange[] {
    return this.#payload.splice(0);
  }

  /** Tells of what `half` wrote since the last time, `area` of the ring with it if there is one. */
  tell(half: RingHalf, area: WrittenArea | undefined): void {
    if (this.#onTouched === undefined) return;
    const ranges = half.touched();
    if (this.#areas !== undefined && area !== undefined) ranges.push(this.#areas[area]);
    if (ranges.length > 0) this.#onTouched(ranges);
  }
}

/** The areas that a device writes to (§2.7.8, §2.7.10; §2.8.6, §2.8.10). */
export function areasWritten({ ring, size, areas }: RingHalf): Record<WrittenArea, TouchedRange> {
  const bytes = ringAreas(ring.layout, size);
  const event = { address: Number(areas.device), length: bytes.device.bytes };
  if (ring.layout === "split") return { used: event, event };
  return { used: { address: Number(areas.descriptor), length: bytes.descriptor.bytes }, event };
}
