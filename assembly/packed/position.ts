// Positions of a packed ring: a slot and its lap's wrap counter (§2.8.1). Any size, so compare and subtract.
import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../../src/spec/packed";

/** The slot `count` descriptors further on, 0 ≤ count ≤ size. */
@inline
export function advanceSlot(slot: u32, count: u32, size: u32): u32 {
  const next = slot + count;
  return next >= size ? next - size : next;
}

/** The wrap counter there: it flips when the ring's end is reached or passed, also by exactly one whole ring. */
@inline
export function advanceWrap(slot: u32, wrap: u32, count: u32, size: u32): u32 {
  return slot + count >= size ? wrap ^ 1 : wrap;
}


@inline
export function retreatSlot(slot: u32, count: u32, size: u32): u32 {
  return slot >= count ? slot - count : slot + size - count;
}


@inline
export function retreatWrap(slot: u32, wrap: u32, count: u32): u32 {
  return slot >= count ? wrap : wrap ^ 1;
}

/** Available: AVAIL equals the driver's wrap counter, USED is its inverse (§2.8.1). */
@inline
export function availableFlags(wrap: u32): u32 {
  return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
}

/** Used: both AVAIL and USED equal the device's wrap counter (§2.8.1). */
@inline
export function usedFlags(wrap: u32): u32 {
  return wrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
}


@inline
export function isAvailable(flags: u32, wrap: u32): bool {
  return (flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)) == availableFlags(wrap);
}


@inline
export function isUsed(flags: u32, wrap: u32): bool {
  return (flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)) == usedFlags(wrap);
}

/** An event structure's or a notification's form of a position: offset in 15 bits, wrap counter in bit 15. */
@inline
export function offWrap(slot: u32, wrap: u32): u32 {
  return slot | (wrap << 15);
}
