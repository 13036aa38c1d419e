// Supplying buffers to the device through a packed virtqueue: descriptors whose first one keeps its flags back
// (§2.8.16, §2.8.17) until the next publish. Lists of one direct descriptor go first and fast, since most are that.
import { PACKED_DESC_FLAGS } from "../../src/spec/packed";
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { BAD_ARGUMENT, BUFFER_TOO_SHORT } from "../../src/spec/result";
import { LAYOUT_PACKED, SHADOW_BYTES, SUBMISSION_SEGMENT_BYTES, TOKEN_BYTES } from "../abi";
import {
  addedTokenAt,
  addedTokens,
  firstSubmission,
  segmentGpa,
  segmentLength,
  setAddedToken,
  SINGLE_SUBMISSION_BYTES,
  submissionElements,
  submissionIsIndirect,
  submissionReadable,
  submissionSegment,
  submissionWritable,
} from "../batch";
import {
  driverAvail,
  driverAvailWrap,
  driverState,
  driverFreeCount,
  driverFreeHead,
  driverInFlight,
  driverPending,
  setDriverAvail,
  setDriverAvailWrap,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverInFlight,
  setDriverPending,
  setDriverPendingFlags,
  setDriverPendingSlot,
} from "../driver-state";
import { firstGpa, firstGpaLanes, firstSize, firstSizeLanes, within } from "../memory";
import {
  batch,
  blame,
  core,
  countFours,
  desc,
  driverShadow,
  hasFours,
  isInOrder,
  isLogged,
  refusal,
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
  isSingleAhead,
  judgeSubmission,
  singlesAhead,
  submissionEnd,
  submissionWritableBytes,
} from "../submission";
import { driverLogRoom, driverTouched } from "../touched";
import { addFour, fourFit } from "./four";
import { descAt, setDesc, setDescBody } from "./layout";
import { advanceSlot, advanceWrap, availableFlags } from "./position";

/**
 * Makes up to `chains` submissions part of the next publish.
 *
 * @returns how many were added (fewer: the ring is full), or why the first one was refused
 */
export function add(q: usize, chains: u32): i32 {
  if (driverState(q) != LAYOUT_PACKED) return refusal(driverState(q));
  if (chains > batch(q)) return blame(q, BAD_ARGUMENT, chains, batch(q));
  const singles = addSingles(q, firstSubmission(q), 0, chains);
  return singles == chains ? singles : addMore(q, singles, chains);
}

/**
 * Goes on behind the first `from` submissions, over other forms and the ring's end. A function of its own, so that a batch
 * which is added at once keeps nothing for a loop.
 */
function addMore(q: usize, from: u32, chains: u32): i32 {
  let added = from;
  let submission = firstSubmission(q) + <usize>added * SINGLE_SUBMISSION_BYTES;
  while (added < chains) {
    const singles = addSingles(q, submission, added, chains);
    added += singles;
    submission += <usize>singles * SINGLE_SUBMISSION_BYTES;
    if (singles) continue; // up to another form, or the ring's end
    const code = addLists(q, submission, added, chains);
    if (code <= 0) return added || !code ? added : code;
    added += code;
    submission = next;
  }
  return added;
}

/** The submission after those that `addLists` added. */
let next: usize = 0;

/**
 * Adds submissions of one direct element, from `submission` on, which is number `added`. Stops at anything else, and
 * where the ring ends; how many.
 */
@inline
function addSingles(q: usize, submission: usize, added: u32, chains: u32): u32 {
  if (!isInOrder(q)) return addSinglesAnyOrder(q, submission, added, chains);
  return hasFours(q)
    ? addFours(q, submission, added, chains)
    : addSinglesInOrder(q, submission, added, chains);
}

// One function for each, so that the features are constants in its loop.

@inline
function addSinglesAnyOrder(q: usize, submission: usize, added: u32, chains: u32): u32 {
  return addSinglesInto(q, submission, added, chains, false, false);
}

function addSinglesInOrder(q: usize, submission: usize, added: u32, chains: u32): u32 {
  return addSinglesInto(q, submission, added, chains, true, false);
}

