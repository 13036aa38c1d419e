// Used buffers come back to the driver half of a packed virtqueue (§2.8.6, §2.8.8, §2.8.18).
// A used descriptor is an ID and a length, nothing more is believed: lists are freed from the shadow.
import { VIRTQ_DESC_F_WRITE, VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import { USED_ID_NOT_INFLIGHT, USED_ID_RANGE, USED_LEN_OVERFLOW } from "../../src/spec/result";
import {
  LAYOUT_PACKED,
  OPTION_CLAMP_USED_LENGTH,
  OPTION_LENGTH_WITHOUT_WRITE,
  SHADOW_BYTES,
  USED_RECORD_BYTES,
} from "../abi";
import { setUsedRecord, usedRecordAt } from "../batch";
import {
  driverBatchEnd,
  driverBatchLength,
  driverState,
  driverFreeCount,
  driverFreeHead,
  driverInFlight,
  driverOldest,
  driverUsed,
  driverUsedWrap,
  setDriverBatchEnd,
  setDriverBatchLength,
  setDriverState,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverInFlight,
  setDriverOldest,
  setDriverUsed,
  setDriverUsedWrap,
} from "../driver-state";
import {
  batch,
  blame,
  countFours,
  desc,
  driverRecords,
  driverShadow,
  features,
  hasFours,
  isInOrder,
  refusal,
  size,
} from "../queue-state";
import {
  headCount,
  headToken,
  releaseHead,
  shadowAt,
  shadowCount,
  shadowHead,
  shadowWritable,
} from "../shadow";
import { takeFourUsed } from "./four";
import { descAt, descTail, tailFlags, tailId, tailLength } from "./layout";
import { advanceSlot, advanceWrap, isUsed } from "./position";

/** Takes back up to `max` used buffers (§2.8.18); their number, or what the device did wrong. */
export function takeUsed(q: usize, max: u32): i32 {
  if (driverState(q) != LAYOUT_PACKED) return refusal(driverState(q));
  const limit = min(max, batch(q));
  return isInOrder(q) ? takeInOrder(q, limit) : takeAnyOrder(q, limit);
}


@inline
function takeAnyOrder(q: usize, limit: u32): i32 {
  if (!limit) return 0;
  const singles = takeSingles(q, 0, limit);
  return singles == limit ? limit : takeMore(q, singles, limit);
}

/** Goes on behind the first `from` buffers, over other forms and the ring's end: as `addMore` of add.ts. */
function takeMore(q: usize, from: u32, limit: u32): i32 {
  let taken = from;
  while (taken < limit) {
    const singles = takeSingles(q, taken, limit);
    taken += singles;
    if (singles) continue; // up to another form, the ring's end, or what is not used
    const code = takeLists(q, taken, limit);
    if (code < 0) return taken ? taken : fail(q, code);
    if (!code) break;
    taken += code;
  }
  return taken;
}

/**
 * Takes back lists of one descriptor, behind `taken` used records. Stops at anything else, where nothing is used, and
 * at the ring's end; how many it took.
 */
@inline
function takeSingles(q: usize, taken: u32, limit: u32): u32 {
  if (lengthFlags(q)) return 0;
  const ring = desc(q);
  const shadow = driverShadow(q);
  const n = size(q);
  const slot = driverUsed(q);
  const wrap = driverUsedWrap(q);
  const most = min(limit - taken, n - slot);
  const end = descAt(ring, slot + most);
  let at = descAt(ring, slot);
  let record = usedRecordAt(driverRecords(q), taken);
  let head = driverFreeHead(q);
  do {
    const tail = descTail(at); // Barrier C (pairs with publish in device.ts): the flags with ID and length
    if (!isUsed(tailFlags(tail), wrap)) break;
    const id = tailId(tail);
    if (id >= n) break;
    const entry = shadowAt(shadow, id);
    const held = shadowHead(entry);
    if (headCount(held) != 1) break;
    const length: u32 = tailFlags(tail) & VIRTQ_DESC_F_WRITE ? tailLength(tail) : 0; // §2.8.4
    if (<u64>length > shadowWritable(entry)) break;
    setUsedRecord(record, headToken(held, id), length);
    releaseHead(entry, held, head);
    head = id;
    record += USED_RECORD_BYTES;
    at += VIRTQ_DESC_SIZE;
  } while (at < end);
  const i = most - <u32>(end - at) / VIRTQ_DESC_SIZE;
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, driverFreeCount(q) + i);
  setDriverInFlight(q, driverInFlight(q) - i);
  setDriverUsed(q, slot + i);
  if (slot + i == n) {
    setDriverUsed(q, 0);
    setDriverUsedWrap(q, wrap ^ 1);
  }
  return i;
}

