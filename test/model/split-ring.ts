/**
 * The bytes of a split virtqueue (§2.7), field by field: who writes which is stated at each area. Free-running indices end
 * in `Idx`, positions in the rings in `Slot`. The two event words lie behind the ring entries.
 */
import { VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import {
  VIRTQ_AVAIL_ENTRY_SIZE,
  VIRTQ_AVAIL_FLAGS,
  VIRTQ_AVAIL_IDX,
  VIRTQ_AVAIL_RING,
  VIRTQ_DESC_ADDR,
  VIRTQ_DESC_FLAGS,
  VIRTQ_DESC_LEN,
  VIRTQ_DESC_NEXT,
  VIRTQ_USED_ENTRY_SIZE,
  VIRTQ_USED_FLAGS,
  VIRTQ_USED_IDX,
  VIRTQ_USED_RING,
} from "../../src/spec/split";
import type { GuestRam } from "./guest-ram";
import type { RingAreas } from "./ring";
import type { Descriptor } from "./walk";

/** A split descriptor: `next` counts only with the NEXT flag. */
export interface SplitDescriptor extends Descriptor {
  readonly next: number;
}

/** Reads the descriptor at an offset of the memory, in the ring or in a table. */
export function readDescriptor(ram: GuestRam, offset: number): SplitDescriptor {
  return {
    address: ram.u64(offset + VIRTQ_DESC_ADDR),
    length: ram.u32(offset + VIRTQ_DESC_LEN),
    flags: ram.u16(offset + VIRTQ_DESC_FLAGS),
    next: ram.u16(offset + VIRTQ_DESC_NEXT),
  };
}

/** Writes a descriptor, likewise. */
export function writeDescriptor(
  ram: GuestRam,
  offset: number,
  { address, length, flags, next }: { address: number; length: number; flags: number; next: number },
): void {
  ram.setU64(offset + VIRTQ_DESC_ADDR, address);
  ram.setU32(offset + VIRTQ_DESC_LEN, length);
  ram.setU16(offset + VIRTQ_DESC_FLAGS, flags);
  ram.setU16(offset + VIRTQ_DESC_NEXT, next);
}

export class SplitRing {
  readonly size: number;
  readonly #ram: GuestRam;
  readonly #table: number;
  readonly #avail: number;
  readonly #used: number;

  constructor(ram: GuestRam, size: number, areas: RingAreas) {
    this.size = size;
    this.#ram = ram;
    this.#table = ram.place(BigInt(areas.descriptor));
    this.#avail = ram.place(BigInt(areas.driver));
    this.#used = ram.place(BigInt(areas.device));
  }

  /** Offset of a descriptor; the driver writes it, the device never does (§2.7.5). */
  descriptor(index: number): number {
    return this.#table + VIRTQ_DESC_SIZE * index;
  }

  /** Available ring, written by the driver (§2.7.6). */
  availFlags(): number {
    return this.#ram.u16(this.#avail + VIRTQ_AVAIL_FLAGS);
  }
  setAvailFlags(flags: number): void {
    this.#ram.setU16(this.#avail + VIRTQ_AVAIL_FLAGS, flags);
  }
  availIdx(): number {
    return this.#ram.u16(this.#avail + VIRTQ_AVAIL_IDX);
  }
  setAvailIdx(idx: number): void {
    this.#ram.setU16(this.#avail + VIRTQ_AVAIL_IDX, idx);
  }
  availHead(idx: number): number {
    return this.#ram.u16(this.#availEntry(idx % this.size));
  }
  setAvailHead(idx: number, head: number): void {
    this.#ram.setU16(this.#availEntry(idx % this.size), head);
  }
  usedEvent(): number {
    return this.#ram.u16(this.#availEntry(this.size));
  }
  setUsedEvent(idx: number): void {
    this.#ram.setU16(this.#availEntry(this.size), idx);
  }

  /** Used ring, written by the device (§2.7.8). */
  usedFlags(): number {
    return this.#ram.u16(this.#used + VIRTQ_USED_FLAGS);
  }
  setUsedFlags(flags: number): void {
    this.#ram.setU16(this.#used + VIRTQ_USED_FLAGS, flags);
  }
  usedIdx(): number {
    return this.#ram.u16(this.#used + VIRTQ_USED_IDX);
  }
  setUsedIdx(idx: number): void {
    this.#ram.setU16(this.#used + VIRTQ_USED_IDX, idx);
  }
  usedElement(idx: number): { id: number; length: number } {
    const entry = this.#usedEntry(idx % this.size);
    return { id: this.#ram.u32(entry), length: this.#ram.u32(entry + 4) };
  }
  setUsedElement(idx: number, id: number, length: number): void {
    const entry = this.#usedEntry(idx % this.size);
    this.#ram.setU32(entry, id);
    this.#ram.setU32(entry + 4, length);
  }
  availEvent(): number {
    return this.#ram.u16(this.#usedEntry(this.size));
  }
  setAvailEvent(idx: number): void {
    this.#ram.setU16(this.#usedEntry(this.size), idx);
  }

  #availEntry(slot: number): number {
    return this.#avail + VIRTQ_AVAIL_RING + VIRTQ_AVAIL_ENTRY_SIZE * slot;
  }

  #usedEntry(slot: number): number {
    return this.#used + VIRTQ_USED_RING + VIRTQ_USED_ENTRY_SIZE * slot;
  }
}
