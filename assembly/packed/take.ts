// Taking lists from a packed virtqueue: walked from the available position into chain records (§2.8.6, §2.8.7).
// The driver is hostile: what is read from the ring is read once, judged, and kept in records and shadow.
import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../../src/spec/packed";
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import {
  BUFFER_TOO_SHORT,
  CHAIN_TOO_LONG,
  INDIRECT_NOT_NEGOTIATED,
  INDIRECT_WITH_NEXT,
  PACKED_NOT_AVAILABLE,
  QUEUE_BROKEN,
  QUEUE_NOT_READY,
  RING_INDEX_JUMP,
} from "../../src/spec/result";
import {
  CHAIN_RECORD_BYTES,
  FEATURE_INDIRECT,
  LAYOUT_PACKED,
  OPTION_RECOVER,
  SEGMENT_RECORD_BYTES,
} from "../abi";
import { appendSegment, chainsEnd, firstChain, firstSegment } from "../batch";
import {
  beginChain,
  chainEnd,
  chainWritableTotal,
  endChain,
  endPlainChain,
  endWalk,
  plainTable,
  plainWritable,
  pushConsecutiveTable,
  pushDescriptor,
  walkConsecutive,
} from "../chain";
import {
  deviceAvail,
  deviceAvailWrap,
  deviceBatchCount,
  deviceError,
  deviceFreeHead,
  deviceInFlight,
  deviceInFlightDescriptors,
  devicePending,
  deviceTaken,
  setDeviceAvail,
  setDeviceAvailWrap,
  setDeviceError,
  setDeviceFreeHead,
  setDeviceInFlight,
  setDeviceInFlightDescriptors,
  setDeviceTaken,
} from "../device-state";
import { flatten, recordLimit, setSingle, singleBytes } from "../flat";
import { firstBase, firstGpa, firstIsReadOnly, firstSize, within } from "../memory";
import { batch, blame, core, desc, deviceShadow, features, isInOrder, layout, size } from "../queue-state";
import {
  headLink,
  headToken,
  occupy,
  occupySingle,
  RECOVERED,
  relinked,
  shadowAt,
  shadowHead,
  shadowLink,
  tokenOf,
} from "../shadow";
import { descAddr, descAt, descTail, tailFlags, tailId, tailLength } from "./layout";
import { advanceSlot, advanceWrap, availableFlags, isAvailable } from "./position";

/** Takes up to `max` available chains into chain records; their number, or what the driver did wrong. */
export function take(q: usize, max: u32): i32 {
  return takeInto(q, max, false);
}

/** The same into the flat list (flat.ts). */
export function takeFlat(q: usize, max: u32): i32 {
  return takeInto(q, max, true);
}


@inline
function takeInto(q: usize, max: u32, flat: bool): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  const limit = min(max, batch(q));
  const end = chainsEnd(q);
  let record = firstChain(q);
  let taken: u32 = 0;
  while (taken < limit) {
    const tail = nextTail(q);
    if (!isAvailable(tailFlags(tail), deviceAvailWrap(q))) break;
    if (isSingle(tail)) {
      const most = min(limit - taken, <u32>(end - record) / <u32>singleBytes(flat));
      const singles = flat ? takeSinglesFlat(q, most, record) : takeSingleRecords(q, most, record);
      record += <usize>singles * singleBytes(flat);
      taken += singles;
      if (singles) continue;
    }
    const code = takeChain(q, tail, record, flat ? recordLimit(record, end) : end);
    if (code < 0) {
      if (!taken) return code == BUFFER_TOO_SHORT ? code : fail(q, code);
      break;
    }
    record = flat ? flatten(record) : chainEnd();
    taken++;
  }
  return taken;
}

/** Length, ID and flags at the available position. */
@inline
export function nextTail(q: usize): u64 {
  // Barrier A (pairs with publish in driver.ts): the head's flags before the rest of the list.
  return descTail(descAt(desc(q), deviceAvail(q)));
}

/** Descriptors that the driver can have made available: all but those in flight, or used and not yet shown to it. */
@inline
export function roomLeft(q: usize): u32 {
  return size(q) - deviceInFlightDescriptors(q) - devicePending(q) - deviceBatchCount(q);
}

