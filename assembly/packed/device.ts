// The device half of a packed virtqueue: takes available chains and uses them (§2.8.6, §2.8.8).
// The driver is hostile: what is read from the ring is read once, judged, and kept in records and shadow.
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
  CHAIN_TOO_LONG,
  COMPLETE_LEN_OVERFLOW,
  COMPLETE_UNKNOWN,
  IN_ORDER_VIOLATION,
  INDIRECT_NOT_NEGOTIATED,
  INDIRECT_WITH_NEXT,
  PACKED_NOT_AVAILABLE,
  QUEUE_BROKEN,
  QUEUE_NOT_READY,
  RING_INDEX_JUMP,
  STALE_TOKEN,
} from "../../src/spec/result";
import {
  CHAIN_RECORD_BYTES,
  FEATURE_INDIRECT,
  LAYOUT_PACKED,
  OPTION_RECOVER,
  SEGMENT_RECORD_BYTES,
} from "../abi";
import {
  chainsEnd,
  completionToken,
  completionWritten,
  firstChain,
  appendSegment,
  firstSegment,
  setSingleChain,
  SINGLE_CHAIN_BYTES,
} from "../batch";
import {
  beginChain,
  chainEnd,
  chainWritableTotal,
  endChain,
  endPlainChain,
  endWalk,
  plainTable,
  plainWritable,
  walkConsecutive,
  pushConsecutiveTable,
  pushDescriptor,
} from "../chain";
import {
  deviceAvail,
  deviceAvailWrap,
  deviceBatchCount,
  deviceBatchLast,
  deviceBatchLength,
  deviceError,
  deviceFreeHead,
  deviceInFlight,
  deviceInFlightDescriptors,
  devicePending,
  devicePendingFlags,
  devicePendingSlot,
  deviceTaken,
  deviceUsed,
  deviceUsedWrap,
  setDeviceAvail,
  setDeviceAvailWrap,
  setDeviceBatchCount,
  setDeviceBatchLast,
  setDeviceBatchLength,
  setDeviceError,
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
import { packedNeedEvent } from "../event";
import { firstBase, firstGpa, firstIsReadOnly, firstSize, within } from "../memory";
import {
  batch,
  blame,
  core,
  desc,
  deviceArea,
  deviceShadow,
  driverArea,
  features,
  hasEventIdx,
  isInOrder,
  isLogged,
  layout,
  size,
} from "../queue-state";
import {
  occupy,
  RECOVERED,
  release,
  shadowAt,
  shadowCount,
  shadowGeneration,
  shadowId,
  shadowLimit,
  shadowLink,
  shadowWritable,
  tokenGeneration,
  tokenOf,
  tokenSlot,
} from "../shadow";
import { deviceLogReserve, deviceLogRoom, deviceTouched } from "../touched";
import {
  descAddr,
  descAt,
  descFlags,
  descTail,
  eventSnapshot,
  setDescFlags,
  setDescTail,
  setDescUsed,
  setEvent,
  setEventFlags,
  tailFlags,
  tailId,
  tailLength,
} from "./layout";
import {
  advanceSlot,
  advanceWrap,
  isAvailable,
  offWrap,
  retreatSlot,
  retreatWrap,
  usedFlags,
} from "./position";

/** Takes up to `max` available chains into chain records; their number, or what the driver did wrong. */
export function take(q: usize, max: u32): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  const limit = min(max, batch(q));
  const end = chainsEnd(q);
  let record = firstChain(q);
  let taken: u32 = 0;
  for (; taken < limit; taken++) {
    // Barrier A (pairs with publish in driver.ts): the head's flags before the rest of the list.
    if (!isAvailable(descFlags(descAt(desc(q), deviceAvail(q))), deviceAvailWrap(q))) break;
    const after = takePlain(q, record, end);
    if (after) {
      record = after;
      continue;
    }
    const code = takeChain(q, record, end);
    if (code < 0) {
      if (!taken) return code == BUFFER_TOO_SHORT ? code : fail(q, code);
      break;
    }
    record = chainEnd();
  }
  return taken;
}

