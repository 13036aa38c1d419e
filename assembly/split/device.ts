// The device half of a split virtqueue: takes available chains and uses them (§2.7.6, §2.7.8).
// The driver is hostile: what is read from the ring is read once, judged, and kept in records and shadow.
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
  DESC_INDEX_RANGE,
  DESC_NEXT_RANGE,
  HEAD_IN_FLIGHT,
  IN_ORDER_VIOLATION,
  INDIRECT_NOT_NEGOTIATED,
  INDIRECT_WITH_NEXT,
  QUEUE_BROKEN,
  QUEUE_NOT_READY,
  RING_INDEX_JUMP,
  STALE_TOKEN,
} from "../../src/spec/result";
import {
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_USED_ENTRY_SIZE,
  VIRTQ_USED_F_NO_NOTIFY,
  VIRTQ_USED_IDX,
} from "../../src/spec/split";
import {
  CHAIN_RECORD_BYTES,
  FEATURE_INDIRECT,
  FEATURE_NOTIFY_ON_EMPTY,
  LAYOUT_SPLIT,
  OPTION_RECOVER,
} from "../abi";
import {
  chainsEnd,
  completionToken,
  completionWritten,
  firstChain,
  setSingleChain,
  SINGLE_CHAIN_BYTES,
} from "../batch";
import {
  beginChain,
  chainEnd,
  chainWritableTotal,
  endChain,
  endPlainChain,
  plainTable,
  plainWritable,
  walkLinked,
  pushDescriptor,
  pushLinkedTable,
} from "../chain";
import {
  deviceAvail,
  deviceBatchCount,
  deviceBatchLast,
  deviceBatchLength,
  deviceError,
  deviceInFlight,
  devicePending,
  deviceUsed,
  setDeviceAvail,
  setDeviceBatchCount,
  setDeviceBatchLast,
  setDeviceBatchLength,
  setDeviceError,
  setDeviceInFlight,
  setDevicePending,
  setDeviceUsed,
} from "../device-state";
import { needEvent } from "../event";
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
  availEntry,
  availEventAt,
  availFlags,
  availIdx,
  descAddr,
  descTail,
  setAvailEvent,
  setUsedElement,
  setUsedFlags,
  setUsedIdx,
  tailFlags,
  tailLength,
  tailNext,
  usedElementAt,
  usedEvent,
} from "./layout";

/** Takes up to `max` available chains into chain records; their number, or what the driver did wrong. */
export function take(q: usize, max: u32): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  // Barrier A (pairs with publish in driver.ts): the index before the entries.
  const idx = availIdx(driverArea(q));
  const n = size(q);
  const next = deviceAvail(q);
  const published = deviceUsed(q) - devicePending(q);
  const newly = (idx - next) & 0xffff;
  // The driver may be at most one queue size ahead of what was used (§2.7.6), and never goes back.
  if (newly + ((next - published) & 0xffff) > n)
    return fail(q, blame(q, RING_INDEX_JUMP, idx, published & 0xffff));
  const limit = min(min(max, batch(q)), newly);
  const end = chainsEnd(q);
  let record = firstChain(q);
  let taken: u32 = 0;
  for (; taken < limit; taken++) {
    const idx = (next + taken) & 0xffff;
    const head = availEntry(driverArea(q), idx & (n - 1));
    const after = takePlain(q, head, idx, record, end);
    if (after) {
      record = after;
      continue;
    }
    const code = takeChain(q, head, idx, record, end);
    if (code < 0) {
      if (!taken) return code == BUFFER_TOO_SHORT ? code : fail(q, code);
      break;
    }
    record = chainEnd();
  }
  setDeviceAvail(q, (next + taken) & 0xffff);
  setDeviceInFlight(q, deviceInFlight(q) + taken);
  return taken;
}

/**
 * Takes the chain at `head` the short way; gives its record's end.
 *
 * @returns 0: something is unusual, `takeChain` goes the long way and knows what
 */
