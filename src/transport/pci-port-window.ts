/**
 * How the registers of a structure are reached (§4.1.4): through the BAR that maps them, or one by one through the
 * configuration space (§4.1.4.9).
 */
import type { Awaitable } from "../driver/port";
import { VirtioError } from "../errors";
import {
  VIRTIO_PCI_CAP_BAR,
  VIRTIO_PCI_CAP_LENGTH,
  VIRTIO_PCI_CAP_OFFSET,
  VIRTIO_PCI_CFG_CAP_DATA,
} from "../spec/pci";
import type { PciBus } from "./pci-bus";
import type { PortStructure } from "./pci-port-structures";
import type { RegisterBus } from "./register-bus";
import { RegisterSequences, type Sequence } from "./register-sequence";

/** The registers of one structure; offsets count from its start. */
export interface PortWindow extends RegisterBus {
  /** Bytes. */
  readonly length: number;
}

/** Opens a window onto a structure. */
export type Windows = (structure: PortStructure) => PortWindow;

/** Windows through the BARs themselves. */
export function mappedWindows(bus: PciBus): Windows {
  return ({ bar, offset, length }) => ({
    length,
    read: (at, bytes) => bus.readBar(bar, offset + at, bytes),
    write: (at, bytes, value) => bus.writeBar(bar, offset + at, bytes, value),
  });
}

/**
 * Windows through pci_cfg_data, for functions whose BARs are not mapped. They share one set of registers, so one access
 * waits for another where the bus answers later.
 *
 * @param at where the capability stands
 */
export function configurationWindows(bus: PciBus, at: number): Windows {
  const accesses = new RegisterSequences();
  const data = at + VIRTIO_PCI_CFG_CAP_DATA;
  /** §4.1.4.9.2: the length before the offset, which has to be a multiple of it. */
  function* aim(bar: number, offset: number, bytes: number): Sequence<void> {
    yield bus.writeConfig(at + VIRTIO_PCI_CAP_BAR, 1, bar);
    yield bus.writeConfig(at + VIRTIO_PCI_CAP_LENGTH, 4, bytes);
    yield bus.writeConfig(at + VIRTIO_PCI_CAP_OFFSET, 4, offset);
  }
  function* read(bar: number, offset: number, bytes: 1 | 2 | 4): Sequence<number> {
    yield* aim(bar, offset, bytes);
    return yield bus.readConfig(data, bytes);
  }
  function* write(bar: number, offset: number, bytes: 1 | 2 | 4, value: number): Sequence<void> {
    yield* aim(bar, offset, bytes);
    yield bus.writeConfig(data, bytes, value);
  }
  return ({ bar, offset, length }) => ({
    length,
    read: (register, bytes) => accesses.run(read(bar, offset + register, bytes)),
    write: (register, bytes, value) => accesses.run(write(bar, offset + register, bytes, value)),
  });
}

/** One register of a window. */
export interface PortRegister {
  read(): Awaitable<number>;
  write(value: number): Awaitable<void>;
}

/** The register at an offset, in its own width. */
export function registerAt(window: RegisterBus, offset: number, bytes: 1 | 2 | 4): PortRegister {
  return {
    read: () => window.read(offset, bytes),
    write: (value) => window.write(offset, bytes, value),
  };
}

/**
 * The device-specific configuration behind a window.
 *
 * @param isAligned whether accesses have to be aligned: on the modern interface (§4.1.3.1), not on the legacy one
 * @returns a bus that throws CONFIG_RANGE for what goes beyond or lies askew
 */
export function configWindow(window: PortWindow, isAligned: boolean): RegisterBus {
  const check = (offset: number, bytes: number) => {
    const isAskew = isAligned && offset % bytes !== 0;
    if (offset >= 0 && offset + bytes <= window.length && !isAskew) return;
    const text = isAskew
      ? `${bytes} bytes at offset ${offset} of the configuration are not aligned`
      : `${bytes} bytes at offset ${offset} of a configuration of ${window.length} bytes`;
    throw new VirtioError("CONFIG_RANGE", text, { section: isAligned ? "4.1.3.1" : "4.1.4.10" });
  };
  return {
    read: (offset, bytes) => {
      check(offset, bytes);
      return window.read(offset, bytes);
    },
    write: (offset, bytes, value) => {
      check(offset, bytes);
      return window.write(offset, bytes, value);
    },
  };
}
