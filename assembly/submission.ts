// One submission of the driver: the caller's own mistakes, found before anything is written (§2.7.4, §2.7.5).
import {
  BAD_ARGUMENT,
  CHAIN_BYTES_OVERFLOW,
  CHAIN_TOO_LONG,
  INDIRECT_NOT_NEGOTIATED,
} from "../src/spec/result";
import { FEATURE_INDIRECT, SUBMISSION_HEADER_BYTES, SUBMISSION_SEGMENT_BYTES } from "./abi";
import {
  segmentGpa,
  segmentLength,
  submissionIsIndirect,
  submissionReadable,
  submissionSegment,
  submissionShape,
  submissionsEnd,
  submissionWritable,
} from "./batch";
import { firstGpa, firstIsReadOnly, firstSize, NOT_IN_GUEST, translate, within } from "./memory";
import { blame, core, features, isLogged, size, tableEntries } from "./queue-state";

/** The two counts of a submission with one writable element, as one word. */
const ONE_WRITABLE: u64 = 0x100000000;

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

/** Ring descriptors that the submission needs, 1…size, or why it can't be a chain. */
@inline
export function judgeSubmission(q: usize, submission: usize): i32 {
  if (submissionSegment(submission, 1) > submissionsEnd(q)) return judgeEvery(q, submission);
  const shape = submissionShape(submission);
  if ((shape != 1 && shape != ONE_WRITABLE) || submissionIsIndirect(submission))
    return judgeEvery(q, submission);
  // One direct element: peeled, since most chains are that.
  const guest = core(q);
  const segment = submissionSegment(submission, 0);
  const length = segmentLength(segment);
  if (!within(segmentGpa(segment) - firstGpa(guest), length, firstSize(guest)) || firstIsReadOnly(guest)) {
    return judgeEvery(q, submission);
  }
  writableBytes = shape == 1 ? 0 : length;
  return 1;
}

/** The same for any submission. */
function judgeEvery(q: usize, submission: usize): i32 {
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
