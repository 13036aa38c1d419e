// Using the chains of a split virtqueue that take.ts took: one by one, or a batch; or giving one back (§2.7.8, §2.7.9).
// What a chain is comes from its shadow, never from the ring again: the driver is hostile.
import {
  BAD_ARGUMENT,
  BUFFER_TOO_SHORT,
  COMPLETE_LEN_OVERFLOW,
  COMPLETE_UNKNOWN,
  IN_ORDER_VIOLATION,
  STALE_TOKEN,
} from "../../src/spec/result";
import { VIRTQ_USED_ENTRY_SIZE } from "../../src/spec/split";
import { LAYOUT_SPLIT } from "../abi";
import { chainsEnd, firstChain, firstCompletion } from "../batch";
import {
  deviceAvail,
  deviceBatchCount,
  deviceBatchLast,
  deviceBatchLength,
  deviceState,
  deviceInFlight,
  deviceUsed,
  setDeviceAvail,
  setDeviceBatchCount,
  setDeviceBatchLast,
  setDeviceBatchLength,
  setDeviceInFlight,
  setDeviceUsed,
} from "../device-state";
import { completionAt, nextCompletion } from "../flat";
import { batch, blame, deviceArea, deviceShadow, isInOrder, isLogged, refusal, size } from "../queue-state";
import {
  headCount,
  headId,
  headToken,
  release,
  releaseHead,
  shadowAt,
  shadowCount,
  shadowGeneration,
  shadowHead,
  shadowId,
  shadowLimit,
  shadowLink,
  shadowWritable,
  tokenGeneration,
  tokenSlot,
} from "../shadow";
import { deviceLogRoom, deviceTouched } from "../touched";
import { setUsedElement, usedElementAt } from "./layout";

/** Whether `token` names a chain in flight; 0, or the caller's mistake. */
function judgeToken(q: usize, token: u32): i32 {
  const slot = tokenSlot(token);
  if (slot >= size(q)) return blame(q, COMPLETE_UNKNOWN, slot, size(q));
  const entry = shadowAt(deviceShadow(q), slot);
  if (!shadowCount(entry)) return blame(q, COMPLETE_UNKNOWN, slot, size(q));
  if (shadowGeneration(entry) == tokenGeneration(token)) return 0;
  return blame(q, STALE_TOKEN, tokenGeneration(token), shadowGeneration(entry));
}

/** Gives back the chain taken last, as if it had not been taken. */
export function undo(q: usize, token: u32): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  const code = judgeToken(q, token);
  if (code < 0) return code;
  const entry = shadowAt(deviceShadow(q), tokenSlot(token));
  const last = (deviceAvail(q) - 1) & 0xffff;
  if (shadowLink(entry) != last) return blame(q, BAD_ARGUMENT, shadowLink(entry), last);
  release(entry, 0);
  setDeviceAvail(q, last);
  setDeviceInFlight(q, deviceInFlight(q) - 1);
  return 0;
}

/** Uses one chain: `written` bytes from its first writable byte on were written (§2.7.8.2). */
export function complete(q: usize, token: u32, written: u32): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  const code = judgeToken(q, token);
  if (code < 0) return code;
  const entry = shadowAt(deviceShadow(q), tokenSlot(token));
  const writable = shadowWritable(entry);
  const limit = shadowLimit(entry);
  if (<u64>written > limit) return blame(q, COMPLETE_LEN_OVERFLOW, written, limit); // never more than may be written
  const inOrder = isInOrder(q);
  // Under IN_ORDER the oldest chain in flight is next (§2.7.9).
  const oldest = (deviceAvail(q) - deviceInFlight(q)) & 0xffff;
  if (inOrder && shadowLink(entry) != oldest) return blame(q, IN_ORDER_VIOLATION, shadowLink(entry), oldest);
  if (!deviceLogRoom(q, 2)) return BUFFER_TOO_SHORT;
  const head = shadowId(entry);
  release(entry, 0);
  setDeviceInFlight(q, deviceInFlight(q) - 1);
  useNext(q, head, written, writable);
  return 0;
}

