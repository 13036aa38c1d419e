// Used buffers come back to the driver half of a split virtqueue (§2.7.8, §2.7.14).
// A used element is an ID and a length, nothing more is believed: chains are freed from the shadow.
import {
  USED_ID_NOT_HEAD,
  USED_ID_NOT_INFLIGHT,
  USED_ID_RANGE,
  USED_INDEX_JUMP,
  USED_LEN_OVERFLOW,
} from "../../src/spec/result";
import { VIRTQ_USED_ENTRY_SIZE } from "../../src/spec/split";
import { LAYOUT_SPLIT, OPTION_CLAMP_USED_LENGTH, USED_RECORD_BYTES } from "../abi";
import { setUsedRecord, usedRecordAt } from "../batch";
import {
  driverBatchEnd,
  driverBatchLength,
  driverDistance,
  driverState,
  driverFreeCount,
  driverFreeHead,
  driverOldest,
  driverUsed,
  setDriverBatchEnd,
  setDriverBatchLength,
  setDriverState,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverOldest,
  setDriverUsed,
} from "../driver-state";
import {
  batch,
  blame,
  deviceArea,
  driverRecords,
  driverShadow,
  features,
  isInOrder,
  refusal,
  size,
} from "../queue-state";
import {
  headCount,
  headId,
  headLink,
  headToken,
  release,
  releaseHead,
  setShadowLink,
  shadowAt,
  shadowCount,
  shadowGeneration,
  shadowHead,
  shadowLink,
  shadowWritable,
  tokenOf,
} from "../shadow";
import { usedElement, usedElementAt, usedIdx } from "./layout";

/** Takes back up to `max` used buffers (§2.7.14); their number, or what the device did wrong. */
export function takeUsed(q: usize, max: u32): i32 {
  if (driverState(q) != LAYOUT_SPLIT) return refusal(driverState(q));
  const limit = min(max, batch(q));
  return isInOrder(q) ? takeInOrder(q, limit) : takeAnyOrder(q, limit);
}

/** How many buffers are newly used, or USED_INDEX_JUMP (§2.7.8). */
@inline
function newlyUsed(q: usize): i32 {
  // Barrier C (pairs with publish in device.ts): the index before the elements.
  const newly = (usedIdx(deviceArea(q)) - driverUsed(q)) & 0xffff;
  return newly > driverDistance(q) ? blame(q, USED_INDEX_JUMP, newly, driverDistance(q)) : newly;
}


@inline
function takeAnyOrder(q: usize, max: u32): i32 {
  const newly = newlyUsed(q);
  if (newly < 0) return fail(q, newly);
  const limit: u32 = min(max, newly);
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
    if (singles) continue; // up to another form, or the ring's end
    const code = takeChains(q, taken, limit);
    if (code < 0) return taken ? taken : fail(q, code);
    taken += code;
  }
  return taken;
}

/** Takes back chains of one descriptor, behind `taken` used records. Stops at anything else, and where the ring ends. */
@inline
function takeSingles(q: usize, taken: u32, limit: u32): u32 {
  const shadow = driverShadow(q);
  const n = size(q);
  const slot = driverUsed(q) & (n - 1);
  const most = min(limit - taken, n - slot);
  const end = usedElementAt(deviceArea(q), slot + most);
  let used = usedElementAt(deviceArea(q), slot);
  let record = usedRecordAt(driverRecords(q), taken);
  let head = driverFreeHead(q);
  do {
    const element = usedElement(used);
    const id = <u32>element;
    if (id >= n) break;
    const entry = shadowAt(shadow, id);
    const held = shadowHead(entry);
    if (headCount(held) != 1) break;
    const length = <u32>(element >>> 32);
    if (<u64>length > shadowWritable(entry)) break;
    setUsedRecord(record, headToken(held, id), length);
    releaseHead(entry, held, head);
    head = id;
    record += USED_RECORD_BYTES;
    used += VIRTQ_USED_ENTRY_SIZE;
  } while (used < end);
  const i = most - <u32>(end - used) / VIRTQ_USED_ENTRY_SIZE;
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, driverFreeCount(q) + i);
  setDriverUsed(q, (driverUsed(q) + i) & 0xffff);
  return i;
}

/** Takes back chains of any form, behind `taken` used records; how many, or what is wrong with the first. */
function takeChains(q: usize, from: u32, limit: u32): i32 {
  const area = deviceArea(q);
  const shadow = driverShadow(q);
  const records = driverRecords(q);
  const n = size(q);
  const used = driverUsed(q) - from;
  let head = driverFreeHead(q);
  let freed: u32 = 0;
  let taken = from;
  let code: i32 = 0;
  for (; taken < limit; taken++) {
    const element = usedElement(usedElementAt(area, (used + taken) & (n - 1)));
    const id = <u32>element;
    let length = <u32>(element >>> 32);
    const entry = shadowAt(shadow, id);
    if (id >= n || !shadowCount(entry) || <u64>length > shadowWritable(entry)) {
      code = judgeUsed(q, id, length);
      if (code < 0) break;
      length = <u32>shadowWritable(entry); // clampUsedLength
    }
    const held = shadowHead(entry);
    setUsedRecord(usedRecordAt(records, taken), headToken(held, id), length);
    // The chain's descriptors go back to the front of the free list, in the chain's own order.
    freed += headCount(held);
    if (headCount(held) == 1) {
      releaseHead(entry, held, head);
    } else {
      setShadowLink(shadowAt(shadow, headId(held)), head);
      releaseHead(entry, held, headLink(held));
    }
    head = id;
  }
  const count = taken - from;
  setDriverFreeHead(q, head);
  setDriverFreeCount(q, driverFreeCount(q) + freed);
  setDriverUsed(q, (used + taken) & 0xffff);
  return count ? count : code;
}

/** With IN_ORDER one element stands for a batch and names its last buffer; the others were used whole (§2.7.9). */
function takeInOrder(q: usize, limit: u32): i32 {
  const shadow = driverShadow(q);
  const records = driverRecords(q);
  const mask = size(q) - 1;
  let taken: u32 = 0;
  while (taken < limit) {
    const used = driverUsed(q);
    if (!driverBatchEnd(q)) {
      const newly = newlyUsed(q);
      if (!newly) break;
      const element = usedElement(usedElementAt(deviceArea(q), used & mask));
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
    setUsedRecord(usedRecordAt(records, taken), tokenOf(head, shadowGeneration(entry)), length);
    setDriverOldest(q, (head + shadowCount(entry)) & mask);
    if (last) setDriverBatchEnd(q, 0);
    setDriverFreeCount(q, driverFreeCount(q) + shadowCount(entry)); // descriptors come round by themselves
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

function fail(q: usize, code: i32): i32 {
  setDriverState(q, code);
  return code;
}
