// The driver half of a packed virtqueue: supplies buffers and takes them back (§2.8.17, §2.8.18).
// Trusts nothing that the device wrote: a used descriptor is an ID and a length, the rest is in the shadow.
import {
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  RING_EVENT_FLAGS_ENABLE,
} from "../../src/spec/packed";
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import {
  BAD_ARGUMENT,
  BUFFER_TOO_SHORT,
  QUEUE_BROKEN,
  QUEUE_NOT_READY,
  USED_ID_NOT_INFLIGHT,
  USED_ID_RANGE,
  USED_LEN_OVERFLOW,
} from "../../src/spec/result";
import { FEATURE_NOTIFICATION_DATA, LAYOUT_PACKED, OPTION_CLAMP_USED_LENGTH } from "../abi";
import {
  firstSubmission,
  segmentGpa,
  segmentLength,
  setAddedToken,
  setUsedRecord,
  submissionIsIndirect,
  submissionReadable,
  submissionSegment,
  submissionsEnd,
  submissionWritable,
} from "../batch";
import {
  driverAvail,
  driverAvailWrap,
  driverBatchEnd,
  driverBatchLength,
  driverError,
  driverFreeCount,
  driverFreeHead,
  driverInFlight,
  driverOldest,
  driverPending,
  driverPendingFlags,
  driverPendingSlot,
  driverUsed,
  driverUsedWrap,
  setDriverAvail,
  setDriverAvailWrap,
  setDriverBatchEnd,
  setDriverBatchLength,
  setDriverError,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverInFlight,
  setDriverKickValue,
  setDriverOldest,
  setDriverPending,
  setDriverPendingFlags,
  setDriverPendingSlot,
  setDriverUsed,
  setDriverUsedWrap,
} from "../driver-state";
import { packedNeedEvent } from "../event";
import { firstGpa, firstIsReadOnly, firstSize, within } from "../memory";
import {
  batch,
  blame,
  core,
  desc,
  deviceArea,
  driverArea,
  driverShadow,
  features,
  hasEventIdx,
  isInOrder,
  isLogged,
  layout,
  notifyId,
  size,
  tableEntries,
  tables,
  tablesGpa,
} from "../queue-state";
import {
  occupy,
  release,
  shadowAt,
  shadowCount,
  shadowGeneration,
  shadowLink,
  shadowWritable,
  tokenOf,
} from "../shadow";
import {
  isSingle,
  isSingleElement,
  judgeSubmission,
  SINGLE_SUBMISSION_BYTES,
  submissionEnd,
  submissionWritableBytes,
} from "../submission";
import { driverLogReserve, driverLogRoom, driverTouched } from "../touched";
import {
  descAt,
  descFlags,
  descTail,
  eventSnapshot,
  setDesc,
  setDescBody,
  setDescFlags,
  setEvent,
  setEventFlags,
  tailId,
  tailLength,
} from "./layout";
import { advanceSlot, advanceWrap, availableFlags, isUsed, offWrap } from "./position";

/** Bytes of a descriptor before its flags. */
const BODY_BYTES: u32 = 14;

/**
 * Makes up to `chains` submissions part of the next publish.
 *
 * @returns how many were added (fewer: the ring is full), or why the first one was refused
 */
export function add(q: usize, chains: u32): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  if (chains > batch(q)) return blame(q, BAD_ARGUMENT, chains, batch(q));
  let submission = firstSubmission(q);
  for (let i: u32 = 0; i < chains; i++) {
    if (isSingle(q, submission)) {
      const added = addSingles(q, submission, i, chains);
      submission += <usize>(added - i) * SINGLE_SUBMISSION_BYTES;
      i = added;
      if (i == chains) break;
    }
    const need = judgeSubmission(q, submission);
    if (need < 0) return i ? i : need;
    if (<u32>need > driverFreeCount(q)) return i; // §2.8.17: room for the whole list comes first
    if (!driverLogRoom(q, need + 2)) return i ? i : BUFFER_TOO_SHORT;
    setAddedToken(q, i, addUnchecked(q, submission, need));
    submission = submissionEnd(submission);
  }
  return chains;
}

/**
 * Adds submissions from number `i` on while they are one direct element that passes every check; the first that
 * isn't or doesn't is left to `add`, which knows why. State stays in locals: most chains are of this kind.
 *
 * @returns the number of the first submission that was not added, at most `chains`
 */
