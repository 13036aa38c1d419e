// One descriptor chain on its way into a chain record: bounds, readable before writable, totals, indirect tables
// (§2.7.4, §2.7.5, §2.8.5, §2.8.7). The walk along a ring is its layout's; this file judges each descriptor.
//
// What was validated is never read again: a segment goes into the record as a linear address and a length.
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../src/spec/queue";
import {
  BUFFER_TOO_SHORT,
  CHAIN_BYTES_OVERFLOW,
  CHAIN_TOO_LONG,
  DESC_ADDR_OVERFLOW,
  DESC_NEXT_RANGE,
  DESC_ORDER,
  DESC_OUT_OF_GUEST,
  INDIRECT_BAD_SIZE,
  INDIRECT_NESTED,
  INDIRECT_OUT_OF_GUEST,
  INDIRECT_TOO_LONG,
} from "../src/spec/result";
import { FEATURE_INDIRECT, OPTION_STRICT_RING, SEGMENT_RECORD_BYTES } from "./abi";
import { appendSegment, firstSegment, setChainBytes, setChainHeader } from "./batch";
import { segmentBytes, setSegment } from "./flat";
import {
  firstBase,
  firstGpa,
  firstIsReadOnly,
  firstSize,
  NOT_IN_GUEST,
  translate,
  within,
  wrapsAround,
} from "./memory";
import { blame, core, features, size, tableLimit } from "./queue-state";
import { descAddr, descTail, tailFlags, tailLength, tailNext } from "./split/layout";

/** A chain holds at most 2^32 bytes (§2.7.5.2). */
const CHAIN_BYTES_MAX: u64 = 0x100000000;

// The short way: a walk that keeps everything in locals and gives up at anything unusual. It judges nothing: the
// long way below walks again and finds the reason. Most chains never need it.
let plainReadable: u32 = 0;
let plainReadableTotal: u64 = 0;
let plainWritableTotal: u64 = 0;

/** Device-writable bytes of the chain that the short way walked. */
@inline
export function plainWritable(): u64 {
  return plainWritableTotal;
}

/** Writes the header of a record that the short way filled with `segments`. */
@inline
export function endPlainChain(record: usize, token: u32, segments: u32): void {
  setChainHeader(record, token, plainReadable, segments - plainReadable, 0);
  setChainBytes(record, plainReadableTotal, plainWritableTotal);
  place = firstSegment(record) + <usize>segments * SEGMENT_RECORD_BYTES;
}

/**
 * Walks descriptors linked by `next` from `slot` on, in a ring's or an indirect table of `count` (§2.7.5).
 *
 * @param first where the first segment goes; they end before `limit`, in the flat list's form under `token` or a record's
 * @param recorded whether they are written there at all
 * @returns the segments, or 0: something is unusual, go the long way
 */
@inline
export function walkLinked(
  ram: usize,
  table: usize,
  slot: u32,
  count: u32,
  first: usize,
  limit: usize,
  token: u32,
  flat: bool,
  recorded: bool,
): u32 {
  const gpa = firstGpa(ram);
  const bytes = firstSize(ram);
  const base = <u32>firstBase(ram);
  const step = segmentBytes(flat);
  // Room for `count` segments and no more: a loop is longer.
  const end = first + min(<usize>count * step, limit - first);
  let segment = first;
  let firstWritable: usize = 0;
  let total: u64 = 0;
  let readable: u64 = 0;
  while (true) {
    if (segment + step > end) return 0;
    const tail = descTail(table, slot);
    const flags = tailFlags(tail);
    if (flags & VIRTQ_DESC_F_INDIRECT) return 0;
    const length = tailLength(tail);
    if (!length) return 0;
    const offset = descAddr(table, slot) - gpa;
    if (!within(offset, length, bytes)) return 0;
    const write = flags & VIRTQ_DESC_F_WRITE;
    if (write) {
      if (!firstWritable) {
        firstWritable = segment;
        readable = total;
      }
    } else if (firstWritable) return 0;
    total += length;
    if (recorded) setSegment(segment, base + <u32>offset, length, token, write != 0, flat);
    segment += step;
    if (!(flags & VIRTQ_DESC_F_NEXT)) break;
    slot = tailNext(tail);
    if (slot >= count) return 0;
  }
  return endWalk(ram, first, segment, firstWritable, readable, total, step);
}

