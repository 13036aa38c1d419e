// The per-queue struct: five cache lines, and a shadow of 16 bytes per descriptor on each side.
// The config and set-up lines are written at set-up only (the last error's two numbers apart); each half writes
// nothing but its own line and shadow, and the count of fours.
//
//   +0   config   features size desc driverArea deviceArea core driverShadow deviceShadow
//                 driverRecords deviceRecords recordBytes tableLimit tables tableEntries u64 tablesGpa
//   +64  set-up   layout roles maxSize notifyId batch driverLog deviceLog logEntries
//                 copyBase copyBytes copyPosition fours u64 faultValue u64 faultBound
//   +128 driver   state avail availWrap pending pendingSlot pendingFlags used usedWrap
//                 freeHead freeCount inFlight oldest batchEnd batchLength kickValue logCount
//   +192 device   state avail availWrap used usedWrap pending pendingSlot pendingFlags
//                 freeHead inFlight inFlightDescriptors taken batchCount batchLast batchLength logCount
//   +256 flat     u64 readableBytes u64 writtenBytes of the chains of the flat list that were added up last
//
// Split: avail and used are free-running 16-bit indices, what is pending included; pendingSlot is the index shown last,
// and what is pending, or in flight for the driver, is a distance. Packed: ring slots, with their wrap counters beside
// them; pending counts descriptors.
// Addresses are linear; bases and lengths in bytes.
import { QUEUE_BROKEN, QUEUE_NOT_READY } from "../src/spec/result";
import {
  FEATURE_EVENT_IDX,
  FEATURE_IN_ORDER,
  OPTION_LOG,
  QUEUE_BATCH,
  QUEUE_COPY_BASE,
  QUEUE_COPY_BYTES,
  QUEUE_COPY_POSITION,
  QUEUE_CORE,
  QUEUE_DESC,
  QUEUE_DEVICE_AREA,
  QUEUE_DEVICE_LOG,
  QUEUE_DEVICE_RECORDS,
  QUEUE_DEVICE_SHADOW,
  QUEUE_DRIVER_AREA,
  QUEUE_DRIVER_LOG,
  QUEUE_DRIVER_RECORDS,
  QUEUE_DRIVER_SHADOW,
  QUEUE_FAULT_BOUND,
  QUEUE_FOURS,
  QUEUE_FAULT_VALUE,
  QUEUE_FEATURES,
  QUEUE_LAYOUT,
  QUEUE_LOG_ENTRIES,
  QUEUE_MAX_SIZE,
  QUEUE_NOTIFY_ID,
  QUEUE_RECORD_BYTES,
  QUEUE_ROLES,
  QUEUE_SIZE,
  QUEUE_TABLE_ENTRIES,
  QUEUE_TABLE_LIMIT,
  QUEUE_TABLES,
  QUEUE_TABLES_GPA,
  RESOLVED_FOURS,
  RESOLVED_PEELS,
} from "./abi";

// Config and set-up lines.

@inline
export function features(q: usize): u32 {
  return load<u32>(q, QUEUE_FEATURES);
}


@inline
export function setFeatures(q: usize, value: u32): void {
  store<u32>(q, value, QUEUE_FEATURES);
}


@inline
export function size(q: usize): u32 {
  return load<u32>(q, QUEUE_SIZE);
}


@inline
export function setSize(q: usize, value: u32): void {
  store<u32>(q, value, QUEUE_SIZE);
}


@inline
export function desc(q: usize): usize {
  return load<usize>(q, QUEUE_DESC);
}


@inline
export function setDesc(q: usize, value: usize): void {
  store<usize>(q, value, QUEUE_DESC);
}


@inline
export function driverArea(q: usize): usize {
  return load<usize>(q, QUEUE_DRIVER_AREA);
}


@inline
export function setDriverArea(q: usize, value: usize): void {
  store<usize>(q, value, QUEUE_DRIVER_AREA);
}


@inline
export function deviceArea(q: usize): usize {
  return load<usize>(q, QUEUE_DEVICE_AREA);
}


@inline
export function setDeviceArea(q: usize, value: usize): void {
  store<usize>(q, value, QUEUE_DEVICE_AREA);
}


@inline
export function core(q: usize): usize {
  return load<usize>(q, QUEUE_CORE);
}


@inline
export function driverShadow(q: usize): usize {
  return load<usize>(q, QUEUE_DRIVER_SHADOW);
}


@inline
export function deviceShadow(q: usize): usize {
  return load<usize>(q, QUEUE_DEVICE_SHADOW);
}


@inline
export function driverRecords(q: usize): usize {
  return load<usize>(q, QUEUE_DRIVER_RECORDS);
}