function addSingles(q: usize, submission: usize, i: u32, chains: u32): u32 {
  const first = i;
  const ring = desc(q);
  const n = size(q);
  const shadow = driverShadow(q);
  const inOrder = isInOrder(q);
  const end = submissionsEnd(q);
  const guest = core(q);
  const ram = firstGpa(guest);
  const ramBytes = firstSize(guest);
  const readOnly = firstIsReadOnly(guest);
  const room = driverFreeCount(q);
  let holdBack = !driverPending(q);
  let id = driverFreeHead(q);
  let slot = driverAvail(q);
  let wrap = driverAvailWrap(q);
  while (
    i < chains &&
    i - first < room &&
    submission + SINGLE_SUBMISSION_BYTES <= end &&
    isSingleElement(submission)
  ) {
    const segment = submissionSegment(submission, 0);
    const gpa = segmentGpa(segment);
    const length = segmentLength(segment);
    const write = submissionWritable(submission) != 0;
    if (!within(gpa - ram, length, ramBytes) || (write && readOnly)) break;
    const desc = descAt(ring, slot);
    const flags = availableFlags(wrap) | (write ? VIRTQ_DESC_F_WRITE : 0);
    if (holdBack) {
      setDescBody(desc, gpa, length, id);
      setDriverPendingSlot(q, slot);
      setDriverPendingFlags(q, flags);
      holdBack = false;
    } else {
      setDesc(desc, gpa, length, id, flags);
    }
    const entry = shadowAt(shadow, id);
    const next = inOrder ? advanceSlot(id, 1, n) : shadowLink(entry);
    const generation = occupy(entry, 0, 1, id, write ? length : 0);
    setAddedToken(q, i, tokenOf(id, generation));
    id = next;
    wrap = advanceWrap(slot, wrap, 1, n);
    slot = advanceSlot(slot, 1, n);
    submission += SINGLE_SUBMISSION_BYTES;
    i++;
  }
  const added = i - first;
  setDriverFreeHead(q, id);
  setDriverAvail(q, slot);
  setDriverAvailWrap(q, wrap);
  setDriverPending(q, driverPending(q) + added);
  setDriverFreeCount(q, room - added);
  setDriverInFlight(q, driverInFlight(q) + added);
  return i;
}

/** Writes one judged submission into the next `count` slots; gives its token. The buffer ID is the driver's slot. */
function addUnchecked(q: usize, submission: usize, count: u32): u32 {
  const id = driverFreeHead(q);
  const slot = driverAvail(q);
  const wrap = driverAvailWrap(q);
  const entry = shadowAt(driverShadow(q), id);
  setDriverFreeHead(q, isInOrder(q) ? advanceSlot(id, 1, size(q)) : shadowLink(entry));
  if (submissionIsIndirect(submission)) placeTable(q, submission, slot, wrap, id);
  else placeList(q, submission, slot, wrap, count, id);
  const generation = occupy(entry, 0, count, id, submissionWritableBytes());
  setDriverAvail(q, advanceSlot(slot, count, size(q)));
  setDriverAvailWrap(q, advanceWrap(slot, wrap, count, size(q)));
  setDriverPending(q, driverPending(q) + count);
  setDriverFreeCount(q, driverFreeCount(q) - count);
  setDriverInFlight(q, driverInFlight(q) + 1);
  return tokenOf(id, generation);
}

/** Writes the elements into consecutive slots, the ID in each of them (§2.8.6). */
function placeList(q: usize, submission: usize, head: u32, headWrap: u32, count: u32, id: u32): void {
  const ring = desc(q);
  const n = size(q);
  const readable = submissionReadable(submission);
  const logged = isLogged(q);
  let slot = head;
  let wrap = headWrap;
  for (let i: u32 = 0; i < count; i++) {
    const segment = submissionSegment(submission, i);
    const desc = descAt(ring, slot);
    const next: u32 = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
    const write: u32 = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
    const flags = availableFlags(wrap) | next | write;
    if (i) {
      setDesc(desc, segmentGpa(segment), segmentLength(segment), id, flags);
      if (logged) driverTouched(q, desc, VIRTQ_DESC_SIZE);
    } else {
      placeHead(q, slot, segmentGpa(segment), segmentLength(segment), id, flags);
    }
    wrap = advanceWrap(slot, wrap, 1, n);
    slot = advanceSlot(slot, 1, n);
  }
}

