// The packed virtqueue's parts (§2.8): where each field stands, and how wide it is.
//
// descriptor ring  size × { u64 addr, u32 len, u16 id, u16 flags }
// driver area      { u16 off_wrap, u16 flags }, written by the driver: when to send used notifications
// device area      the same, written by the device: when to send available notifications
// The head's flags are the word through which the two sides meet; a descriptor is read in two u64 loads, the one with
// the flags first.
import { VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import {
  PACKED_DESC_ADDR,
  PACKED_DESC_FLAGS,
  PACKED_DESC_ID,
  PACKED_DESC_LEN,
  PACKED_EVENT_FLAGS,
} from "../../src/spec/packed";
import { load16Ordered, load32Ordered, loadTailOrdered, store16Ordered, store32Ordered } from "../memory";


@inline
export function descAt(ring: usize, slot: u32): usize {
  return ring + <usize>slot * VIRTQ_DESC_SIZE;
}


@inline
export function descAddr(desc: usize): u64 {
  return load<u64>(desc, PACKED_DESC_ADDR);
}

/** len, id and flags, the flags first: what they promise holds for len and id, and for the address loaded after them. */
@inline
export function descTail(desc: usize): u64 {
  return loadTailOrdered(desc + PACKED_DESC_LEN);
}


@inline
export function tailLength(tail: u64): u32 {
  return <u32>tail;
}


@inline
export function tailId(tail: u64): u32 {
  return (<u32>(tail >>> 32)) & 0xffff;
}


@inline
export function tailFlags(tail: u64): u32 {
  return <u32>(tail >>> 48);
}


@inline
export function descFlags(desc: usize): u32 {
  return load16Ordered(desc + PACKED_DESC_FLAGS);
}


@inline
export function setDescFlags(desc: usize, flags: u32): void {
  store16Ordered(desc + PACKED_DESC_FLAGS, flags);
}

/**
 * len, id and flags in one store. Plain: for descriptors that lie behind a head whose flags are still held back, so
 * that the other side can't look at them yet.
 */
@inline
export function setDescTail(desc: usize, len: u32, id: u32, flags: u32): void {
  store<u64>(desc, (<u64>len) | ((<u64>(id | (flags << 16))) << 32), PACKED_DESC_LEN);
}

/** A whole descriptor, under the same condition. */
@inline
export function setDesc(desc: usize, addr: u64, len: u32, id: u32, flags: u32): void {
  store<u64>(desc, addr, PACKED_DESC_ADDR);
  setDescTail(desc, len, id, flags);
}

/** Everything but the flags. */
@inline
export function setDescBody(desc: usize, addr: u64, len: u32, id: u32): void {
  store<u64>(desc, addr, PACKED_DESC_ADDR);
  setDescUsed(desc, len, id);
}

/** What a used descriptor carries besides its flags (§2.8.4): the address is left alone. */
@inline
export function setDescUsed(desc: usize, len: u32, id: u32): void {
  store<u32>(desc, len, PACKED_DESC_LEN);
  store<u16>(desc, <u16>id, PACKED_DESC_ID);
}

/** One snapshot of an event structure: off_wrap in the low half, flags in the high half. */
@inline
export function eventSnapshot(area: usize): u32 {
  return load32Ordered(area);
}

/** Both fields in one store, so that no reader sees half of it. */
@inline
export function setEvent(area: usize, offWrap: u32, flags: u32): void {
  store32Ordered(area, offWrap | (flags << 16));
}


@inline
export function setEventFlags(area: usize, flags: u32): void {
  store16Ordered(area + PACKED_EVENT_FLAGS, flags);
}
