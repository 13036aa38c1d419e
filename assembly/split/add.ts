// Supplying buffers to the device through a split virtqueue: descriptors and available entries (§2.7.13.1, §2.7.13.2),
// which the next publish shows. Buffers of one direct descriptor go first and fast, since most are that.
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { BAD_ARGUMENT, BUFFER_TOO_SHORT } from "../../src/spec/result";
import { VIRTQ_AVAIL_ENTRY_SIZE } from "../../src/spec/split";
import { LAYOUT_SPLIT, SUBMISSION_SEGMENT_BYTES, TOKEN_BYTES } from "../abi";
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
  driverState,
  driverFreeCount,
  driverFreeHead,
  setDriverAvail,
  setDriverFreeCount,
  setDriverFreeHead,
} from "../driver-state";
import { firstGpa, firstSize, within } from "../memory";
import {
  batch,
  blame,
  core,
  desc,
  driverArea,
  driverShadow,
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
import { availEntryAt, descAt, setAvailEntry, setDesc } from "./layout";

/**
 * Makes up to `chains` submissions part of the next publish.
 *
 * @returns how many were added (fewer: the ring is full), or why the first one was refused
 */
export function add(q: usize, chains: u32): i32 {
  if (driverState(q) != LAYOUT_SPLIT) return refusal(driverState(q));
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
    const code = addChains(q, submission, added, chains);
    if (code <= 0) return added || !code ? added : code;
    added += code;
    submission = next;
  }
  return added;
}

/** The submission after those that `addChains` added. */
let next: usize = 0;

/**
 * Adds submissions of one direct element, from `submission` on, which is number `added`. Stops at anything else, and
 * where the ring ends; how many.
 */
@inline
function addSingles(q: usize, submission: usize, added: u32, chains: u32): u32 {
  return isInOrder(q)
    ? addSinglesInOrder(q, submission, added, chains)
    : addSinglesAnyOrder(q, submission, added, chains);
}

// One function for each, so that the feature is a constant in its loop.

@inline
function addSinglesAnyOrder(q: usize, submission: usize, added: u32, chains: u32): u32 {
  return addSinglesInto(q, submission, added, chains, false);
}

function addSinglesInOrder(q: usize, submission: usize, added: u32, chains: u32): u32 {
  return addSinglesInto(q, submission, added, chains, true);
}


@inline
function addSinglesInto(q: usize, from: usize, added: u32, chains: u32, inOrder: bool): u32 {
  let submission = from;
  const mask = size(q) - 1;
  const first = driverAvail(q) & mask;
  const room = min(driverFreeCount(q), size(q) - first);
  const limit = min(min(chains - added, room), singlesAhead(q, submission));
  if (!limit) return 0;
  const table = desc(q);
  const shadow = driverShadow(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  let token = addedTokenAt(addedTokens(q), added);
  const end = addedTokenAt(token, limit);
  let avail = availEntryAt(driverArea(q), first);
  let idx = driverAvail(q);
  let head = driverFreeHead(q);
  do {
    if (submissionElements(submission) != 1) break;
    if (submissionIsIndirect(submission)) break;
    const write = submissionWritable(submission); // 1 or 0
    const segment = submissionSegment(submission, 0);
    const address = segmentGpa(segment);
    const length = segmentLength(segment);
    if (!within(address - gpa, length, bytes)) break;
    setDesc(table, head, address, length, write * VIRTQ_DESC_F_WRITE, 0);
    const entry = shadowAt(shadow, head);
    const held = shadowHead(entry);
    occupySingle(entry, inOrder ? relinked(held, idx) : headWord(held), head, length * write);
    setAvailEntry(avail, head);
    setAddedToken(token, headToken(held, head));
    head = inOrder ? (head + 1) & mask : headLink(held);
    idx = (idx + 1) & 0xffff;
    avail += VIRTQ_AVAIL_ENTRY_SIZE;
    submission += SINGLE_SUBMISSION_BYTES;
    token += TOKEN_BYTES;
  } while (token < end);
  const i = limit - <u32>(end - token) / TOKEN_BYTES;
  setDriverAvail(q, (driverAvail(q) + i) & 0xffff);
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, driverFreeCount(q) - i);
  return i;
}

/** Adds submissions of any form, from `from` on, which is number `added`, up to the next one that `addSingles` adds; or why not. */
function addChains(q: usize, from: usize, added: u32, chains: u32): i32 {
  const table = desc(q);
  const ring = driverArea(q);
  const shadow = driverShadow(q);
  const tokens = addedTokens(q);
  const mask = size(q) - 1;
  const inOrder = isInOrder(q);
  const idx = driverAvail(q) - added;
  let submission = from;
  let head = driverFreeHead(q);
  let free = driverFreeCount(q);
  let i = added;
  let need: i32 = 0;
  do {
    need = judgeSubmission(q, submission);
    if (need < 0 || <u32>need > free) break;
    if (!driverLogRoom(q, need + 2)) {
      need = BUFFER_TOO_SHORT;
      break;
    }
    const last = submissionIsIndirect(submission)
      ? placeTable(q, submission, head)
      : placeDirect(q, submission, head, inOrder);
    // The list goes on behind the chain's last descriptor; with IN_ORDER they are taken in table order (§2.7.5).
    const entry = shadowAt(shadow, head);
    const follower = inOrder ? (last + 1) & mask : shadowLink(shadowAt(shadow, last));
    const turn = (idx + i) & 0xffff;
    const link = inOrder ? turn : shadowLink(entry);
    const generation = occupy(entry, link, need, last, submissionWritableBytes());
    const avail = availEntryAt(ring, turn & mask);
    setAvailEntry(avail, head);
    driverTouched(q, avail, 2);
    setAddedToken(addedTokenAt(tokens, i), tokenOf(head, generation));
    head = follower;
    free -= need;
    submission = submissionEnd(submission);
    i++;
  } while (i < chains && !isSingleAhead(q, submission));
  next = submission;
  setDriverAvail(q, (idx + i) & 0xffff);
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, free);
  const count = i - added;
  return count || need >= 0 ? count : need;
}

/** Writes the elements into linked ring descriptors from `head` on; gives the last descriptor's slot. */
@inline
function placeDirect(q: usize, submission: usize, head: u32, inOrder: bool): u32 {
  const table = desc(q);
  const shadow = driverShadow(q);
  const mask = size(q) - 1;
  const logged = isLogged(q);
  const firstWritable = submissionSegment(submission, submissionReadable(submission));
  const end = submissionEnd(submission);
  let segment = submissionSegment(submission, 0);
  let slot = head;
  while (true) {
    const write: u32 = segment < firstWritable ? 0 : VIRTQ_DESC_F_WRITE;
    if (logged) driverTouched(q, descAt(table, slot), VIRTQ_DESC_SIZE);
    const address = segmentGpa(segment);
    const length = segmentLength(segment);
    segment += SUBMISSION_SEGMENT_BYTES;
    if (segment == end) {
      setDesc(table, slot, address, length, write, 0);
      return slot;
    }
    const follower = inOrder ? (slot + 1) & mask : shadowLink(shadowAt(shadow, slot));
    setDesc(table, slot, address, length, write | VIRTQ_DESC_F_NEXT, follower);
    slot = follower;
  }
}

/** Writes the elements into the head's table, linked 1, 2, 3… (§2.7.5.3), and one descriptor that names it. */
@inline
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
