/**
 * The rules that hold for every descriptor of a chain, in a ring or in a table, split or packed (§2.6, §2.7.4, §2.7.5):
 * readable before writable, wholly in guest RAM, at most 2^32 bytes. And those for a descriptor that points to a table.
 */
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import type { GuestRam } from "./guest-ram";
import type { ResultName, Segment } from "./ring";

/** Most bytes that a chain may have (§2.7.5). */
export const CHAIN_BYTES_MAX = 2 ** 32;

/** Most entries of an indirect table, unless the queue is longer; with `strictRing` the queue size alone counts. */
const TABLE_ENTRIES_MAX = 1024;

const ADDRESS_SPACE = 1n << 64n;

/** What split and packed descriptors have in common. */
export interface Descriptor {
  readonly address: bigint;
  readonly length: number;
  readonly flags: number;
}

/** What the walk of a chain has gathered so far. */
export class ChainWalk {
  readonly readable: Segment[] = [];
  readonly writable: Segment[] = [];
  readableBytes = 0;
  writableBytes = 0;
  readonly #ram: GuestRam;
  #sawWritable = false;

  constructor(ram: GuestRam) {
    this.#ram = ram;
  }

  /** Adds the memory of one direct descriptor, or says which rule it breaks. */
  accept({ address, length, flags }: Descriptor): ResultName | undefined {
    const isWritable = (flags & VIRTQ_DESC_F_WRITE) !== 0;
    if (this.#sawWritable && !isWritable) {
      return "DESC_ORDER"; // §2.7.4.2, §2.8.16
    }
    this.#sawWritable = isWritable;
    if (length === 0) {
      return undefined; // not forbidden, and no memory: skipped
    }
    if (address + BigInt(length) >= ADDRESS_SPACE) {
      return "DESC_ADDR_OVERFLOW";
    }
    if (!this.#ram.contains(address, length, isWritable)) {
      return "DESC_OUT_OF_GUEST";
    }
    if (this.readableBytes + this.writableBytes + length > CHAIN_BYTES_MAX) {
      return "CHAIN_BYTES_OVERFLOW"; // §2.7.5
    }
    const segment = { address: Number(address), length };
    if (isWritable) {
      this.writable.push(segment);
      this.writableBytes += length;
    } else {
      this.readable.push(segment);
      this.readableBytes += length;
    }
    return undefined;
  }
}

/** What decides whether a table is allowed. */
export interface TableRules {
  readonly size: number;
  readonly negotiated: boolean;
  readonly strictRing: boolean;
}

/** Which rule a descriptor with the INDIRECT flag breaks (§2.7.5.3, §2.8.7); its WRITE flag is ignored. */
export function tableError(
  { address, length, flags }: Descriptor,
  ram: GuestRam,
  { size, negotiated, strictRing }: TableRules,
  insideList = false,
): ResultName | undefined {
  if (!negotiated) {
    return "INDIRECT_NOT_NEGOTIATED";
  }
  if ((flags & VIRTQ_DESC_F_NEXT) !== 0 || insideList) {
    return "INDIRECT_WITH_NEXT";
  }
  if (length === 0 || length % VIRTQ_DESC_SIZE !== 0) {
    return "INDIRECT_BAD_SIZE";
  }
  const limit = strictRing ? size : Math.max(size, TABLE_ENTRIES_MAX);
  if (length / VIRTQ_DESC_SIZE > limit) {
    return "INDIRECT_TOO_LONG";
  }
  return ram.contains(address, length, false) ? undefined : "INDIRECT_OUT_OF_GUEST";
}

/** True for a descriptor that points to a table. */
export function isIndirect({ flags }: Descriptor): boolean {
  return (flags & VIRTQ_DESC_F_INDIRECT) !== 0;
}

/** True for a descriptor that another one follows. */
export function hasNext({ flags }: Descriptor): boolean {
  return (flags & VIRTQ_DESC_F_NEXT) !== 0;
}
