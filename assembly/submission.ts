// One submission of the driver: the caller's own mistakes, found before anything is written (§2.7.4, §2.7.5).
import {
  BAD_ARGUMENT,
  CHAIN_BYTES_OVERFLOW,
  CHAIN_TOO_LONG,
  INDIRECT_NOT_NEGOTIATED,
} from "../src/spec/result";
import { FEATURE_INDIRECT, SUBMISSION_SEGMENT_BYTES } from "./abi";
import {
  segmentGpa,
  segmentLength,
  SINGLE_SUBMISSION_BYTES,
  submissionElements,
  submissionIsIndirect,
  submissionReadable,
  submissionSegment,
  submissionsEnd,
  submissionWritable,
} from "./batch";
import { firstGpa, firstIsReadOnly, firstSize, NOT_IN_GUEST, translate, within } from "./memory";
import { blame, core, features, hasPeels, size, tableEntries } from "./queue-state";

let writableBytes: u64 = 0;

/** Device-writable bytes of the submission judged last, 0…2^32-1. */
@inline
export function submissionWritableBytes(): u64 {
  return writableBytes;
}


@inline
export function submissionEnd(submission: usize): usize {
  return submissionSegment(submission, submissionReadable(submission) + submissionWritable(submission));
}

/** Most submissions from `submission` on that can be one direct element each: 0 where those don't go the short way. */
@inline
export function singlesAhead(q: usize, submission: usize): u32 {
  return hasPeels(q) ? <u32>(submissionsEnd(q) - submission) / <u32>SINGLE_SUBMISSION_BYTES : 0;
}

/** Whether the next submission is one of those. */
@inline
export function isSingleAhead(q: usize, submission: usize): bool {
  return singlesAhead(q, submission) != 0 && isSingle(submission);
}

/** Whether a submission has one element, direct. */
@inline
export function isSingle(submission: usize): bool {
  return submissionElements(submission) == 1 && !submissionIsIndirect(submission);
}

/** Ring descriptors that the submission needs, 1…size, or why it can't be a chain. */
@inline
export function judgeSubmission(q: usize, submission: usize): i32 {
  const need = judgePlain(q, submission);
  return need ? need : judgeUnusual(q, submission);
}

/** The same for a submission that nothing is unusual about; 0: something is, `judgeUnusual` knows what. */
@inline
function judgePlain(q: usize, submission: usize): u32 {
  const end = submissionsEnd(q);
  if (submissionSegment(submission, 0) > end) return 0;
  const readable = submissionReadable(submission);
  const writable = submissionWritable(submission);
  const n = size(q);
  const count = readable + writable;
  if (readable > n || writable > n || count > n || !count) return 0;
  const last = submissionSegment(submission, count);
  if (last > end) return 0;
  const indirect = submissionIsIndirect(submission);
  if (indirect && (count > tableEntries(q) || !(features(q) & FEATURE_INDIRECT))) return 0;
  const guest = core(q);
  if (writable && firstIsReadOnly(guest)) return 0;
  const gpa = firstGpa(guest);
  const bytes = firstSize(guest);
  const firstWritable = submissionSegment(submission, readable);
  let segment = submissionSegment(submission, 0);
  let total: u64 = 0;
  let readableTotal: u64 = 0;
  for (; segment < last; segment += SUBMISSION_SEGMENT_BYTES) {
    const length = segmentLength(segment);
    if (!within(segmentGpa(segment) - gpa, length, bytes)) return 0;
    if (segment < firstWritable) readableTotal += length;
    total += length;
  }
  writableBytes = total - readableTotal;
  if (total > 0x100000000 || writableBytes > 0xffffffff) return 0;
  return indirect ? 1 : count;
}

/** Judges a submission to its end. */
function judgeUnusual(q: usize, submission: usize): i32 {
  const end = submissionsEnd(q);
  if (submissionSegment(submission, 0) > end) return BAD_ARGUMENT;
  const readable = submissionReadable(submission);
  const writable = submissionWritable(submission);
  const n = size(q);
  // §2.7.5.3.1, §2.8.19: a table counts too.
  if (readable > n || writable > n || readable + writable > n)
    return blame(q, CHAIN_TOO_LONG, <u64>readable + writable, n);
  const count = readable + writable;
  if (!count) return blame(q, BAD_ARGUMENT, 0, 1);
  if (submissionSegment(submission, count) > end) return BAD_ARGUMENT;
  const indirect = submissionIsIndirect(submission);
  if (indirect) {
    if (!(features(q) & FEATURE_INDIRECT)) return blame(q, INDIRECT_NOT_NEGOTIATED, count, 0);
    if (count > tableEntries(q)) return blame(q, BAD_ARGUMENT, count, tableEntries(q));
  }
  const guest = core(q);
  const ram = firstGpa(guest);
  const ramBytes = firstSize(guest);
  const readOnly = firstIsReadOnly(guest);
  let total: u64 = 0;
  let readableTotal: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const segment = submissionSegment(submission, i);
    const gpa = segmentGpa(segment);
    const length = segmentLength(segment);
    const write = i >= readable;
    if (i == readable) readableTotal = total;
    total += length;
    if (within(gpa - ram, length, ramBytes) && !(write && readOnly)) continue;
    if (translate(guest, gpa, length, write) == NOT_IN_GUEST && length)
      return blame(q, BAD_ARGUMENT, gpa, length);
  }
  writableBytes = writable ? total - readableTotal : 0;
  if (total > 0x100000000) return blame(q, CHAIN_BYTES_OVERFLOW, total, 0x100000000); // §2.7.5.2
  if (writableBytes > 0xffffffff) return blame(q, BAD_ARGUMENT, writableBytes, 0xffffffff); // a used length is a u32
  return indirect ? 1 : count;
}
