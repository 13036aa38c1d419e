// The split device that lives in WASM: takes, serves and uses chains one after the other (§2.7.5 to §2.7.8).
// A chain that is served at once needs no token and no shadow: nothing else happens before it is used.
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from "../../src/spec/queue";
import { BUFFER_TOO_SHORT, IN_ORDER_VIOLATION } from "../../src/spec/result";
import { VIRTQ_AVAIL_ENTRY_SIZE, VIRTQ_USED_ENTRY_SIZE } from "../../src/spec/split";
import { BACKEND_COPY, BACKEND_SINK, LAYOUT_SPLIT } from "../abi";
import { hasRoom, mustWait, serve } from "../backend";
import { chainsEnd, chainToken, firstChain, firstSegment } from "../batch";
import { endPlainChain, plainWritable } from "../chain";
import {
  deviceAvail,
  deviceBatchCount,
  deviceBatchLast,
  deviceState,
  deviceInFlight,
  deviceUsed,
  setDeviceAvail,
  setDeviceBatchCount,
  setDeviceBatchLast,
  setDeviceBatchLength,
  setDeviceUsed,
} from "../device-state";
import { firstGpa, firstSize, within } from "../memory";
import {
  blame,
  core,
  desc,
  deviceArea,
  deviceShadow,
  driverArea,
  hasPeels,
  isInOrder,
  isLogged,
  refusal,
  size,
} from "../queue-state";
import { shadowAt, shadowCount } from "../shadow";
import { complete, undo, useNext } from "./complete";
import {
  availEntry,
  availEntryAt,
  descAddr,
  descTail,
  setUsedElement,
  usedElementAt,
  tailFlags,
  tailLength,
} from "./layout";
import { newlyAvailable, take, walkPlain } from "./take";

/** Takes, serves and uses up to `budget` chains, as `serve` of backend.ts does; their number, or the first error. */
export function run(q: usize, kind: u32, budget: u32): i32 {
  if (deviceState(q) != LAYOUT_SPLIT) return refusal(deviceState(q));
  if (mustWait(q)) return blame(q, IN_ORDER_VIOLATION, deviceInFlight(q), 0);
  const newly = newlyAvailable(q);
  if (newly <= 0) return newly;
  const limit: u32 = min(newly, budget);
  // With nothing in flight no head can be in flight: singles need not ask.
  const peels = hasPeels(q) && kind != BACKEND_COPY && !deviceInFlight(q);
  let served: u32 = 0;
  while (served < limit) {
    if (peels) {
      const singles = useSingles(q, limit - served);
      served += singles;
      if (singles) continue; // up to another form, or the ring's end
    }
    const code = serveOthers(q, kind, limit - served);
    if (code < 0) return served ? served : code;
    served += code;
  }
  return served;
}

/** Serves up to `limit` available chains of any form, at least one; how many, or the first one's error. */
function serveOthers(q: usize, kind: u32, limit: u32): i32 {
  const served = isLogged(q) ? 0 : serveChains(q, kind, limit);
  if (served) return served;
  const code = serveTaken(q, kind);
  return code < 0 ? code : 1;
}

/**
 * Uses up to `limit` available chains of one direct descriptor, with nothing written: one that can only be read, or
 * only be written, gives an echo no work either. Nothing is in flight. Stops at anything else, and at a ring's end; how
 * many it used.
 */
@inline
function useSingles(q: usize, limit: u32): u32 {
  return isInOrder(q) ? useInOrder(q, limit) : useAnyOrder(q, limit);
}


@inline
function useAnyOrder(q: usize, limit: u32): u32 {
  const table = desc(q);
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const slot = deviceAvail(q) & (n - 1); // of both rings: as many were used as were taken
  const most = min(limit, n - slot);
  const end = availEntryAt(driverArea(q), slot + most);
  let avail = availEntryAt(driverArea(q), slot);
  let used = usedElementAt(deviceArea(q), slot);
  do {
    const head = availEntry(avail);
    if (head >= n) break;
    const tail = descTail(table, head);
    if (tailFlags(tail) & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) break;
    const length = tailLength(tail);
    if (!length) break;
    if (!within(descAddr(table, head) - gpa, length, bytes)) break;
    setUsedElement(used, head, 0);
    used += VIRTQ_USED_ENTRY_SIZE;
    avail += VIRTQ_AVAIL_ENTRY_SIZE;
  } while (avail < end);
  const i = most - <u32>(end - avail) / VIRTQ_AVAIL_ENTRY_SIZE;
  setDeviceUsed(q, (deviceUsed(q) + i) & 0xffff);
  setDeviceAvail(q, (deviceAvail(q) + i) & 0xffff);
  return i;
}

