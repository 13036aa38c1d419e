/**
 * Guest RAM as up to eight regions of one WebAssembly.Memory: judged and merged at attach.
 * What no region covers is not RAM; no buffer spans two regions, so regions that touch are merged or refused.
 */
import { CORE_REGIONS_MAX } from "../../assembly/abi";
import { VirtioError } from "../errors";

/** One piece of guest RAM. */
export interface GuestRegion {
  /** Guest-physical address of its first byte, 0…2^53-1, a multiple of 16. */
  readonly gpa: number;
  /** Linear address of its first byte in the memory, a multiple of 16. */
  readonly base: number;
  /** Bytes, 1…2^32-1. */
  readonly size: number;
  /** A device writes nothing here; default false. */
  readonly readOnly?: boolean;
}

/** Bases are multiples of this, so that the atomics of an aligned ring are aligned. */
export const REGION_ALIGN = 16;

function refuse(message: string): never {
  throw new VirtioError("BAD_ARGUMENT", message);
}

function judge(region: GuestRegion, memoryBytes: number): void {
  const { gpa, base, size } = region;
  for (const [name, value] of Object.entries({ gpa, base, size })) {
    if (!Number.isSafeInteger(value) || value < 0)
      refuse(`region ${name} ${value} is not a whole number of bytes`);
  }
  if (size < 1 || size > 0xffffffff) refuse(`region size ${size} is outside 1…4294967295`);
  if (gpa % REGION_ALIGN || base % REGION_ALIGN) {
    refuse(`region gpa ${gpa} and base ${base} must be multiples of ${REGION_ALIGN}`);
  }
  if (base + size > memoryBytes) {
    refuse(`region [${base}, ${base + size}) ends behind the memory's ${memoryBytes} bytes`);
  }
}

/**
 * Judges the regions of a guest and merges those that touch.
 *
 * @param regions 1…8 of them once merged, any order
 * @param memoryBytes length of the memory they lie in
 * @returns the regions in the order of their guest addresses
 * @throws VirtioError BAD_ARGUMENT for one that is misplaced, overlaps another, or touches one it can't be merged with
 */
export function mergeRegions(regions: readonly GuestRegion[], memoryBytes: number): GuestRegion[] {
  for (const region of regions) judge(region, memoryBytes);
  const merged: GuestRegion[] = [];
  for (const region of [...regions].sort((a, b) => a.gpa - b.gpa)) {
    const last = merged.at(-1);
    const end = last ? last.gpa + last.size : -1;
    if (!last || region.gpa > end) {
      merged.push(region);
    } else if (region.gpa < end) {
      refuse(`regions overlap: one ends at ${end}, the next begins at ${region.gpa}`);
    } else if (region.base === last.base + last.size && !region.readOnly === !last.readOnly) {
      merged[merged.length - 1] = { ...last, size: last.size + region.size };
    } else {
      refuse(`regions touch at guest address ${end} but lie apart in memory, or differ in readOnly`);
    }
  }
  if (merged.length < 1 || merged.length > CORE_REGIONS_MAX) {
    refuse(`${merged.length} guest regions; 1…${CORE_REGIONS_MAX} are possible`);
  }
  return merged;
}