/** Writes the elements into the ID's table, in their order, no flag but WRITE (§2.8.7), and the slot that names it. */
function placeTable(q: usize, submission: usize, slot: u32, wrap: u32, id: u32): void {
  const offset = id * tableEntries(q) * VIRTQ_DESC_SIZE;
  const table = tables(q) + offset;
  const readable = submissionReadable(submission);
  const count = readable + submissionWritable(submission);
  for (let i: u32 = 0; i < count; i++) {
    const segment = submissionSegment(submission, i);
    const entry = descAt(table, i);
    setDesc(entry, segmentGpa(segment), segmentLength(segment), 0, i < readable ? 0 : VIRTQ_DESC_F_WRITE);
  }
  driverTouched(q, table, count * VIRTQ_DESC_SIZE);
  const flags = availableFlags(wrap) | VIRTQ_DESC_F_INDIRECT;
  placeHead(q, slot, tablesGpa(q) + offset, count * VIRTQ_DESC_SIZE, id, flags);
}

/** Writes a head, but keeps back the flags of the first one since the last publish (§2.8.17). */
function placeHead(q: usize, slot: u32, addr: u64, len: u32, id: u32, flags: u32): void {
  const head = descAt(desc(q), slot);
  if (driverPending(q)) {
    setDesc(head, addr, len, id, flags);
    driverTouched(q, head, VIRTQ_DESC_SIZE);
  } else {
    setDescBody(head, addr, len, id);
    setDriverPendingSlot(q, slot);
    setDriverPendingFlags(q, flags);
    driverTouched(q, head, BODY_BYTES);
  }
}

/** Shows what was added to the device by storing the first head's flags (§2.8.17); 1: it wants a notification. */
export function publish(q: usize): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  const pending = driverPending(q);
  const slot = driverAvail(q);
  const wrap = driverAvailWrap(q);
  // §2.9: with NOTIFICATION_DATA the next slot and its wrap counter, else the queue alone.
  const data = features(q) & FEATURE_NOTIFICATION_DATA ? offWrap(slot, wrap) << 16 : 0;
  setDriverKickValue(q, notifyId(q) | data);
  if (!pending) return 0;
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  // Barrier A (pairs with take in device.ts): the list before its head's flags, §2.8.17.
  const head = descAt(desc(q), driverPendingSlot(q));
  setDescFlags(head, driverPendingFlags(q));
  driverTouched(q, head + BODY_BYTES, 2);
  setDriverPending(q, 0);
  // Barrier B (pairs with arm in device.ts): the flags before the suppression check, §2.8.17.
  return packedNeedEvent(eventSnapshot(deviceArea(q)), hasEventIdx(q), size(q), slot, wrap, pending) ? 1 : 0;
}

/** Takes back up to `max` used buffers (§2.8.18); their number, or what the device did wrong. */
export function takeUsed(q: usize, max: u32): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  const limit = min(max, batch(q));
  return isInOrder(q) ? takeInOrder(q, limit) : takeAnyOrder(q, limit);
}

function takeAnyOrder(q: usize, limit: u32): i32 {
  const ring = desc(q);
  const n = size(q);
  const shadow = driverShadow(q);
  let slot = driverUsed(q);
  let wrap = driverUsedWrap(q);
  let head = driverFreeHead(q);
  let freed: u32 = 0;
  let taken: u32 = 0;
  let code: i32 = 0;
  for (; taken < limit; taken++) {
    const desc = descAt(ring, slot);
    // Barrier C (pairs with publish in device.ts): the flags before ID and length.
    const flags = descFlags(desc);
    if (!isUsed(flags, wrap)) break;
    const tail = descTail(desc);
    const id = tailId(tail);
    let length: u32 = flags & VIRTQ_DESC_F_WRITE ? tailLength(tail) : 0; // §2.8.4
    const entry = shadowAt(shadow, id);
    if (id >= n || !shadowCount(entry) || <u64>length > shadowWritable(entry)) {
      code = judgeUsed(q, id, length);
      if (code < 0) break;
      length = <u32>shadowWritable(entry); // clampUsedLength
    }
    setUsedRecord(q, taken, tokenOf(id, shadowGeneration(entry)), length);
    const count = shadowCount(entry); // skip this ID's list, wherever its own slots are (§2.8.6)
    wrap = advanceWrap(slot, wrap, count, n);
    slot = advanceSlot(slot, count, n);
    freed += count;
    release(entry, head);
    head = id;
  }
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, driverFreeCount(q) + freed);
  setDriverInFlight(q, driverInFlight(q) - taken);
  setDriverUsed(q, slot);
  setDriverUsedWrap(q, wrap);
  return taken || !code ? taken : fail(q, code);
}

