// The flat list: what a device outside WASM reads and answers with the fewest loads, in the place of chain records.
// One entry per segment, readable ones of a chain first; all words are 32-bit:
//
//   { linear address, length, token | FLAT_WRITABLE, written }
//
// `written` is 0 and the device's to set, in the first entry of each chain: bytes from its first writable one on.
// The next entry belongs to the same chain when it has the same token; a token of 0, which no chain has, ends the list,
// behind all the room that records have if need be. A chain without segments has one entry of length 0: its address is
// 0 or, with OPTION_RECOVER, what was wrong with the chain, a negative result.
import {
  CHAIN_RECORD_BYTES,
  COMPLETION_RECORD_BYTES,
  FLAT_LENGTH,
  FLAT_READABLE_BYTES,
  FLAT_SEGMENT_BYTES,
  FLAT_TOKEN,
  FLAT_WRITABLE,
  FLAT_WRITTEN,
  FLAT_WRITTEN_BYTES,
  SEGMENT_RECORD_BYTES,
} from "./abi";
import {
  appendSegment,
  chainsEnd,
  chainErrorBits,
  chainReadableCount,
  chainToken,
  chainWritableCount,
  completionRecord,
  firstChain,
  firstSegment,
  segmentAddress,
  segmentRecordLength,
  setSingleChain,
  SINGLE_CHAIN_BYTES,
} from "./batch";

/** Writes one entry. */
@inline
export function setFlatSegment(entry: usize, linear: u32, length: u32, token: u32, write: bool): void {
  store<u64>(entry, (<u64>linear) | ((<u64>length) << 32));
  store<u64>(entry, <u64>(token | (write ? FLAT_WRITABLE : 0)), FLAT_TOKEN);
}

/** Ends the list at `entry`. */
@inline
export function endFlat(entry: usize): void {
  store<u32>(entry, 0, FLAT_TOKEN);
}

/** End of the room that a chain record at `record` has, so that its list fits before `end` when it is flattened. */
@inline
export function recordLimit(record: usize, end: usize): usize {
  const room = end - record;
  const half = ((room >> 1) & ~7) + CHAIN_RECORD_BYTES; // a segment takes 8 bytes in a record and 16 in the list
  return record + min(room, half);
}

/** Turns the chain record at `record` into entries at the same place; the end of them. */
export function flatten(record: usize): usize {
  const token = chainToken(record);
  const readable = chainReadableCount(record);
  const count = readable + chainWritableCount(record);
  if (!count) {
    setFlatSegment(record, chainErrorBits(record), 0, token, false);
    return record + FLAT_SEGMENT_BYTES;
  }
  // From the fifth on an entry lies behind its segment, so the last one goes first; the first five the other way round.
  for (let i = count - 1; <i32>i > 4; i--) flattenSegment(record, i, token, i >= readable);
  const low = min(count, 5);
  for (let i: u32 = 0; i < low; i++) flattenSegment(record, i, token, i >= readable);
  return record + <usize>count * FLAT_SEGMENT_BYTES;
}


@inline
function flattenSegment(record: usize, i: u32, token: u32, write: bool): void {
  const segment = firstSegment(record) + <usize>i * SEGMENT_RECORD_BYTES;
  const entry = record + <usize>i * FLAT_SEGMENT_BYTES;
  setFlatSegment(entry, <u32>segmentAddress(segment), segmentRecordLength(segment), token, write);
}

/** Token and written of the chain whose first entry this is, as a completion record has them. */
@inline
export function flatCompletion(entry: usize): u64 {
  return load<u64>(entry, FLAT_TOKEN) & ~(<u64>FLAT_WRITABLE);
}

/** The first entry of the next chain, or `end`. */
@inline
export function nextFlatChain(entry: usize, end: usize): usize {
  const token = load<u32>(entry, FLAT_TOKEN) & ~FLAT_WRITABLE;
  let next = entry + FLAT_SEGMENT_BYTES;
  while (next < end) {
    if ((load<u32>(next, FLAT_TOKEN) & ~FLAT_WRITABLE) != token) break;
    next += FLAT_SEGMENT_BYTES;
  }
  return next;
}

/** Adds up for the host the readable bytes of the list's first `count` chains, and those that the device says it wrote. */
export function flatTally(q: usize, count: u32): void {
  const end = chainsEnd(q);
  let entry = firstChain(q);
  let readable: u64 = 0;
  let written: u64 = 0;
  for (let i: u32 = 0; i < count && entry < end; i++) {
    const token = load<u32>(entry, FLAT_TOKEN) & ~FLAT_WRITABLE;
    if (!token) break; // there are fewer
    written += load<u32>(entry, FLAT_WRITTEN);
    do {
      if (load<u32>(entry, FLAT_TOKEN) == token) readable += load<u32>(entry, FLAT_LENGTH);
      entry += FLAT_SEGMENT_BYTES;
    } while (entry < end && (load<u32>(entry, FLAT_TOKEN) & ~FLAT_WRITABLE) == token);
  }
  store<u64>(q, readable, FLAT_READABLE_BYTES);
  store<u64>(q, written, FLAT_WRITTEN_BYTES);
}

// Either form, for loops that are made once for records and once for the list.

/** One segment of a chain record or of the flat list. */
@inline
export function setSegment(at: usize, linear: u32, length: u32, token: u32, write: bool, flat: bool): void {
  if (flat) setFlatSegment(at, linear, length, token, write);
  else appendSegment(at, linear, length);
}

/** Bytes of that. */
@inline
export function segmentBytes(flat: bool): usize {
  return flat ? <usize>FLAT_SEGMENT_BYTES : <usize>SEGMENT_RECORD_BYTES;
}

/** A whole chain with one direct element. */
@inline
export function setSingle(at: usize, token: u32, linear: u32, length: u32, write: bool, flat: bool): void {
  if (flat) setFlatSegment(at, linear, length, token, write);
  else setSingleChain(at, token, linear, length, write);
}

/** Bytes of that. */
@inline
export function singleBytes(flat: bool): usize {
  return flat ? <usize>FLAT_SEGMENT_BYTES : SINGLE_CHAIN_BYTES;
}

/** Token in the low half, bytes written in the high half: of a completion record, or of a chain of the flat list before `end`. */
@inline
export function completionAt(at: usize, end: usize, flat: bool): u64 {
  if (!flat) return completionRecord(at);
  return at < end ? flatCompletion(at) : 0;
}

/** The place of the completion after the one at `at`. */
@inline
export function nextCompletion(at: usize, end: usize, flat: bool): usize {
  return flat ? nextFlatChain(at, end) : at + COMPLETION_RECORD_BYTES;
}
