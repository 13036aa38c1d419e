// Taking chains from a split virtqueue: the available ring's next entries, walked into chain records (§2.7.5, §2.7.6).
// The driver is hostile: what is read from the ring is read once, judged, and kept in records and shadow.
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { BUFFER_TOO_SHORT, RING_INDEX_JUMP } from "../../src/spec/result";
import { LAYOUT_SPLIT } from "../abi";
import { chainsEnd, firstChain, firstSegment } from "../batch";
import { chainEnd, endPlainChain, plainTable, plainWritable, walkLinked } from "../chain";
import {
  deviceAvail,
  deviceState,
  deviceInFlight,
  deviceShown,
  setDeviceAvail,
  setDeviceState,
  setDeviceInFlight,
} from "../device-state";
import { endFlat, flatten, recordLimit, segmentBytes, setSingle, singleBytes } from "../flat";
import { firstBase, firstGpa, firstIsReadOnly, firstSize, within } from "../memory";
import { batch, blame, core, desc, deviceShadow, driverArea, refusal, size } from "../queue-state";
import { headCount, headToken, occupy, occupySingle, relinked, shadowAt, shadowHead } from "../shadow";
import { availEntry, availEntryAt, availIdx, descAddr, descTail, tailFlags, tailLength } from "./layout";
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
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  const newly = newlyAvailable(q);
  if (newly < 0) return newly;
  const limit = min(min(max, batch(q)), newly);
  const end = chainsEnd(q);
  next = firstChain(q);
  let taken: u32 = 0;
  while (true) {
    taken += takeSingles(q, limit - taken, end, flat);
    if (taken == limit) break;
    taken += flat ? takeChainsFlat(q, limit - taken, end) : takeChainRecords(q, limit - taken, end);
    if (taken == limit) break;
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

/**
 * Takes up to `limit` chains of one direct descriptor: peeled, since most chains are that. Stops at anything else, and
 * at `end`; how many it took.
 */
@inline
function takeSingles(q: usize, limit: u32, end: usize, flat: bool): u32 {
  const table = desc(q);
  const ring = driverArea(q);
  const shadow = deviceShadow(q);
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const base = <u32>firstBase(core(q));
  const unusual = unusualFlags(q);
  const avail = deviceAvail(q);
  let record = next;
  const most = min(limit, <u32>(end - record) / <u32>singleBytes(flat));
  let i: u32 = 0;
  for (; i < most; i++) {
    const turn = (avail + i) & 0xffff;
    const head = availEntry(availEntryAt(ring, turn & (n - 1)));
    if (head >= n) break;
    const entry = shadowAt(shadow, head);
    const held = shadowHead(entry);
    if (headCount(held)) break; // §2.7.13.1: it is not free
    const tail = descTail(table, head);
    if (tailFlags(tail) & unusual) break;
    const length = tailLength(tail);
    if (!length) break;
    const offset = descAddr(table, head) - gpa;
    if (!within(offset, length, bytes)) break;
    const write = tailFlags(tail) & VIRTQ_DESC_F_WRITE;
    occupySingle(entry, relinked(held, turn), head, write ? length : 0);
    setSingle(record, headToken(held, head), base + <u32>offset, length, write != 0, flat);
    record += singleBytes(flat);
  }
  next = record;
  setDeviceAvail(q, (avail + i) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) + i);
  return i;
}

// One function for each form, so that it is a constant in its loop.

function takeChainRecords(q: usize, limit: u32, end: usize): u32 {
  return takeChains(q, limit, end, false);
}

function takeChainsFlat(q: usize, limit: u32, end: usize): u32 {
  return takeChains(q, limit, end, true);
}

/** Takes up to `limit` chains of any form, until something is unusual, or at `end`; how many it took. */
@inline
function takeChains(q: usize, limit: u32, end: usize, flat: bool): u32 {
  const table = desc(q);
  const ring = driverArea(q);
  const shadow = deviceShadow(q);
  const n = size(q);
  const avail = deviceAvail(q);
  let record = next;
  let i: u32 = 0;
  for (; i < limit; i++) {
    const first = flat ? record : firstSegment(record);
    if (first > end) break;
    const turn = (avail + i) & 0xffff;
    const head = availEntry(availEntryAt(ring, turn & (n - 1)));
    if (head >= n) break;
    const entry = shadowAt(shadow, head);
    const held = shadowHead(entry);
    if (headCount(held)) break;
    const token = headToken(held, head);
    const segments = walkPlain(q, table, head, n, first, end, token, flat, true);
    if (!segments) break;
    occupy(entry, turn, 1, head, plainWritable());
    if (!flat) endPlainChain(record, token, segments);
    record = first + <usize>segments * segmentBytes(flat);
  }
  next = record;
  setDeviceAvail(q, (avail + i) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) + i);
  return i;
}

/** How many chains the driver has made available, or RING_INDEX_JUMP. */
@inline
export function newlyAvailable(q: usize): i32 {
  // Barrier A (pairs with publish in driver.ts): the index before the entries.
  const idx = availIdx(driverArea(q));
  const next = deviceAvail(q);
  const published = deviceShown(q);
  const newly = (idx - next) & 0xffff;
  // The driver may be at most one queue size ahead of what was used (§2.7.6), and never goes back.
  if (newly + ((next - published) & 0xffff) <= size(q)) return newly;
  return fail(q, blame(q, RING_INDEX_JUMP, idx, published & 0xffff));
}

/** Flags without which a descriptor is a whole chain that nothing is unusual about, if its buffer is in the first region. */
@inline
function unusualFlags(q: usize): u32 {
  return VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | (firstIsReadOnly(core(q)) ? VIRTQ_DESC_F_WRITE : 0);
}

/**
 * Walks the chain at `head` of a descriptor table of `n` the short way (see chain.ts): its segments go to `first` on
 * and end before `end`, in the flat list's form under `token` or in a record's; or nowhere, unless `recorded`.
 *
 * @returns the segments, or 0: something is unusual, `takeUnusual` knows what
 */
@inline
export function walkPlain(
  q: usize,
  table: usize,
  head: u32,
  n: u32,
  first: usize,
  end: usize,
  token: u32,
  flat: bool,
  recorded: bool,
): u32 {
  let list = table;
  let slot = head;
  let entries = n;
  const tail = descTail(table, head);
  if (tailFlags(tail) & VIRTQ_DESC_F_INDIRECT) {
    const length = tailLength(tail);
    if (tailFlags(tail) & VIRTQ_DESC_F_NEXT) return 0;
    list = plainTable(q, descAddr(table, head), length);
    if (!list) return 0;
    slot = 0;
    entries = length / VIRTQ_DESC_SIZE;
  }
  return walkLinked(core(q), list, slot, entries, first, end, token, flat, recorded);
}

function fail(q: usize, code: i32): i32 {
  setDeviceState(q, code);
  return code;
}
