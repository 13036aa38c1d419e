/**
 * Guest RAM as the reference rings see it: up to 8 windows of one little-endian memory, and nothing else (DESIGN: guest RAM).
 * Accessors take an offset in the memory, which `place` gives for a guest-physical address that `contains` has accepted.
 */
import type { GuestRegion } from "./ring";

/** Most regions that a memory has. */
export const REGIONS_MAX = 8;

export class GuestRam {
  readonly view: DataView;
  readonly #regions: { start: bigint; end: bigint; base: number; readOnly: boolean }[];

  constructor(memory: Uint8Array, regions: readonly GuestRegion[]) {
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    this.#regions = regions.map(({ gpa, base, size, readOnly = false }) => ({
      start: BigInt(gpa),
      end: BigInt(gpa) + BigInt(size),
      base,
      readOnly,
    }));
  }

  /** True when the bytes lie wholly in one region, and may be written if `forWriting`. */
  contains(address: bigint, length: number, forWriting: boolean): boolean {
    const end = address + BigInt(length);
    return this.#regions.some(
      (region) => address >= region.start && end <= region.end && !(forWriting && region.readOnly),
    );
  }

  /** Offset in the memory of a guest-physical address that lies in a region. */
  place(address: bigint): number {
    const region = this.#regions.find(({ start, end }) => address >= start && address < end);
    if (region === undefined) {
      throw new RangeError(`guest-physical address ${address} is in no region`);
    }
    return region.base + Number(address - region.start);
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  setU16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }

  setU32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  setU64(offset: number, value: number): void {
    this.view.setBigUint64(offset, BigInt(value), true);
  }
}