function addFours(q: usize, submission: usize, added: u32, chains: u32): u32 {
  return addSinglesInto(q, submission, added, chains, true, true);
}


@inline
function addSinglesInto(q: usize, from: usize, added: u32, chains: u32, inOrder: bool, fours: bool): u32 {
  let submission = from;
  const n = size(q);
  const slot = driverAvail(q);
  let id = driverFreeHead(q);
  const run = n - (inOrder ? max(slot, id) : slot); // with IN_ORDER IDs follow each other too
  const limit = min(min(chains - added, min(driverFreeCount(q), run)), singlesAhead(q, submission));
  if (!limit) return 0;
  const shadow = driverShadow(q);
  let entry = shadowAt(shadow, id);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const gpaLanes = fours ? firstGpaLanes(core(q)) : i32x4.splat(0);
  const bytesLanes = fours ? firstSizeLanes(core(q)) : i32x4.splat(0);
  const lap = availableFlags(driverAvailWrap(q));
  let head = descAt(desc(q), slot);
  const end = descAt(head, limit);
  let token = addedTokenAt(addedTokens(q), added);
  let pending = driverPending(q);
  let groups: u32 = 0;
  do {
    if (fours && fourFit(head, end)) {
      if (addFour(submission, head, entry, token, id, lap, gpaLanes, bytesLanes, pending != 0)) {
        if (!pending) keepFlags(q, slot, lap | (submissionWritable(submission) * VIRTQ_DESC_F_WRITE));
        head += 4 * VIRTQ_DESC_SIZE;
        token += 4 * TOKEN_BYTES;
        submission += 4 * SINGLE_SUBMISSION_BYTES;
        id += 4;
        entry += 4 * SHADOW_BYTES;
        pending += 4;
        groups++;
        continue;
      }
    }
    if (submissionElements(submission) != 1) break;
    if (submissionIsIndirect(submission)) break;
    const write = submissionWritable(submission); // 1 or 0
    const segment = submissionSegment(submission, 0);
    const address = segmentGpa(segment);
    const length = segmentLength(segment);
    if (!within(address - gpa, length, bytes)) break;
    const flags = lap | (write * VIRTQ_DESC_F_WRITE);
    if (pending++) setDesc(head, address, length, id, flags);
    else holdBack(q, head, slot, address, length, id, flags); // the first slot, since nothing is pending
    const held = shadowHead(entry);
    occupySingle(entry, inOrder ? relinked(held, 0) : headWord(held), id, length * write);
    setAddedToken(token, headToken(held, id));
    id = inOrder ? id + 1 : headLink(held);
    entry = inOrder ? entry + SHADOW_BYTES : shadowAt(shadow, id);
    head += VIRTQ_DESC_SIZE;
    token += TOKEN_BYTES;
    submission += SINGLE_SUBMISSION_BYTES;
  } while (head < end);
  if (fours) countFours(q, groups);
  const i = fours ? pending - driverPending(q) : limit - <u32>(end - head) / VIRTQ_DESC_SIZE;
  setDriverFreeHead(q, inOrder && id == n ? 0 : id);
  setDriverAvail(q, slot + i);
  if (slot + i == n) {
    setDriverAvail(q, 0);
    setDriverAvailWrap(q, driverAvailWrap(q) ^ 1);
  }
  setDriverFreeCount(q, driverFreeCount(q) - i);
  setDriverPending(q, pending);
  setDriverInFlight(q, driverInFlight(q) + i);
  return i;
}

