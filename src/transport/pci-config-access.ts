/**
 * The PCI configuration access capability (§4.1.4.9): a window of 1, 2 or 4 bytes into any structure of the device, for
 * who can't reach its BARs. The driver says where by writing to the capability; pci_cfg_data is the window.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import {
  VIRTIO_PCI_CAP_BAR,
  VIRTIO_PCI_CAP_LENGTH,
  VIRTIO_PCI_CAP_OFFSET,
  VIRTIO_PCI_CAP_PCI_CFG,
  VIRTIO_PCI_CFG_CAP_DATA,
  VIRTIO_PCI_CFG_CAP_SIZE,
} from "../spec/pci";
import type { PciRegion } from "./pci-bars";
import { virtioCapability } from "./pci-capability";
import type { PciCapability, PciConfigSpace, PciConfigWatch } from "./pci-config-space";
import { isWidth } from "./pci-register";

/** What the window looks into. */
export interface PciBarAccess {
  readBar(bar: number, offset: number, bytes: number): number;
  writeBar(bar: number, offset: number, value: number, bytes: number): void;
}

/** What the window is made from. */
export interface PciConfigAccessParts {
  readonly device: VirtioDevice;
  readonly config: PciConfigSpace;
  readonly bars: PciBarAccess;
  /** What the other virtio capabilities describe: the window opens there alone (§4.1.4.9.2). */
  readonly regions: readonly PciRegion[];
}

/** The capability: what of it can be written. */
export function configAccessCapability(): PciCapability {
  const size = VIRTIO_PCI_CFG_CAP_SIZE;
  const view = virtioCapability(VIRTIO_PCI_CAP_PCI_CFG, { bar: 0, offset: 0, length: 0 }, size);
  const writable = new Uint8Array(size).fill(0xff, VIRTIO_PCI_CAP_OFFSET);
  writable[VIRTIO_PCI_CAP_BAR] = 0xff;
  return { bytes: new Uint8Array(view.buffer), writable };
}

/** What lies behind pci_cfg_data. @param at where the capability was put */
export function configAccess(
  { device, config, bars, regions }: PciConfigAccessParts,
  at: number,
): PciConfigWatch {
  const dataAt = at + VIRTIO_PCI_CFG_CAP_DATA;
  const selected = (how: "read" | "write") => {
    const bar = config.get(at + VIRTIO_PCI_CAP_BAR, 1);
    const offset = config.get(at + VIRTIO_PCI_CAP_OFFSET, 4);
    const bytes = config.get(at + VIRTIO_PCI_CAP_LENGTH, 4);
    const isInside = regions.some(
      (region) =>
        region.bar === bar && offset >= region.offset && offset + bytes <= region.offset + region.length,
    );
    if (isWidth(bytes) && isInside && offset % bytes === 0) return { bar, offset, bytes };
    const reason = `pci_cfg_data: ${how} of ${bytes} bytes at offset ${offset} of BAR ${bar}, which is no aligned 1, 2 or 4 bytes of a structure`;
    device.violation(new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.4.9.2" }));
    return undefined;
  };
  return {
    at: dataAt,
    length: 4,
    reads: () => {
      const place = selected("read");
      if (place !== undefined)
        config.put(dataAt, bars.readBar(place.bar, place.offset, place.bytes), place.bytes);
    },
    written: () => {
      const place = selected("write");
      if (place !== undefined)
        bars.writeBar(place.bar, place.offset, config.get(dataAt, place.bytes), place.bytes);
    },
  };
}
