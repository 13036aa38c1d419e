// Using the lists of a packed virtqueue that take.ts took: one by one, or a batch; or giving one back (§2.8.6, §2.8.8).
// What a list is comes from its shadow, never from the ring again: the driver is hostile.
import { VIRTQ_DESC_F_WRITE } from "../../src/spec/queue";
import {
  BAD_ARGUMENT,
  BUFFER_TOO_SHORT,
  COMPLETE_LEN_OVERFLOW,
  COMPLETE_UNKNOWN,
  IN_ORDER_VIOLATION,
  STALE_TOKEN,
} from "../../src/spec/result";
import { LAYOUT_PACKED } from "../abi";
import { chainsEnd, firstChain, firstCompletion } from "../batch";
import {
  deviceAvail,
  deviceAvailWrap,
  deviceBatchCount,
  deviceBatchLast,
  deviceBatchLength,
  deviceState,
  deviceFreeHead,
  deviceInFlight,
  deviceInFlightDescriptors,
  devicePending,
  deviceTaken,
  deviceUsed,
  deviceUsedWrap,
  setDeviceAvail,
  setDeviceAvailWrap,
  setDeviceBatchCount,
  setDeviceBatchLast,
  setDeviceBatchLength,
  setDeviceFreeHead,
  setDeviceInFlight,
  setDeviceInFlightDescriptors,
  setDevicePending,
  setDevicePendingFlags,
  setDevicePendingSlot,
  setDeviceTaken,
  setDeviceUsed,
  setDeviceUsedWrap,
} from "../device-state";
import { completionAt, nextCompletion } from "../flat";
import { batch, blame, desc, deviceShadow, isInOrder, isLogged, refusal, size } from "../queue-state";
import {
  headCount,
  headId,
  headToken,
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
import { drop } from "./in-flight";
import { descAt, setDescTail, setDescUsed } from "./layout";
import { advanceSlot, advanceWrap, retreatSlot, retreatWrap, usedFlags } from "./position";

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
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
  const code = judgeToken(q, token);
  if (code < 0) return code;
  const slot = tokenSlot(token);
  const entry = shadowAt(deviceShadow(q), slot);
  const last = (deviceTaken(q) - 1) & 0xffff;
  if (shadowLink(entry) != last) return blame(q, BAD_ARGUMENT, shadowLink(entry), last);
  const count = shadowCount(entry);
  const avail = deviceAvail(q);
  setDeviceTaken(q, last);
  setDeviceAvailWrap(q, retreatWrap(avail, deviceAvailWrap(q), count));
  setDeviceAvail(q, retreatSlot(avail, count, size(q)));
  drop(q, slot, entry);
  if (isInOrder(q)) setDeviceFreeHead(q, slot);
  return 0;
}

/** Uses one chain: `written` bytes from its first writable byte on were written (§2.8.4). */
export function complete(q: usize, token: u32, written: u32): i32 {
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
  const code = judgeToken(q, token);
  if (code < 0) return code;
  const slot = tokenSlot(token);
  const entry = shadowAt(deviceShadow(q), slot);
  const writable = shadowWritable(entry);
  const limit = shadowLimit(entry);
  if (<u64>written > limit) return blame(q, COMPLETE_LEN_OVERFLOW, written, limit); // never more than may be written
  const inOrder = isInOrder(q);
  // Under IN_ORDER the oldest chain in flight is next (§2.8.8).
  const oldest = (deviceTaken(q) - deviceInFlight(q)) & 0xffff;
  if (inOrder && shadowLink(entry) != oldest) return blame(q, IN_ORDER_VIOLATION, shadowLink(entry), oldest);
  if (!deviceLogRoom(q, 2)) return BUFFER_TOO_SHORT;
  const id = shadowId(entry);
  const count = shadowCount(entry);
  drop(q, slot, entry);
  useNext(q, id, count, written, writable);
  return 0;
}

