/**
 * Our functions on v86's PCI bus: a free device number, free ports for the BARs, and a line for INTA#. v86 keeps the live
 * configuration space itself and moves the ports when the guest moves a BAR. Memory BARs it can't move: there are none.
 */
import { VirtioError } from "../../errors";
import { PCI_BASE_ADDRESS_0 } from "../../spec/pci-header";
import type { PciTransport } from "../../transport/pci";
import type { PciBar } from "../../transport/pci-bars";
import type { V86Bar, V86Cpu, V86Io } from "./emulator";
import { InterruptLines, LINES, lineOf, pinOf } from "./interrupt-lines";

/** Device numbers of a PCI bus. */
const SLOTS = 32;
const BARS = 6;
/**
 * Where ports are looked for: v86 never clears those below when a BAR moves away, and firmware gives out those above,
 * of which v86 clears a BAR's first place at each snapshot that it restores.
 */
const PORTS = { from: 0x1000, to: 0xc000 };

/** v86's bus, as far as it carries our functions. */
export class V86Bus {
  private readonly cpu: V86Cpu;
  private readonly lines: InterruptLines;
  private readonly plugged: number[] = [];

  constructor(cpu: V86Cpu) {
    this.cpu = cpu;
    this.lines = new InterruptLines(cpu.devices.pci);
  }

  /**
   * A device number that nobody has, on the line that the fewest devices share.
   *
   * @returns 1…31
   * @throws VirtioError BAD_ARGUMENT when there is none
   */
  freeSlot(): number {
    const { pci } = this.cpu.devices;
    const users = new Array<number>(LINES).fill(0);
    const free: number[] = [];
    for (let slot = 1; slot < SLOTS; slot++) {
      const pin = pinOf(pci, slot << 3);
      const line = lineOf(slot << 3, Math.max(1, pin));
      if (pci.devices[slot << 3] === undefined) free.push(slot);
      else if (pin > 0) users[line] = (users[line] ?? 0) + 1;
    }
    const usersOf = (slot: number) => users[lineOf(slot << 3, 1)] ?? 0;
    const [best] = free.sort((a, b) => usersOf(a) - usersOf(b) || a - b);
    if (best === undefined)
      throw new VirtioError("BAD_ARGUMENT", `all ${SLOTS} PCI device numbers are taken`);
    return best;
  }

  /**
   * Puts a function on the bus.
   *
   * @param slot its device number, free
   * @throws VirtioError BAD_ARGUMENT when there are no ports for a BAR
   */
  plug(name: string, slot: number, transport: PciTransport): void {
    const { io, devices } = this.cpu;
    const pci_bars = new Array<V86Bar | undefined>(BARS).fill(undefined);
    for (const bar of transport.bars) {
      const base = freePorts(io, bar.size);
      transport.writeConfig(PCI_BASE_ADDRESS_0 + 4 * bar.index, base, 4);
      register(io, base, bar, transport);
      pci_bars[bar.index] = { size: bar.size };
    }
    const pci_id = slot << 3;
    devices.pci.register_device({ name, pci_id, pci_space: [...transport.configSpaceImage()], pci_bars });
    this.plugged.push(pci_id);
  }

  /** INTA# of a function. */
  drive(slot: number, level: boolean): void {
    this.lines.drive(slot << 3, level);
  }

  /** Takes all functions off the bus: the guest reads ones where they were. */
  dispose(): void {
    const { io, devices } = this.cpu;
    this.lines.dispose();
    for (const pciId of this.plugged) {
      for (const bar of devices.pci.devices[pciId]?.pci_bars ?? []) {
        const entries = new Set(bar?.entries);
        io.ports.forEach((entry, port) => {
          if (entries.has(entry)) io.ports[port] = io.create_empty_entry();
        });
      }
      devices.pci.devices[pciId] = undefined;
      devices.pci.device_spaces[pciId] = undefined;
    }
  }
}

/** The first ports that nobody uses, `size` of them, at a multiple of that. */
function freePorts(io: V86Io, size: number): number {
  for (let base = PORTS.from; base + size <= PORTS.to; base += size) {
    const isFree = io.ports.slice(base, base + size).every(({ device }) => device === undefined);
    if (base % size === 0 && isFree) return base;
  }
  throw new VirtioError("BAD_ARGUMENT", `a BAR needs ${size} ports, and no such stretch is free`);
}

/** Handlers know their offset, not their port: that one moves. */
function register(io: V86Io, base: number, { index, size }: PciBar, transport: PciTransport): void {
  for (let offset = 0; offset < size; offset++) {
    const read = (bytes: number) => () => transport.readBar(index, offset, bytes);
    const write = (bytes: number) => (value: number) => transport.writeBar(index, offset, value, bytes);
    io.register_read(base + offset, transport, read(1), read(2), read(4));
    io.register_write(base + offset, transport, write(1), write(2), write(4));
  }
}
