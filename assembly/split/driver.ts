// The driver half of a split virtqueue: supplies buffers and takes them back (§2.7.13, §2.7.14).
// Trusts nothing that the device wrote: chains are freed from the shadow, never from the table in guest memory.
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
  USED_ID_NOT_HEAD,
  USED_ID_NOT_INFLIGHT,
  USED_ID_RANGE,
  USED_INDEX_JUMP,
  USED_LEN_OVERFLOW,
} from "../../src/spec/result";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from "../../src/spec/split";
import { FEATURE_NOTIFICATION_DATA, LAYOUT_SPLIT, OPTION_CLAMP_USED_LENGTH } from "../abi";
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
  driverBatchEnd,
  driverBatchLength,
  driverError,
  driverFreeCount,
  driverFreeHead,
  driverInFlight,
  driverOldest,
  driverPending,
  driverUsed,
  setDriverAvail,
  setDriverBatchEnd,
  setDriverBatchLength,
  setDriverError,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverInFlight,
  setDriverKickValue,
  setDriverOldest,
  setDriverPending,
  setDriverUsed,
} from "../driver-state";
import { needEvent } from "../event";
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
  tables,
  tablesGpa,
  tableEntries,
} from "../queue-state";
import {
  occupy,
  release,
  setShadowLink,
  shadowAt,
  shadowCount,
  shadowGeneration,
  shadowId,
  shadowLink,
  shadowWritable,
  tokenOf,
} from "../shadow";
import { judgeSubmission, submissionEnd, submissionWritableBytes } from "../submission";
import { driverLogReserve, driverLogRoom, driverTouched } from "../touched";
import {
  availEntryAt,
  availEvent,
  descAt,
  setAvailEntry,
  setAvailFlags,
  setAvailIdx,
  setDesc,
  setUsedEvent,
  usedElement,
  usedEventAt,
  usedFlags,
  usedIdx,
} from "./layout";

/**
 * Makes up to `chains` submissions part of the next publish.
 *
 * @returns how many were added (fewer: the ring is full), or why the first one was refused
 */
export function add(q: usize, chains: u32): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  if (chains > batch(q)) return blame(q, BAD_ARGUMENT, chains, batch(q));
  const shadow = driverShadow(q);
  const mask = size(q) - 1;
  const inOrder = isInOrder(q);
  let submission = firstSubmission(q);
  let idx = driverAvail(q);
  let head = driverFreeHead(q);
  let free = driverFreeCount(q);
  let added: u32 = 0;
  let need: i32 = 0;
  for (; added < chains; added++) {
    need = judgeSubmission(q, submission);
    if (need < 0 || <u32>need > free) break;
    if (!driverLogRoom(q, need + 2)) {
      need = BUFFER_TOO_SHORT;
      break;
    }
    const last = place(q, submission, head, need, inOrder);
    // The list goes on behind the chain's last descriptor; with IN_ORDER they are taken in table order (§2.7.5).
    const entry = shadowAt(shadow, head);
    const next = inOrder ? (last + 1) & mask : shadowLink(shadowAt(shadow, last));
    const generation = occupy(
      entry,
      inOrder ? idx : shadowLink(entry),
      need,
      last,
      submissionWritableBytes(),
    );
    const slot = idx & mask;
    setAvailEntry(driverArea(q), slot, head);
    driverTouched(q, availEntryAt(driverArea(q), slot), 2);
    setAddedToken(q, added, tokenOf(head, generation));
    head = next;
    idx = (idx + 1) & 0xffff;
    free -= need;
    submission = submissionEnd(submission);
  }
  setDriverAvail(q, idx);
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, free);
  setDriverPending(q, driverPending(q) + added);
  setDriverInFlight(q, driverInFlight(q) + added);
  return added || need >= 0 ? added : need;
}

/** Writes one judged submission from descriptor `head` on; gives its last descriptor. */
@inline
function place(q: usize, submission: usize, head: u32, count: u32, inOrder: bool): u32 {
  if (submissionIsIndirect(submission)) return placeTable(q, submission, head);
  if (count > 1) return placeDirect(q, submission, head, count, inOrder);
  // One direct descriptor: peeled, since most chains are that.
  const segment = submissionSegment(submission, 0);
  const write: u32 = submissionWritable(submission) ? VIRTQ_DESC_F_WRITE : 0;
  setDesc(desc(q), head, segmentGpa(segment), segmentLength(segment), write, 0);
  driverTouched(q, descAt(desc(q), head), VIRTQ_DESC_SIZE);
  return head;
}

/** Writes the elements into linked ring descriptors; gives the last descriptor's slot. */
function placeDirect(q: usize, submission: usize, head: u32, count: u32, inOrder: bool): u32 {
  const table = desc(q);
  const shadow = driverShadow(q);
  const readable = submissionReadable(submission);
  const mask = size(q) - 1;
  const logged = isLogged(q);
  let slot = head;
  let i: u32 = 0;
  while (true) {
    const segment = submissionSegment(submission, i);
    const write: u32 = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
    if (logged) driverTouched(q, descAt(table, slot), VIRTQ_DESC_SIZE);
    if (i + 1 == count) {
      setDesc(table, slot, segmentGpa(segment), segmentLength(segment), write, 0);
      return slot;
    }
    const next = inOrder ? (slot + 1) & mask : shadowLink(shadowAt(shadow, slot));
    setDesc(table, slot, segmentGpa(segment), segmentLength(segment), write | VIRTQ_DESC_F_NEXT, next);
    slot = next;
    i++;
  }
}