@inline
function takePlain(q: usize, head: u32, idx: u32, record: usize, end: usize): usize {
  const table = desc(q);
  const n = size(q);
  const entry = shadowAt(deviceShadow(q), head);
  if (head >= n || shadowCount(entry) || record + SINGLE_CHAIN_BYTES > end) return 0;
  const tail = descTail(table, head);
  const flags = tailFlags(tail);
  const length = tailLength(tail);
  if (!(flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT))) {
    // One direct descriptor: peeled, since most chains are that.
    const guest = core(q);
    const offset = descAddr(table, head) - firstGpa(guest);
    const write = (flags & VIRTQ_DESC_F_WRITE) != 0;
    if (!length || !within(offset, length, firstSize(guest)) || (write && firstIsReadOnly(guest))) return 0;
    const generation = occupy(entry, idx, 1, head, write ? length : 0);
    setSingleChain(record, tokenOf(head, generation), <u32>(firstBase(guest) + offset), length, write);
    return record + SINGLE_CHAIN_BYTES;
  }
  let first = head;
  let walked = table;
  let count = n;
  if (flags & VIRTQ_DESC_F_INDIRECT) {
    walked = flags & VIRTQ_DESC_F_NEXT ? 0 : plainTable(q, descAddr(table, head), length);
    if (!walked) return 0;
    first = 0;
    count = length / VIRTQ_DESC_SIZE;
  }
  const segments = walkLinked(core(q), walked, first, count, record, end);
  if (!segments) return 0;
  const generation = occupy(entry, idx, 1, head, plainWritable());
  return endPlainChain(record, tokenOf(head, generation), segments);
}

/** Walks the chain at `head` into `record` and marks it in flight; 0, or why not. `idx` is its available index. */
function takeChain(q: usize, head: u32, idx: u32, record: usize, end: usize): i32 {
  if (head >= size(q)) return blame(q, DESC_INDEX_RANGE, head, size(q));
  const entry = shadowAt(deviceShadow(q), head);
  if (shadowCount(entry)) return blame(q, HEAD_IN_FLIGHT, head, deviceInFlight(q)); // §2.7.13.1: it is not free
  if (record + CHAIN_RECORD_BYTES > end) return BUFFER_TOO_SHORT;
  beginChain(q, record, end);
  const code = walk(q, head);
  if (code < 0) {
    if (code == BUFFER_TOO_SHORT || !(features(q) & OPTION_RECOVER)) return code;
    beginChain(q, record, end); // handed over empty, to be completed with length 0
  }
  const generation = occupy(entry, idx, 1, head, code < 0 ? RECOVERED : chainWritableTotal());
  endChain(record, tokenOf(head, generation), code);
  return 0;
}

/** Follows `next` from `head` for at most size descriptors (§2.7.5), into a table if one ends the chain (§2.7.5.3). */
function walk(q: usize, head: u32): i32 {
  const table = desc(q);
  const n = size(q);
  let slot = head;
  let visited: u32 = 1;
  while (true) {
    const tail = descTail(table, slot);
    const flags = tailFlags(tail);
    if (flags & VIRTQ_DESC_F_INDIRECT) {
      if (!(features(q) & FEATURE_INDIRECT)) return blame(q, INDIRECT_NOT_NEGOTIATED, slot, flags); // §2.7.5.3.1
      if (flags & VIRTQ_DESC_F_NEXT) return blame(q, INDIRECT_WITH_NEXT, slot, flags); // §2.7.5.3.1
      return pushLinkedTable(q, descAddr(table, slot), tailLength(tail), visited - 1); // WRITE is ignored, §2.7.5.3.2
    }
    const code = pushDescriptor(descAddr(table, slot), tailLength(tail), flags);
    if (code < 0) return code;
    if (!(flags & VIRTQ_DESC_F_NEXT)) return 0;
    slot = tailNext(tail);
    if (slot >= n) return blame(q, DESC_NEXT_RANGE, slot, n);
    if (visited == n) return blame(q, CHAIN_TOO_LONG, n + 1, n); // more steps than descriptors: a loop
    visited++;
  }
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

/** Gives back the chain taken last, as if it had not been taken. */
export function undo(q: usize, token: u32): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
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
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
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
  if (!inOrder) {
    useElement(q, head, written, 1);
    return 0;
  }
  setDeviceBatchCount(q, deviceBatchCount(q) + 1);
  setDeviceBatchLast(q, head);
  setDeviceBatchLength(q, written);
  // A buffer that the driver skips counts as fully written (§2.7.9): a shorter one must be named, so it ends the batch.
  if (<u64>written != writable) closeBatch(q);
  return 0;
}