/** Descriptors that the driver can have made available: all but those in flight, or used and not yet shown to it. */
@inline
function roomLeft(q: usize): u32 {
  return size(q) - deviceInFlightDescriptors(q) - devicePending(q) - deviceBatchCount(q);
}

/**
 * Takes the list at the available position the short way; gives its record's end.
 *
 * @returns 0: something is unusual, `takeChain` goes the long way and knows what
 */
@inline
function takePlain(q: usize, record: usize, end: usize): usize {
  const room = roomLeft(q);
  if (!room || record + SINGLE_CHAIN_BYTES > end) return 0;
  const slot = deviceAvail(q);
  const wrap = deviceAvailWrap(q);
  const desc_ = descAt(desc(q), slot);
  const tail = descTail(desc_);
  const flags = tailFlags(tail);
  const length = tailLength(tail);
  if (!isAvailable(flags, wrap)) return 0;
  if (!(flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT))) {
    // One direct descriptor: peeled, since most lists are that.
    const guest = core(q);
    const offset = descAddr(desc_) - firstGpa(guest);
    const write = (flags & VIRTQ_DESC_F_WRITE) != 0;
    if (!length || !within(offset, length, firstSize(guest)) || (write && firstIsReadOnly(guest))) return 0;
    const token = hold(q, slot, wrap, 1, tailId(tail), write ? length : 0);
    setSingleChain(record, token, <u32>(firstBase(guest) + offset), length, write);
    return record + SINGLE_CHAIN_BYTES;
  }
  let segments: u32;
  if (flags & VIRTQ_DESC_F_INDIRECT) {
    const table: usize = flags & VIRTQ_DESC_F_NEXT ? 0 : plainTable(q, descAddr(desc_), length);
    if (!table) return 0;
    segments = walkConsecutive(core(q), table, length / VIRTQ_DESC_SIZE, record, end);
    listCount = 1;
    listId = tailId(tail);
  } else {
    segments = walkList(q, slot, wrap, room, record, end);
  }
  if (!segments) return 0;
  return endPlainChain(record, hold(q, slot, wrap, listCount, listId, plainWritable()), segments);
}

/**
 * Walks a list slot by slot, the short way (see chain.ts): at most `room` descriptors, each available in its lap.
 *
 * @returns the segments, with `listCount` and `listId` set; or 0: go the long way
 */
function walkList(q: usize, slot: u32, wrap: u32, room: u32, record: usize, end: usize): u32 {
  const ring = desc(q);
  const n = size(q);
  const guest = core(q);
  const gpa = firstGpa(guest);
  const bytes = firstSize(guest);
  const base = firstBase(guest);
  const readOnly = firstIsReadOnly(guest);
  let segment = firstSegment(record);
  let readable: u32 = 0;
  let writable: u32 = 0;
  let readTotal: u64 = 0;
  let writeTotal: u64 = 0;
  for (let count: u32 = 1; count <= room && segment + SEGMENT_RECORD_BYTES <= end; count++) {
    const desc = descAt(ring, slot);
    const tail = descTail(desc);
    const flags = tailFlags(tail);
    const length = tailLength(tail);
    const offset = descAddr(desc) - gpa;
    if (!isAvailable(flags, wrap) || flags & VIRTQ_DESC_F_INDIRECT || !length) return 0;
    if (!within(offset, length, bytes)) return 0;
    if (flags & VIRTQ_DESC_F_WRITE) {
      if (readOnly) return 0;
      writable++;
      writeTotal += length;
    } else {
      if (writable) return 0;
      readable++;
      readTotal += length;
    }
    segment = appendSegment(segment, <u32>(base + offset), length);
    if (!(flags & VIRTQ_DESC_F_NEXT)) {
      listCount = count;
      listId = tailId(tail);
      return endWalk(readable, writable, readTotal, writeTotal);
    }
    wrap = advanceWrap(slot, wrap, 1, n);
    slot = advanceSlot(slot, 1, n);
  }
  return 0;
}

