/**
 * The device-specific configuration in a BAR (§4.1.4.6): accesses are naturally aligned (§4.1.3.1), the rest is the
 * device's to judge.
 */
import type { VirtioDevice } from "../device/device";
import { unnatural } from "./pci-register";
import type { PciStructure } from "./pci-structure";

/** The structure of one device. */
export class PciDeviceConfig implements PciStructure {
  readonly name = "the device-specific configuration";
  readonly window = "modern";
  readonly length: number;
  private readonly device: VirtioDevice;

  constructor(device: VirtioDevice) {
    this.device = device;
    this.length = (device.configLength + 3) & ~3;
  }

  read(offset: number, bytes: 1 | 2 | 4): number {
    return this.isNatural("read", offset, bytes) ? this.device.readConfig(offset, bytes) : 0;
  }

  write(offset: number, value: number, bytes: 1 | 2 | 4): void {
    if (this.isNatural("write", offset, bytes)) this.device.writeConfig(offset, bytes, value);
  }

  private isNatural(how: "read" | "write", offset: number, bytes: 1 | 2 | 4): boolean {
    const breach = unnatural({ how, offset, bytes, place: this.name });
    if (breach !== undefined) this.device.violation(breach);
    return breach === undefined;
  }
}
