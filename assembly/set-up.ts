// Set-up of one queue: judges size, alignment and place of the three areas, translates them once, and puts each
// half into the state after a reset (§2.6, §2.7, §2.8). The host has laid out shadows, records and logs before.
import { PACKED_EVENT_ALIGN, PACKED_EVENT_SIZE } from "../src/spec/packed";
import { VIRTQ_DESC_ALIGN, VIRTQ_DESC_SIZE, VIRTQ_SIZE_MAX } from "../src/spec/queue";
import {
  BAD_ARGUMENT,
  QUEUE_SIZE_INVALID,
  RING_ADDR_OVERFLOW,
  RING_ALIGN,
  RING_OUT_OF_GUEST,
  RING_OVERLAP,
} from "../src/spec/result";
import {
  VIRTQ_AVAIL_ALIGN,
  VIRTQ_AVAIL_ENTRY_SIZE,
  VIRTQ_USED_ALIGN,
  VIRTQ_USED_ENTRY_SIZE,
} from "../src/spec/split";
import {
  FEATURE_IN_ORDER,
  LAYOUT_NONE,
  LAYOUT_PACKED,
  LAYOUT_SPLIT,
  OPTION_LOG,
  OPTION_SCALAR,
  OPTION_STRICT_RING,
  RESOLVED_FOURS,
  RESOLVED_PEELS,
  ROLE_DEVICE,
  ROLE_DRIVER,
} from "./abi";
import {
  setDeviceAvail,
  setDeviceAvailWrap,
  setDeviceBatchCount,
  setDeviceState,
  setDeviceFreeHead,
  setDeviceInFlight,
  setDeviceInFlightDescriptors,
  setDeviceLogCount,
  setDevicePending,
  setDeviceShown,
  setDeviceTaken,
  setDeviceUsed,
  setDeviceUsedWrap,
} from "./device-state";
import {
  setDriverAvail,
  setDriverAvailWrap,
  setDriverBatchEnd,
  setDriverState,
  setDriverFreeCount,
  setDriverFreeHead,
  setDriverInFlight,
  setDriverKickValue,
  setDriverLogCount,
  setDriverOldest,
  setDriverPending,
  setDriverShown,
  setDriverUsed,
  setDriverUsedWrap,
} from "./driver-state";
import { firstGpa, firstIsReadOnly, firstSize, NOT_IN_GUEST, translate, wrapsAround } from "./memory";
import {
  core,
  deviceShadow,
  driverShadow,
  layout,
  maxSize,
  notifyId,
  roles,
  setDesc,
  setDeviceArea,
  setDriverArea,
  setFeatures,
  setLayout,
  setNotifyId,
  setSize,
  setTableEntries,
  setTableLimit,
  setTables,
  setTablesGpa,
  size,
} from "./queue-state";
import { release, setShadowLink, shadowAt, shadowCount } from "./shadow";

/** Entries that a table may always have, unless strictRing bounds it by the queue size. */
const TABLE_ENTRIES_ALWAYS: u32 = 1024;

let descBytes: u32 = 0;
let driverBytes: u32 = 0;
let deviceBytes: u32 = 0;
let driverAlign: u32 = 0;
let deviceAlign: u32 = 0;

/** The sizes and alignments of §2.7 and §2.8 for a queue of `n`, in bytes. */
function measureAreas(kind: u32, n: u32): void {
  descBytes = n * VIRTQ_DESC_SIZE;
  if (kind == LAYOUT_PACKED) {
    driverBytes = PACKED_EVENT_SIZE;
    deviceBytes = PACKED_EVENT_SIZE;
    driverAlign = PACKED_EVENT_ALIGN;
    deviceAlign = PACKED_EVENT_ALIGN;
  } else {
    driverBytes = 6 + n * VIRTQ_AVAIL_ENTRY_SIZE;
    deviceBytes = 6 + n * VIRTQ_USED_ENTRY_SIZE;
    driverAlign = VIRTQ_AVAIL_ALIGN;
    deviceAlign = VIRTQ_USED_ALIGN;
  }
}

