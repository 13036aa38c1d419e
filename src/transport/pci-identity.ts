/**
 * What a virtio device says of itself in the header of PCI configuration space (§4.1.2): identifiers, revision and class.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import {
  VIRTIO_ID_9P,
  VIRTIO_ID_BALLOON,
  VIRTIO_ID_BLOCK,
  VIRTIO_ID_CONSOLE,
  VIRTIO_ID_NET,
  VIRTIO_ID_RNG,
  VIRTIO_ID_SCSI,
} from "../spec/ids";
import {
  VIRTIO_PCI_DEVICE_ID_MAX,
  VIRTIO_PCI_MODERN_DEVICE_ID,
  VIRTIO_PCI_TRANSITIONAL_9P,
  VIRTIO_PCI_TRANSITIONAL_BALLOON,
  VIRTIO_PCI_TRANSITIONAL_BLK,
  VIRTIO_PCI_TRANSITIONAL_CONSOLE,
  VIRTIO_PCI_TRANSITIONAL_ENTROPY,
  VIRTIO_PCI_TRANSITIONAL_NET,
  VIRTIO_PCI_TRANSITIONAL_SCSI,
  VIRTIO_PCI_VENDOR_ID,
} from "../spec/pci";
import {
  PCI_CLASS_COMMUNICATION_OTHER,
  PCI_CLASS_NETWORK_ETHERNET,
  PCI_CLASS_OTHERS,
  PCI_CLASS_STORAGE_SCSI,
} from "../spec/pci-header";

/** Header fields that a user may set. */
export interface PciIdentityOptions {
  /** Class, subclass and interface, 24 bits. Default by the device type; 0xff0000 for types without a class. */
  readonly classCode?: number;
  /** Of the environment, u16 each (§4.1.2.1). A transitional device's subsystem ID is its virtio device ID. */
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
}

/** Header fields. */
export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  readonly classCode: number;
  readonly subsystemVendorId: number;
  readonly subsystemId: number;
}

/** PCI device ID of the transitional device, and class code, by virtio device ID. */
export const PCI_TYPES: ReadonlyMap<number, readonly [transitionalId: number, classCode: number]> = new Map([
  [VIRTIO_ID_NET, [VIRTIO_PCI_TRANSITIONAL_NET, PCI_CLASS_NETWORK_ETHERNET]],
  [VIRTIO_ID_BLOCK, [VIRTIO_PCI_TRANSITIONAL_BLK, PCI_CLASS_STORAGE_SCSI]],
  [VIRTIO_ID_CONSOLE, [VIRTIO_PCI_TRANSITIONAL_CONSOLE, PCI_CLASS_COMMUNICATION_OTHER]],
  [VIRTIO_ID_RNG, [VIRTIO_PCI_TRANSITIONAL_ENTROPY, PCI_CLASS_OTHERS]],
  [VIRTIO_ID_BALLOON, [VIRTIO_PCI_TRANSITIONAL_BALLOON, PCI_CLASS_OTHERS]],
  [VIRTIO_ID_SCSI, [VIRTIO_PCI_TRANSITIONAL_SCSI, PCI_CLASS_STORAGE_SCSI]],
  [VIRTIO_ID_9P, [VIRTIO_PCI_TRANSITIONAL_9P, PCI_CLASS_OTHERS]],
]);

const LARGEST_ID = VIRTIO_PCI_DEVICE_ID_MAX - VIRTIO_PCI_MODERN_DEVICE_ID;

/**
 * The header fields of a device.
 *
 * @param isTransitional whether a legacy driver is to find it: revision 0, the old IDs
 * @throws VirtioError BAD_ARGUMENT for a device that has no such ID, and for numbers out of range
 */
export function pciIdentity(
  device: VirtioDevice,
  isTransitional: boolean,
  options: PciIdentityOptions,
): PciIdentity {
  const { deviceId: id, name } = device.model;
  const [transitionalId, classOfType = PCI_CLASS_OTHERS] = PCI_TYPES.get(id) ?? [];
  if (isTransitional && transitionalId === undefined)
    bad(`${name}, device ID ${id}, has no transitional PCI device ID`);
  if (id > LARGEST_ID) bad(`${name}: device ID ${id} is not within 0…${LARGEST_ID}`);
  const modernId = VIRTIO_PCI_MODERN_DEVICE_ID + id;
  const { subsystemVendorId = VIRTIO_PCI_VENDOR_ID, classCode = classOfType } = options;
  const subsystemId = options.subsystemId ?? (isTransitional ? id : modernId);
  if (isTransitional && subsystemId !== id)
    bad(`subsystem ID ${subsystemId}: a transitional device has its device ID there, ${id}`);
  within("class code", classCode, 0xff_ffff);
  within("subsystem vendor ID", subsystemVendorId, 0xffff);
  within("subsystem ID", subsystemId, 0xffff);
  return {
    vendorId: VIRTIO_PCI_VENDOR_ID,
    deviceId: isTransitional ? (transitionalId ?? modernId) : modernId,
    revision: isTransitional ? 0 : 1,
    classCode,
    subsystemVendorId,
    subsystemId,
  };
}

function within(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 0 || value > most) bad(`${name} ${value} is not within 0…${most}`);
}

function bad(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.2" });
}