/** Marks `count` ring descriptors from the available position on as one chain in flight; gives its token. */
@inline
function hold(q: usize, avail: u32, wrap: u32, count: u32, id: u32, writable: u64): u32 {
  const n = size(q);
  const turn = deviceTaken(q);
  const slot = deviceFreeHead(q);
  const entry = shadowAt(deviceShadow(q), slot);
  setDeviceFreeHead(q, isInOrder(q) ? advanceSlot(slot, 1, n) : shadowLink(entry));
  const generation = occupy(entry, turn, count, id, writable);
  setDeviceAvailWrap(q, advanceWrap(avail, wrap, count, n));
  setDeviceAvail(q, advanceSlot(avail, count, n));
  setDeviceTaken(q, (turn + 1) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) + 1);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) + count);
  return tokenOf(slot, generation);
}

// What the walk found besides the chain: the list's length in the ring, and its buffer ID.
let listCount: u32 = 0;
let listId: u32 = 0;

/** Walks the list at the available position into `record` and marks it in flight; 0, or why not. */
function takeChain(q: usize, record: usize, end: usize): i32 {
  if (record + CHAIN_RECORD_BYTES > end) return BUFFER_TOO_SHORT;
  beginChain(q, record, end);
  const code = walk(q);
  if (code < 0) {
    if (!listCount || code == BUFFER_TOO_SHORT) return code;
    beginChain(q, record, end); // recovered: handed over empty, to be completed with length 0
  }
  const writable = code < 0 ? RECOVERED : chainWritableTotal();
  endChain(record, hold(q, deviceAvail(q), deviceAvailWrap(q), listCount, listId, writable), code);
  return 0;
}

/**
 * Follows NEXT from slot to slot (§2.8.6), or into the table of a single INDIRECT descriptor (§2.8.7).
 *
 * On an error `listCount` is 0, unless `recover` is set and the list's end, and so its ID, was reached.
 */
function walk(q: usize): i32 {
  const ring = desc(q);
  const n = size(q);
  const room = roomLeft(q);
  const recover = (features(q) & OPTION_RECOVER) != 0;
  let slot = deviceAvail(q);
  let wrap = deviceAvailWrap(q);
  let breach: i32 = 0;
  listCount = 0;
  let count: u32 = 1;
  while (true) {
    if (count > n) return blame(q, CHAIN_TOO_LONG, count, n); // §2.8.19: never longer than the queue
    if (count > room) return blame(q, RING_INDEX_JUMP, count, room); // the driver reached slots that are still in flight
    const desc = descAt(ring, slot);
    const tail = descTail(desc);
    const flags = tailFlags(tail);
    if (!isAvailable(flags, wrap)) return blame(q, PACKED_NOT_AVAILABLE, slot, flags); // §2.8.6: later ones are exposed before the head
    const code =
      flags & VIRTQ_DESC_F_INDIRECT
        ? pushTable(q, descAddr(desc), tailLength(tail), flags, count)
        : pushDescriptor(descAddr(desc), tailLength(tail), flags);
    if (code < 0) {
      if (!recover || code == BUFFER_TOO_SHORT) return code;
      if (!breach) breach = code;
    }
    if (!(flags & VIRTQ_DESC_F_NEXT)) {
      listCount = count;
      listId = tailId(tail); // valid in the last descriptor alone (§2.8.6)
      return breach;
    }
    wrap = advanceWrap(slot, wrap, 1, n);
    slot = advanceSlot(slot, 1, n);
    count++;
  }
}

