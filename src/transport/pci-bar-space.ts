/**
 * Accesses to the BARs of a virtio-pci device: whose structure lies there. What is none reads 0 and takes nothing.
 */
import type { VirtioDevice } from "../device/device";
import type { VirtioError } from "../errors";
import type { PciRegion } from "./pci-bars";
import { isWidth, lowBytes, wrongAlign, wrongWidth } from "./pci-register";
import type { PciStructure } from "./pci-structure";

/** A structure at its place; shared memory has a place alone, what lies there is the emulator's. */
export interface PlacedStructure {
  readonly region: PciRegion;
  readonly structure?: PciStructure;
}

/** All that lies in the BARs of one device. */
export class PciBarSpace {
  private readonly device: VirtioDevice;
  private readonly placed: readonly PlacedStructure[];

  constructor(device: VirtioDevice, placed: readonly PlacedStructure[]) {
    this.device = device;
    this.placed = placed;
  }

  /** The driver reads; 0 for what can't be read. */
  readBar(bar: number, offset: number, bytes: number): number {
    const found = this.find("read", bar, offset, bytes);
    return found === undefined ? 0 : found.structure.read(found.offset, found.bytes);
  }

  /** The driver writes; the low `bytes` of the value count. */
  writeBar(bar: number, offset: number, value: number, bytes: number): void {
    const found = this.find("write", bar, offset, bytes);
    found?.structure.write(found.offset, lowBytes(value, found.bytes), found.bytes);
  }

  private find(how: "read" | "write", bar: number, offset: number, bytes: number) {
    const access = { how, offset, bytes, place: `BAR ${bar}` };
    if (!isWidth(bytes)) return this.refuse(wrongWidth(access, "accesses are 1, 2 or 4 wide"));
    if (!Number.isSafeInteger(offset) || offset < 0)
      return this.refuse(wrongAlign(access, "that is no offset"));
    const { structure, region } =
      this.placed.find(
        ({ region: { bar: its, offset: start, length } }) =>
          its === bar && offset >= start && offset < start + length,
      ) ?? {};
    if (structure === undefined || region === undefined) return undefined;
    if (structure.window !== undefined) this.device.useWindow(structure.window);
    return { structure, offset: offset - region.offset, bytes };
  }

  private refuse(breach: VirtioError): undefined {
    this.device.violation(breach);
  }
}