/** The same with IN_ORDER: buffers that can't be written are used whole, so a batch may skip them (§2.7.9). */
function useInOrder(q: usize, limit: u32): u32 {
  const table = desc(q);
  const ring = driverArea(q);
  const area = deviceArea(q);
  const n = size(q);
  const gpa = firstGpa(core(q));
  const bytes = firstSize(core(q));
  const avail = deviceAvail(q);
  let used = deviceUsed(q);
  let last = deviceBatchLast(q);
  let open = deviceBatchCount(q);
  let i: u32 = 0;
  for (; i < limit; i++) {
    const head = availEntry(availEntryAt(ring, (avail + i) & (n - 1)));
    if (head >= n) break;
    const tail = descTail(table, head);
    if (tailFlags(tail) & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) break;
    const length = tailLength(tail);
    if (!length) break;
    if (!within(descAddr(table, head) - gpa, length, bytes)) break;
    last = head;
    open++;
    if (!(tailFlags(tail) & VIRTQ_DESC_F_WRITE)) continue;
    // An unwritten buffer that can be written ends the batch.
    setUsedElement(usedElementAt(area, used & (n - 1)), head, 0);
    used += open;
    open = 0;
  }
  setDeviceUsed(q, used & 0xffff);
  setDeviceAvail(q, (avail + i) & 0xffff);
  setDeviceBatchCount(q, open);
  setDeviceBatchLast(q, last);
  setDeviceBatchLength(q, 0);
  return i;
}

/** Serves and uses up to `limit` available chains of any form, until something is unusual; how many. */
@inline
function serveChains(q: usize, kind: u32, limit: u32): u32 {
  return kind == BACKEND_SINK ? sinkChains(q, limit) : serveRecords(q, kind, limit);
}

/** A sink looks at no segment, so chains are judged as ever, but no record of them is made. */
function sinkChains(q: usize, limit: u32): u32 {
  return serveWith(q, BACKEND_SINK, limit, false);
}

function serveRecords(q: usize, kind: u32, limit: u32): u32 {
  return serveWith(q, kind, limit, true);
}


@inline
function serveWith(q: usize, kind: u32, limit: u32, recorded: bool): u32 {
  const ring = driverArea(q);
  const shadow = deviceShadow(q);
  const n = size(q);
  const table = desc(q);
  const area = deviceArea(q);
  const inOrder = isInOrder(q);
  const record = firstChain(q);
  const end = chainsEnd(q);
  const avail = deviceAvail(q);
  const used = deviceUsed(q);
  let i: u32 = 0;
  for (; i < limit; i++) {
    const head = availEntry(availEntryAt(ring, (avail + i) & (n - 1)));
    if (head >= n) break;
    if (shadowCount(shadowAt(shadow, head))) break;
    const segments = walkPlain(q, table, head, n, firstSegment(record), end, 0, false, recorded);
    if (!segments) break;
    let written: u32 = 0;
    if (recorded) {
      endPlainChain(record, 0, segments);
      written = serve(q, kind, record);
    }
    if (inOrder) useNext(q, head, written, plainWritable());
    else setUsedElement(usedElementAt(area, (used + i) & (n - 1)), head, written);
  }
  setDeviceAvail(q, (avail + i) & 0xffff);
  if (inOrder) return i;
  setDeviceUsed(q, (used + i) & 0xffff);
  return i;
}

/** Serves and uses one chain the long way: with a token, and room in the log for what serving writes. */
function serveTaken(q: usize, kind: u32): i32 {
  const taken = take(q, 1);
  if (taken < 0) return taken;
  const chain = firstChain(q);
  if (hasRoom(q, chain)) return complete(q, chainToken(chain), serve(q, kind, chain));
  undo(q, chainToken(chain));
  return BUFFER_TOO_SHORT;
}
