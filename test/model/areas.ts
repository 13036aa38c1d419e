/**
 * Sizes and alignments of the three areas (§2.7 and §2.8), what may be wrong with a set of them, and the ring words that
 * go with a start state. It knows no ring's inside.
 */
import {
  PACKED_DESC_FLAGS,
  PACKED_EVENT_ALIGN,
  PACKED_EVENT_SIZE,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from "../../src/spec/packed";
import { VIRTQ_DESC_ALIGN, VIRTQ_DESC_SIZE, VIRTQ_SIZE_MAX } from "../../src/spec/queue";
import {
  VIRTQ_AVAIL_ALIGN,
  VIRTQ_AVAIL_ENTRY_SIZE,
  VIRTQ_AVAIL_IDX,
  VIRTQ_AVAIL_RING,
  VIRTQ_USED_ALIGN,
  VIRTQ_USED_ENTRY_SIZE,
  VIRTQ_USED_IDX,
  VIRTQ_USED_RING,
} from "../../src/spec/split";
import { GuestRam, REGIONS_MAX } from "./guest-ram";
import type { GuestRegion, ResultName, RingOptions } from "./ring";

/** Bytes and alignment of one area. */
export interface AreaShape {
  readonly bytes: number;
  readonly align: number;
}

/** The shapes of the three areas of a queue of `size`; the event words at the end always count (§2.7, §2.8). */
export function areaShapes(
  layout: "split" | "packed",
  size: number,
): Record<"descriptor" | "driver" | "device", AreaShape> {
  const descriptor = { bytes: VIRTQ_DESC_SIZE * size, align: VIRTQ_DESC_ALIGN };
  if (layout === "packed") {
    const event = { bytes: PACKED_EVENT_SIZE, align: PACKED_EVENT_ALIGN };
    return { descriptor, driver: event, device: event };
  }
  return {
    descriptor,
    driver: { bytes: VIRTQ_AVAIL_RING + VIRTQ_AVAIL_ENTRY_SIZE * size + 2, align: VIRTQ_AVAIL_ALIGN },
    device: { bytes: VIRTQ_USED_RING + VIRTQ_USED_ENTRY_SIZE * size + 2, align: VIRTQ_USED_ALIGN },
  };
}

/** What is wrong with a queue before it starts, the size first, then area by area; undefined: nothing. */
export function setUpError(options: RingOptions): ResultName | undefined {
  const { layout, size, areas, regions, memory } = options;
  const isPowerOfTwo = (size & (size - 1)) === 0;
  if (!Number.isInteger(size) || size < 1 || size > VIRTQ_SIZE_MAX) {
    return "QUEUE_SIZE_INVALID";
  }
  if (layout === "split" && !isPowerOfTwo) {
    return "QUEUE_SIZE_INVALID"; // §2.7: a power of two; packed takes any size (§2.8.10.1)
  }
  if (regions.length > REGIONS_MAX || regionsTouch(regions)) {
    return "BAD_ARGUMENT";
  }
  const shapes = areaShapes(layout, size);
  const placed = (["descriptor", "driver", "device"] as const).map((name) => ({
    address: BigInt(areas[name]),
    ...shapes[name],
  }));
  const ram = new GuestRam(memory, regions);
  for (const area of placed) {
    if (area.address % BigInt(area.align) !== 0n) {
      return "RING_ALIGN";
    }
    if (area.address + BigInt(area.bytes) >= 1n << 64n) {
      return "RING_ADDR_OVERFLOW";
    }
    if (!ram.contains(area.address, area.bytes, true)) {
      return "RING_OUT_OF_GUEST";
    }
  }
  const overlap = placed.some((a, i) =>
    placed.some(
      (b, j) => i < j && a.address < b.address + BigInt(b.bytes) && b.address < a.address + BigInt(a.bytes),
    ),
  );
  return overlap ? "RING_OVERLAP" : undefined;
}

/** A buffer must not span two regions, so two that overlap or touch in guest space are refused. */
function regionsTouch(regions: readonly GuestRegion[]): boolean {
  return regions.some((a, i) =>
    regions.some((b, j) => i < j && a.gpa <= b.gpa + b.size && b.gpa <= a.gpa + a.size),
  );
}

/**
 * Writes what the ring holds when both halves stand at `options.start` and nothing is in flight: the two indices of a split
 * ring; in a packed ring every descriptor used, those from the next slot on in the lap before.
 */
export function writeStart(options: RingOptions): void {
  const { layout, size, areas, start = {} } = options;
  const ram = new GuestRam(options.memory, options.regions);
  if (layout === "split") {
    const idx = start.idx ?? 0;
    ram.setU16(ram.place(BigInt(areas.driver)) + VIRTQ_AVAIL_IDX, idx);
    ram.setU16(ram.place(BigInt(areas.device)) + VIRTQ_USED_IDX, idx);
    return;
  }
  const { slot: next = 0, wrap = 1 } = start;
  const ring = ram.place(BigInt(areas.descriptor));
  for (let slot = 0; slot < size; slot++) {
    const lap = slot < next ? wrap : 1 - wrap;
    const flags = lap === 1 ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
    ram.setU16(ring + VIRTQ_DESC_SIZE * slot + PACKED_DESC_FLAGS, flags);
  }
}