/** With IN_ORDER one descriptor stands for a batch and names its last buffer; the others were used whole (§2.8.8). */
function takeInOrder(q: usize, limit: u32): i32 {
  const ring = desc(q);
  const n = size(q);
  const shadow = driverShadow(q);
  let taken: u32 = 0;
  while (taken < limit) {
    const slot = driverUsed(q);
    const wrap = driverUsedWrap(q);
    if (!driverBatchEnd(q)) {
      const desc = descAt(ring, slot);
      const flags = descFlags(desc);
      if (!isUsed(flags, wrap)) break;
      const tail = descTail(desc);
      const id = tailId(tail);
      const length: u32 = flags & VIRTQ_DESC_F_WRITE ? tailLength(tail) : 0;
      const code = judgeUsed(q, id, length);
      if (code < 0) {
        if (!taken) return fail(q, code);
        break;
      }
      setDriverBatchEnd(q, id + 1);
      setDriverBatchLength(q, min(length, <u32>shadowWritable(shadowAt(shadow, id))));
    }
    const id = driverOldest(q);
    const entry = shadowAt(shadow, id);
    const last = id + 1 == driverBatchEnd(q);
    const length = last ? driverBatchLength(q) : <u32>shadowWritable(entry);
    setUsedRecord(q, taken, tokenOf(id, shadowGeneration(entry)), length);
    const count = shadowCount(entry);
    setDriverUsedWrap(q, advanceWrap(slot, wrap, count, n));
    setDriverUsed(q, advanceSlot(slot, count, n));
    setDriverOldest(q, advanceSlot(id, 1, n));
    if (last) setDriverBatchEnd(q, 0);
    setDriverFreeCount(q, driverFreeCount(q) + count); // IDs come round by themselves
    setDriverInFlight(q, driverInFlight(q) - 1);
    release(entry, 0);
    taken++;
  }
  return taken;
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

/**
 * Asks for a used buffer notification (§2.8.10), with EVENT_IDX for the slot `ahead` descriptors further on.
 *
 * @returns 1: look again, the next slot is used already
 */
export function arm(q: usize, ahead: u32): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  const n = size(q);
  if (ahead > n) return blame(q, BAD_ARGUMENT, ahead, n);
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  const slot = driverUsed(q);
  const wrap = driverUsedWrap(q);
  const area = driverArea(q);
  if (hasEventIdx(q)) {
    setEvent(
      area,
      offWrap(advanceSlot(slot, ahead, n), advanceWrap(slot, wrap, ahead, n)),
      RING_EVENT_FLAGS_DESC,
    );
    driverTouched(q, area, 4);
  } else {
    setEventFlags(area, RING_EVENT_FLAGS_ENABLE);
    driverTouched(q, area + 2, 2);
  }
  // Barrier D (pairs with publish in device.ts): armed before the second look.
  return driverBatchEnd(q) || isUsed(descFlags(descAt(desc(q), slot)), wrap) ? 1 : 0;
}

/** Asks for no used buffer notifications. */
export function disarm(q: usize): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  setEventFlags(driverArea(q), RING_EVENT_FLAGS_DISABLE);
  driverTouched(q, driverArea(q) + 2, 2);
  return 0;
}

/** 1: the device has used something that was not taken yet. */
export function hasUsed(q: usize): i32 {
  if (layout(q) != LAYOUT_PACKED || driverError(q)) return 0;
  return driverBatchEnd(q) || isUsed(descFlags(descAt(desc(q), driverUsed(q))), driverUsedWrap(q)) ? 1 : 0;
}

function fail(q: usize, code: i32): i32 {
  setDriverError(q, code);
  return code;
}