/** Adds submissions of any form, from `from` on, which is number `added`, up to the next one that `addSingles` adds; or why not. */
function addLists(q: usize, from: usize, added: u32, chains: u32): i32 {
  const shadow = driverShadow(q);
  const tokens = addedTokens(q);
  const n = size(q);
  const inOrder = isInOrder(q);
  let submission = from;
  let id = driverFreeHead(q);
  let slot = driverAvail(q);
  let wrap = driverAvailWrap(q);
  let free = driverFreeCount(q);
  let pending = driverPending(q);
  let i = added;
  let need: i32 = 0;
  do {
    need = judgeSubmission(q, submission);
    if (need < 0 || <u32>need > free) break; // §2.8.17: room for the whole list comes first
    if (!driverLogRoom(q, need + 2)) {
      need = BUFFER_TOO_SHORT;
      break;
    }
    if (submissionIsIndirect(submission)) placeTable(q, submission, slot, wrap, id, pending == 0);
    else placeList(q, submission, slot, wrap, id, pending == 0);
    const entry = shadowAt(shadow, id); // the buffer ID is the driver's slot
    const follower = inOrder ? advanceSlot(id, 1, n) : shadowLink(entry);
    const generation = occupy(entry, 0, need, id, submissionWritableBytes());
    setAddedToken(addedTokenAt(tokens, i), tokenOf(id, generation));
    id = follower;
    wrap = advanceWrap(slot, wrap, need, n);
    slot = advanceSlot(slot, need, n);
    free -= need;
    pending += need;
    submission = submissionEnd(submission);
    i++;
  } while (i < chains && !isSingleAhead(q, submission));
  next = submission;
  setDriverFreeHead(q, id);
  setDriverAvail(q, slot);
  setDriverAvailWrap(q, wrap);
  setDriverFreeCount(q, free);
  setDriverPending(q, pending);
  const count = i - added;
  setDriverInFlight(q, driverInFlight(q) + count);
  return count || need >= 0 ? count : need;
}

/** Writes the elements into consecutive slots, the ID in each of them (§2.8.6). */
@inline
function placeList(q: usize, submission: usize, head: u32, headWrap: u32, id: u32, isFirst: bool): void {
  const ring = desc(q);
  const n = size(q);
  const logged = isLogged(q);
  const firstWritable = submissionSegment(submission, submissionReadable(submission));
  const end = submissionEnd(submission);
  let segment = submissionSegment(submission, 0);
  let slot = head;
  let wrap = headWrap;
  let holds = isFirst;
  while (true) {
    const write: u32 = segment < firstWritable ? 0 : VIRTQ_DESC_F_WRITE;
    const address = segmentGpa(segment);
    const length = segmentLength(segment);
    segment += SUBMISSION_SEGMENT_BYTES;
    const more: u32 = segment < end ? VIRTQ_DESC_F_NEXT : 0;
    const flags = availableFlags(wrap) | more | write;
    const desc = descAt(ring, slot);
    // All but the first are hidden behind it until its flags are stored.
    if (holds) holdBack(q, desc, slot, address, length, id, flags);
    else setDesc(desc, address, length, id, flags);
    if (logged) driverTouched(q, desc, holds ? PACKED_DESC_FLAGS : VIRTQ_DESC_SIZE);
    if (!more) return;
    holds = false;
    if (++slot == n) {
      slot = 0;
      wrap ^= 1;
    }
  }
}

/** Writes the elements into the ID's table, in their order, no flag but WRITE (§2.8.7), and the slot that names it. */
@inline
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
  const head = descAt(desc(q), slot);
  const address = tablesGpa(q) + offset;
  const flags = availableFlags(wrap) | VIRTQ_DESC_F_INDIRECT;
  if (isFirst) holdBack(q, head, slot, address, count * VIRTQ_DESC_SIZE, id, flags);
  else setDesc(head, address, count * VIRTQ_DESC_SIZE, id, flags);
  driverTouched(q, head, isFirst ? PACKED_DESC_FLAGS : VIRTQ_DESC_SIZE);
}

/** Writes the first head since the last publish without its flags, which `publish` stores (§2.8.17). */
@inline
function holdBack(q: usize, head: usize, slot: u32, addr: u64, len: u32, id: u32, flags: u32): void {
  setDescBody(head, addr, len, id);
  keepFlags(q, slot, flags);
}


@inline
function keepFlags(q: usize, slot: u32, flags: u32): void {
  setDriverPendingSlot(q, slot);
  setDriverPendingFlags(q, flags);
}
