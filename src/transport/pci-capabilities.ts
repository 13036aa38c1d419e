/**
 * The capability list of a virtio-pci function (§4.1.4): one capability a structure, one for each shared memory, the
 * window into all of them, and MSI-X last.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import { VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_CAP_ISR_CFG } from "../spec/pci";
import { PCI_CONFIG_SIZE, PCI_MSIX_FLAGS } from "../spec/pci-header";
import type { PciBarSpace, PlacedStructure } from "./pci-bar-space";
import type { PciRegion } from "./pci-bars";
import { notifyCapability, sharedMemoryCapability, virtioCapability } from "./pci-capability";
import { configAccess, configAccessCapability } from "./pci-config-access";
import type { PciCapability, PciConfigSpace } from "./pci-config-space";
import type { PciInterrupts } from "./pci-interrupts";
import type { PciStructureName } from "./pci-layout";
import type { PciMsix } from "./pci-msix";
import { readOnly } from "./pci-register";

/** What the list is made from. */
export interface PciCapabilityParts {
  readonly device: VirtioDevice;
  readonly config: PciConfigSpace;
  readonly bars: PciBarSpace;
  readonly structures: ReadonlyMap<PciStructureName, PlacedStructure>;
  /** By shmid. */
  readonly shared: ReadonlyMap<number, PciRegion>;
  /** notify_off_multiplier */
  readonly multiplier: number;
  readonly msix: PciMsix | undefined;
  readonly table: { readonly table: PlacedStructure; readonly pba: PlacedStructure } | undefined;
  readonly interrupts: PciInterrupts;
}

/**
 * Puts the list into configuration space.
 *
 * @throws VirtioError BAD_ARGUMENT if there are more shared memory regions than it has room for
 */
export function addCapabilities(parts: PciCapabilityParts): void {
  const { device, config, bars, structures, shared, multiplier, msix, table, interrupts } = parts;
  for (const [name, { region }] of structures)
    addReadOnly(parts, structureCapability(name, region, multiplier));
  const regions = [...[...structures.values()].map(({ region }) => region), ...shared.values()];
  const windowAt = add(config, configAccessCapability());
  config.watch(configAccess({ device, config, bars, regions }, windowAt));
  for (const [id, region] of shared) addReadOnly(parts, sharedMemoryCapability(region, id));
  if (msix === undefined || table === undefined) return;
  const at = add(config, msix.capability(table.table.region, table.pba.region));
  msix.placed(at);
  config.watch({
    at: at + PCI_MSIX_FLAGS,
    length: 2,
    written: () => {
      interrupts.update();
      msix.release();
    },
  });
}

function structureCapability(name: PciStructureName, region: PciRegion, multiplier: number): DataView {
  switch (name) {
    case "common":
      return virtioCapability(VIRTIO_PCI_CAP_COMMON_CFG, region);
    case "notify":
      return notifyCapability(region, multiplier);
    case "isr":
      return virtioCapability(VIRTIO_PCI_CAP_ISR_CFG, region);
    case "device":
      return virtioCapability(VIRTIO_PCI_CAP_DEVICE_CFG, region);
  }
}

/** §4.1.4.1: the driver writes to no field of it. */
function addReadOnly({ config, device }: PciCapabilityParts, { buffer, byteLength }: DataView): void {
  const at = add(config, { bytes: new Uint8Array(buffer) });
  const name = `the virtio capability at ${at}`;
  config.watch({ at, length: byteLength, written: (value) => device.violation(readOnly(name, value)) });
}

function add(config: PciConfigSpace, capability: PciCapability): number {
  const at = config.add(capability);
  if (at !== undefined) return at;
  const reason = `${capability.bytes.length} bytes of a capability don't fit into the ${PCI_CONFIG_SIZE} of configuration space`;
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.4" });
}
