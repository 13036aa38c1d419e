// The driver half of a split virtqueue: supplies buffers and takes them back (§2.7.13, §2.7.14).
// Trusts nothing that the device wrote: chains are freed from the shadow, never from the table in guest memory.
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { BAD_ARGUMENT, BUFFER_TOO_SHORT, QUEUE_BROKEN, QUEUE_NOT_READY } from "../../src/spec/result";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from "../../src/spec/split";
import { FEATURE_NOTIFICATION_DATA, LAYOUT_SPLIT } from "../abi";
import {
  addedTokens,
  firstSubmission,
  segmentGpa,
  segmentLength,
  setAddedToken,
  SINGLE_SUBMISSION_BYTES,
  submissionIsIndirect,
  submissionReadable,
  submissionSegment,
  submissionShape,
  submissionWritable,
} from "../batch";
import {
  driverAvail,
  driverBatchEnd,
  driverError,
  driverFreeCount,
  driverFreeHead,
  driverInFlight,
  driverPending,
  driverUsed,
  setDriverAvail,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverInFlight,
  setDriverKickValue,
  setDriverPending,
} from "../driver-state";
import { needEvent } from "../event";
import { firstGpa, firstSize } from "../memory";
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
  headLink,
  headToken,
  headWord,
  occupy,
  occupySingle,
  relinked,
  shadowAt,
  shadowHead,
  shadowLink,
  tokenOf,
} from "../shadow";
import {
  isSingleSubmission,
  judgeSubmission,
  singlesAhead,
  submissionEnd,
  submissionWritableBytes,
} from "../submission";
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
  return isInOrder(q) ? addInOrder(q, chains) : addAnyOrder(q, chains);
}

// One function for each, so that the features are constants in its loop.

function addAnyOrder(q: usize, chains: u32): i32 {
  return addInto(q, chains, false);
}

function addInOrder(q: usize, chains: u32): i32 {
  return addInto(q, chains, true);
}


@inline
function addInto(q: usize, chains: u32, inOrder: bool): i32 {
  const table = desc(q);
  const ring = driverArea(q);
  const shadow = driverShadow(q);
  const tokens = addedTokens(q);
  const mask = size(q) - 1;
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  let submission = firstSubmission(q);
  let idx = driverAvail(q);
  let head = driverFreeHead(q);
  let free = driverFreeCount(q);
  let added: u32 = 0;
  let need: i32 = 0;
  for (; added < chains; added++) {
    // One direct descriptor: peeled, since most chains are that.
    const from = added;
    const limit = from + min(min(chains - from, free), singlesAhead(q, submission));
    while (added < limit) {
      const shape = submissionShape(submission);
      const segment = submissionSegment(submission, 0);
      const address = segmentGpa(segment);
      const length = segmentLength(segment);
      if (!isSingleSubmission(submission, shape, address - gpa, length, bytes)) break;
      const write = <u32>(shape >>> 32); // 1 or 0: the writable count
      setDesc(table, head, address, length, write * VIRTQ_DESC_F_WRITE, 0);
      const entry = shadowAt(shadow, head);
      const held = shadowHead(entry);
      occupySingle(entry, inOrder ? relinked(held, idx) : headWord(held), head, write ? length : 0);
      setAvailEntry(ring, idx & mask, head);
      setAddedToken(tokens, added++, headToken(held, head));
      head = inOrder ? (head + 1) & mask : headLink(held);
      idx = nextIdx(idx);
      submission += SINGLE_SUBMISSION_BYTES;
    }
    free -= added - from;
    if (added == chains) break;
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
    setAvailEntry(ring, slot, head);
    driverTouched(q, availEntryAt(ring, slot), 2);
    setAddedToken(tokens, added, tokenOf(head, generation));
    head = next;
    idx = nextIdx(idx);
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


@inline
function nextIdx(idx: u32): u32 {
  return (idx + 1) & 0xffff;
}

/** Writes one judged submission from descriptor `head` on; gives its last descriptor. */
@inline
function place(q: usize, submission: usize, head: u32, count: u32, inOrder: bool): u32 {
  return submissionIsIndirect(submission)
    ? placeTable(q, submission, head)
    : placeDirect(q, submission, head, count, inOrder);
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
