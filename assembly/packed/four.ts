// Four descriptors at a time with SIMD, one cache line of the ring: for IN_ORDER, where IDs and shadows lie in a row.
// Each function does what four turns of its scalar twin's loop do, or nothing and says so. Chosen at set-up
// (`setFours`): guest RAM's first region is writable and ends below 4 GiB, so that addresses are 32-bit lanes.
import {
  PACKED_DESC_ID,
  PACKED_DESC_LEN,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from "../../src/spec/packed";
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { SHADOW_BYTES, SUBMISSION_INDIRECT } from "../abi";
import {
  SINGLE_SUBMISSION_BYTES,
  submissionElements,
  submissionIsIndirect,
  submissionWritable,
} from "../batch";
import { descFlags } from "./layout";

/** Whether four descriptors from `head` on end at `end` or before it. */
@inline
export function fourFit(head: usize, end: usize): bool {
  return head + 4 * VIRTQ_DESC_SIZE <= end;
}

// Lanes of a descriptor or a submission's segment: address low, address high, length, the rest.

/** Four vectors' first lanes. */
@inline
function firsts(ab: v128, cd: v128): v128 {
  return v128.shuffle<i64>(ab, cd, 0, 2);
}


@inline
function seconds(ab: v128, cd: v128): v128 {
  return v128.shuffle<i64>(ab, cd, 1, 3);
}

/** a0 b0 a1 b1 */
@inline
function lower(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
}

/** a2 b2 a3 b3 */
@inline
function upper(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
}

/** Not zero in the lanes whose buffer lies outside [gpa, +bytes), as `within` of memory.ts says. */
@inline
function outside(low: v128, high: v128, length: v128, gpa: v128, bytes: v128): v128 {
  const offset = v128.sub<i32>(low, gpa);
  const room = v128.sub<i32>(bytes, offset);
  return v128.or(high, v128.or(above(offset, bytes), above(length, room)));
}

/** Not zero in the lanes where `value` is more than `bound`, both unsigned. */
@inline
function above(value: v128, bound: v128): v128 {
  return v128.xor(v128.max<u32>(value, bound), bound);
}

/**
 * Driver: writes four submissions of one direct element, all readable or all writable, into four descriptors.
 *
 * @param head linear address of the first descriptor, whose ID is `id`; `entry` of its shadow
 * @param flags AVAIL and USED as the lap wants them
 * @param shown whether the first one's flags are stored too, or held back for the next publish
 */
@inline
export function addFour(
  submission: usize,
  head: usize,
  entry: usize,
  tokens: usize,
  id: u32,
  flags: u32,
  gpa: v128,
  bytes: v128,
  shown: bool,
): bool {
  if (submissionElements(submission) != 1) return false;
  if (submissionIsIndirect(submission)) return false;
  const form = v128.load(submission);
  const other = v128.or(
    v128.xor(form, v128.load(submission, SINGLE_SUBMISSION_BYTES)),
    v128.or(
      v128.xor(form, v128.load(submission, 2 * SINGLE_SUBMISSION_BYTES)),
      v128.xor(form, v128.load(submission, 3 * SINGLE_SUBMISSION_BYTES)),
    ),
  );
  const a = v128.load(submission, 16);
  const b = v128.load(submission, SINGLE_SUBMISSION_BYTES + 16);
  const c = v128.load(submission, 2 * SINGLE_SUBMISSION_BYTES + 16);
  const d = v128.load(submission, 3 * SINGLE_SUBMISSION_BYTES + 16);
  const ab = lower(a, b);
  const cd = lower(c, d);
  const length = firsts(upper(a, b), upper(c, d));
  const unlike = v128.and(other, i32x4(-1, -1, SUBMISSION_INDIRECT, 0));
  const beyond = outside(firsts(ab, cd), seconds(ab, cd), length, gpa, bytes);
  if (v128.any_true(v128.or(unlike, beyond))) return false;
  const write = submissionWritable(submission); // 1 or 0
  const last = id | ((flags | (write * VIRTQ_DESC_F_WRITE)) << 16);
  const first = v128.replace_lane<i32>(a, 3, last);
  if (shown) {
    v128.store(head, first);
  } else {
    v128.store_lane<i64>(head, first, 0);
    v128.store_lane<i32>(head, first, 2, PACKED_DESC_LEN);
    v128.store_lane<i16>(head, first, 6, PACKED_DESC_ID);
  }
  v128.store(head, v128.replace_lane<i32>(b, 3, last + 1), VIRTQ_DESC_SIZE);
  v128.store(head, v128.replace_lane<i32>(c, 3, last + 2), 2 * VIRTQ_DESC_SIZE);
  v128.store(head, v128.replace_lane<i32>(d, 3, last + 3), 3 * VIRTQ_DESC_SIZE);
  // The shadows: { 0 | generation << 16, 1 | id << 16, writable, 0 }
  let held = v128.load_zero<i32>(entry);
  held = v128.load_lane<i32>(entry, held, 1, SHADOW_BYTES);
  held = v128.load_lane<i32>(entry, held, 2, 2 * SHADOW_BYTES);
  held = v128.load_lane<i32>(entry, held, 3, 3 * SHADOW_BYTES);
  const generation = v128.shl<i32>(v128.shr<u32>(held, 16), 16);
  const ids = idsFrom(id);
  v128.store(tokens, v128.or(generation, ids));
  const place = plusOne(v128.shl<i32>(ids, 16));
  const zero = i32x4.splat(0);
  const writable = v128.and(length, i32x4.splat(0 - write));
  const heads01 = lower(generation, place);
  const heads23 = upper(generation, place);
  const rests01 = lower(writable, zero);
  const rests23 = upper(writable, zero);
  v128.store(entry, firsts(heads01, rests01));
  v128.store(entry, seconds(heads01, rests01), SHADOW_BYTES);
  v128.store(entry, firsts(heads23, rests23), 2 * SHADOW_BYTES);
  v128.store(entry, seconds(heads23, rests23), 3 * SHADOW_BYTES);
  return true;
}

/** Where WRITE, NEXT, INDIRECT, AVAIL and USED stand in the last lane. */
const FORM_MASK: u32 =
  (VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED) <<
  16;

/**
 * Device: whether four descriptors from `head` on are available lists of one readable element, of length 0 too, which
 * a device that writes nothing may skip.
 *
 * @param flags AVAIL and USED as the lap wants them
 * @returns the buffer ID of the fourth, or -1
 */
@inline
export function fourReadable(head: usize, flags: u32, gpa: v128, bytes: v128): i32 {
  // Barrier A (pairs with publish in driver.ts): between two agents the flags come first, and by themselves.
  if (ASC_FEATURE_THREADS) {
    for (let i: u32 = 0; i < 4; i++) {
      if (descFlags(head + <usize>i * VIRTQ_DESC_SIZE) != flags) return -1;
    }
  }
  const a = v128.load(head);
  const b = v128.load(head, VIRTQ_DESC_SIZE);
  const c = v128.load(head, 2 * VIRTQ_DESC_SIZE);
  const d = v128.load(head, 3 * VIRTQ_DESC_SIZE);
  const abUpper = upper(a, b);
  const cdUpper = upper(c, d);
  const last = seconds(abUpper, cdUpper);
  const unlike = v128.and(v128.xor(last, i32x4.splat(flags << 16)), i32x4.splat(FORM_MASK));
  const length = firsts(abUpper, cdUpper);
  const ab = lower(a, b);
  const cd = lower(c, d);
  const beyond = outside(firsts(ab, cd), seconds(ab, cd), length, gpa, bytes);
  if (v128.any_true(v128.or(unlike, beyond))) return -1;
  return v128.extract_lane<i32>(last, 3) & 0xffff;
}

/**
 * Driver: takes back the four oldest buffers, whose shadows stand from `entry` on and which were used whole.
 *
 * @param records where their used records go; `id` of the first
 * @returns the ring descriptors that they held
 */
@inline
export function takeFourUsed(entry: usize, records: usize, id: u32): u32 {
  const a = v128.load(entry);
  const b = v128.load(entry, SHADOW_BYTES);
  const c = v128.load(entry, 2 * SHADOW_BYTES);
  const d = v128.load(entry, 3 * SHADOW_BYTES);
  const counts = v128.add<i32>(v128.add<i32>(a, b), v128.add<i32>(c, d));
  const generation = v128.shr<u32>(firsts(lower(a, b), lower(c, d)), 16);
  const writable = firsts(upper(a, b), upper(c, d));
  const tokens = v128.or(v128.shl<i32>(generation, 16), idsFrom(id));
  v128.store(records, lower(tokens, writable));
  v128.store(records, upper(tokens, writable), 16);
  // What `release` leaves of them.
  const next = nextGenerations(generation);
  const zero = i32x4.splat(0);
  const next01 = lower(next, zero);
  const next23 = upper(next, zero);
  v128.store_lane<i64>(entry, next01, 0);
  v128.store_lane<i64>(entry, next01, 1, SHADOW_BYTES);
  v128.store_lane<i64>(entry, next23, 0, 2 * SHADOW_BYTES);
  v128.store_lane<i64>(entry, next23, 1, 3 * SHADOW_BYTES);
  return v128.extract_lane<i32>(counts, 1) & 0xffff;
}

/** `id` and the three after it. */
@inline
function idsFrom(id: u32): v128 {
  return v128.add<i32>(i32x4.splat(id), i32x4(0, 1, 2, 3));
}

/** The generations after these, where a shadow has them: 1 after GENERATION_MAX, which is 2^15 - 1. */
@inline
function nextGenerations(generation: v128): v128 {
  const next = plusOne(generation);
  const wrapped = v128.add<i32>(next, v128.shr<u32>(next, 15));
  return v128.shr<u32>(v128.shl<i32>(wrapped, 17), 1); // bit 15 falls off
}

/** Each lane and 1: minus -1, since a vector of all ones needs no load. */
@inline
function plusOne(lanes: v128): v128 {
  return v128.sub<i32>(lanes, i32x4.splat(-1));
}
