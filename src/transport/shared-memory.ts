/**
 * Shared memory regions (§2.10) as the user of a transport describes them. What lies in a region is the emulator's
 * business; each transport shows the driver where it is.
 */
import { VirtioError } from "../errors";
import type { GuestAddress } from "../virtqueue/layout";

/** One shared memory region of a device (§2.10). */
export interface SharedMemoryRegion {
  /** Its shmid, 0…255; the device type says what it is for. */
  readonly id: number;
  /** Where it begins: a guest-physical address on MMIO, bytes from the start of the BAR on PCI. A u64. */
  readonly base: GuestAddress;
  /** Bytes, a u64. */
  readonly length: GuestAddress;
}

/** The place of a region. */
export interface SharedMemoryPlace {
  readonly base: bigint;
  readonly length: bigint;
}

/** The largest u64, which says that there is no such region. */
export const ALL_ONES = 0xffff_ffff_ffff_ffffn;

const LARGEST_ID = 255; // an id is a u8 (§2.10)

/**
 * The regions by id, in their order.
 *
 * @throws VirtioError BAD_ARGUMENT for an id twice, or a number out of range
 */
export function regionsById(regions: readonly SharedMemoryRegion[]): ReadonlyMap<number, SharedMemoryPlace> {
  const places = new Map<number, SharedMemoryPlace>();
  for (const { id, base, length } of regions) {
    if (!Number.isInteger(id) || id < 0 || id > LARGEST_ID) bad(`id ${id} is not within 0…${LARGEST_ID}`);
    if (places.has(id)) bad(`id ${id} is there twice`);
    places.set(id, { base: u64(id, "base", base), length: u64(id, "length", length) });
  }
  return places;
}

function u64(id: number, what: string, value: GuestAddress): bigint {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  const whole = isWhole ? BigInt(value) : -1n;
  if (whole < 0n || whole > ALL_ONES) bad(`${what} ${value} of id ${id} is no u64`);
  return whole;
}

function bad(what: string): never {
  throw new VirtioError("BAD_ARGUMENT", `shared memory: ${what}`, { section: "2.10" });
}
