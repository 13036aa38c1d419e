// The long way to take a list from a packed virtqueue: walked descriptor by descriptor until it is clear what is wrong
// with it, if anything (§2.8.6, §2.8.7, §2.8.19). Table elements and buffers are judged in chain.ts.
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT } from "../../src/spec/queue";
import {
  BUFFER_TOO_SHORT,
  CHAIN_TOO_LONG,
  INDIRECT_NOT_NEGOTIATED,
  INDIRECT_WITH_NEXT,
  PACKED_NOT_AVAILABLE,
  RING_INDEX_JUMP,
} from "../../src/spec/result";
import { CHAIN_RECORD_BYTES, FEATURE_INDIRECT, OPTION_RECOVER } from "../abi";
import { beginChain, chainWritableTotal, endChain, pushConsecutiveTable, pushDescriptor } from "../chain";
import { deviceAvail, deviceAvailWrap, deviceFreeHead, deviceTaken } from "../device-state";
import { blame, desc, deviceShadow, features, isInOrder, size } from "../queue-state";
import { occupy, RECOVERED, shadowAt, shadowLink, tokenOf } from "../shadow";
import { holdTaken, roomLeft } from "./in-flight";
import { descAddr, descAt, descTail, tailFlags, tailId, tailLength } from "./layout";
import { advanceSlot, advanceWrap, isAvailable } from "./position";

// What the walk found besides the chain: the list's length in the ring, and its buffer ID.
let listCount: u32 = 0;
let listId: u32 = 0;

/** Takes the next list the long way into `record`, whose segments end before `end`; 0, or why not. */
export function takeUnusual(q: usize, record: usize, end: usize): i32 {
  if (record + CHAIN_RECORD_BYTES > end) return BUFFER_TOO_SHORT;
  beginChain(q, record, end);
  const code = walk(q);
  if (code < 0) {
    if (!listCount || code == BUFFER_TOO_SHORT) return code;
    beginChain(q, record, end); // recovered: handed over empty, to be completed with length 0
  }
  const n = size(q);
  const free = deviceFreeHead(q);
  const entry = shadowAt(deviceShadow(q), free);
  const follower = isInOrder(q) ? advanceSlot(free, 1, n) : shadowLink(entry);
  const writable = code < 0 ? RECOVERED : chainWritableTotal();
  const generation = occupy(entry, deviceTaken(q), listCount, listId, writable);
  endChain(record, tokenOf(free, generation), code);
  const slot = deviceAvail(q);
  const wrap = advanceWrap(slot, deviceAvailWrap(q), listCount, n);
  holdTaken(q, follower, advanceSlot(slot, listCount, n), wrap, 1, listCount);
  return 0;
}

/**
 * Follows NEXT from slot to slot (§2.8.6), or into the table of a single INDIRECT descriptor (§2.8.7).
 *
 * On an error `listCount` is 0, unless `recover` is set and the list's end, and so its ID, was reached.
 */
function walk(q: usize): i32 {
  const ring = desc(q);
  const n = size(q);
  const room = roomLeft(q);
  const recover = (features(q) & OPTION_RECOVER) != 0;
  let slot = deviceAvail(q);
  let wrap = deviceAvailWrap(q);
  let breach: i32 = 0;
  listCount = 0;
  let count: u32 = 1;
  while (true) {
    if (count > n) return blame(q, CHAIN_TOO_LONG, count, n); // §2.8.19: never longer than the queue
    if (count > room) return blame(q, RING_INDEX_JUMP, count, room); // the driver reached slots that are still in flight
    const desc = descAt(ring, slot);
    const tail = descTail(desc);
    const flags = tailFlags(tail);
    if (!isAvailable(flags, wrap)) return blame(q, PACKED_NOT_AVAILABLE, slot, flags); // §2.8.6: later ones are exposed before the head
    const code =
      flags & VIRTQ_DESC_F_INDIRECT
        ? pushTable(q, descAddr(desc), tailLength(tail), flags, count)
        : pushDescriptor(descAddr(desc), tailLength(tail), flags);
    if (code < 0) {
      if (!recover || code == BUFFER_TOO_SHORT) return code;
      if (!breach) breach = code;
    }
    if (!(flags & VIRTQ_DESC_F_NEXT)) {
      listCount = count;
      listId = tailId(tail); // valid in the last descriptor alone (§2.8.6)
      return breach;
    }
    wrap = advanceWrap(slot, wrap, 1, n);
    slot = advanceSlot(slot, 1, n);
    count++;
  }
}

/** Opens the table of an INDIRECT descriptor, the `count`-th of its list. */
function pushTable(q: usize, address: u64, length: u32, flags: u32, count: u32): i32 {
  if (!(features(q) & FEATURE_INDIRECT)) return blame(q, INDIRECT_NOT_NEGOTIATED, count - 1, flags); // §2.8.19
  // §2.8.19: not within a list.
  if (count > 1 || flags & VIRTQ_DESC_F_NEXT) return blame(q, INDIRECT_WITH_NEXT, count - 1, flags);
  return pushConsecutiveTable(q, address, length); // WRITE is ignored, §2.8.7
}