/** Uses a list of `count` descriptors, which is the next one under IN_ORDER; `writable` as its shadow has it. */
export function useNext(q: usize, id: u32, count: u32, written: u32, writable: u64): void {
  if (!isInOrder(q)) {
    useDescriptor(q, id, written, count);
    return;
  }
  setDeviceBatchCount(q, deviceBatchCount(q) + count);
  setDeviceBatchLast(q, id);
  setDeviceBatchLength(q, written);
  // A buffer that the driver skips counts as fully written (§2.8.8): a shorter one must be named, so it ends the batch.
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
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
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
  const ring = desc(q);
  const shadow = deviceShadow(q);
  const end = chainsEnd(q);
  let at = flat ? firstChain(q) : firstCompletion(q);
  const n = size(q);
  let slot = deviceUsed(q);
  let wrap = deviceUsedWrap(q);
  let free = deviceFreeHead(q);
  let moved: u32 = 0;
  const pending = devicePending(q);
  let i: u32 = 0;
  for (; i < count; i++) {
    const completion = completionAt(at, end, flat);
    const token = <u32>completion;
    const written = <u32>(completion >>> 32);
    const taken = tokenSlot(token);
    if (taken >= n) break;
    const entry = shadowAt(shadow, taken);
    const held = shadowHead(entry);
    const descriptors = headCount(held);
    if (!descriptors) break;
    if (headToken(held, taken) != token) break;
    if (written) {
      if (<u64>written > shadowLimit(entry)) break;
    }
    const desc = descAt(ring, slot);
    const flags = usedFlags(wrap) | (written ? VIRTQ_DESC_F_WRITE : 0); // §2.8.4
    if (moved + pending) setDescTail(desc, written, headId(held), flags);
    else holdBackUsed(q, desc, slot, written, headId(held), flags);
    releaseHead(entry, held, free);
    free = taken;
    at = nextCompletion(at, end, flat);
    if (descriptors == 1) {
      // A branch, so that the next position doesn't wait for the shadow's load.
      moved++;
      if (++slot == n) {
        slot = 0;
        wrap ^= 1;
      }
    } else {
      moved += descriptors;
      wrap = advanceWrap(slot, wrap, descriptors, n);
      slot = advanceSlot(slot, descriptors, n);
    }
  }
  stop = at;
  setDeviceFreeHead(q, free);
  setDeviceUsed(q, slot);
  setDeviceUsedWrap(q, wrap);
  setDevicePending(q, pending + moved);
  setDeviceInFlight(q, deviceInFlight(q) - i);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) - moved);
  return i;
}

/**
 * Writes one used descriptor at the used position and skips `count` slots (§2.8.6, §2.8.8).
 *
 * The first one since the last publish keeps its flags back until then, so that a batch appears at once.
 */
export function useDescriptor(q: usize, id: u32, written: u32, count: u32): void {
  const slot = deviceUsed(q);
  const wrap = deviceUsedWrap(q);
  const desc_ = descAt(desc(q), slot);
  const flags = usedFlags(wrap) | (written ? VIRTQ_DESC_F_WRITE : 0); // §2.8.4: the length counts with WRITE alone
  if (devicePending(q)) {
    setDescTail(desc_, written, id, flags);
    deviceTouched(q, desc_ + 8, 8);
  } else {
    holdBackUsed(q, desc_, slot, written, id, flags);
    deviceTouched(q, desc_ + 8, 6);
  }
  setDevicePending(q, devicePending(q) + count);
  setDeviceUsedWrap(q, advanceWrap(slot, wrap, count, size(q)));
  setDeviceUsed(q, advanceSlot(slot, count, size(q)));
}

/** Writes a used descriptor without its flags, which `publish` stores. */
@inline
export function holdBackUsed(q: usize, desc: usize, slot: u32, written: u32, id: u32, flags: u32): void {
  setDescUsed(desc, written, id);
  setDevicePendingSlot(q, slot);
  setDevicePendingFlags(q, flags);
}

/** With IN_ORDER: writes the one used descriptor of all buffers since the last one (§2.8.8). */
export function closeBatch(q: usize): void {
  useDescriptor(q, deviceBatchLast(q), deviceBatchLength(q), deviceBatchCount(q));
  setDeviceBatchCount(q, 0);
}
