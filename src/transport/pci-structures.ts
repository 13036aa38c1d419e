/**
 * The structures of §4.1.4 made from the parts of a transport: who contributes which fields to which.
 */
import type { VirtioDevice } from "../device/device";
import { VIRTIO_PCI_COMMON_MSIX, VIRTIO_PCI_COMMON_SIZE } from "../spec/pci";
import { PciDeviceConfig } from "./pci-device-config";
import type { PciDeviceFields } from "./pci-device-fields";
import type { PciInterrupts } from "./pci-interrupts";
import type { PciStructureName } from "./pci-layout";
import { PciNotify, type PciNotifyAddresses } from "./pci-notify";
import type { PciQueues } from "./pci-queues";
import { PciFields, type PciStructure } from "./pci-structure";
import type { PciVectors } from "./pci-vectors";

/** What structures are made from. */
export interface PciStructureParts {
  readonly device: VirtioDevice;
  readonly fields: PciDeviceFields;
  readonly queues: PciQueues;
  readonly interrupts: PciInterrupts;
  readonly vectors: PciVectors;
  readonly addresses: PciNotifyAddresses;
}

/** The structures that a driver finds by capabilities; a device without a configuration has none for it (§4.1.4.6). */
export function pciStructures(parts: PciStructureParts): ReadonlyMap<PciStructureName, PciStructure> {
  const { device, fields, queues, interrupts, vectors, addresses } = parts;
  const window = "modern";
  const common = new PciFields(
    device,
    { name: "the common configuration", length: VIRTIO_PCI_COMMON_SIZE, window },
    [...fields.registers(), vectors.register(VIRTIO_PCI_COMMON_MSIX), ...queues.registers()],
  );
  const isr = new PciFields(device, { name: "the ISR status", length: 1, window }, [interrupts.register(0)]);
  const structures: [PciStructureName, PciStructure][] = [
    ["common", common],
    ["isr", isr],
  ];
  if (device.configLength > 0) structures.push(["device", new PciDeviceConfig(device)]);
  return new Map([...structures, ["notify", new PciNotify(device, addresses)]]);
}
