// The split virtqueue's three parts (§2.7): where each field stands, and how wide it is.
//
// descriptor table  size × { u64 addr, u32 len, u16 flags, u16 next }
// driver area       { u16 flags, u16 idx, size × u16 ring, u16 used_event }
// device area       { u16 flags, u16 idx, size × { u32 id, u32 len }, u16 avail_event }
// A descriptor is read in two loads: its address, and its tail (len, flags and next in one u64).
import { VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import {
  VIRTQ_AVAIL_ENTRY_SIZE,
  VIRTQ_AVAIL_FLAGS,
  VIRTQ_AVAIL_IDX,
  VIRTQ_AVAIL_RING,
  VIRTQ_DESC_ADDR,
  VIRTQ_DESC_LEN,
  VIRTQ_USED_ENTRY_SIZE,
  VIRTQ_USED_FLAGS,
  VIRTQ_USED_IDX,
  VIRTQ_USED_RING,
} from "../../src/spec/split";
import { load16Ordered, store16Ordered } from "../memory";


@inline
export function descAt(table: usize, slot: u32): usize {
  return table + <usize>slot * VIRTQ_DESC_SIZE;
}


@inline
export function descAddr(table: usize, slot: u32): u64 {
  return load<u64>(descAt(table, slot), VIRTQ_DESC_ADDR);
}


@inline
export function descTail(table: usize, slot: u32): u64 {
  return load<u64>(descAt(table, slot), VIRTQ_DESC_LEN);
}


@inline
export function tailLength(tail: u64): u32 {
  return <u32>tail;
}


@inline
export function tailFlags(tail: u64): u32 {
  return (<u32>(tail >>> 32)) & 0xffff;
}


@inline
export function tailNext(tail: u64): u32 {
  return <u32>(tail >>> 48);
}


@inline
export function setDesc(table: usize, slot: u32, addr: u64, len: u32, flags: u32, next: u32): void {
  const desc = descAt(table, slot);
  store<u64>(desc, addr, VIRTQ_DESC_ADDR);
  store<u64>(desc, (<u64>len) | ((<u64>(flags | (next << 16))) << 32), VIRTQ_DESC_LEN);
}


@inline
export function setAvailFlags(driverArea: usize, flags: u32): void {
  store16Ordered(driverArea + VIRTQ_AVAIL_FLAGS, flags);
}


@inline
export function availFlags(driverArea: usize): u32 {
  return load16Ordered(driverArea + VIRTQ_AVAIL_FLAGS);
}


@inline
export function availIdx(driverArea: usize): u32 {
  return load16Ordered(driverArea + VIRTQ_AVAIL_IDX);
}


@inline
export function setAvailIdx(driverArea: usize, idx: u32): void {
  store16Ordered(driverArea + VIRTQ_AVAIL_IDX, idx);
}


@inline
export function availEntryAt(driverArea: usize, slot: u32): usize {
  return driverArea + VIRTQ_AVAIL_RING + <usize>slot * VIRTQ_AVAIL_ENTRY_SIZE;
}


@inline
export function availEntry(at: usize): u32 {
  return <u32>load<u16>(at);
}


@inline
export function setAvailEntry(at: usize, head: u32): void {
  store<u16>(at, <u16>head);
}

/** used_event stands behind the available ring (§2.7.6). */
@inline
export function usedEventAt(driverArea: usize, size: u32): usize {
  return availEntryAt(driverArea, size);
}


@inline
export function usedEvent(driverArea: usize, size: u32): u32 {
  return load16Ordered(usedEventAt(driverArea, size));
}


@inline
export function setUsedEvent(driverArea: usize, size: u32, idx: u32): void {
  store16Ordered(usedEventAt(driverArea, size), idx);
}


@inline
export function usedFlags(deviceArea: usize): u32 {
  return load16Ordered(deviceArea + VIRTQ_USED_FLAGS);
}


@inline
export function setUsedFlags(deviceArea: usize, flags: u32): void {
  store16Ordered(deviceArea + VIRTQ_USED_FLAGS, flags);
}


@inline
export function usedIdx(deviceArea: usize): u32 {
  return load16Ordered(deviceArea + VIRTQ_USED_IDX);
}


@inline
export function setUsedIdx(deviceArea: usize, idx: u32): void {
  store16Ordered(deviceArea + VIRTQ_USED_IDX, idx);
}


@inline
export function usedElementAt(deviceArea: usize, slot: u32): usize {
  return deviceArea + VIRTQ_USED_RING + <usize>slot * VIRTQ_USED_ENTRY_SIZE;
}

/** One used element: id in the low half, len in the high half. */
@inline
export function usedElement(at: usize): u64 {
  return load<u64>(at);
}


@inline
export function setUsedElement(at: usize, id: u32, len: u32): void {
  store<u64>(at, (<u64>id) | ((<u64>len) << 32));
}

/** avail_event stands behind the used ring (§2.7.8). */
@inline
export function availEventAt(deviceArea: usize, size: u32): usize {
  return usedElementAt(deviceArea, size);
}


@inline
export function availEvent(deviceArea: usize, size: u32): u32 {
  return load16Ordered(availEventAt(deviceArea, size));
}


@inline
export function setAvailEvent(deviceArea: usize, size: u32, idx: u32): void {
  store16Ordered(availEventAt(deviceArea, size), idx);
}
