/**
 * Which device a PCI function is (§4.1.2): vendor, device, revision and subsystem, in the order in which a driver asks
 * for them. Any revision will do for the modern interface.
 */
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import * as pci from "../spec/pci";
import { PCI_DEVICE_ID, PCI_REVISION_ID, PCI_SUBSYSTEM_ID, PCI_VENDOR_ID } from "../spec/pci-header";
import type { PciBus } from "./pci-bus";
import { PCI_TYPES } from "./pci-identity";

/** What a reader of the configuration space learns of a virtio device. */
export interface FunctionIdentity {
  /** Device ID of §5. */
  readonly deviceId: number;
  /** PCI device ID, 0x1000…0x107f. */
  readonly pciDeviceId: number;
  readonly revision: number;
}

/** What a read of nobody answers. */
const NO_FUNCTION = 0xffff;

/** Device ID of §5 by Transitional PCI Device ID (§4.1.2.1). */
const TRANSITIONAL: ReadonlyMap<number, number> = new Map(
  [...PCI_TYPES].map(([deviceId, [pciDeviceId]]) => [pciDeviceId, deviceId]),
);

/**
 * Asks a function what it is.
 *
 * @returns undefined where there is none: all ones
 * @throws VirtioError PCI_ID if it is none of virtio
 */
export async function identify(bus: PciBus): Promise<FunctionIdentity | undefined> {
  const vendor = await bus.readConfig(PCI_VENDOR_ID, 2);
  if (vendor === NO_FUNCTION) return undefined;
  if (vendor !== pci.VIRTIO_PCI_VENDOR_ID) {
    throw unknown(`vendor ${hex(vendor, 4)}: ${hex(pci.VIRTIO_PCI_VENDOR_ID, 4)} makes a virtio device`);
  }
  const pciDeviceId = await bus.readConfig(PCI_DEVICE_ID, 2);
  if (pciDeviceId < pci.VIRTIO_PCI_DEVICE_ID_MIN || pciDeviceId > pci.VIRTIO_PCI_DEVICE_ID_MAX) {
    const range = `${hex(pci.VIRTIO_PCI_DEVICE_ID_MIN, 4)}…${hex(pci.VIRTIO_PCI_DEVICE_ID_MAX, 4)}`;
    throw unknown(`device ${hex(pciDeviceId, 4)}: virtio has ${range}`);
  }
  const revision = await bus.readConfig(PCI_REVISION_ID, 1);
  return { deviceId: await deviceIdOf(bus, pciDeviceId), pciDeviceId, revision };
}

/** Whether it has the ID and the revision of a transitional device, by which legacy drivers know theirs (§4.1.2.3). */
export function isTransitional({ pciDeviceId, revision }: FunctionIdentity): boolean {
  return pciDeviceId < pci.VIRTIO_PCI_MODERN_DEVICE_ID && revision === 0;
}

/** An ID that the list doesn't have goes by its subsystem, as §4.1.2.3 wants of transitional devices. */
async function deviceIdOf(bus: PciBus, pciDeviceId: number): Promise<number> {
  if (pciDeviceId >= pci.VIRTIO_PCI_MODERN_DEVICE_ID) return pciDeviceId - pci.VIRTIO_PCI_MODERN_DEVICE_ID;
  const listed = TRANSITIONAL.get(pciDeviceId);
  if (listed !== undefined) return listed;
  const subsystem = await bus.readConfig(PCI_SUBSYSTEM_ID, 2);
  const most = pci.VIRTIO_PCI_DEVICE_ID_MAX - pci.VIRTIO_PCI_MODERN_DEVICE_ID;
  if (subsystem >= 1 && subsystem <= most) return subsystem;
  throw unknown(
    `device ${hex(pciDeviceId, 4)} is of no listed type, and its subsystem ${subsystem} not within 1…${most}`,
  );
}

function unknown(text: string): VirtioError {
  return new VirtioError("PCI_ID", text, { section: "4.1.2" });
}
