// The device line of the queue struct (drawn in queue-state.ts): what the device half alone writes.
import {
  DEVICE_STATE,
  DEVICE_AVAIL,
  DEVICE_AVAIL_WRAP,
  DEVICE_USED,
  DEVICE_USED_WRAP,
  DEVICE_PENDING,
  DEVICE_PENDING_SLOT,
  DEVICE_PENDING_FLAGS,
  DEVICE_FREE_HEAD,
  DEVICE_IN_FLIGHT,
  DEVICE_IN_FLIGHT_DESCRIPTORS,
  DEVICE_TAKEN,
  DEVICE_BATCH_COUNT,
  DEVICE_BATCH_LAST,
  DEVICE_BATCH_LENGTH,
  DEVICE_LOG_COUNT,
} from "./abi";

/** LAYOUT_SPLIT or LAYOUT_PACKED while this half is in service, LAYOUT_NONE before and after; or the error that broke it. */
@inline
export function deviceState(q: usize): i32 {
  return load<i32>(q, DEVICE_STATE);
}


@inline
export function setDeviceState(q: usize, value: i32): void {
  store<i32>(q, value, DEVICE_STATE);
}


@inline
export function deviceAvail(q: usize): u32 {
  return load<u32>(q, DEVICE_AVAIL);
}


@inline
export function setDeviceAvail(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_AVAIL);
}


@inline
export function deviceAvailWrap(q: usize): u32 {
  return load<u32>(q, DEVICE_AVAIL_WRAP);
}


@inline
export function setDeviceAvailWrap(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_AVAIL_WRAP);
}


@inline
export function deviceUsed(q: usize): u32 {
  return load<u32>(q, DEVICE_USED);
}


@inline
export function setDeviceUsed(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_USED);
}


@inline
export function deviceUsedWrap(q: usize): u32 {
  return load<u32>(q, DEVICE_USED_WRAP);
}


@inline
export function setDeviceUsedWrap(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_USED_WRAP);
}


@inline
export function devicePending(q: usize): u32 {
  return load<u32>(q, DEVICE_PENDING);
}


@inline
export function setDevicePending(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_PENDING);
}


@inline
export function devicePendingSlot(q: usize): u32 {
  return load<u32>(q, DEVICE_PENDING_SLOT);
}


@inline
export function setDevicePendingSlot(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_PENDING_SLOT);
}


@inline
export function devicePendingFlags(q: usize): u32 {
  return load<u32>(q, DEVICE_PENDING_FLAGS);
}


@inline
export function setDevicePendingFlags(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_PENDING_FLAGS);
}


@inline
export function deviceFreeHead(q: usize): u32 {
  return load<u32>(q, DEVICE_FREE_HEAD);
}


@inline
export function setDeviceFreeHead(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_FREE_HEAD);
}


@inline
export function deviceInFlight(q: usize): u32 {
  return load<u32>(q, DEVICE_IN_FLIGHT);
}


@inline
export function setDeviceInFlight(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_IN_FLIGHT);
}


@inline
export function deviceInFlightDescriptors(q: usize): u32 {
  return load<u32>(q, DEVICE_IN_FLIGHT_DESCRIPTORS);
}


@inline
export function setDeviceInFlightDescriptors(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_IN_FLIGHT_DESCRIPTORS);
}


@inline
export function deviceTaken(q: usize): u32 {
  return load<u32>(q, DEVICE_TAKEN);
}


@inline
export function setDeviceTaken(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_TAKEN);
}


@inline
export function deviceBatchCount(q: usize): u32 {
  return load<u32>(q, DEVICE_BATCH_COUNT);
}


@inline
export function setDeviceBatchCount(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_BATCH_COUNT);
}


@inline
export function deviceBatchLast(q: usize): u32 {
  return load<u32>(q, DEVICE_BATCH_LAST);
}


@inline
export function setDeviceBatchLast(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_BATCH_LAST);
}


@inline
export function deviceBatchLength(q: usize): u32 {
  return load<u32>(q, DEVICE_BATCH_LENGTH);
}


@inline
export function setDeviceBatchLength(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_BATCH_LENGTH);
}


@inline
export function deviceLogCount(q: usize): u32 {
  return load<u32>(q, DEVICE_LOG_COUNT);
}


@inline
export function setDeviceLogCount(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_LOG_COUNT);
}

/** Split: the index that the driver was shown last (§2.7.8). It takes the place of packed's pending slot. */
@inline
export function deviceShown(q: usize): u32 {
  return load<u32>(q, DEVICE_PENDING_SLOT);
}


@inline
export function setDeviceShown(q: usize, value: u32): void {
  store<u32>(q, value, DEVICE_PENDING_SLOT);
}
