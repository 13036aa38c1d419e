/**
 * Shared memory regions (§2.10) as virtio-mmio shows them: SHMSel, SHMLen, SHMBase (§4.2.2). A region that doesn't exist
 * has all ones for its length and its base.
 */
import {
  VIRTIO_MMIO_SHM_BASE_HIGH,
  VIRTIO_MMIO_SHM_BASE_LOW,
  VIRTIO_MMIO_SHM_LEN_HIGH,
  VIRTIO_MMIO_SHM_LEN_LOW,
  VIRTIO_MMIO_SHM_SEL,
} from "../spec/mmio";
import type { MmioRegister } from "./mmio-register";
import { ALL_ONES, regionsById, type SharedMemoryPlace, type SharedMemoryRegion } from "./shared-memory";

/** The regions of one device, and which of them is selected. */
export class MmioSharedMemory {
  private readonly regions: ReadonlyMap<number, SharedMemoryPlace>;
  private selected = 0;

  /** @throws VirtioError BAD_ARGUMENT for an id twice, or a number out of range */
  constructor(regions: readonly SharedMemoryRegion[]) {
    this.regions = regionsById(regions);
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