/** Opens the table of an INDIRECT descriptor, the `count`-th of its list. */
function pushTable(q: usize, address: u64, length: u32, flags: u32, count: u32): i32 {
  if (!(features(q) & FEATURE_INDIRECT)) return blame(q, INDIRECT_NOT_NEGOTIATED, count - 1, flags); // §2.8.19
  // §2.8.19: not within a list.
  if (count > 1 || flags & VIRTQ_DESC_F_NEXT) return blame(q, INDIRECT_WITH_NEXT, count - 1, flags);
  return pushConsecutiveTable(q, address, length); // WRITE is ignored, §2.8.7
}

/** Whether `token` names a chain in flight; 0, or the caller's mistake. */
function judgeToken(q: usize, token: u32): i32 {
  const slot = tokenSlot(token);
  if (slot >= size(q)) return blame(q, COMPLETE_UNKNOWN, slot, size(q));
  const entry = shadowAt(deviceShadow(q), slot);
  if (!shadowCount(entry)) return blame(q, COMPLETE_UNKNOWN, slot, size(q));
  if (shadowGeneration(entry) == tokenGeneration(token)) return 0;
  return blame(q, STALE_TOKEN, tokenGeneration(token), shadowGeneration(entry));
}

/** Takes a chain out of flight and its slot back into the free list. */
function drop(q: usize, slot: u32, entry: usize): void {
  setDeviceInFlight(q, deviceInFlight(q) - 1);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) - shadowCount(entry));
  if (isInOrder(q)) {
    release(entry, 0);
    return;
  }
  release(entry, deviceFreeHead(q));
  setDeviceFreeHead(q, slot);
}

/** Gives back the chain taken last, as if it had not been taken. */
export function undo(q: usize, token: u32): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
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
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
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
  if (!inOrder) {
    useDescriptor(q, id, written, count);
    return 0;
  }
  setDeviceBatchCount(q, deviceBatchCount(q) + count);
  setDeviceBatchLast(q, id);
  setDeviceBatchLength(q, written);
  // A buffer that the driver skips counts as fully written (§2.8.8): a shorter one must be named, so it ends the batch.
  if (<u64>written != writable) closeBatch(q);
  return 0;
}

/** Completes `count` pairs of the completion records; how many, or why the first was refused. */
export function completeBatch(q: usize, count: u32): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  if (count > batch(q)) return blame(q, BAD_ARGUMENT, count, batch(q));
  for (let i: u32 = isInOrder(q) || isLogged(q) ? 0 : completeAnyOrder(q, count); i < count; i++) {
    const code = complete(q, completionToken(q, i), completionWritten(q, i));
    if (code < 0) return i ? i : code;
  }
  return count;
}

/** Completes pairs as long as they pass every check, with the state in locals; how many. */
function completeAnyOrder(q: usize, count: u32): u32 {
  const ring = desc(q);
  const shadow = deviceShadow(q);
  const n = size(q);
  let slot = deviceUsed(q);
  let wrap = deviceUsedWrap(q);
  let free = deviceFreeHead(q);
  let moved: u32 = 0;
  let holdBack = !devicePending(q);
  let i: u32 = 0;
  for (; i < count; i++) {
    const token = completionToken(q, i);
    const written = completionWritten(q, i);
    const taken = tokenSlot(token);
    if (taken >= n) break;
    const entry = shadowAt(shadow, taken);
    const descriptors = shadowCount(entry);
    if (!descriptors || shadowGeneration(entry) != tokenGeneration(token)) break;
    if (<u64>written > shadowLimit(entry)) break;
    const desc = descAt(ring, slot);
    const flags = usedFlags(wrap) | (written ? VIRTQ_DESC_F_WRITE : 0); // §2.8.4
    if (holdBack) {
      setDescUsed(desc, written, shadowId(entry));
      setDevicePendingSlot(q, slot);
      setDevicePendingFlags(q, flags);
      holdBack = false;
    } else {
      setDescTail(desc, written, shadowId(entry), flags);
    }
    release(entry, free);
    free = taken;
    moved += descriptors;
    wrap = advanceWrap(slot, wrap, descriptors, n);
    slot = advanceSlot(slot, descriptors, n);
  }
  setDeviceFreeHead(q, free);
  setDeviceUsed(q, slot);
  setDeviceUsedWrap(q, wrap);
  setDevicePending(q, devicePending(q) + moved);
  setDeviceInFlight(q, deviceInFlight(q) - i);
  setDeviceInFlightDescriptors(q, deviceInFlightDescriptors(q) - moved);
  return i;
}