// One function for each form, so that it is a constant in its loop.

function takeSingleRecords(q: usize, most: u32, record: usize): u32 {
  return takeSingles(q, most, record, false);
}

function takeSinglesFlat(q: usize, most: u32, record: usize): u32 {
  return takeSingles(q, most, record, true);
}

/**
 * Takes up to `most` lists of one direct descriptor, whose records have room from `record` on: peeled, since most
 * lists are that. Stops at anything else, also where nothing is available; how many it took.
 */
@inline
function takeSingles(q: usize, most: u32, record: usize, flat: bool): u32 {
  const ring = desc(q);
  const shadow = deviceShadow(q);
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const base = <u32>firstBase(core(q));
  const readOnly = firstIsReadOnly(core(q));
  const inOrder = isInOrder(q);
  const limit = min(most, roomLeft(q));
  const turn = deviceTaken(q);
  let free = deviceFreeHead(q);
  let slot = deviceAvail(q);
  let wrap = deviceAvailWrap(q);
  let taken: u32 = 0;
  for (; taken < limit; taken++) {
    const desc = descAt(ring, slot);
    const tail = descTail(desc); // Barrier A too: the flags come with length and ID, before the address
    const length = tailLength(tail);
    const offset = descAddr(desc) - gpa;
    if (!isPlainSingle(tail, wrap, offset, bytes, readOnly)) break;
    const write = tailFlags(tail) & VIRTQ_DESC_F_WRITE;
    const entry = shadowAt(shadow, free);
    const held = shadowHead(entry);
    occupySingle(entry, relinked(held, (turn + taken) & 0xffff), tailId(tail), write ? length : 0);
    setSingle(record, headToken(held, free), base + <u32>offset, length, write != 0, flat);
    record += singleBytes(flat);
    free = inOrder ? advanceSlot(free, 1, n) : headLink(held);
    if (++slot == n) {
      slot = 0;
      wrap ^= 1;
    }
  }
  setDeviceFreeHead(q, free);
  setDeviceAvailWrap(q, wrap);
  setDeviceAvail(q, slot);
  setDeviceTaken(q, (turn + taken) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) + taken);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) + taken);
  return taken;
}

/**
 * Whether a descriptor is available and a whole list that nothing is unusual about, `offset` bytes into a region of
 * `bytes`.
 */
@inline
export function isPlainSingle(tail: u64, wrap: u32, offset: u64, bytes: u64, readOnly: bool): bool {
  if ((tail & SINGLE_MASK) != (<u64>availableFlags(wrap)) << 48) return false;
  const length = tailLength(tail);
  if (!length || !within(offset, length, bytes)) return false;
  return !readOnly || !(tailFlags(tail) & VIRTQ_DESC_F_WRITE);
}

/** Whether a list has one direct descriptor. */
@inline
export function isSingle(tail: u64): bool {
  return !(tailFlags(tail) & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT));
}

