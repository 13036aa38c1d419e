// The driver line of the queue struct (drawn in queue-state.ts): what the driver half alone writes.
import {
  DRIVER_STATE,
  DRIVER_AVAIL,
  DRIVER_AVAIL_WRAP,
  DRIVER_PENDING,
  DRIVER_PENDING_SLOT,
  DRIVER_PENDING_FLAGS,
  DRIVER_USED,
  DRIVER_USED_WRAP,
  DRIVER_FREE_HEAD,
  DRIVER_FREE_COUNT,
  DRIVER_IN_FLIGHT,
  DRIVER_OLDEST,
  DRIVER_BATCH_END,
  DRIVER_BATCH_LENGTH,
  DRIVER_KICK_VALUE,
  DRIVER_LOG_COUNT,
} from "./abi";

/** LAYOUT_SPLIT or LAYOUT_PACKED while this half is in service, LAYOUT_NONE before and after; or the error that broke it. */
@inline
export function driverState(q: usize): i32 {
  return load<i32>(q, DRIVER_STATE);
}


@inline
export function setDriverState(q: usize, value: i32): void {
  store<i32>(q, value, DRIVER_STATE);
}


@inline
export function driverAvail(q: usize): u32 {
  return load<u32>(q, DRIVER_AVAIL);
}


@inline
export function setDriverAvail(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_AVAIL);
}


@inline
export function driverAvailWrap(q: usize): u32 {
  return load<u32>(q, DRIVER_AVAIL_WRAP);
}


@inline
export function setDriverAvailWrap(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_AVAIL_WRAP);
}


@inline
export function driverPending(q: usize): u32 {
  return load<u32>(q, DRIVER_PENDING);
}


@inline
export function setDriverPending(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_PENDING);
}


@inline
export function driverPendingSlot(q: usize): u32 {
  return load<u32>(q, DRIVER_PENDING_SLOT);
}


@inline
export function setDriverPendingSlot(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_PENDING_SLOT);
}


@inline
export function driverPendingFlags(q: usize): u32 {
  return load<u32>(q, DRIVER_PENDING_FLAGS);
}


@inline
export function setDriverPendingFlags(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_PENDING_FLAGS);
}


@inline
export function driverUsed(q: usize): u32 {
  return load<u32>(q, DRIVER_USED);
}


@inline
export function setDriverUsed(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_USED);
}


@inline
export function driverUsedWrap(q: usize): u32 {
  return load<u32>(q, DRIVER_USED_WRAP);
}


@inline
export function setDriverUsedWrap(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_USED_WRAP);
}


@inline
export function driverFreeHead(q: usize): u32 {
  return load<u32>(q, DRIVER_FREE_HEAD);
}


@inline
export function setDriverFreeHead(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_FREE_HEAD);
}


@inline
export function driverFreeCount(q: usize): u32 {
  return load<u32>(q, DRIVER_FREE_COUNT);
}


@inline
export function setDriverFreeCount(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_FREE_COUNT);
}


@inline
export function driverInFlight(q: usize): u32 {
  return load<u32>(q, DRIVER_IN_FLIGHT);
}


@inline
export function setDriverInFlight(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_IN_FLIGHT);
}


@inline
export function driverOldest(q: usize): u32 {
  return load<u32>(q, DRIVER_OLDEST);
}


@inline
export function setDriverOldest(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_OLDEST);
}


@inline
export function driverBatchEnd(q: usize): u32 {
  return load<u32>(q, DRIVER_BATCH_END);
}


@inline
export function setDriverBatchEnd(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_BATCH_END);
}


@inline
export function driverBatchLength(q: usize): u32 {
  return load<u32>(q, DRIVER_BATCH_LENGTH);
}


@inline
export function setDriverBatchLength(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_BATCH_LENGTH);
}


@inline
export function setDriverKickValue(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_KICK_VALUE);
}


@inline
export function driverLogCount(q: usize): u32 {
  return load<u32>(q, DRIVER_LOG_COUNT);
}


@inline
export function setDriverLogCount(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_LOG_COUNT);
}

/** Split: the index that the device was shown last (§2.7.6). It takes the place of packed's pending slot. */
@inline
export function driverShown(q: usize): u32 {
  return load<u32>(q, DRIVER_PENDING_SLOT);
}


@inline
export function setDriverShown(q: usize, value: u32): void {
  store<u32>(q, value, DRIVER_PENDING_SLOT);
}

/** Split: chains in flight, added and not yet taken back. */
@inline
export function driverDistance(q: usize): u32 {
  return (driverAvail(q) - driverUsed(q)) & 0xffff;
}
