/**
 * The bytes of a packed virtqueue (§2.8), field by field, and positions in it. Driver and device both write the descriptor
 * ring; each writes one event structure that the other reads (§2.8.10).
 */
import {
  PACKED_DESC_ADDR,
  PACKED_DESC_FLAGS,
  PACKED_DESC_ID,
  PACKED_DESC_LEN,
  PACKED_EVENT_FLAGS,
  PACKED_EVENT_OFF_WRAP,
  RING_EVENT_FLAGS_DESC,
  RING_EVENT_FLAGS_DISABLE,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_USED,
} from "../../src/spec/packed";
import { VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import { needEvent } from "./event";
import type { GuestRam } from "./guest-ram";
import type { RingAreas } from "./ring";
import type { Descriptor } from "./walk";

/** A slot in the lap of a wrap counter. */
export interface Position {
  readonly slot: number;
  readonly wrap: 0 | 1;
}

/** The position `count` slots further on, 0…size: the wrap counter flips behind the last slot (§2.8.1). */
export function advance({ slot, wrap }: Position, count: number, size: number): Position {
  const next = slot + count;
  return next < size ? { slot: next, wrap } : { slot: next - size, wrap: wrap === 1 ? 0 : 1 };
}

/** A position as one number: bits 0-14 the slot, bit 15 the wrap counter, as in the event structures. */
export function positionWord({ slot, wrap }: Position): number {
  return slot | (wrap << 15);
}

/** AVAIL and USED of a descriptor that is available in the lap of `wrap` (§2.8.1): USED is the inverse. */
export function availableBits(wrap: 0 | 1): number {
  return wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
}

/** AVAIL and USED of a descriptor that is used in the lap of `wrap` (§2.8.1): both are the wrap counter. */
export function usedBits(wrap: 0 | 1): number {
  return wrap === 1 ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
}

const LAP_BITS = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/** A packed descriptor: the buffer id counts in the last one of a list. */
export interface PackedDescriptor extends Descriptor {
  readonly id: number;
}

/** Reads the descriptor at an offset of the memory, in the ring or in a table. */
export function readDescriptor(ram: GuestRam, offset: number): PackedDescriptor {
  return {
    address: ram.u64(offset + PACKED_DESC_ADDR),
    length: ram.u32(offset + PACKED_DESC_LEN),
    id: ram.u16(offset + PACKED_DESC_ID),
    flags: ram.u16(offset + PACKED_DESC_FLAGS),
  };
}

/** Writes everything of a descriptor but the flags, which expose it. */
export function writeBody(
  ram: GuestRam,
  offset: number,
  { address, length, id }: { address: number; length: number; id: number },
): void {
  ram.setU64(offset + PACKED_DESC_ADDR, address);
  ram.setU32(offset + PACKED_DESC_LEN, length);
  ram.setU16(offset + PACKED_DESC_ID, id);
}

export class PackedRing {
  readonly size: number;
  readonly #ram: GuestRam;
  readonly #ring: number;
  readonly #driverEvent: number;
  readonly #deviceEvent: number;

  constructor(ram: GuestRam, size: number, areas: RingAreas) {
    this.size = size;
    this.#ram = ram;
    this.#ring = ram.place(BigInt(areas.descriptor));
    this.#driverEvent = ram.place(BigInt(areas.driver));
    this.#deviceEvent = ram.place(BigInt(areas.device));
  }

  descriptor(slot: number): number {
    return this.#ring + VIRTQ_DESC_SIZE * slot;
  }

  flags(slot: number): number {
    return this.#ram.u16(this.descriptor(slot) + PACKED_DESC_FLAGS);
  }

  setFlags(slot: number, flags: number): void {
    this.#ram.setU16(this.descriptor(slot) + PACKED_DESC_FLAGS, flags);
  }

  /** A used descriptor's id and length; its address stays what it was. */
  setUsed(slot: number, id: number, length: number): void {
    this.#ram.setU16(this.descriptor(slot) + PACKED_DESC_ID, id);
    this.#ram.setU32(this.descriptor(slot) + PACKED_DESC_LEN, length);
  }

  isAvailable({ slot, wrap }: Position): boolean {
    return (this.flags(slot) & LAP_BITS) === availableBits(wrap);
  }

  isUsed({ slot, wrap }: Position): boolean {
    return (this.flags(slot) & LAP_BITS) === usedBits(wrap);
  }

  /** The event structure of each side. */
  readonly driverEvent = (): EventStructure => this.#event(this.#driverEvent);
  readonly deviceEvent = (): EventStructure => this.#event(this.#deviceEvent);

  #event(offset: number): EventStructure {
    return new EventStructure(this.#ram, offset, this.size);
  }
}

/** One side's wish for notifications (§2.8.10); the other side reads it after it has written descriptors. */
export class EventStructure {
  readonly #ram: GuestRam;
  readonly #offset: number;
  readonly #size: number;

  constructor(ram: GuestRam, offset: number, size: number) {
    this.#ram = ram;
    this.#offset = offset;
    this.#size = size;
  }

  setFlags(flags: number): void {
    this.#ram.setU16(this.#offset + PACKED_EVENT_FLAGS, flags);
  }

  /** Asks for a notification at one descriptor: the position before the flags that make it count. */
  setPosition(position: Position): void {
    this.#ram.setU16(this.#offset + PACKED_EVENT_OFF_WRAP, positionWord(position));
    this.setFlags(RING_EVENT_FLAGS_DESC);
  }

  /** True if a notification is due now that `count` descriptors up to `next` were written. */
  wants(next: Position, count: number, eventIdx: boolean): boolean {
    const offWrap = this.#ram.u16(this.#offset + PACKED_EVENT_OFF_WRAP);
    const flags = this.#ram.u16(this.#offset + PACKED_EVENT_FLAGS) & 3; // 14 bits are reserved
    if (flags === RING_EVENT_FLAGS_DISABLE) {
      return false;
    }
    const slot = offWrap & 0x7fff;
    if (flags !== RING_EVENT_FLAGS_DESC || !eventIdx || slot >= this.#size) {
      return true; // ENABLE, or a value that §2.8.10 does not allow
    }
    // Unroll the ring: slots of the lap before lie `size` before those of this lap.
    const isThisLap = offWrap >> 15 === next.wrap;
    return needEvent(isThisLap ? slot : slot - this.#size, next.slot, next.slot - count);
  }
}
