/**
 * The header of configuration space (PCI 3.0 §6.1, §6.2): who the function is, its command register, and base address
 * registers that the guest sizes and moves.
 */
import { VirtioError } from "../errors";
import {
  PCI_BASE_ADDRESS_0,
  PCI_CACHE_LINE_SIZE,
  PCI_CLASS_PROG,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_COMMAND_PARITY,
  PCI_COMMAND_SERR,
  PCI_DEVICE_ID,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_LATENCY_TIMER,
  PCI_REVISION_ID,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from "../spec/pci-header";
import type { GuestAddress } from "../virtqueue/layout";
import { barFlags, type PciBar } from "./pci-bars";
import type { PciConfigSpace } from "./pci-config-space";
import type { PciIdentity } from "./pci-identity";

const COMMAND_BITS =
  PCI_COMMAND_IO |
  PCI_COMMAND_MEMORY |
  PCI_COMMAND_MASTER |
  PCI_COMMAND_PARITY |
  PCI_COMMAND_SERR |
  PCI_COMMAND_INTX_DISABLE;
const PIN_INTA = 1;

/** Writes who the function is, and lets the driver write what PCI gives it. */
export function setHeader(config: PciConfigSpace, identity: PciIdentity): void {
  config.put(PCI_VENDOR_ID, identity.vendorId, 2);
  config.put(PCI_DEVICE_ID, identity.deviceId, 2);
  config.put(PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
  config.put(PCI_REVISION_ID, identity.revision, 1);
  config.put(PCI_CLASS_PROG, identity.classCode & 0xffff, 2);
  config.put(PCI_CLASS_PROG + 2, identity.classCode >>> 16, 1);
  config.put(PCI_SUBSYSTEM_VENDOR_ID, identity.subsystemVendorId, 2);
  config.put(PCI_SUBSYSTEM_ID, identity.subsystemId, 2);
  config.put(PCI_INTERRUPT_PIN, PIN_INTA, 1);
  config.allow(PCI_COMMAND, COMMAND_BITS, 2);
  for (const at of [PCI_CACHE_LINE_SIZE, PCI_LATENCY_TIMER, PCI_INTERRUPT_LINE]) config.allow(at, 0xff, 1);
}

/**
 * Sets the base address registers up: a BAR's size decides which of its bits can be written (PCI 3.0 §6.2.5.1).
 *
 * @param addresses by index; 0 where there is none
 * @throws VirtioError BAD_ARGUMENT for an address that a BAR can't have
 */
export function setBars(
  config: PciConfigSpace,
  bars: readonly PciBar[],
  addresses: Readonly<Record<number, GuestAddress>>,
): void {
  const stray = Object.keys(addresses).find((key) => !bars.some(({ index }) => `${index}` === key));
  if (stray !== undefined) bad(`address for BAR ${stray}, there are ${bars.map(({ index }) => index)}`);
  for (const bar of bars) {
    const { index, size, is64 } = bar;
    const whole = addressOf(bar, addresses[index] ?? 0) | BigInt(barFlags(bar));
    const mask = BigInt.asUintN(64, -BigInt(size));
    for (const half of is64 ? [0, 1] : [0]) {
      const at = PCI_BASE_ADDRESS_0 + 4 * (index + half);
      const word = (value: bigint) => Number((value >> BigInt(32 * half)) & 0xffff_ffffn);
      config.put(at, word(whole), 4);
      config.allow(at, word(mask), 4);
    }
  }
}

/**
 * Where a BAR is on the bus.
 *
 * @returns its address, or undefined while the command register doesn't let the function respond there
 */
export function decodedBase(config: PciConfigSpace, { index, kind, size, is64 }: PciBar): bigint | undefined {
  const enable = kind === "io" ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
  if ((config.get(PCI_COMMAND, 2) & enable) === 0) return undefined;
  const at = PCI_BASE_ADDRESS_0 + 4 * index;
  const whole = BigInt(config.get(at, 4)) | (is64 ? BigInt(config.get(at + 4, 4)) << 32n : 0n);
  return whole - (whole % BigInt(size));
}

function addressOf({ index, size, is64 }: PciBar, given: GuestAddress): bigint {
  const bits = is64 ? 64 : 32;
  const address = typeof given === "bigint" || Number.isSafeInteger(given) ? BigInt(given) : -1n;
  if (address < 0n || address >> BigInt(bits) !== 0n || address % BigInt(size) !== 0n)
    bad(`address ${given} of BAR ${index}, which has ${size} bytes and ${bits} bits`);
  return address;
}

function bad(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.1" });
}
