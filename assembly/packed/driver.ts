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
import {
  FEATURE_NOTIFICATION_DATA,
  LAYOUT_PACKED,
  OPTION_CLAMP_USED_LENGTH,
  OPTION_LENGTH_WITHOUT_WRITE,
} from "../abi";
import {
  firstSubmission,
  segmentGpa,
  segmentLength,
  setAddedToken,
  setUsedRecord,
  submissionIsIndirect,
  submissionReadable,
  submissionSegment,
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
import {
  batch,
  blame,
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
import { judgeSubmission, submissionEnd, submissionWritableBytes } from "../submission";
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
  const shadow = driverShadow(q);
  const n = size(q);
  const inOrder = isInOrder(q);
  let submission = firstSubmission(q);
  let id = driverFreeHead(q);
  let slot = driverAvail(q);
  let wrap = driverAvailWrap(q);
  let free = driverFreeCount(q);
  let pending = driverPending(q);
  let added: u32 = 0;
  let need: i32 = 0;
  for (; added < chains; added++) {
    need = judgeSubmission(q, submission);
    if (need < 0 || <u32>need > free) break; // §2.8.17: room for the whole list comes first
    if (!driverLogRoom(q, need + 2)) {
      need = BUFFER_TOO_SHORT;
      break;
    }
    if (submissionIsIndirect(submission)) placeTable(q, submission, slot, wrap, id, pending == 0);
    else placeList(q, submission, slot, wrap, need, id, pending == 0);
    const entry = shadowAt(shadow, id); // the buffer ID is the driver's slot
    const next = inOrder ? advanceSlot(id, 1, n) : shadowLink(entry);
    const generation = occupy(entry, 0, need, id, submissionWritableBytes());
    setAddedToken(q, added, tokenOf(id, generation));
    id = next;
    wrap = advanceWrap(slot, wrap, need, n);
    slot = advanceSlot(slot, need, n);
    free -= need;
    pending += need;
    submission = submissionEnd(submission);
  }
  setDriverFreeHead(q, id);
  setDriverAvail(q, slot);
  setDriverAvailWrap(q, wrap);
  setDriverFreeCount(q, free);
  setDriverPending(q, pending);
  setDriverInFlight(q, driverInFlight(q) + added);
  return added || need >= 0 ? added : need;
}

/** Writes the elements into consecutive slots, the ID in each of them (§2.8.6). */
@inline
function placeList(
  q: usize,
  submission: usize,
  head: u32,
  wrap: u32,
  count: u32,
  id: u32,
  isFirst: bool,
): void {
  const more: u32 = count > 1 ? VIRTQ_DESC_F_NEXT : 0;
  const first = submissionSegment(submission, 0);
  const write: u32 = submissionReadable(submission) ? 0 : VIRTQ_DESC_F_WRITE;
  const flags = availableFlags(wrap) | more | write;
  placeHead(q, head, segmentGpa(first), segmentLength(first), id, flags, isFirst);
  if (more) placeRest(q, submission, head, wrap, count, id);
}

/** The second to the last descriptor of a list: hidden behind the head until its flags are stored. */
function placeRest(q: usize, submission: usize, head: u32, headWrap: u32, count: u32, id: u32): void {
  const ring = desc(q);
  const n = size(q);
  const readable = submissionReadable(submission);
  const logged = isLogged(q);
  let slot = head;
  let wrap = headWrap;
  for (let i: u32 = 1; i < count; i++) {
    wrap = advanceWrap(slot, wrap, 1, n);
    slot = advanceSlot(slot, 1, n);
    const segment = submissionSegment(submission, i);
    const next: u32 = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
    const write: u32 = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
    const desc = descAt(ring, slot);
    setDesc(desc, segmentGpa(segment), segmentLength(segment), id, availableFlags(wrap) | next | write);
    if (logged) driverTouched(q, desc, VIRTQ_DESC_SIZE);
  }
}

/** Writes the elements into the ID's table, in their order, no flag but WRITE (§2.8.7), and the slot that names it. */
function placeTable(q: usize, submission: usize, slot: u32, wrap: u32, id: u32, isFirst: bool): void {
  const offset = id * tableEntries(q) * VIRTQ_DESC_SIZE;
  const table = tables(q) + offset;
  const readable = submissionReadable(submission);
  const count = readable + submissionWritable(submission);
  for (let i: u32 = 0; i < count; i++) {
    const segment = submissionSegment(submission, i);
    const write: u32 = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
    setDesc(descAt(table, i), segmentGpa(segment), segmentLength(segment), 0, write);
  }
  driverTouched(q, table, count * VIRTQ_DESC_SIZE);
  const flags = availableFlags(wrap) | VIRTQ_DESC_F_INDIRECT;
  placeHead(q, slot, tablesGpa(q) + offset, count * VIRTQ_DESC_SIZE, id, flags, isFirst);
}

/** Writes a head, but keeps back the flags of the first one since the last publish (§2.8.17). */
@inline
function placeHead(q: usize, slot: u32, addr: u64, len: u32, id: u32, flags: u32, isFirst: bool): void {
  const head = descAt(desc(q), slot);
  if (isFirst) {
    setDescBody(head, addr, len, id);
    setDriverPendingSlot(q, slot);
    setDriverPendingFlags(q, flags);
    driverTouched(q, head, BODY_BYTES);
  } else {
    setDesc(head, addr, len, id, flags);
    driverTouched(q, head, VIRTQ_DESC_SIZE);
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
  const counted = lengthFlags(q);
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
    let length: u32 = (flags | counted) & VIRTQ_DESC_F_WRITE ? tailLength(tail) : 0; // §2.8.4
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
  const counted = lengthFlags(q);
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
      const length: u32 = (flags | counted) & VIRTQ_DESC_F_WRITE ? tailLength(tail) : 0;
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
