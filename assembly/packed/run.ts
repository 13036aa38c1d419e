// The packed device that lives in WASM: takes, serves and uses lists one after the other (§2.8.6 to §2.8.8).
// A list that is served at once needs no token and no shadow: nothing else happens before it is used.
import { VIRTQ_DESC_F_WRITE, VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import { BUFFER_TOO_SHORT, IN_ORDER_VIOLATION } from "../../src/spec/result";
import { BACKEND_COPY, BACKEND_SINK, LAYOUT_PACKED } from "../abi";
import { hasRoom, mustWait, serve } from "../backend";
import { chainsEnd, chainToken, firstChain, firstSegment } from "../batch";
import { endPlainChain, plainWritable } from "../chain";
import {
  deviceAvail,
  deviceAvailWrap,
  deviceBatchCount,
  deviceBatchLast,
  deviceState,
  deviceInFlight,
  devicePending,
  deviceTaken,
  deviceUsed,
  deviceUsedWrap,
  setDeviceAvail,
  setDeviceAvailWrap,
  setDeviceBatchCount,
  setDeviceBatchLast,
  setDeviceBatchLength,
  setDevicePending,
  setDeviceTaken,
  setDeviceUsed,
  setDeviceUsedWrap,
} from "../device-state";
import { firstGpa, firstGpaLanes, firstSize, firstSizeLanes, within } from "../memory";
import {
  blame,
  core,
  countFours,
  desc,
  hasFours,
  hasPeels,
  isInOrder,
  isLogged,
  refusal,
  size,
} from "../queue-state";
import { complete, holdBackUsed, undo, useDescriptor, useNext } from "./complete";
import { fourFit, fourReadable } from "./four";
import { roomLeft } from "./in-flight";
import { descAddr, descAt, descTail, setDescTail, tailFlags, tailId, tailLength } from "./layout";
import { advanceSlot, advanceWrap, availableFlags, isAvailable, usedFlags } from "./position";
import { nextTail, SINGLE_MASK, singleFlags, take, walkedCount, walkedId, walkPlain } from "./take";

/** Takes, serves and uses up to `budget` chains, as `serve` of backend.ts does; their number, or the first error. */
export function run(q: usize, kind: u32, budget: u32): i32 {
  if (deviceState(q) != LAYOUT_PACKED) return refusal(deviceState(q));
  if (mustWait(q)) return blame(q, IN_ORDER_VIOLATION, deviceInFlight(q), 0);
  const peels = hasPeels(q) && kind != BACKEND_COPY;
  let served: u32 = 0;
  while (served < budget) {
    if (peels) {
      const singles = useSingles(q, budget - served);
      served += singles;
      if (singles) continue; // up to another form, the ring's end, or what is not available
    }
    const code = serveOthers(q, kind, budget - served);
    if (code < 0) return served ? served : code;
    if (!code) break;
    served += code;
  }
  return served;
}

/** Serves up to `limit` lists of any form, and at least one if there is one; how many, or the first one's error. */
function serveOthers(q: usize, kind: u32, limit: u32): i32 {
  if (!isAvailable(tailFlags(nextTail(q)), deviceAvailWrap(q))) return 0;
  const served = isLogged(q) ? 0 : serveLists(q, kind, limit);
  if (served) return served;
  const code = serveTaken(q, kind);
  return code < 0 ? code : 1;
}

/**
 * Uses up to `most` available lists of one direct descriptor, with nothing written: one that can only be read, or
 * only be written, gives an echo no work either. Stops at anything else; how many it used.
 */
@inline
function useSingles(q: usize, most: u32): u32 {
  if (!isInOrder(q)) return useAnyOrder(q, most);
  return hasFours(q) ? useFours(q, most) : useInOrder(q, most);
}


@inline
function useAnyOrder(q: usize, most: u32): u32 {
  const ring = desc(q);
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const slot = deviceAvail(q);
  const wrap = deviceAvailWrap(q);
  const used = deviceUsed(q);
  const usedWrap = deviceUsedWrap(q);
  const limit = min(min(most, roomLeft(q)), n - max(slot, used));
  if (!limit) return 0;
  const available = singleFlags(wrap);
  const lap = usedFlags(usedWrap);
  const end = descAt(ring, slot + limit);
  let head = descAt(ring, slot);
  let target = descAt(ring, used);
  let pending = devicePending(q);
  do {
    const tail = descTail(head); // Barrier A (pairs with publish in driver.ts): the flags before the address
    if ((tail & SINGLE_MASK) != available) break;
    const length = tailLength(tail);
    if (!length) break;
    if (!within(descAddr(head) - gpa, length, bytes)) break;
    if (pending++) setDescTail(target, 0, tailId(tail), lap);
    else holdBackUsed(q, target, used, 0, tailId(tail), lap);
    head += VIRTQ_DESC_SIZE;
    target += VIRTQ_DESC_SIZE;
  } while (head < end);
  const i = limit - <u32>(end - head) / VIRTQ_DESC_SIZE;
  moveOverRun(q, slot, i, n);
  setDeviceUsed(q, used + i);
  if (used + i == n) {
    setDeviceUsed(q, 0);
    setDeviceUsedWrap(q, usedWrap ^ 1);
  }
  setDevicePending(q, pending);
  return i;
}

function useInOrder(q: usize, most: u32): u32 {
  return useSinglesInOrder(q, most, false);
}

function useFours(q: usize, most: u32): u32 {
  return useSinglesInOrder(q, most, true);
}

/** The same with IN_ORDER: buffers that can't be written are used whole, so a batch may skip them (§2.8.8). */
@inline
function useSinglesInOrder(q: usize, most: u32, fours: bool): u32 {
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const slot = deviceAvail(q);
  const wrap = deviceAvailWrap(q);
  const limit = min(min(most, roomLeft(q)), n - slot);
  if (!limit) return 0;
  const gpaLanes = fours ? firstGpaLanes(core(q)) : i32x4.splat(0);
  const bytesLanes = fours ? firstSizeLanes(core(q)) : i32x4.splat(0);
  const available = singleFlags(wrap);
  let head = descAt(desc(q), slot);
  const end = descAt(head, limit);
  let open = deviceBatchCount(q);
  let last = deviceBatchLast(q);
  let groups: u32 = 0;
  do {
    if (fours && fourFit(head, end)) {
      const id = fourReadable(head, availableFlags(wrap), gpaLanes, bytesLanes);
      if (id >= 0) {
        last = id;
        open += 4;
        groups++;
        head += 4 * VIRTQ_DESC_SIZE;
        continue;
      }
    }
    const tail = descTail(head); // Barrier A, as above
    if ((tail & SINGLE_MASK) != available) break;
    const length = tailLength(tail);
    if (!length) break;
    if (!within(descAddr(head) - gpa, length, bytes)) break;
    last = tailId(tail);
    open++;
    head += VIRTQ_DESC_SIZE;
    if (!(tailFlags(tail) & VIRTQ_DESC_F_WRITE)) continue;
    useDescriptor(q, last, 0, open);
    open = 0;
  } while (head < end);
  const i = limit - <u32>(end - head) / VIRTQ_DESC_SIZE;
  if (fours) countFours(q, groups);
  moveOverRun(q, slot, i, n);
  setDeviceBatchCount(q, open);
  setDeviceBatchLast(q, last);
  if (i) setDeviceBatchLength(q, 0);
  return i;
}

/** The same after `count` lists of one descriptor from `slot` on, at most up to the ring's end. */
@inline
function moveOverRun(q: usize, slot: u32, count: u32, n: u32): void {
  if (slot + count == n) moveOverLists(q, 0, deviceAvailWrap(q) ^ 1, count);
  else moveOverLists(q, slot + count, deviceAvailWrap(q), count);
}

/** The available position after `count` lists that were used at once. */
@inline
function moveOverLists(q: usize, slot: u32, wrap: u32, count: u32): void {
  setDeviceAvail(q, slot);
  setDeviceAvailWrap(q, wrap);
  setDeviceTaken(q, (deviceTaken(q) + count) & 0xffff);
}

/** Serves and uses up to `limit` available lists of any form, until something is unusual; how many. */
function serveLists(q: usize, kind: u32, limit: u32): u32 {
  const ring = desc(q);
  const n = size(q);
  const inOrder = isInOrder(q);
  const record = firstChain(q);
  const end = chainsEnd(q);
  let room = roomLeft(q);
  let slot = deviceAvail(q);
  let wrap = deviceAvailWrap(q);
  let used = deviceUsed(q);
  let usedWrap = deviceUsedWrap(q);
  let pending = devicePending(q);
  let i: u32 = 0;
  for (; i < limit; i++) {
    const segments = walkPlain(q, slot, wrap, room, firstSegment(record), end, 0, false);
    if (!segments) break;
    const count = walkedCount();
    const id = walkedId();
    let written: u32 = 0;
    if (kind != BACKEND_SINK) {
      endPlainChain(record, 0, segments);
      written = serve(q, kind, record);
    }
    room -= count;
    wrap = advanceWrap(slot, wrap, count, n);
    slot = advanceSlot(slot, count, n);
    if (inOrder) {
      useNext(q, id, count, written, plainWritable());
      continue;
    }
    const target = descAt(ring, used);
    const flags = usedFlags(usedWrap) | (written ? VIRTQ_DESC_F_WRITE : 0); // §2.8.4
    if (pending) setDescTail(target, written, id, flags);
    else holdBackUsed(q, target, used, written, id, flags);
    pending += count;
    usedWrap = advanceWrap(used, usedWrap, count, n);
    used = advanceSlot(used, count, n);
  }
  moveOverLists(q, slot, wrap, i);
  if (inOrder) return i;
  setDeviceUsed(q, used);
  setDeviceUsedWrap(q, usedWrap);
  setDevicePending(q, pending);
  return i;
}

/** Serves and uses one list the long way: with a token, and room in the log for what serving writes. */
function serveTaken(q: usize, kind: u32): i32 {
  const taken = take(q, 1);
  if (taken < 0) return taken;
  const chain = firstChain(q);
  if (hasRoom(q, chain)) return complete(q, chainToken(chain), serve(q, kind, chain));
  undo(q, chainToken(chain));
  return BUFFER_TOO_SHORT;
}
