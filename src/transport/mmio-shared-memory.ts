/**
 * Shared memory regions (§2.10) as virtio-mmio shows them: SHMSel, SHMLen, SHMBase (§4.2.2). What lies in a region is
 * the emulator's business; a region that doesn't exist has all ones for its length and its base.
 */
import { VirtioError } from "../errors";
import {
  VIRTIO_MMIO_SHM_BASE_HIGH,
  VIRTIO_MMIO_SHM_BASE_LOW,
  VIRTIO_MMIO_SHM_LEN_HIGH,
  VIRTIO_MMIO_SHM_LEN_LOW,
  VIRTIO_MMIO_SHM_SEL,
} from "../spec/mmio";
import type { GuestAddress } from "../virtqueue/layout";
import type { MmioRegister } from "./mmio-register";

/** One shared memory region of a device (§2.10). */
export interface SharedMemoryRegion {
  /** Its shmid, 0…255; the device type says what it is for. */
  readonly id: number;
  /** Guest-physical address, a u64. */
  readonly base: GuestAddress;
  /** Bytes, a u64. */
  readonly length: GuestAddress;
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const LARGEST_ID = 255; // an id is a u8 (§2.10)

/** The regions of one device, and which of them is selected. */
export class MmioSharedMemory {
  private readonly regions = new Map<number, { readonly base: bigint; readonly length: bigint }>();
  /** SHMSel: a shmid, or any other u32. */
  selected = 0;

  /** @throws VirtioError BAD_ARGUMENT for an id twice, or a number out of range */
  constructor(regions: readonly SharedMemoryRegion[]) {
    for (const { id, base, length } of regions) {
      if (!Number.isInteger(id) || id < 0 || id > LARGEST_ID) bad(`id ${id} is not within 0…${LARGEST_ID}`);
      if (this.regions.has(id)) bad(`id ${id} is there twice`);
      this.regions.set(id, { base: u64(id, "base", base), length: u64(id, "length", length) });
    }
  }

  registers(): MmioRegister[] {
    const low = (value: bigint) => Number(value & 0xffff_ffffn);
    const high = (value: bigint) => Number(value >> 32n);
    const { length, base } = this;
    return [
      { at: VIRTIO_MMIO_SHM_SEL, name: "SHMSel", write: (value) => this.select(value) },
      { at: VIRTIO_MMIO_SHM_LEN_LOW, name: "SHMLenLow", read: () => low(length()) },
      { at: VIRTIO_MMIO_SHM_LEN_HIGH, name: "SHMLenHigh", read: () => high(length()) },
      { at: VIRTIO_MMIO_SHM_BASE_LOW, name: "SHMBaseLow", read: () => low(base()) },
      { at: VIRTIO_MMIO_SHM_BASE_HIGH, name: "SHMBaseHigh", read: () => high(base()) },
    ];
  }

  private readonly length = () => this.regions.get(this.selected)?.length ?? ALL_ONES;
  private readonly base = () => this.regions.get(this.selected)?.base ?? ALL_ONES;

  private select(id: number): void {
    this.selected = id;
  }
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
