// Taking lists from a packed virtqueue: walked from the available position into chain records (§2.8.6, §2.8.7).
// The driver is hostile: what is read from the ring is read once, judged, and kept in records and shadow.
import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../../src/spec/packed";
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { BUFFER_TOO_SHORT } from "../../src/spec/result";
import { LAYOUT_PACKED } from "../abi";
import { chainsEnd, firstChain, firstSegment } from "../batch";
import { chainEnd, endPlainChain, endWalk, plainTable, plainWritable, walkConsecutive } from "../chain";
import {
  deviceAvail,
  deviceAvailWrap,
  deviceState,
  deviceFreeHead,
  deviceTaken,
  setDeviceState,
} from "../device-state";
import { endFlat, flatten, recordLimit, segmentBytes, setSegment, setSingle, singleBytes } from "../flat";
import { firstBase, firstGpa, firstIsReadOnly, firstSize, within } from "../memory";
import { batch, core, desc, deviceShadow, isInOrder, refusal, size } from "../queue-state";
import { headLink, headToken, occupy, occupySingle, relinked, shadowAt, shadowHead } from "../shadow";
import { holdTaken, roomLeft } from "./in-flight";
import { descAddr, descAt, descTail, tailFlags, tailId, tailLength } from "./layout";
import { advanceSlot, advanceWrap, availableFlags, isAvailable } from "./position";
import { takeUnusual } from "./take-unusual";

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
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
  const limit = min(max, batch(q));
  const end = chainsEnd(q);
  next = firstChain(q);
  let taken: u32 = 0;
  while (true) {
    taken += takeSingles(q, limit - taken, end, flat);
    if (taken == limit) break;
    if (!isAvailable(tailFlags(nextTail(q)), deviceAvailWrap(q))) break;
    const lists = flat ? takeListsFlat(q, limit - taken, end) : takeListRecords(q, limit - taken, end);
    taken += lists;
    if (taken == limit) break;
    if (lists) continue;
    const code = takeUnusual(q, next, flat ? recordLimit(next, end) : end);
    if (code < 0) {
      if (!taken) return code == BUFFER_TOO_SHORT ? code : fail(q, code);
      break;
    }
    next = flat ? flatten(next) : chainEnd();
    if (++taken == limit) break;
  }
  if (flat) endFlat(next);
  return taken;
}

/** Where the next chain goes: its record, or its part of the flat list. */
let next: usize = 0;

/** Length, ID and flags at the available position. */
@inline
export function nextTail(q: usize): u64 {
  // Barrier A (pairs with publish in driver.ts): the head's flags before the rest of the list.
  return descTail(descAt(desc(q), deviceAvail(q)));
}

/**
 * Takes up to `limit` lists of one direct descriptor: peeled, since most lists are that. Stops at anything else, where
 * nothing is available, and at `end`; how many it took.
 */
@inline
function takeSingles(q: usize, limit: u32, end: usize, flat: bool): u32 {
  const ring = desc(q);
  const shadow = deviceShadow(q);
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const base = <u32>firstBase(core(q));
  const mask = singleMask(q);
  const inOrder = isInOrder(q);
  const turn = deviceTaken(q);
  let record = next;
  const most = min(min(limit, roomLeft(q)), <u32>(end - record) / <u32>singleBytes(flat));
  let free = deviceFreeHead(q);
  let slot = deviceAvail(q);
  let wrap = deviceAvailWrap(q);
  let i: u32 = 0;
  for (; i < most; i++) {
    const desc = descAt(ring, slot);
    const tail = descTail(desc); // Barrier A too: the flags come with length and ID, before the address
    if ((tail & mask) != singleFlags(wrap)) break;
    const length = tailLength(tail);
    if (!length) break;
    const offset = descAddr(desc) - gpa;
    if (!within(offset, length, bytes)) break;
    const write = tailFlags(tail) & VIRTQ_DESC_F_WRITE;
    const entry = shadowAt(shadow, free);
    const held = shadowHead(entry);
    occupySingle(entry, relinked(held, (turn + i) & 0xffff), tailId(tail), write ? length : 0);
    setSingle(record, headToken(held, free), base + <u32>offset, length, write != 0, flat);
    record += singleBytes(flat);
    free = inOrder ? advanceSlot(free, 1, n) : headLink(held);
    if (++slot == n) {
      slot = 0;
      wrap ^= 1;
    }
  }
  next = record;
  holdTaken(q, free, slot, wrap, i, i);
  return i;
}

// One function for each form, so that it is a constant in its loop.

function takeListRecords(q: usize, limit: u32, end: usize): u32 {
  return takeLists(q, limit, end, false);
}

function takeListsFlat(q: usize, limit: u32, end: usize): u32 {
  return takeLists(q, limit, end, true);
}

