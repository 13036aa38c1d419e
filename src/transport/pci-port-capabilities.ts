/**
 * The capability list of a PCI function, as a driver walks it (§4.1.5.1.1). A list that loops or leads astray ends; what
 * a virtio capability says is in pci-port-structures.ts.
 */
import {
  PCI_CAP_LIST_ID,
  PCI_CAP_LIST_NEXT,
  PCI_CAPABILITY_LIST,
  PCI_CONFIG_SIZE,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_STD_HEADER_SIZEOF,
} from "../spec/pci-header";
import type { PciBus } from "./pci-bus";

/** One capability. */
export interface ListedCapability {
  /** Capability ID of PCI: 0x09 is vendor-specific, 0x11 is MSI-X. */
  readonly id: number;
  /** Where it stands in the configuration space, 0x40…0xfc. */
  readonly at: number;
}

/** All capabilities in the order of the list, each once. */
export async function capabilityList(bus: PciBus): Promise<ListedCapability[]> {
  if (((await bus.readConfig(PCI_STATUS, 2)) & PCI_STATUS_CAP_LIST) === 0) return [];
  const found = new Map<number, ListedCapability>();
  for (let at = await pointer(bus, PCI_CAPABILITY_LIST); isPlace(at) && !found.has(at); ) {
    found.set(at, { id: await bus.readConfig(at + PCI_CAP_LIST_ID, 1), at });
    at = await pointer(bus, at + PCI_CAP_LIST_NEXT);
  }
  return [...found.values()];
}

/** The two lowest bits of a pointer are reserved. */
async function pointer(bus: PciBus, offset: number): Promise<number> {
  return (await bus.readConfig(offset, 1)) & 0xfc;
}

function isPlace(at: number): boolean {
  return at >= PCI_STD_HEADER_SIZEOF && at < PCI_CONFIG_SIZE;
}