/** Takes back lists of any form, behind `taken` used records; how many, or what is wrong with the first. */
function takeLists(q: usize, from: u32, limit: u32): i32 {
  const ring = desc(q);
  const n = size(q);
  const shadow = driverShadow(q);
  const records = driverRecords(q);
  const counted = lengthFlags(q);
  let slot = driverUsed(q);
  let wrap = driverUsedWrap(q);
  let head = driverFreeHead(q);
  let freed: u32 = 0;
  let taken = from;
  let code: i32 = 0;
  for (; taken < limit; taken++) {
    const tail = descTail(descAt(ring, slot)); // Barrier C too
    const flags = tailFlags(tail);
    if (!isUsed(flags, wrap)) break;
    const id = tailId(tail);
    let length: u32 = (flags | counted) & VIRTQ_DESC_F_WRITE ? tailLength(tail) : 0; // §2.8.4
    const entry = shadowAt(shadow, id);
    if (id >= n || !shadowCount(entry) || <u64>length > shadowWritable(entry)) {
      code = judgeUsed(q, id, length);
      if (code < 0) break;
      length = <u32>shadowWritable(entry); // clampUsedLength
    }
    const held = shadowHead(entry);
    const count = headCount(held); // skip this ID's list, wherever its own slots are (§2.8.6)
    setUsedRecord(usedRecordAt(records, taken), headToken(held, id), length);
    freed += count;
    wrap = advanceWrap(slot, wrap, count, n);
    slot = advanceSlot(slot, count, n);
    releaseHead(entry, held, head);
    head = id;
  }
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, driverFreeCount(q) + freed);
  setDriverInFlight(q, driverInFlight(q) - (taken - from));
  setDriverUsed(q, slot);
  setDriverUsedWrap(q, wrap);
  return taken > from ? taken - from : code;
}

/** With IN_ORDER one descriptor stands for a batch and names its last buffer; the others were used whole (§2.8.8). */
function takeInOrder(q: usize, limit: u32): i32 {
  const ring = desc(q);
  const n = size(q);
  const counted = lengthFlags(q);
  let taken: u32 = 0;
  while (taken < limit) {
    if (!driverBatchEnd(q)) {
      const tail = descTail(descAt(ring, driverUsed(q)));
      const flags = tailFlags(tail);
      if (!isUsed(flags, driverUsedWrap(q))) break;
      const id = tailId(tail);
      const length: u32 = (flags | counted) & VIRTQ_DESC_F_WRITE ? tailLength(tail) : 0;
      const code = judgeUsed(q, id, length);
      if (code < 0) {
        if (!taken) return fail(q, code);
        break;
      }
      setDriverBatchEnd(q, id + 1);
      setDriverBatchLength(q, min(length, <u32>shadowWritable(shadowAt(driverShadow(q), id))));
    }
    taken = hasFours(q) ? takeFours(q, taken, limit) : takeOnes(q, taken, limit);
    if (taken == limit) break;
    if (driverOldest(q) + 1 != driverBatchEnd(q)) continue; // the batch is over, or goes on where the IDs begin
    // The batch's last buffer, with the length that was written.
    const id = driverOldest(q);
    const entry = shadowAt(driverShadow(q), id);
    const held = shadowHead(entry);
    setUsedRecord(usedRecordAt(driverRecords(q), taken++), headToken(held, id), driverBatchLength(q));
    releaseHead(entry, held, 0);
    setDriverBatchEnd(q, 0);
    moveOverUsed(q, advanceSlot(id, 1, n), 1, headCount(held));
  }
  return taken;
}