/** Takes up to `limit` lists of any form, until something is unusual, or at `end`; how many it took. */
@inline
function takeLists(q: usize, limit: u32, end: usize, flat: bool): u32 {
  const shadow = deviceShadow(q);
  const n = size(q);
  const inOrder = isInOrder(q);
  const turn = deviceTaken(q);
  let room = roomLeft(q);
  let record = next;
  let free = deviceFreeHead(q);
  let slot = deviceAvail(q);
  let wrap = deviceAvailWrap(q);
  let descriptors: u32 = 0;
  let i: u32 = 0;
  for (; i < limit; i++) {
    const first = flat ? record : firstSegment(record);
    if (first > end) break;
    const entry = shadowAt(shadow, free);
    const held = shadowHead(entry);
    const token = headToken(held, free);
    const segments = walkPlain(q, slot, wrap, room, first, end, token, flat);
    if (!segments) break;
    const count = listCount;
    occupy(entry, (turn + i) & 0xffff, count, listId, plainWritable());
    if (!flat) endPlainChain(record, token, segments);
    record = first + <usize>segments * segmentBytes(flat);
    free = inOrder ? advanceSlot(free, 1, n) : headLink(held);
    wrap = advanceWrap(slot, wrap, count, n);
    slot = advanceSlot(slot, count, n);
    room -= count;
    descriptors += count;
  }
  next = record;
  holdTaken(q, free, slot, wrap, i, descriptors);
  return i;
}

/** The flags that tell an available list of one direct descriptor from anything else, where `descTail` has them. */
export const SINGLE_MASK: u64 =
  (<u64>(VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED | VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) << 48;

/** The same, and WRITE where guest RAM may not be written. */
@inline
function singleMask(q: usize): u64 {
  return firstIsReadOnly(core(q)) ? SINGLE_MASK | ((<u64>VIRTQ_DESC_F_WRITE) << 48) : SINGLE_MASK;
}

/** What that leaves of one. */
@inline
export function singleFlags(wrap: u32): u64 {
  return (<u64>availableFlags(wrap)) << 48;
}

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
 * Walks the list at `slot` the short way (see chain.ts): its segments go to `first` on and end before `end`, in the flat
 * list's form under `token` or in a record's.
 *
 * @param room descriptors that the driver can have made available from there on
 * @returns the segments, with `listCount` and `listId` set; or 0: something is unusual, `takeUnusual` knows what
 */
@inline
export function walkPlain(
  q: usize,
  slot: u32,
  wrap: u32,
  room: u32,
  first: usize,
  end: usize,
  token: u32,
  flat: bool,
): u32 {
  if (!room) return 0;
  const head = descAt(desc(q), slot);
  const tail = descTail(head); // Barrier A (pairs with publish in driver.ts): the flags before the address
  const flags = tailFlags(tail);
  if (!isAvailable(flags, wrap)) return 0;
  if (!(flags & VIRTQ_DESC_F_INDIRECT)) return walkList(q, tail, slot, wrap, room, first, end, token, flat);
  if (flags & VIRTQ_DESC_F_NEXT) return 0;
  const length = tailLength(tail);
  const table = plainTable(q, descAddr(head), length);
  if (!table) return 0;
  listCount = 1;
  listId = tailId(tail);
  return walkConsecutive(core(q), table, length / VIRTQ_DESC_SIZE, first, end, token, flat);
}

/** Walks a list slot by slot, at most `room` descriptors, each available in its lap. */
@inline
function walkList(
  q: usize,
  headTail: u64,
  head: u32,
  headWrap: u32,
  room: u32,
  first: usize,
  limit: usize,
  token: u32,
  flat: bool,
): u32 {
  const ring = desc(q);
  const n = size(q);
  const ram = core(q);
  const gpa = firstGpa(ram);
  const bytes = firstSize(ram);
  const base = <u32>firstBase(ram);
  const step = segmentBytes(flat);
  const end = first + min(<usize>room * step, limit - first);
  let segment = first;
  let firstWritable: usize = 0;
  let total: u64 = 0;
  let readable: u64 = 0;
  let slot = head;
  let wrap = headWrap;
  let tail = headTail;
  if (segment + step > end) return 0;
  while (true) {
    const desc = descAt(ring, slot);
    const flags = tailFlags(tail);
    if (!isAvailable(flags, wrap)) return 0;
    if (flags & VIRTQ_DESC_F_INDIRECT) return 0;
    const length = tailLength(tail);
    if (!length) return 0;
    const offset = descAddr(desc) - gpa;
    if (!within(offset, length, bytes)) return 0;
    const write = flags & VIRTQ_DESC_F_WRITE;
    if (write) {
      if (!firstWritable) {
        firstWritable = segment;
        readable = total;
      }
    } else if (firstWritable) return 0;
    total += length;
    setSegment(segment, base + <u32>offset, length, token, write != 0, flat);
    segment += step;
    if (!(flags & VIRTQ_DESC_F_NEXT)) break;
    if (++slot == n) {
      slot = 0;
      wrap ^= 1;
    }
    if (segment + step > end) return 0;
    tail = descTail(descAt(ring, slot));
  }
  listCount = <u32>(segment - first) / <u32>step;
  listId = tailId(tail); // valid in the last descriptor alone (§2.8.6)
  return endWalk(ram, first, segment, firstWritable, readable, total, step);
}

function fail(q: usize, code: i32): i32 {
  setDeviceState(q, code);
  return code;
}