/** Walks all `count` entries of a packed ring's indirect table, which follow each other (§2.8.7); as `walkLinked`. */
@inline
export function walkConsecutive(
  ram: usize,
  table: usize,
  count: u32,
  first: usize,
  limit: usize,
  token: u32,
  flat: bool,
): u32 {
  const gpa = firstGpa(ram);
  const bytes = firstSize(ram);
  const base = <u32>firstBase(ram);
  const step = segmentBytes(flat);
  if (<usize>count * step > limit - first) return 0;
  let segment = first;
  let firstWritable: usize = 0;
  let total: u64 = 0;
  let readable: u64 = 0;
  for (let entry: u32 = 0; entry < count; entry++) {
    const tail = descTail(table, entry);
    const length = tailLength(tail);
    if (!length) return 0;
    const offset = descAddr(table, entry) - gpa;
    if (!within(offset, length, bytes)) return 0;
    const write = tailNext(tail) & VIRTQ_DESC_F_WRITE; // the flags stand where a split descriptor has `next`
    if (write) {
      if (!firstWritable) {
        firstWritable = segment;
        readable = total;
      }
    } else if (firstWritable) return 0;
    total += length;
    setSegment(segment, base + <u32>offset, length, token, write != 0, flat);
    segment += step;
  }
  return endWalk(ram, first, segment, firstWritable, readable, total, step);
}

/**
 * Keeps what a short walk found: segments from `first` to `end`, the writable ones from `firstWritable` on or none (0),
 * `readable` bytes before those of `total`.
 *
 * @returns the segments, or 0: too many bytes, or nothing may be written
 */
@inline
export function endWalk(
  ram: usize,
  first: usize,
  end: usize,
  firstWritable: usize,
  readable: u64,
  total: u64,
  step: usize,
): u32 {
  if (total > CHAIN_BYTES_MAX) return 0;
  if (firstWritable) {
    if (firstIsReadOnly(ram)) return 0;
    plainReadable = <u32>(firstWritable - first) / <u32>step;
    plainReadableTotal = readable;
    plainWritableTotal = total - readable;
  } else {
    plainReadable = <u32>(end - first) / <u32>step;
    plainReadableTotal = total;
    plainWritableTotal = 0;
  }
  return <u32>(end - first) / <u32>step;
}

/** Linear address of a table that nothing is unusual about, or 0 (where no table is); its entries are length / 16. */
@inline
export function plainTable(q: usize, address: u64, length: u32): usize {
  if (!length || length % VIRTQ_DESC_SIZE || length / VIRTQ_DESC_SIZE > tableLimit(q)) return 0;
  if (!(features(q) & FEATURE_INDIRECT)) return 0;
  const ram = core(q);
  const offset = address - firstGpa(ram);
  return within(offset, length, firstSize(ram)) ? <usize>(firstBase(ram) + offset) : 0;
}

// The long way.

// The chain being walked: where its next segment goes, and what came before its first writable element.
let queue: usize = 0;
let guest: usize = 0;
let start: usize = 0;
let place: usize = 0;
let end: usize = 0;
let total: u64 = 0;
let sawWritable: bool = false;
let readableEnd: usize = 0;
let readableTotal: u64 = 0;

/** Starts a chain record at `record`, whose segments end before `limit`. */
@inline
export function beginChain(q: usize, record: usize, limit: usize): void {
  queue = q;
  guest = core(q);
  start = firstSegment(record);
  place = start;
  end = limit;
  total = 0;
  sawWritable = false;
}

/** Where the next chain record goes. */
@inline
export function chainEnd(): usize {
  return place;
}

/** Device-writable bytes of the chain, 0…2^32. */
@inline
export function chainWritableTotal(): u64 {
  return sawWritable ? total - readableTotal : 0;
}

/** Writes the record's header. */
@inline
export function endChain(record: usize, token: u32, error: i32): void {
  const readEnd = sawWritable ? readableEnd : place;
  const readable = <u32>(readEnd - start) / SEGMENT_RECORD_BYTES;
  const writable = <u32>(place - readEnd) / SEGMENT_RECORD_BYTES;
  setChainHeader(record, token, readable, writable, error);
  setChainBytes(record, sawWritable ? readableTotal : total, chainWritableTotal());
}