function takeOnes(q: usize, taken: u32, limit: u32): u32 {
  return takeSkipped(q, taken, limit, false);
}

function takeFours(q: usize, taken: u32, limit: u32): u32 {
  return takeSkipped(q, taken, limit, true);
}

/**
 * Takes the buffers before the batch's last one, which is in flight, behind `taken` used records; and that one, ending
 * the batch, if it was used whole like them. Stops where the IDs end; how many records there are then.
 */
@inline
function takeSkipped(q: usize, taken: u32, limit: u32, fours: bool): u32 {
  const n = size(q);
  const shadow = driverShadow(q);
  const last = driverBatchEnd(q) - 1;
  const whole = driverBatchLength(q) == shadowWritable(shadowAt(shadow, last));
  const oldest = driverOldest(q);
  const left = (last >= oldest ? last - oldest : last + n - oldest) + (whole ? 1 : 0);
  const count = min(min(limit - taken, left), n - oldest);
  const end = shadowAt(shadow, oldest + count);
  let entry = shadowAt(shadow, oldest);
  let record = usedRecordAt(driverRecords(q), taken);
  let id = oldest;
  let freed: u32 = 0;
  let groups: u32 = 0;
  while (entry < end) {
    if (fours && entry + 4 * SHADOW_BYTES <= end) {
      freed += takeFourUsed(entry, record, id);
      groups++;
      id += 4;
      entry += 4 * SHADOW_BYTES;
      record += 4 * USED_RECORD_BYTES;
      continue;
    }
    const held = shadowHead(entry);
    setUsedRecord(record, headToken(held, id), <u32>shadowWritable(entry));
    freed += headCount(held);
    releaseHead(entry, held, 0);
    id++;
    entry += SHADOW_BYTES;
    record += USED_RECORD_BYTES;
  }
  if (fours) countFours(q, groups);
  moveOverUsed(q, advanceSlot(oldest, count, n), count, freed);
  if (whole && count == left) setDriverBatchEnd(q, 0);
  return taken + count;
}

/** The used position after `count` buffers of `descriptors`, and the oldest buffer then; IDs come round by themselves. */
@inline
function moveOverUsed(q: usize, oldest: u32, count: u32, descriptors: u32): void {
  const slot = driverUsed(q);
  setDriverUsedWrap(q, advanceWrap(slot, driverUsedWrap(q), descriptors, size(q)));
  setDriverUsed(q, advanceSlot(slot, descriptors, size(q)));
  setDriverOldest(q, oldest);
  setDriverFreeCount(q, driverFreeCount(q) + descriptors);
  setDriverInFlight(q, driverInFlight(q) - count);
}

/** Flags that every used descriptor is taken to have: WRITE for a device that leaves it out (lengthWithoutWrite). */
@inline
function lengthFlags(q: usize): u32 {
  return features(q) & OPTION_LENGTH_WITHOUT_WRITE ? VIRTQ_DESC_F_WRITE : 0;
}

/** Whether a used descriptor may be believed: 0, or the breach (§2.8.4). */
function judgeUsed(q: usize, id: u32, length: u32): i32 {
  if (id >= size(q)) return blame(q, USED_ID_RANGE, id, size(q));
  const entry = shadowAt(driverShadow(q), id);
  if (!shadowCount(entry)) return blame(q, USED_ID_NOT_INFLIGHT, id, size(q));
  const writable = shadowWritable(entry);
  if (<u64>length <= writable || features(q) & OPTION_CLAMP_USED_LENGTH) return 0;
  return blame(q, USED_LEN_OVERFLOW, length, writable);
}

function fail(q: usize, code: i32): i32 {
  setDriverState(q, code);
  return code;
}