/**
 * Writes one used descriptor at the used position and skips `count` slots (§2.8.6, §2.8.8).
 *
 * The first one since the last publish keeps its flags back until then, so that a batch appears at once.
 */
function useDescriptor(q: usize, id: u32, written: u32, count: u32): void {
  const slot = deviceUsed(q);
  const wrap = deviceUsedWrap(q);
  const desc_ = descAt(desc(q), slot);
  const flags = usedFlags(wrap) | (written ? VIRTQ_DESC_F_WRITE : 0); // §2.8.4: the length counts with WRITE alone
  if (devicePending(q)) {
    setDescTail(desc_, written, id, flags);
    deviceTouched(q, desc_ + 8, 8);
  } else {
    setDescUsed(desc_, written, id);
    setDevicePendingSlot(q, slot);
    setDevicePendingFlags(q, flags);
    deviceTouched(q, desc_ + 8, 6);
  }
  setDevicePending(q, devicePending(q) + count);
  setDeviceUsedWrap(q, advanceWrap(slot, wrap, count, size(q)));
  setDeviceUsed(q, advanceSlot(slot, count, size(q)));
}

function closeBatch(q: usize): void {
  useDescriptor(q, deviceBatchLast(q), deviceBatchLength(q), deviceBatchCount(q));
  setDeviceBatchCount(q, 0);
}

/** Shows what was used to the driver by storing the first used descriptor's flags; 1: it wants a notification. */
export function publish(q: usize): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  if (deviceBatchCount(q)) closeBatch(q);
  const pending = devicePending(q);
  if (!pending) return 0;
  // Barrier C (pairs with takeUsed in driver.ts): ID and length before the flags.
  const first = descAt(desc(q), devicePendingSlot(q));
  setDescFlags(first, devicePendingFlags(q));
  deviceTouched(q, first + 14, 2);
  setDevicePending(q, 0);
  // Barrier D (pairs with arm in driver.ts): the flags before the suppression check.
  const event = eventSnapshot(driverArea(q));
  return packedNeedEvent(event, hasEventIdx(q), size(q), deviceUsed(q), deviceUsedWrap(q), pending) ? 1 : 0;
}

/** Asks for an available buffer notification with the next list (§2.8.10); 1: look again, one is there already. */
export function arm(q: usize): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  const area = deviceArea(q);
  if (hasEventIdx(q)) {
    setEvent(area, offWrap(deviceAvail(q), deviceAvailWrap(q)), RING_EVENT_FLAGS_DESC);
    deviceTouched(q, area, 4);
  } else {
    setEventFlags(area, RING_EVENT_FLAGS_ENABLE);
    deviceTouched(q, area + 2, 2);
  }
  // Barrier B (pairs with publish in driver.ts): armed before the second look.
  return hasAvailable(q);
}

/** Asks for no available buffer notifications. */
export function disarm(q: usize): i32 {
  if (layout(q) != LAYOUT_PACKED) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  setEventFlags(deviceArea(q), RING_EVENT_FLAGS_DISABLE);
  deviceTouched(q, deviceArea(q) + 2, 2);
  return 0;
}

/** 1: the driver has made something available that was not taken yet. */
export function hasAvailable(q: usize): i32 {
  if (layout(q) != LAYOUT_PACKED || deviceError(q)) return 0;
  return isAvailable(descFlags(descAt(desc(q), deviceAvail(q))), deviceAvailWrap(q)) ? 1 : 0;
}

function fail(q: usize, code: i32): i32 {
  setDeviceError(q, code);
  return code;
}