/** Adds one buffer element to the chain; 0, or why not. Zero-length elements are skipped (§2.7.5 allows them). */
@inline
export function pushDescriptor(address: u64, length: u32, flags: u32): i32 {
  const write = (flags & VIRTQ_DESC_F_WRITE) != 0;
  if (write != sawWritable) {
    if (!write) return blame(queue, DESC_ORDER, address, length); // §2.7.4.2: readable elements come first
    sawWritable = true;
    readableEnd = place;
    readableTotal = total;
  }
  const linear = translate(guest, address, length, write);
  const sum = total + length;
  if (linear == NOT_IN_GUEST || sum > CHAIN_BYTES_MAX || place + SEGMENT_RECORD_BYTES > end || !length) {
    return judgeElement(address, length, linear, sum);
  }
  place = appendSegment(place, <u32>linear, length);
  total = sum;
  return 0;
}

/** An element that can't simply be appended: skipped for its length 0, or refused for the first reason. */
function judgeElement(address: u64, length: u32, linear: u64, sum: u64): i32 {
  if (!length) return 0;
  if (wrapsAround(address, length)) return blame(queue, DESC_ADDR_OVERFLOW, address, length);
  if (linear == NOT_IN_GUEST) return blame(queue, DESC_OUT_OF_GUEST, address, length);
  if (sum > CHAIN_BYTES_MAX) return blame(queue, CHAIN_BYTES_OVERFLOW, sum, CHAIN_BYTES_MAX);
  return BUFFER_TOO_SHORT;
}

// The door to a table: its entries, or a negative code. Its linear address lands in `tableLinear`.
let tableLinear: usize = 0;

function openTable(q: usize, address: u64, length: u32): i32 {
  if (!length || length % VIRTQ_DESC_SIZE) return blame(q, INDIRECT_BAD_SIZE, length, VIRTQ_DESC_SIZE);
  const entries = length / VIRTQ_DESC_SIZE;
  if (entries > tableLimit(q)) return blame(q, INDIRECT_TOO_LONG, entries, tableLimit(q));
  const linear = translate(guest, address, length, false);
  if (linear == NOT_IN_GUEST) return blame(q, INDIRECT_OUT_OF_GUEST, address, length);
  tableLinear = <usize>linear;
  return entries;
}

/**
 * Walks a split queue's indirect table, linked by `next` from entry 0 (§2.7.5.3).
 *
 * @param direct descriptors of the chain that stand in the ring before the table
 */
export function pushLinkedTable(q: usize, address: u64, length: u32, direct: u32): i32 {
  const entries = openTable(q, address, length);
  if (entries < 0) return entries;
  const table = tableLinear;
  // With strictRing the chain, table entries included, is bounded by the queue size.
  const bound = features(q) & OPTION_STRICT_RING ? size(q) - direct : 0xffffffff;
  let entry: u32 = 0;
  let visited: u32 = 1;
  while (true) {
    if (visited > bound) return blame(q, CHAIN_TOO_LONG, direct + visited, size(q));
    const tail = descTail(table, entry);
    const flags = tailFlags(tail);
    if (flags & VIRTQ_DESC_F_INDIRECT) return blame(q, INDIRECT_NESTED, entry, entries); // §2.7.5.3.1
    const code = pushDescriptor(descAddr(table, entry), tailLength(tail), flags);
    if (code < 0) return code;
    if (!(flags & VIRTQ_DESC_F_NEXT)) return 0;
    entry = tailNext(tail);
    if (entry >= <u32>entries) return blame(q, DESC_NEXT_RANGE, entry, entries);
    if (visited == entries) return blame(q, CHAIN_TOO_LONG, visited + 1, entries); // more steps than entries: a loop
    visited++;
  }
}

/** Walks a packed queue's indirect table: all entries in their order, no flag but WRITE counts (§2.8.7). */
export function pushConsecutiveTable(q: usize, address: u64, length: u32): i32 {
  const entries = openTable(q, address, length);
  if (entries < 0) return entries;
  const table = tableLinear;
  for (let entry: i32 = 0; entry < entries; entry++) {
    const tail = descTail(table, entry);
    // In a packed descriptor the flags stand where a split one has `next`.
    const code = pushDescriptor(descAddr(table, entry), tailLength(tail), tailNext(tail));
    if (code < 0) return code;
  }
  return 0;
}
