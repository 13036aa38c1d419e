/**
 * Opens a pair of reference rings on 64 KiB of guest memory for the tests of the model, with raw words for whoever plays the
 * other side by hand: descriptors as they are written, no rule checked. Guest-physical 0 is byte 0 unless a test says otherwise.
 */
import { writeStart } from "./areas";
import { makeModelRings } from "./model";
import type {
  GuestRegion,
  RingAreas,
  RingFeatures,
  RingOptions,
  RingPolicies,
  RingStart,
  Rings,
} from "./ring";

/** Places of the three areas and of the tables, 16 entries each, in every queue that a test opens. */
export const AREAS: RingAreas = {
  descriptor: 0x1000,
  driver: 0x2000,
  device: 0x3000,
  tables: { address: 0x4000, entries: 16 },
};

export interface OpenOptions {
  readonly layout: "split" | "packed";
  readonly size: number;
  readonly features?: RingFeatures;
  readonly options?: RingPolicies;
  readonly start?: RingStart;
  readonly regions?: readonly GuestRegion[];
  readonly index?: number;
}

/** A descriptor as a hostile or a careful driver writes it; `last` is `next` in split, the id in packed. */
export interface RawDescriptor {
  readonly address?: number | bigint;
  readonly length?: number;
  readonly flags?: number;
  readonly last?: number;
}

export interface OpenRings extends Rings {
  readonly options: RingOptions;
  readonly u16: (offset: number) => number;
  readonly u32: (offset: number) => number;
  readonly setU16: (offset: number, value: number) => void;
  readonly setU32: (offset: number, value: number) => void;
  /** Writes the descriptor at an offset: of the ring, or of a table. Defaults: 16 bytes at 0x8000, everything else 0. */
  readonly describe: (offset: number, descriptor: RawDescriptor) => void;
  /** Split: makes heads available from index `idx` on. Packed rings are written by `describe` alone. */
  readonly offer: (heads: readonly number[], idx?: number) => void;
  /** Split: makes used elements visible from index `idx` on. */
  readonly use: (elements: readonly (readonly [id: number, length: number])[], idx?: number) => void;
}

/** Opens the rings; memory is zeroed but for what goes with the start state. */
export function openModel(open: OpenOptions): OpenRings {
  const { layout, size, features = {}, regions = [{ gpa: 0, base: 0, size: 0x10000 }] } = open;
  const memory = new Uint8Array(0x10000);
  const options: RingOptions = { ...open, layout, size, features, regions, areas: AREAS, memory };
  writeStart(options);
  const view = new DataView(memory.buffer);
  const setU16 = (offset: number, value: number) => view.setUint16(offset, value, true);
  const setU32 = (offset: number, value: number) => view.setUint32(offset, value, true);
  const wordsAt = layout === "split" ? { flags: 12, last: 14 } : { flags: 14, last: 12 };
  return {
    ...makeModelRings(options),
    options,
    u16: (offset) => view.getUint16(offset, true),
    u32: (offset) => view.getUint32(offset, true),
    setU16,
    setU32,
    describe(offset, { address = 0x8000, length = 16, flags = 0, last = 0 }) {
      view.setBigUint64(offset, BigInt(address), true);
      setU32(offset + 8, length);
      setU16(offset + wordsAt.flags, flags);
      setU16(offset + wordsAt.last, last);
    },
    offer(heads, idx = 0) {
      heads.forEach((head, i) => void setU16(AREAS.driver + 4 + 2 * ((idx + i) % size), head));
      setU16(AREAS.driver + 2, (idx + heads.length) & 0xffff);
    },
    use(elements, idx = 0) {
      elements.forEach(([id, length], i) => {
        setU32(AREAS.device + 4 + 8 * ((idx + i) % size), id);
        setU32(AREAS.device + 8 + 8 * ((idx + i) % size), length);
      });
      setU16(AREAS.device + 2, (idx + elements.length) & 0xffff);
    },
  };
}

/** `count` segments of so many bytes each, one behind the other. */
export function segments(
  count: number,
  length = 16,
  address = 0x8000,
): { address: number; length: number }[] {
  return Array.from({ length: count }, (_, i) => ({ address: address + i * length, length }));
}
