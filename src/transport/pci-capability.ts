/**
 * The bytes of a virtio capability (§4.1.4): where a structure is, how far apart notification addresses are, which
 * shared memory there is.
 */
import {
  VIRTIO_PCI_CAP_BAR,
  VIRTIO_PCI_CAP_CAP_LEN,
  VIRTIO_PCI_CAP_CFG_TYPE,
  VIRTIO_PCI_CAP_ID,
  VIRTIO_PCI_CAP_LENGTH,
  VIRTIO_PCI_CAP_NOTIFY_CFG,
  VIRTIO_PCI_CAP_OFFSET,
  VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
  VIRTIO_PCI_CAP_SIZE,
  VIRTIO_PCI_CAP64_LENGTH_HI,
  VIRTIO_PCI_CAP64_OFFSET_HI,
  VIRTIO_PCI_CAP64_SIZE,
  VIRTIO_PCI_NOTIFY_CAP_MULT,
  VIRTIO_PCI_NOTIFY_CAP_SIZE,
} from "../spec/pci";
import { PCI_CAP_ID_VNDR } from "../spec/pci-header";
import type { PciRegion } from "./pci-bars";

/**
 * A struct virtio_pci_cap; what follows it is up to the caller.
 *
 * @param size of the whole capability, bytes
 */
export function virtioCapability(
  type: number,
  { bar, offset, length }: Pick<PciRegion, "bar" | "offset" | "length">,
  size = VIRTIO_PCI_CAP_SIZE,
): DataView {
  const view = new DataView(new ArrayBuffer(size));
  view.setUint8(0, PCI_CAP_ID_VNDR);
  view.setUint8(VIRTIO_PCI_CAP_CAP_LEN, size);
  view.setUint8(VIRTIO_PCI_CAP_CFG_TYPE, type);
  view.setUint8(VIRTIO_PCI_CAP_BAR, bar);
  view.setUint32(VIRTIO_PCI_CAP_OFFSET, offset % 2 ** 32, true);
  view.setUint32(VIRTIO_PCI_CAP_LENGTH, length % 2 ** 32, true);
  return view;
}

/** A struct virtio_pci_notify_cap (§4.1.4.4). */
export function notifyCapability(region: PciRegion, multiplier: number): DataView {
  const view = virtioCapability(VIRTIO_PCI_CAP_NOTIFY_CFG, region, VIRTIO_PCI_NOTIFY_CAP_SIZE);
  view.setUint32(VIRTIO_PCI_NOTIFY_CAP_MULT, multiplier, true);
  return view;
}

/** A struct virtio_pci_cap64 (§4.1.4.7). @param id its shmid */
export function sharedMemoryCapability(region: PciRegion, id: number): DataView {
  const view = virtioCapability(VIRTIO_PCI_CAP_SHARED_MEMORY_CFG, region, VIRTIO_PCI_CAP64_SIZE);
  view.setUint8(VIRTIO_PCI_CAP_ID, id);
  view.setUint32(VIRTIO_PCI_CAP64_OFFSET_HI, Math.floor(region.offset / 2 ** 32), true);
  view.setUint32(VIRTIO_PCI_CAP64_LENGTH_HI, Math.floor(region.length / 2 ** 32), true);
  return view;
}
