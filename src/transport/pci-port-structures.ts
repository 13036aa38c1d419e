/**
 * Where the structures of a virtio device lie (§4.1.4): of each type the first capability that can be used, the device's
 * order being its preference. What is reserved, too short or out of reach is passed over, as §4.1.4.1 has it.
 */
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import * as pci from "../spec/pci";
import { PCI_BASE_ADDRESSES, PCI_CAP_ID_VNDR, PCI_CONFIG_SIZE } from "../spec/pci-header";
import type { PciBus } from "./pci-bus";
import type { ListedCapability } from "./pci-port-capabilities";

/** A structure within a BAR. */
export interface PortStructure {
  /** 0…5. */
  readonly bar: number;
  /** Bytes from the start of the BAR. */
  readonly offset: number;
  /** Bytes, cut off at the end of the BAR. */
  readonly length: number;
}

/** Where available buffer notifications go (§4.1.4.4). */
export interface NotifyStructure extends PortStructure {
  /** notify_off_multiplier: 0, or a power of two from 2 on; 0 where there is none. */
  readonly multiplier: number;
}

/** All that the modern interface consists of. */
export interface PortStructures {
  readonly common: PortStructure;
  readonly notify: NotifyStructure;
  readonly isr: PortStructure;
  /** Absent: the device has no configuration of its own type. */
  readonly device: PortStructure | undefined;
  /** Where the capability of §4.1.4.9 stands, if it is there. */
  readonly access: number | undefined;
}

/** What a search came to: the structures, if any can be used, and what was wrong with the others. */
export interface PciSearch {
  readonly structures: PortStructures | undefined;
  /** For a message. */
  readonly why: string;
}

/** A capability that can be used. */
interface Found extends NotifyStructure {
  readonly at: number;
}

/** What makes a capability usable. */
interface Rule {
  readonly name: string;
  /** Its own length at the least. */
  readonly capBytes: number;
  /** The structure's length at the least; absent for the one type that has no structure. */
  readonly least?: number;
  /** What the structure's offset is a multiple of. */
  readonly align?: number;
}

const RULES: Readonly<Record<number, Rule>> = {
  [pci.VIRTIO_PCI_CAP_COMMON_CFG]: {
    name: "common configuration",
    capBytes: pci.VIRTIO_PCI_CAP_SIZE,
    least: pci.VIRTIO_PCI_COMMON_Q_NDATA, // what follows hangs on features
    align: 4,
  },
  [pci.VIRTIO_PCI_CAP_NOTIFY_CFG]: {
    name: "notification",
    capBytes: pci.VIRTIO_PCI_NOTIFY_CAP_SIZE,
    least: 2,
    align: 2,
  },
  [pci.VIRTIO_PCI_CAP_ISR_CFG]: { name: "ISR status", capBytes: pci.VIRTIO_PCI_CAP_SIZE, least: 1 },
  [pci.VIRTIO_PCI_CAP_DEVICE_CFG]: {
    name: "device configuration",
    capBytes: pci.VIRTIO_PCI_CAP_SIZE,
    least: 1,
    align: 4,
  },
  [pci.VIRTIO_PCI_CAP_PCI_CFG]: { name: "configuration access", capBytes: pci.VIRTIO_PCI_CFG_CAP_SIZE },
};
/** What a device must present (§4.1.4.3.1, §4.1.4.4.1, §4.1.4.5.1). */
const REQUIRED = [pci.VIRTIO_PCI_CAP_COMMON_CFG, pci.VIRTIO_PCI_CAP_NOTIFY_CFG, pci.VIRTIO_PCI_CAP_ISR_CFG];

/**
 * Looks for the structures among a function's capabilities. Reads only.
 *
 * @param isMapped whether the BARs themselves are to be used: what lies beyond their end can't be then
 * @returns no structures if none of the required ones can be used: a legacy device, perhaps
 * @throws VirtioError PCI_CAPABILITY if some can, and not all
 */
export async function findStructures(
  bus: PciBus,
  capabilities: readonly ListedCapability[],
  isMapped: boolean,
): Promise<PciSearch> {
  const chosen = new Map<number, Found>();
  const faults: string[] = [];
  for (const { id, at } of capabilities) {
    if (id !== PCI_CAP_ID_VNDR) continue;
    const type = await bus.readConfig(at + pci.VIRTIO_PCI_CAP_CFG_TYPE, 1);
    const rule = RULES[type];
    if (rule === undefined || chosen.has(type)) continue;
    const found = await structureAt(bus, at, rule, isMapped);
    if (typeof found === "string") faults.push(`${rule.name} at ${hex(at)}: ${found}`);
    else chosen.set(type, found);
  }
  const why = faults.length > 0 ? faults.join("; ") : `none among ${capabilities.length} capabilities`;
  const [common, notify, isr] = REQUIRED.map((type) => chosen.get(type));
  if (common !== undefined && notify !== undefined && isr !== undefined) {
    const device = chosen.get(pci.VIRTIO_PCI_CAP_DEVICE_CFG);
    const access = chosen.get(pci.VIRTIO_PCI_CAP_PCI_CFG)?.at;
    return { structures: { common, notify, isr, device, access }, why };
  }
  const missing = REQUIRED.filter((type) => !chosen.has(type)).map((type) => RULES[type]?.name);
  if (missing.length === REQUIRED.length) return { structures: undefined, why };
  throw new VirtioError("PCI_CAPABILITY", `no capability can be used for ${missing.join(", ")}: ${why}`, {
    section: "4.1.4",
  });
}

/** A capability's structure, or why it can't be used. */
async function structureAt(
  bus: PciBus,
  at: number,
  { capBytes, least, align = 1 }: Rule,
  isMapped: boolean,
): Promise<Found | string> {
  const size = await bus.readConfig(at + pci.VIRTIO_PCI_CAP_CAP_LEN, 1);
  if (size < capBytes) return `cap_len ${size} is less than ${capBytes}`;
  const end = at + capBytes;
  if (end > PCI_CONFIG_SIZE) return `it ends at ${end}, beyond ${PCI_CONFIG_SIZE}`;
  const bar = await bus.readConfig(at + pci.VIRTIO_PCI_CAP_BAR, 1);
  if (bar >= PCI_BASE_ADDRESSES) return `BAR ${bar} is reserved, there are ${PCI_BASE_ADDRESSES}`;
  const offset = await bus.readConfig(at + pci.VIRTIO_PCI_CAP_OFFSET, 4);
  const given = await bus.readConfig(at + pci.VIRTIO_PCI_CAP_LENGTH, 4);
  if (least === undefined) return { at, bar, offset, length: given, multiplier: 0 };
  if (offset % align !== 0) return `offset ${offset} is no multiple of ${align}`;
  // §4.1.4.1: a length that is unexpectedly large is no fault.
  const length = isMapped ? Math.min(given, Math.max(0, (await bus.barSize(bar)) - offset)) : given;
  if (length < least) return `${length} of ${given} bytes can be reached in BAR ${bar}, ${least} are needed`;
  if (capBytes < pci.VIRTIO_PCI_NOTIFY_CAP_SIZE) return { at, bar, offset, length, multiplier: 0 };
  const multiplier = await bus.readConfig(at + pci.VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
  if (multiplier === 1 || (multiplier & (multiplier - 1)) !== 0) {
    return `notify_off_multiplier ${multiplier} is neither 0 nor a power of two from 2 on`;
  }
  return { at, bar, offset, length, multiplier };
}