@inline
export function deviceRecords(q: usize): usize {
  return load<usize>(q, QUEUE_DEVICE_RECORDS);
}


@inline
export function recordBytes(q: usize): u32 {
  return load<u32>(q, QUEUE_RECORD_BYTES);
}


@inline
export function tableLimit(q: usize): u32 {
  return load<u32>(q, QUEUE_TABLE_LIMIT);
}


@inline
export function setTableLimit(q: usize, value: u32): void {
  store<u32>(q, value, QUEUE_TABLE_LIMIT);
}


@inline
export function tables(q: usize): usize {
  return load<usize>(q, QUEUE_TABLES);
}


@inline
export function setTables(q: usize, value: usize): void {
  store<usize>(q, value, QUEUE_TABLES);
}


@inline
export function tableEntries(q: usize): u32 {
  return load<u32>(q, QUEUE_TABLE_ENTRIES);
}


@inline
export function setTableEntries(q: usize, value: u32): void {
  store<u32>(q, value, QUEUE_TABLE_ENTRIES);
}


@inline
export function tablesGpa(q: usize): u64 {
  return load<u64>(q, QUEUE_TABLES_GPA);
}


@inline
export function setTablesGpa(q: usize, value: u64): void {
  store<u64>(q, value, QUEUE_TABLES_GPA);
}


@inline
export function layout(q: usize): u32 {
  return load<u32>(q, QUEUE_LAYOUT);
}


@inline
export function setLayout(q: usize, value: u32): void {
  store<u32>(q, value, QUEUE_LAYOUT);
}


@inline
export function roles(q: usize): u32 {
  return load<u32>(q, QUEUE_ROLES);
}


@inline
export function maxSize(q: usize): u32 {
  return load<u32>(q, QUEUE_MAX_SIZE);
}


@inline
export function notifyId(q: usize): u32 {
  return load<u32>(q, QUEUE_NOTIFY_ID);
}


@inline
export function setNotifyId(q: usize, value: u32): void {
  store<u32>(q, value, QUEUE_NOTIFY_ID);
}


@inline
export function batch(q: usize): u32 {
  return load<u32>(q, QUEUE_BATCH);
}


@inline
export function driverLog(q: usize): usize {
  return load<usize>(q, QUEUE_DRIVER_LOG);
}


@inline
export function deviceLog(q: usize): usize {
  return load<usize>(q, QUEUE_DEVICE_LOG);
}


@inline
export function logEntries(q: usize): u32 {
  return load<u32>(q, QUEUE_LOG_ENTRIES);
}


@inline
export function copyBase(q: usize): usize {
  return load<usize>(q, QUEUE_COPY_BASE);
}


@inline
export function copyBytesTotal(q: usize): u32 {
  return load<u32>(q, QUEUE_COPY_BYTES);
}


@inline
export function copyPosition(q: usize): u32 {
  return load<u32>(q, QUEUE_COPY_POSITION);
}


@inline
export function setCopyPosition(q: usize, value: u32): void {
  store<u32>(q, value, QUEUE_COPY_POSITION);
}


@inline
export function hasEventIdx(q: usize): bool {
  return (features(q) & FEATURE_EVENT_IDX) != 0;
}


@inline
export function isInOrder(q: usize): bool {
  return (features(q) & FEATURE_IN_ORDER) != 0;
}


@inline
export function isLogged(q: usize): bool {
  return (features(q) & OPTION_LOG) != 0;
}

/** Whether the peels of single descriptors may be tried: nothing is logged, guest RAM is writable; resolved at set-up. */
@inline
export function hasPeels(q: usize): bool {
  return (features(q) & RESOLVED_PEELS) != 0;
}

/** Whether four descriptors at a time may be tried: packed with IN_ORDER, resolved at set-up. */
@inline
export function hasFours(q: usize): bool {
  return (features(q) & RESOLVED_FOURS) != 0;
}

/** Counts groups of four that SIMD moved, modulo 2^32: which path ran, for whoever asks. */
@inline
export function countFours(q: usize, groups: u32): void {
  store<u32>(q, load<u32>(q, QUEUE_FOURS) + groups, QUEUE_FOURS);
}

/** Why a half in this state doesn't do what it was asked for: it was broken, or is out of service, or of the other layout. */
export function refusal(state: i32): i32 {
  return state < 0 ? QUEUE_BROKEN : QUEUE_NOT_READY;
}

/** Keeps the two numbers of an error for its message, what was found and what it was held against; gives the code. */
export function blame(q: usize, code: i32, value: u64, bound: u64): i32 {
  store<u64>(q, value, QUEUE_FAULT_VALUE);
  store<u64>(q, bound, QUEUE_FAULT_BOUND);
  return code;
}