/** Uses the chain at `head`, which is the next one under IN_ORDER; `writable` as its shadow has it. */
export function useNext(q: usize, head: u32, written: u32, writable: u64): void {
  if (!isInOrder(q)) {
    useElement(q, head, written, 1);
    return;
  }
  setDeviceBatchCount(q, deviceBatchCount(q) + 1);
  setDeviceBatchLast(q, head);
  setDeviceBatchLength(q, written);
  // A buffer that the driver skips counts as fully written (§2.7.9): a shorter one must be named, so it ends the batch.
  if (<u64>written != writable) closeBatch(q);
}

/** Completes `count` pairs of the completion records; how many, or why the first was refused. */
export function completeBatch(q: usize, count: u32): i32 {
  return completeList(q, count, false);
}

/** The same for the first `count` chains of the flat list (flat.ts). */
export function completeFlat(q: usize, count: u32): i32 {
  return completeList(q, count, true);
}


@inline
function completeList(q: usize, count: u32, flat: bool): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  if (count > batch(q)) return blame(q, BAD_ARGUMENT, count, batch(q));
  let i: u32 = 0;
  if (isInOrder(q) || isLogged(q)) stop = flat ? firstChain(q) : firstCompletion(q);
  else i = flat ? completeAnyOrderFlat(q, count) : completeAnyOrder(q, count);
  for (; i < count; i++) {
    const completion = completionAt(stop, chainsEnd(q), flat);
    const code = complete(q, <u32>completion, <u32>(completion >>> 32));
    if (code < 0) return i ? i : code;
    stop = nextCompletion(stop, chainsEnd(q), flat);
  }
  return count;
}

// One function for each form, so that it is a constant in its loop.

function completeAnyOrder(q: usize, count: u32): u32 {
  return completeAny(q, count, false);
}

function completeAnyOrderFlat(q: usize, count: u32): u32 {
  return completeAny(q, count, true);
}

/** Where the completion is that was not done. */
let stop: usize = 0;

/** Completes pairs as long as they pass every check, with the state in locals; how many. */
@inline
function completeAny(q: usize, count: u32, flat: bool): u32 {
  const area = deviceArea(q);
  const shadow = deviceShadow(q);
  const end = chainsEnd(q);
  let at = flat ? firstChain(q) : firstCompletion(q);
  const n = size(q);
  const used = deviceUsed(q);
  let i: u32 = 0;
  for (; i < count; i++) {
    const completion = completionAt(at, end, flat);
    const token = <u32>completion;
    const written = <u32>(completion >>> 32);
    const slot = tokenSlot(token);
    if (slot >= n) break;
    const entry = shadowAt(shadow, slot);
    const held = shadowHead(entry);
    if (!headCount(held)) break;
    if (headToken(held, slot) != token) break;
    if (written) {
      if (<u64>written > shadowLimit(entry)) break;
    }
    setUsedElement(usedElementAt(area, (used + i) & (n - 1)), headId(held), written);
    releaseHead(entry, held, 0);
    at = nextCompletion(at, end, flat);
  }
  stop = at;
  setDeviceUsed(q, (used + i) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) - i);
  return i;
}

/** Writes one used element that stands for `count` buffers; the index moves over all of them (§2.7.9). */
function useElement(q: usize, head: u32, written: u32, count: u32): void {
  const used = deviceUsed(q);
  const element = usedElementAt(deviceArea(q), used & (size(q) - 1));
  setUsedElement(element, head, written);
  deviceTouched(q, element, VIRTQ_USED_ENTRY_SIZE);
  setDeviceUsed(q, (used + count) & 0xffff);
}

/** With IN_ORDER: writes the one used element of all buffers since the last one (§2.7.9). */
export function closeBatch(q: usize): void {
  useElement(q, deviceBatchLast(q), deviceBatchLength(q), deviceBatchCount(q));
  setDeviceBatchCount(q, 0);
}