/** Writes the elements into the head's table, linked 1, 2, 3… (§2.7.5.3), and one descriptor that names it. */
function placeTable(q: usize, submission: usize, head: u32): u32 {
  const offset = head * tableEntries(q) * VIRTQ_DESC_SIZE;
  const table = tables(q) + offset;
  const readable = submissionReadable(submission);
  const count = readable + submissionWritable(submission);
  for (let i: u32 = 0; i < count; i++) {
    const segment = submissionSegment(submission, i);
    const write: u32 = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
    const more = i + 1 < count;
    setDesc(
      table,
      i,
      segmentGpa(segment),
      segmentLength(segment),
      more ? write | VIRTQ_DESC_F_NEXT : write,
      more ? i + 1 : 0,
    );
  }
  driverTouched(q, table, count * VIRTQ_DESC_SIZE);
  setDesc(desc(q), head, tablesGpa(q) + offset, count * VIRTQ_DESC_SIZE, VIRTQ_DESC_F_INDIRECT, 0);
  driverTouched(q, descAt(desc(q), head), VIRTQ_DESC_SIZE);
  return head;
}

/** Shows what was added to the device (§2.7.13); 1: the device wants a notification. */
export function publish(q: usize): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  const pending = driverPending(q);
  const next = driverAvail(q);
  // §2.9: with NOTIFICATION_DATA all 16 bits of the index, else the queue alone.
  const data = features(q) & FEATURE_NOTIFICATION_DATA ? next << 16 : 0;
  setDriverKickValue(q, notifyId(q) | data);
  if (!pending) return 0;
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  // Barrier A (pairs with take in device.ts): entries before the index, §2.7.13.3.1.
  setAvailIdx(driverArea(q), next);
  driverTouched(q, driverArea(q) + 2, 2);
  setDriverPending(q, 0);
  // Barrier B (pairs with arm in device.ts): the index before the suppression check, §2.7.13.4.1.
  if (!hasEventIdx(q)) return usedFlags(deviceArea(q)) & VIRTQ_USED_F_NO_NOTIFY ? 0 : 1;
  const old = (next - pending) & 0xffff;
  return needEvent(availEvent(deviceArea(q), size(q)), next, old) ? 1 : 0;
}

/** Takes back up to `max` used buffers (§2.7.14); their number, or what the device did wrong. */
export function takeUsed(q: usize, max: u32): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  const limit = min(max, batch(q));
  return isInOrder(q) ? takeInOrder(q, limit) : takeAnyOrder(q, limit);
}

/** How many buffers are newly used, or USED_INDEX_JUMP (§2.7.8). */
@inline
function newlyUsed(q: usize): i32 {
  // Barrier C (pairs with publish in device.ts): the index before the elements.
  const newly = (usedIdx(deviceArea(q)) - driverUsed(q)) & 0xffff;
  return newly > driverInFlight(q) ? blame(q, USED_INDEX_JUMP, newly, driverInFlight(q)) : newly;
}

function takeAnyOrder(q: usize, max: u32): i32 {
  const newly = newlyUsed(q);
  if (newly < 0) return fail(q, newly);
  const limit = min(max, newly);
  const area = deviceArea(q);
  const shadow = driverShadow(q);
  const n = size(q);
  const used = driverUsed(q);
  let head = driverFreeHead(q);
  let freed: u32 = 0;
  let taken: u32 = 0;
  let code: i32 = 0;
  for (; taken < limit; taken++) {
    const element = usedElement(area, (used + taken) & (n - 1));
    const id = <u32>element;
    let length = <u32>(element >>> 32);
    const entry = shadowAt(shadow, id);
    if (id >= n || !shadowCount(entry) || <u64>length > shadowWritable(entry)) {
      code = judgeUsed(q, id, length);
      if (code < 0) break;
      length = <u32>shadowWritable(entry); // clampUsedLength
    }
    setUsedRecord(q, taken, tokenOf(id, shadowGeneration(entry)), length);
    // The chain's descriptors go back to the front of the free list, in the chain's own order.
    const count = shadowCount(entry);
    freed += count;
    if (count == 1) {
      release(entry, head);
    } else {
      setShadowLink(shadowAt(shadow, shadowId(entry)), head);
      release(entry, shadowLink(entry));
    }
    head = id;
  }
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, driverFreeCount(q) + freed);
  setDriverInFlight(q, driverInFlight(q) - taken);
  setDriverUsed(q, (used + taken) & 0xffff);
  return taken || !code ? taken : fail(q, code);
}

