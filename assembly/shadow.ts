// Shadow of one descriptor (split) or slot (packed):
//   +0 u16 link        next free one; in flight under IN_ORDER, or on the device side: its turn, modulo 2^16
//   +2 u16 generation  1…32767, of the token in force or of the next one
//   +4 u16 count       ring descriptors of the chain in flight, 0: none
//   +6 u16 id          split driver: the chain's last descriptor; device: the buffer ID to hand back
//   +8 u64 writable    the chain's device-writable bytes, 0…2^32; or RECOVERED
import {
  GENERATION_MAX,
  SHADOW_BYTES,
  SHADOW_COUNT,
  SHADOW_GENERATION,
  SHADOW_ID,
  SHADOW_LINK,
  SHADOW_WRITABLE,
} from "./abi";


@inline
export function shadowAt(shadow: usize, slot: u32): usize {
  return shadow + <usize>slot * SHADOW_BYTES;
}


@inline
export function shadowLink(entry: usize): u32 {
  return <u32>load<u16>(entry, SHADOW_LINK);
}


@inline
export function setShadowLink(entry: usize, link: u32): void {
  store<u16>(entry, <u16>link, SHADOW_LINK);
}


@inline
export function shadowGeneration(entry: usize): u32 {
  return <u32>load<u16>(entry, SHADOW_GENERATION);
}


@inline
export function shadowCount(entry: usize): u32 {
  return <u32>load<u16>(entry, SHADOW_COUNT);
}


@inline
export function shadowId(entry: usize): u32 {
  return <u32>load<u16>(entry, SHADOW_ID);
}


@inline
export function shadowWritable(entry: usize): u64 {
  return load<u64>(entry, SHADOW_WRITABLE);
}

// The first eight bytes in one load, for loops that need more than one of its fields.

@inline
export function shadowHead(entry: usize): u64 {
  return load<u64>(entry);
}


@inline
export function headLink(head: u64): u32 {
  return (<u32>head) & 0xffff;
}


@inline
export function headCount(head: u64): u32 {
  return (<u32>(head >>> 32)) & 0xffff;
}


@inline
export function headId(head: u64): u32 {
  return <u32>(head >>> 48);
}

/** The token of the chain in `slot`, in flight or about to be. */
@inline
export function headToken(head: u64, slot: u32): u32 {
  return slot | ((<u32>head) & 0xffff0000);
}

/**
 * `writable` of a chain that is given back for its error: nothing may be written, and no batch may skip it, since the
 * driver would take it as fully written (§2.7.9, §2.8.8).
 */
export const RECOVERED: u64 = 0x100000001;

/** Most bytes that the chain may be completed with. */
@inline
export function shadowLimit(entry: usize): u64 {
  const writable = shadowWritable(entry);
  return writable == RECOVERED ? 0 : writable;
}

/** Marks a slot in flight and gives its generation, from which the token is made. */
@inline
export function occupy(entry: usize, link: u32, count: u32, id: u32, writable: u64): u32 {
  const generation = shadowGeneration(entry);
  store<u64>(entry, ((<u64>(count | (id << 16))) << 32) | (<u64>(link | (generation << 16))));
  store<u64>(entry, writable, SHADOW_WRITABLE);
  return generation;
}

/** Takes a slot out of flight: its token is stale from here on. */
@inline
export function release(entry: usize, link: u32): void {
  releaseHead(entry, shadowHead(entry), link);
}

/** The same with its first eight bytes already loaded. */
@inline
export function releaseHead(entry: usize, head: u64, link: u32): void {
  const generation = (<u32>head) & 0xffff0000; // in place, as in the token
  const next: u32 = generation == GENERATION_MAX << 16 ? 1 << 16 : generation + (1 << 16);
  store<u64>(entry, <u64>(link | next));
}

/** The first word of a head, link and generation, as it is; or with another link. */
@inline
export function headWord(head: u64): u32 {
  return <u32>head;
}


@inline
export function relinked(head: u64, link: u32): u32 {
  return link | ((<u32>head) & 0xffff0000);
}

/** Marks a slot in flight with a chain of one descriptor; `word` is its link and generation. */
@inline
export function occupySingle(entry: usize, word: u32, id: u32, writable: u32): void {
  store<u64>(entry, ((<u64>(1 | (id << 16))) << 32) | (<u64>word));
  store<u64>(entry, <u64>writable, SHADOW_WRITABLE);
}


@inline
export function tokenOf(slot: u32, generation: u32): u32 {
  return slot | (generation << 16);
}


@inline
export function tokenSlot(token: u32): u32 {
  return token & 0xffff;
}


@inline
export function tokenGeneration(token: u32): u32 {
  return token >>> 16;
}
