// The event-index rule, once, for both layouts (§2.7.7, §2.7.10, §2.8.10).
// Does not read the rings: its callers pass a snapshot of what the other side asked for.
import { RING_EVENT_FLAGS_DESC, RING_EVENT_FLAGS_DISABLE } from "../src/spec/packed";

/**
 * Whether a move of an index from `old` to `next` passes `event`, all modulo 2^16.
 *
 * `event`: the other side wants to hear of the entry written at this index.
 * `next`: the index after the move. `old`: the index before it. `next == old` never fires.
 */
@inline
export function needEvent(event: u32, next: u32, old: u32): bool {
  return ((next - event - 1) & 0xffff) < ((next - old) & 0xffff);
}

/**
 * Whether a packed ring's other side wants a notification (§2.8.10).
 *
 * `event` is one 32-bit snapshot of its event structure: offset (15 bits), wrap counter (1), flags (2).
 * `slot` and `wrap` are the position after the move, `moved` the descriptors that it passed, 1…size.
 * An offset that names no slot, the reserved flags value 3, and 2 without EVENT_IDX come from a broken
 * peer: notify, which is never wrong (§2.8.10 allows spurious notifications).
 */
export function packedNeedEvent(
  event: u32,
  eventIdx: bool,
  size: u32,
  slot: u32,
  wrap: u32,
  moved: u32,
): bool {
  const flags = (event >>> 16) & 3;
  if (flags == RING_EVENT_FLAGS_DISABLE) return false;
  if (flags != RING_EVENT_FLAGS_DESC || !eventIdx) return true;
  let offset = event & 0x7fff;
  if (offset >= size) return true;
  if (((event >>> 15) & 1) != wrap) offset -= size; // named in the other lap: it lies one ring further back
  return needEvent(offset, slot, slot - moved);
}