/** With IN_ORDER one element stands for a batch and names its last buffer; the others were used whole (§2.7.9). */
function takeInOrder(q: usize, limit: u32): i32 {
  const shadow = driverShadow(q);
  const mask = size(q) - 1;
  let taken: u32 = 0;
  while (taken < limit) {
    const used = driverUsed(q);
    if (!driverBatchEnd(q)) {
      const newly = newlyUsed(q);
      if (!newly) break;
      const element = usedElement(deviceArea(q), used & mask);
      const id = <u32>element;
      const code = newly < 0 ? newly : judgeInOrder(q, id, <u32>(element >>> 32), newly);
      if (code < 0) {
        if (!taken) return fail(q, code);
        break;
      }
      setDriverBatchEnd(q, id + 1);
      setDriverBatchLength(q, min(<u32>(element >>> 32), <u32>shadowWritable(shadowAt(shadow, id))));
    }
    const head = driverOldest(q);
    const entry = shadowAt(shadow, head);
    const last = head + 1 == driverBatchEnd(q);
    const length = last ? driverBatchLength(q) : <u32>shadowWritable(entry);
    setUsedRecord(q, taken, tokenOf(head, shadowGeneration(entry)), length);
    setDriverOldest(q, (head + shadowCount(entry)) & mask);
    if (last) setDriverBatchEnd(q, 0);
    setDriverFreeCount(q, driverFreeCount(q) + shadowCount(entry)); // descriptors come round by themselves
    setDriverInFlight(q, driverInFlight(q) - 1);
    release(entry, 0);
    setDriverUsed(q, (used + 1) & 0xffff);
    taken++;
  }
  return taken;
}

/** Whether a used element may be believed: 0, or the breach (§2.7.8). */
function judgeUsed(q: usize, id: u32, length: u32): i32 {
  if (id >= size(q)) return blame(q, USED_ID_RANGE, id, size(q));
  const entry = shadowAt(driverShadow(q), id);
  if (!shadowCount(entry))
    return blame(q, isMiddle(q, id) ? USED_ID_NOT_HEAD : USED_ID_NOT_INFLIGHT, id, size(q));
  const writable = shadowWritable(entry);
  if (<u64>length <= writable || features(q) & OPTION_CLAMP_USED_LENGTH) return 0;
  return blame(q, USED_LEN_OVERFLOW, length, writable);
}

function judgeInOrder(q: usize, id: u32, length: u32, newly: u32): i32 {
  const code = judgeUsed(q, id, length);
  if (code < 0) return code;
  // Under IN_ORDER the link of a chain in flight is its available index, so the batch length is a distance.
  const batchLength = ((shadowLink(shadowAt(driverShadow(q), id)) - driverUsed(q)) & 0xffff) + 1;
  return batchLength > newly ? blame(q, USED_INDEX_JUMP, newly, batchLength) : 0;
}

/** Whether `slot` lies inside a chain in flight. Slow: only an error asks. */
function isMiddle(q: usize, slot: u32): bool {
  const shadow = driverShadow(q);
  const n = size(q);
  for (let head: u32 = 0; head < n; head++) {
    const count = shadowCount(shadowAt(shadow, head));
    let member = head;
    for (let i: u32 = 1; i < count; i++) {
      member = isInOrder(q) ? (member + 1) & (n - 1) : shadowLink(shadowAt(shadow, member));
      if (member == slot) return true;
    }
  }
  return false;
}

/** Asks for a used buffer notification after `ahead` more buffers (§2.7.7); 1: look again, something is used already. */
export function arm(q: usize, ahead: u32): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  if (ahead > size(q)) return blame(q, BAD_ARGUMENT, ahead, size(q));
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  const area = driverArea(q);
  const used = driverUsed(q);
  if (hasEventIdx(q)) {
    setUsedEvent(area, size(q), (used + ahead) & 0xffff);
    driverTouched(q, usedEventAt(area, size(q)), 2);
  } else {
    setAvailFlags(area, 0);
    driverTouched(q, area, 2);
  }
  // Barrier D (pairs with publish in device.ts): armed before the second look, §2.7.14.
  return driverBatchEnd(q) || usedIdx(deviceArea(q)) != used ? 1 : 0;
}

/** Asks for no used buffer notifications. With EVENT_IDX flags stay 0 (§2.7.7.1): a passed used_event is silent. */
export function disarm(q: usize): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (driverError(q)) return QUEUE_BROKEN;
  if (hasEventIdx(q)) return 0;
  if (!driverLogReserve(q)) return BUFFER_TOO_SHORT;
  setAvailFlags(driverArea(q), VIRTQ_AVAIL_F_NO_INTERRUPT);
  driverTouched(q, driverArea(q), 2);
  return 0;
}

/** 1: the device has used something that was not taken yet. */
export function hasUsed(q: usize): i32 {
  if (layout(q) != LAYOUT_SPLIT || driverError(q)) return 0;
  return driverBatchEnd(q) || usedIdx(deviceArea(q)) != driverUsed(q) ? 1 : 0;
}

function fail(q: usize, code: i32): i32 {
  setDriverError(q, code);
  return code;
}
