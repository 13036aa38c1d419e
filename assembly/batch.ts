// The records exchanged with the host: one crossing per batch. All words are 32-bit unless said.
//
// driver records  +0         batch × { token, length }            used buffers, out
//                 +8*batch   batch × token                        what `add` gave, out (padded to 16 * batch)
//                 +16*batch  recordBytes of submissions, in, each
//                              { readableCount, writableCount, flags (1: indirect), unused }
//                              (readableCount + writableCount) × { u64 gpa, length, unused }
// device records  +0         batch × { token, written }           completions, in
//                 +8*batch   recordBytes of chains, out, each
//                              { token, readableCount, writableCount, error, u64 readableBytes, u64 writableBytes }
//                              (readableCount + writableCount) × { linear address, length }
// `batch` is even, so that everything is aligned to 8 bytes.
import {
  CHAIN_ERROR,
  CHAIN_READABLE_BYTES,
  CHAIN_READABLE_COUNT,
  CHAIN_RECORD_BYTES,
  CHAIN_TOKEN,
  CHAIN_WRITABLE_BYTES,
  CHAIN_WRITABLE_COUNT,
  COMPLETION_RECORD_BYTES,
  SEGMENT_RECORD_BYTES,
  SUBMISSION_HEADER_BYTES,
  SUBMISSION_INDIRECT,
  SUBMISSION_SEGMENT_BYTES,
  TOKEN_BYTES,
  USED_RECORD_BYTES,
} from "./abi";
import { batch, deviceRecords, driverRecords, recordBytes } from "./queue-state";

/** Bytes of a chain record with one segment. */
export const SINGLE_CHAIN_BYTES: usize = CHAIN_RECORD_BYTES + SEGMENT_RECORD_BYTES;
/** Bytes of a submission with one segment. */
export const SINGLE_SUBMISSION_BYTES: usize = SUBMISSION_HEADER_BYTES + SUBMISSION_SEGMENT_BYTES;

/** Writes a used record: the token, and the bytes that the device wrote. */
@inline
export function setUsedRecord(at: usize, token: u32, length: u32): void {
  store<u64>(at, (<u64>token) | ((<u64>length) << 32));
}

/** Where used record `i` goes. */
@inline
export function usedRecordAt(records: usize, i: u32): usize {
  return records + <usize>i * USED_RECORD_BYTES;
}

/** Where the tokens stand that `add` gives. */
@inline
export function addedTokens(q: usize): usize {
  return driverRecords(q) + <usize>batch(q) * USED_RECORD_BYTES;
}

/** Where the token of submission `i` goes. */
@inline
export function addedTokenAt(tokens: usize, i: u32): usize {
  return tokens + <usize>i * TOKEN_BYTES;
}

/** Writes the token that `add` gave to a submission. */
@inline
export function setAddedToken(at: usize, token: u32): void {
  store<u32>(at, token);
}


@inline
export function firstSubmission(q: usize): usize {
  return driverRecords(q) + <usize>batch(q) * 16;
}


@inline
export function submissionsEnd(q: usize): usize {
  return firstSubmission(q) + recordBytes(q);
}


@inline
export function submissionReadable(submission: usize): u32 {
  return load<u32>(submission, 0);
}


@inline
export function submissionWritable(submission: usize): u32 {
  return load<u32>(submission, 4);
}

/** Both counts together: 1 means that one of them is 1 and the other 0, since 64 bits hold any sum. */
@inline
export function submissionElements(submission: usize): u64 {
  return <u64>submissionReadable(submission) + submissionWritable(submission);
}


@inline
export function submissionIsIndirect(submission: usize): bool {
  return (load<u32>(submission, 8) & SUBMISSION_INDIRECT) != 0;
}


@inline
export function submissionSegment(submission: usize, i: u32): usize {
  return submission + SUBMISSION_HEADER_BYTES + <usize>i * SUBMISSION_SEGMENT_BYTES;
}


@inline
export function segmentGpa(segment: usize): u64 {
  return load<u64>(segment, 0);
}


@inline
export function segmentLength(segment: usize): u32 {
  return load<u32>(segment, 8);
}

/** Where the completion records begin. */
@inline
export function firstCompletion(q: usize): usize {
  return deviceRecords(q);
}

/** Token in the low half, bytes written in the high half. */
@inline
export function completionRecord(at: usize): u64 {
  return load<u64>(at);
}


@inline
export function firstChain(q: usize): usize {
  return deviceRecords(q) + <usize>batch(q) * COMPLETION_RECORD_BYTES;
}


@inline
export function chainsEnd(q: usize): usize {
  return firstChain(q) + recordBytes(q);
}

/** Writes segment record at `record` and gives the place of the next one. */
@inline
export function appendSegment(record: usize, linear: u32, length: u32): usize {
  store<u64>(record, (<u64>linear) | ((<u64>length) << 32));
  return record + SEGMENT_RECORD_BYTES;
}


@inline
export function firstSegment(chain: usize): usize {
  return chain + CHAIN_RECORD_BYTES;
}


@inline
export function segmentAddress(record: usize): usize {
  return load<u32>(record, 0);
}


@inline
export function segmentRecordLength(record: usize): u32 {
  return load<u32>(record, 4);
}


@inline
export function setChainHeader(chain: usize, token: u32, readable: u32, writable: u32, error: i32): void {
  store<u64>(chain, (<u64>token) | ((<u64>readable) << 32), CHAIN_TOKEN);
  store<u64>(chain, (<u64>writable) | ((<u64>(<u32>error)) << 32), CHAIN_WRITABLE_COUNT);
}

/** A whole record of a chain with one direct element. */
@inline
export function setSingleChain(chain: usize, token: u32, linear: u32, length: u32, write: bool): void {
  const writable: u32 = write ? 1 : 0;
  setChainHeader(chain, token, writable ^ 1, writable, 0);
  setChainBytes(chain, write ? 0 : length, write ? length : 0);
  appendSegment(firstSegment(chain), linear, length);
}


@inline
export function setChainBytes(chain: usize, readable: u64, writable: u64): void {
  store<u64>(chain, readable, CHAIN_READABLE_BYTES);
  store<u64>(chain, writable, CHAIN_WRITABLE_BYTES);
}


@inline
export function chainToken(chain: usize): u32 {
  return load<u32>(chain, CHAIN_TOKEN);
}


@inline
export function chainReadableCount(chain: usize): u32 {
  return load<u32>(chain, CHAIN_READABLE_COUNT);
}


@inline
export function chainWritableCount(chain: usize): u32 {
  return load<u32>(chain, CHAIN_WRITABLE_COUNT);
}


@inline
export function chainError(chain: usize): i32 {
  return load<i32>(chain, CHAIN_ERROR);
}

/** The same as a u32. A `load<i32>` that is widened to u64 would be sign-extended: binaryen folds the two wrongly. */
@inline
export function chainErrorBits(chain: usize): u32 {
  return load<u32>(chain, CHAIN_ERROR);
}