/** The flags that tell an available list of one direct descriptor from anything else, where `descTail` has them. */
const SINGLE_MASK: u64 =
  (<u64>(VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED | VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) << 48;

// What the walk found besides the chain: the list's length in the ring, and its buffer ID.
let listCount: u32 = 0;
let listId: u32 = 0;

/** Ring descriptors of the list that was walked last. */
@inline
export function walkedCount(): u32 {
  return listCount;
}

/** Buffer ID of the list that was walked last. */
@inline
export function walkedId(): u32 {
  return listId;
}

/**
 * Walks the list at the available position, whose head has `tail`, into `record` the short way (see chain.ts).
 *
 * @returns the segments; or 0: something is unusual, `takeChain` knows what
 */
@inline
export function walkPlain(q: usize, tail: u64, record: usize, end: usize): u32 {
  const room = roomLeft(q);
  const flags = tailFlags(tail);
  if (!(flags & VIRTQ_DESC_F_INDIRECT)) return walkList(q, tail, room, record, end);
  if (!room || flags & VIRTQ_DESC_F_NEXT) return 0;
  const length = tailLength(tail);
  const table = plainTable(q, descAddr(descAt(desc(q), deviceAvail(q))), length);
  if (!table) return 0;
  listCount = 1;
  listId = tailId(tail);
  return walkConsecutive(core(q), table, length / VIRTQ_DESC_SIZE, record, end);
}

/**
 * Walks a list slot by slot, the short way (see chain.ts): at most `room` descriptors, each available in its lap.
 * `head` is its first one's tail.
 *
 * @returns the segments, with `listCount` and `listId` set; or 0: go the long way
 */
function walkList(q: usize, head: u64, room: u32, record: usize, end: usize): u32 {
  const ring = desc(q);
  const n = size(q);
  const guest = core(q);
  const gpa = firstGpa(guest);
  const bytes = firstSize(guest);
  const base = firstBase(guest);
  const readOnly = firstIsReadOnly(guest);
  let segment = firstSegment(record);
  let readable: u32 = 0;
  let writable: u32 = 0;
  let readTotal: u64 = 0;
  let writeTotal: u64 = 0;
  let slot = deviceAvail(q);
  let wrap = deviceAvailWrap(q);
  let tail = head;
  for (let count: u32 = 1; count <= room && segment + SEGMENT_RECORD_BYTES <= end; count++) {
    const flags = tailFlags(tail);
    const length = tailLength(tail);
    const offset = descAddr(descAt(ring, slot)) - gpa;
    if (!isAvailable(flags, wrap) || flags & VIRTQ_DESC_F_INDIRECT || !length) return 0;
    if (!within(offset, length, bytes)) return 0;
    if (flags & VIRTQ_DESC_F_WRITE) {
      if (readOnly) return 0;
      writable++;
      writeTotal += length;
    } else {
      if (writable) return 0;
      readable++;
      readTotal += length;
    }
    segment = appendSegment(segment, <u32>(base + offset), length);
    if (!(flags & VIRTQ_DESC_F_NEXT)) {
      listCount = count;
      listId = tailId(tail);
      return endWalk(readable, writable, readTotal, writeTotal);
    }
    if (++slot == n) {
      slot = 0;
      wrap ^= 1;
    }
    tail = descTail(descAt(ring, slot));
  }
  return 0;
}

/** Moves the available position over a list of `count` descriptors, which gets its turn. */
@inline
export function moveOver(q: usize, count: u32): void {
  const n = size(q);
  const avail = deviceAvail(q);
  setDeviceAvailWrap(q, advanceWrap(avail, deviceAvailWrap(q), count, n));
  setDeviceAvail(q, advanceSlot(avail, count, n));
  setDeviceTaken(q, (deviceTaken(q) + 1) & 0xffff);
}

/** Marks `count` ring descriptors from the available position on as one chain in flight; gives its token. */
@inline
function hold(q: usize, count: u32, id: u32, writable: u64): u32 {
  const slot = deviceFreeHead(q);
  const entry = shadowAt(deviceShadow(q), slot);
  setDeviceFreeHead(q, isInOrder(q) ? advanceSlot(slot, 1, size(q)) : shadowLink(entry));
  const generation = occupy(entry, deviceTaken(q), count, id, writable);
  moveOver(q, count);
  setDeviceInFlight(q, deviceInFlight(q) + 1);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) + count);
  return tokenOf(slot, generation);
}

/** Walks the list at the available position into `record` and marks it in flight; 0, or why not. */
function takeChain(q: usize, tail: u64, record: usize, end: usize): i32 {
  if (record + CHAIN_RECORD_BYTES > end) return BUFFER_TOO_SHORT;
  const segments = walkPlain(q, tail, record, end);
  if (segments) {
    const token = hold(q, listCount, listId, plainWritable());
    endPlainChain(record, token, segments);
    return 0;
  }
  beginChain(q, record, end);
  const code = walk(q);
  if (code < 0) {
    if (!listCount || code == BUFFER_TOO_SHORT) return code;
    beginChain(q, record, end); // recovered: handed over empty, to be completed with length 0
  }
  const writable = code < 0 ? RECOVERED : chainWritableTotal();
  endChain(record, hold(q, listCount, listId, writable), code);
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

function fail(q: usize, code: i32): i32 {
  setDeviceError(q, code);
  return code;
}