/** `bits` with what follows from them and from guest RAM, so that no verb has to find out. */
function resolve(q: usize, kind: u32, bits: u32): u32 {
  const guest = core(q);
  // packed/four.ts: 32-bit lanes hold every address, and nothing is logged.
  const fours =
    kind == LAYOUT_PACKED &&
    (bits & (FEATURE_IN_ORDER | OPTION_SCALAR | OPTION_LOG)) == FEATURE_IN_ORDER &&
    firstGpa(guest) + firstSize(guest) <= 0xffffffff &&
    !firstIsReadOnly(guest);
  // Single descriptors go the short way, which logs nothing and looks at the first region's bounds alone.
  const peels = !(bits & OPTION_LOG) && !firstIsReadOnly(guest);
  return (
    (bits & ~(RESOLVED_FOURS | RESOLVED_PEELS)) | (fours ? RESOLVED_FOURS : 0) | (peels ? RESOLVED_PEELS : 0)
  );
}

let areaLinear: usize = 0;

function judgeArea(q: usize, gpa: u64, bytes: u32, align: u32, write: bool): i32 {
  if (gpa & (align - 1)) return RING_ALIGN;
  if (wrapsAround(gpa, bytes)) return RING_ADDR_OVERFLOW;
  const linear = translate(core(q), gpa, bytes, write);
  if (linear == NOT_IN_GUEST) return RING_OUT_OF_GUEST;
  areaLinear = <usize>linear;
  return 0;
}


@inline
function overlap(a: usize, aBytes: u32, b: usize, bBytes: u32): bool {
  return <u64>a < <u64>b + bBytes && <u64>b < <u64>a + aBytes;
}

/**
 * Puts a queue into service; nothing changes when it is refused.
 *
 * @param kind LAYOUT_SPLIT or LAYOUT_PACKED
 * @param n queue size, 1…32768, not above maxSize; a power of two for split
 * @param bits FEATURE_… and OPTION_… of abi.ts
 * @param id what a notification carries in its low 16 bits
 * @returns 0, or why not
 */
export function queueSetUp(
  q: usize,
  kind: u32,
  n: u32,
  bits: u32,
  id: u32,
  descLow: u32,
  descHigh: u32,
  driverLow: u32,
  driverHigh: u32,
  deviceLow: u32,
  deviceHigh: u32,
): i32 {
  if (kind != LAYOUT_SPLIT && kind != LAYOUT_PACKED) return BAD_ARGUMENT;
  if (!n || n > <u32>VIRTQ_SIZE_MAX || n > maxSize(q)) return QUEUE_SIZE_INVALID;
  if (kind == LAYOUT_SPLIT && n & (n - 1)) return QUEUE_SIZE_INVALID; // §2.7
  const drives = (roles(q) & ROLE_DRIVER) != 0;
  const serves = (roles(q) & ROLE_DEVICE) != 0;
  measureAreas(kind, n);

  let code = judgeArea(
    q,
    (<u64>descLow) | ((<u64>descHigh) << 32),
    descBytes,
    VIRTQ_DESC_ALIGN,
    drives || kind == LAYOUT_PACKED,
  );
  if (code < 0) return code;
  const descAddress = areaLinear;
  code = judgeArea(q, (<u64>driverLow) | ((<u64>driverHigh) << 32), driverBytes, driverAlign, drives);
  if (code < 0) return code;
  const driverAddress = areaLinear;
  code = judgeArea(q, (<u64>deviceLow) | ((<u64>deviceHigh) << 32), deviceBytes, deviceAlign, serves);
  if (code < 0) return code;
  const deviceAddress = areaLinear;
  if (
    overlap(descAddress, descBytes, driverAddress, driverBytes) ||
    overlap(descAddress, descBytes, deviceAddress, deviceBytes) ||
    overlap(driverAddress, driverBytes, deviceAddress, deviceBytes)
  ) {
    return RING_OVERLAP;
  }

  setLayout(q, kind);
  setSize(q, n);
  setFeatures(q, resolve(q, kind, bits));
  setNotifyId(q, id & 0xffff);
  setDesc(q, descAddress);
  setDriverArea(q, driverAddress);
  setDeviceArea(q, deviceAddress);
  setTableLimit(q, bits & OPTION_STRICT_RING ? n : max(n, TABLE_ENTRIES_ALWAYS));
  setTables(q, 0);
  setTableEntries(q, 0);
  if (drives) driverReset(q);
  if (serves) deviceReset(q);
  return 0;
}

