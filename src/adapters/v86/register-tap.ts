/**
 * Tells what a guest does to the registers of one of v86's own devices (§4.1.4): a listener in front of each handler of
 * its ports, where the guard of its notifications is, too. It changes nothing. An access that isn't as wide as its field
 * tells nothing.
 */
import { type EventSink, hex, type RegisterAccess, type RegisterName } from "../../negotiation/control-event";
import * as pci from "../../spec/pci";
import { VIRTIO_CONFIG_S_DRIVER_OK as DRIVER_OK } from "../../spec/status";
import { accessEvent } from "../../trace/access-event";
import type { V86PortEntry, V86Virtio } from "./emulator";
import { intercept } from "./intercept";

/** v86's BARs have a structure each. */
const BARS = { common: 0, notify: 1, device: 3 } as const;

type Width = 1 | 2 | 4;
const WIDTHS: readonly Width[] = [1, 2, 4];
const READ = { 1: "read8", 2: "read16", 4: "read32" } as const;
const WRITE = { 1: "write8", 2: "write16", 4: "write32" } as const;

/** A field of the common configuration that is told of. */
interface Field {
  readonly at: number;
  readonly bytes: Width;
  readonly register: RegisterName;
  readonly how: readonly RegisterAccess["how"][];
  /** Of which word or queue it is. */
  readonly index?: (virtio: V86Virtio) => number;
}

const queue = ({ queue_select }: V86Virtio) => queue_select;

const COMMON: readonly Field[] = [
  {
    at: pci.VIRTIO_PCI_COMMON_DF,
    bytes: 4,
    register: "device-features",
    how: ["read"],
    index: ({ device_feature_select }) => device_feature_select,
  },
  {
    at: pci.VIRTIO_PCI_COMMON_GF,
    bytes: 4,
    register: "driver-features",
    how: ["write"],
    index: ({ driver_feature_select }) => driver_feature_select,
  },
  { at: pci.VIRTIO_PCI_COMMON_STATUS, bytes: 1, register: "status", how: ["read", "write"] },
  { at: pci.VIRTIO_PCI_COMMON_CFGGENERATION, bytes: 1, register: "config-generation", how: ["read"] },
  { at: pci.VIRTIO_PCI_COMMON_Q_SIZE, bytes: 2, register: "queue-size", how: ["read"], index: queue },
  {
    at: pci.VIRTIO_PCI_COMMON_Q_ENABLE,
    bytes: 2,
    register: "queue-enable",
    how: ["read", "write"],
    index: queue,
  },
];

/** What is listened to, and who is told. */
export interface RegisterTapOptions {
  readonly virtio: V86Virtio;
  /** The device's status as it shows it. */
  readonly status: () => number;
  /** Given each access and notification; on a live device none of available and used buffers. */
  readonly sink: EventSink;
}

/** Puts the listeners in place, in front of whatever is there, for as long as the emulator lives. */
export function tapRegisters({ virtio, status, sink }: RegisterTapOptions): void {
  const isLive = () => (status() & DRIVER_OK) !== 0;
  const entries = (bar: number): readonly V86PortEntry[] => virtio.pci_bars[bar]?.entries ?? [];
  const tell = (access: RegisterAccess, before?: string) => sink(accessEvent("device", access, before));

  for (const { at, bytes, register, how, index } of COMMON) {
    const entry = entries(BARS.common)[at];
    if (entry === undefined) continue;
    const place = () => ({ register, ...(index && { index: index(virtio) }) });
    if (how.includes("read")) onRead(entry, bytes, (value) => tell({ ...place(), how: "read", value }));
    if (!how.includes("write")) continue;
    onWrite(entry, bytes, (value) => {
      const before = register === "status" ? hex(status()) : undefined;
      tell({ ...place(), how: "write", value: told(virtio, register, value) }, before);
    });
  }
  for (const entry of entries(BARS.notify)) {
    onWrite(entry, 2, (value) => {
      if (!isLive()) tell({ register: "notify", how: "write", value });
    });
  }
  entries(BARS.device).forEach((entry, index) => {
    for (const bytes of WIDTHS) {
      const place = { register: "config", index, bytes } as const;
      onRead(entry, bytes, (value) => tell({ ...place, how: "read", value }));
      onWrite(entry, bytes, (value) => tell({ ...place, how: "write", value }));
    }
  });
  intercept(virtio, "raise_irq", (raise) => (type) => {
    const field = type === pci.VIRTIO_PCI_ISR_CONFIG ? "config" : "used";
    if (field === "config" || !isLive()) sink({ side: "device", step: "interrupt", field, section: "2.3" });
    raise(type);
  });
}

/** An enabled queue's size stands for the 1 that enables it. */
function told({ queues, queue_select }: V86Virtio, register: RegisterName, value: number): number {
  return register === "queue-enable" && value !== 0 ? (queues[queue_select]?.size ?? 0) : value;
}

/** Hears what a read gave. */
function onRead(entry: V86PortEntry, bytes: Width, hear: (value: number) => void): void {
  const handler = entry[READ[bytes]];
  entry[READ[bytes]] = (port) => {
    const value = handler.call(entry.device, port);
    hear(unsigned(value, bytes));
    return value;
  };
}

/** Hears what is written before it has an effect: what the device does about it comes after. */
function onWrite(entry: V86PortEntry, bytes: Width, hear: (value: number) => void): void {
  const handler = entry[WRITE[bytes]];
  entry[WRITE[bytes]] = (value) => {
    hear(unsigned(value, bytes));
    handler.call(entry.device, value);
  };
}

/** v86's values are of 32 bits with a sign. */
function unsigned(value: number, bytes: Width): number {
  return bytes === 4 ? value >>> 0 : value & (2 ** (8 * bytes) - 1);
}
