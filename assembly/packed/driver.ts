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
import { BAD_ARGUMENT, BUFFER_TOO_SHORT, QUEUE_BROKEN, QUEUE_NOT_READY } from "../../src/spec/result";
import { FEATURE_NOTIFICATION_DATA, LAYOUT_PACKED } from "../abi";
import {
  addedTokenAt,
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
  driverAvailWrap,
  driverBatchEnd,
  driverError,
  driverFreeCount,
  driverFreeHead,
  driverInFlight,
  driverPending,
  driverPendingFlags,
  driverPendingSlot,
  driverUsed,
  driverUsedWrap,
  setDriverAvail,
  setDriverAvailWrap,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverInFlight,
  setDriverKickValue,
  setDriverPending,
  setDriverPendingFlags,
  setDriverPendingSlot,
} from "../driver-state";
import { packedNeedEvent } from "../event";
import { firstGpa, firstSize } from "../memory";
import {
  batch,
  blame,
  core,
  countFours,
  desc,
  deviceArea,
  driverArea,
  driverShadow,
  features,
  hasEventIdx,
  hasFours,
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
import { addFour, fourFit } from "./four";
import {
  descAt,
  descFlags,
  eventSnapshot,
  setDesc,
  setDescBody,
  setDescFlags,
  setEvent,
  setEventFlags,
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
  if (hasFours(q)) return addFours(q, chains);
  return isInOrder(q) ? addInOrder(q, chains) : addAnyOrder(q, chains);
}

// One function for each, so that the features are constants in its loop.

function addAnyOrder(q: usize, chains: u32): i32 {
  return addInto(q, chains, false, false);
}

function addInOrder(q: usize, chains: u32): i32 {
  return addInto(q, chains, true, false);
}

function addFours(q: usize, chains: u32): i32 {
  return addInto(q, chains, true, true);
}


@inline
function addInto(q: usize, chains: u32, inOrder: bool, fours: bool): i32 {
  const ring = desc(q);
  const shadow = driverShadow(q);
  const tokens = addedTokens(q);
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  let submission = firstSubmission(q);
  let id = driverFreeHead(q);
  let slot = driverAvail(q);
  let wrap = driverAvailWrap(q);
  let free = driverFreeCount(q);
  let pending = driverPending(q);
  let added: u32 = 0;
  let need: i32 = 0;
  let groups: u32 = 0;
  for (; added < chains; added++) {
    // One direct descriptor: peeled, since most lists are that.
    const from = added;
    const limit = from + min(min(chains - from, free), singlesAhead(q, submission));
    while (added < limit) {
      if (fours && pending && added + 4 <= limit && fourFit(slot, n) && fourFit(id, n)) {
        const entry = shadowAt(shadow, id);
        const token = addedTokenAt(tokens, added);
        const flags = availableFlags(wrap);
        if (addFour(submission, descAt(ring, slot), entry, token, id, flags, <u32>gpa, <u32>bytes)) {
          added += 4;
          pending += 4;
          groups++;
          submission += 4 * SINGLE_SUBMISSION_BYTES;
          id = advanceSlot(id, 4, n);
          slot += 4;
          if (slot == n) {
            slot = 0;
            wrap ^= 1;
          }
          continue;
        }
      }
      const shape = submissionShape(submission);
      const segment = submissionSegment(submission, 0);
      const address = segmentGpa(segment);
      const length = segmentLength(segment);
      if (!isSingleSubmission(submission, shape, address - gpa, length, bytes)) break;
      const write = <u32>(shape >>> 32); // 1 or 0: the writable count
      const flags = availableFlags(wrap) | (write * VIRTQ_DESC_F_WRITE);
      const head = descAt(ring, slot);
      if (pending++) setDesc(head, address, length, id, flags);
      else holdBack(q, head, slot, address, length, id, flags);
      const entry = shadowAt(shadow, id);
      const held = shadowHead(entry);
      occupySingle(entry, inOrder ? relinked(held, 0) : headWord(held), id, write ? length : 0);
      setAddedToken(tokens, added++, headToken(held, id));
      id = inOrder ? advanceSlot(id, 1, n) : headLink(held);
      if (++slot == n) {
        slot = 0;
        wrap ^= 1;
      }
      submission += SINGLE_SUBMISSION_BYTES;
    }
    free -= added - from;
    if (added == chains) break;
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
    setAddedToken(tokens, added, tokenOf(id, generation));
    id = next;
    wrap = advanceWrap(slot, wrap, need, n);
    slot = advanceSlot(slot, need, n);
    free -= need;
    pending += need;
    submission = submissionEnd(submission);
  }
  if (fours) countFours(q, groups);
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
    holdBack(q, head, slot, addr, len, id, flags);
    driverTouched(q, head, BODY_BYTES);
  } else {
    setDesc(head, addr, len, id, flags);
    driverTouched(q, head, VIRTQ_DESC_SIZE);
  }
}

/** Writes a head without its flags, which `publish` stores. */
@inline
function holdBack(q: usize, head: usize, slot: u32, addr: u64, len: u32, id: u32, flags: u32): void {
  setDescBody(head, addr, len, id);
  setDriverPendingSlot(q, slot);
  setDriverPendingFlags(q, flags);
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