/** Completes `count` pairs of the completion records; how many, or why the first was refused. */
export function completeBatch(q: usize, count: u32): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
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
  const area = deviceArea(q);
  const shadow = deviceShadow(q);
  const n = size(q);
  const used = deviceUsed(q);
  let i: u32 = 0;
  for (; i < count; i++) {
    const token = completionToken(q, i);
    const written = completionWritten(q, i);
    const slot = tokenSlot(token);
    if (slot >= n) break;
    const entry = shadowAt(shadow, slot);
    if (!shadowCount(entry) || shadowGeneration(entry) != tokenGeneration(token)) break;
    if (<u64>written > shadowLimit(entry)) break;
    setUsedElement(area, (used + i) & (n - 1), shadowId(entry), written);
    release(entry, 0);
  }
  setDeviceUsed(q, (used + i) & 0xffff);
  setDevicePending(q, devicePending(q) + i);
  setDeviceInFlight(q, deviceInFlight(q) - i);
  return i;
}

/** Writes one used element that stands for `count` buffers; the index moves over all of them (§2.7.9). */
function useElement(q: usize, head: u32, written: u32, count: u32): void {
  const used = deviceUsed(q);
  const slot = used & (size(q) - 1);
  setUsedElement(deviceArea(q), slot, head, written);
  deviceTouched(q, usedElementAt(deviceArea(q), slot), VIRTQ_USED_ENTRY_SIZE);
  setDeviceUsed(q, (used + count) & 0xffff);
  setDevicePending(q, devicePending(q) + count);
}

function closeBatch(q: usize): void {
  useElement(q, deviceBatchLast(q), deviceBatchLength(q), deviceBatchCount(q));
  setDeviceBatchCount(q, 0);
}

/** Shows what was used to the driver (§2.7.8.2); 1: it wants a used buffer notification. */
export function publish(q: usize): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  if (deviceBatchCount(q)) closeBatch(q);
  const pending = devicePending(q);
  if (!pending) return 0;
  const next = deviceUsed(q);
  // Barrier C (pairs with takeUsed in driver.ts): elements before the index, §2.7.8.2.
  setUsedIdx(deviceArea(q), next);
  deviceTouched(q, deviceArea(q) + VIRTQ_USED_IDX, 2);
  setDevicePending(q, 0);
  // Barrier D (pairs with arm in driver.ts): the index before the suppression check.
  if (features(q) & FEATURE_NOTIFY_ON_EMPTY && isDrained(q)) return 1; // §6.3: overrides suppression
  if (!hasEventIdx(q)) return availFlags(driverArea(q)) & VIRTQ_AVAIL_F_NO_INTERRUPT ? 0 : 1;
  const old = (next - pending) & 0xffff;
  return needEvent(usedEvent(driverArea(q), size(q)), next, old) ? 1 : 0;
}

function isDrained(q: usize): bool {
  return !deviceInFlight(q) && availIdx(driverArea(q)) == deviceAvail(q);
}

/** Asks for an available buffer notification with the next chain (§2.7.10); 1: look again, one is there already. */
export function arm(q: usize): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  const area = deviceArea(q);
  if (hasEventIdx(q)) {
    setAvailEvent(area, size(q), deviceAvail(q));
    deviceTouched(q, availEventAt(area, size(q)), 2);
  } else {
    setUsedFlags(area, 0);
    deviceTouched(q, area, 2);
  }
  // Barrier B (pairs with publish in driver.ts): armed before the second look.
  return availIdx(driverArea(q)) != deviceAvail(q) ? 1 : 0;
}

/** Asks for no available buffer notifications. With EVENT_IDX flags stay 0: a passed avail_event is silent. */
export function disarm(q: usize): i32 {
  if (layout(q) != LAYOUT_SPLIT) return QUEUE_NOT_READY;
  if (deviceError(q)) return QUEUE_BROKEN;
  if (hasEventIdx(q)) return 0;
  if (!deviceLogReserve(q)) return BUFFER_TOO_SHORT;
  setUsedFlags(deviceArea(q), VIRTQ_USED_F_NO_NOTIFY);
  deviceTouched(q, deviceArea(q), 2);
  return 0;
}

/** 1: the driver has made something available that was not taken yet. */
export function hasAvailable(q: usize): i32 {
  if (layout(q) != LAYOUT_SPLIT || deviceError(q)) return 0;
  return availIdx(driverArea(q)) != deviceAvail(q) ? 1 : 0;
}

function fail(q: usize, code: i32): i32 {
  setDeviceError(q, code);
  return code;
}