/** Gives the driver half its slab of indirect tables: size × entries × 16 bytes of guest memory. */
export function queueSetTables(q: usize, low: u32, high: u32, entries: u32): i32 {
  if (!entries || entries > <u32>VIRTQ_SIZE_MAX) return BAD_ARGUMENT;
  const bytes = <u64>size(q) * entries * VIRTQ_DESC_SIZE;
  if (bytes > 0xffffffff) return BAD_ARGUMENT;
  const gpa = (<u64>low) | ((<u64>high) << 32);
  const linear = translate(core(q), gpa, bytes, true);
  if (linear == NOT_IN_GUEST) return RING_OUT_OF_GUEST;
  setTables(q, <usize>linear);
  setTablesGpa(q, gpa);
  setTableEntries(q, entries);
  return 0;
}

/** Takes a queue out of service: every verb answers QUEUE_NOT_READY from here on. */
export function queueTearDown(q: usize): void {
  setLayout(q, LAYOUT_NONE);
  setDriverState(q, LAYOUT_NONE);
  setDeviceState(q, LAYOUT_NONE);
}

/** Stale tokens for whatever is in flight, and a free list 0, 1, 2… */
function resetShadow(shadow: usize, n: u32): void {
  for (let slot: u32 = 0; slot < n; slot++) {
    const entry = shadowAt(shadow, slot);
    const next = slot + 1 == n ? 0 : slot + 1;
    if (shadowCount(entry)) release(entry, next);
    else setShadowLink(entry, next);
  }
}

/** The driver half as after a reset (§2.4, §2.6.1): indices 0, wrap counters 1, nothing in flight. */
export function driverReset(q: usize): void {
  resetShadow(driverShadow(q), maxSize(q));
  setDriverState(q, layout(q));
  setDriverAvail(q, 0);
  setDriverAvailWrap(q, 1);
  setDriverPending(q, 0);
  setDriverShown(q, 0);
  setDriverUsed(q, 0);
  setDriverUsedWrap(q, 1);
  setDriverFreeHead(q, 0);
  setDriverFreeCount(q, size(q));
  setDriverInFlight(q, 0);
  setDriverOldest(q, 0);
  setDriverBatchEnd(q, 0);
  setDriverKickValue(q, notifyId(q));
  setDriverLogCount(q, 0);
}

/** The device half as after a reset (§2.4, §2.6.1): indices 0, wrap counters 1, nothing in flight. */
export function deviceReset(q: usize): void {
  resetShadow(deviceShadow(q), maxSize(q));
  setDeviceState(q, layout(q));
  setDeviceAvail(q, 0);
  setDeviceAvailWrap(q, 1);
  setDeviceUsed(q, 0);
  setDeviceUsedWrap(q, 1);
  setDevicePending(q, 0);
  setDeviceShown(q, 0);
  setDeviceFreeHead(q, 0);
  setDeviceInFlight(q, 0);
  setDeviceInFlightDescriptors(q, 0);
  setDeviceTaken(q, 0);
  setDeviceBatchCount(q, 0);
  setDeviceLogCount(q, 0);
}
