/** One function on v86's PCI bus as a guest's driver reaches it: configuration mechanism #1, and ports behind its BARs. */
import type { V86Cpu } from "../../src/adapters/v86/emulator";
import type { PciBus } from "../../src/transport/pci-bus";

type Width = 1 | 2 | 4;

/** v86's port accesses, as its processor makes them. */
export interface Ports {
  port_read8(port: number): number;
  port_read16(port: number): number;
  port_read32(port: number): number;
  port_write8(port: number, value: number): void;
  port_write16(port: number, value: number): void;
  port_write32(port: number, value: number): void;
}

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const ENABLE = 0x80000000;
const BAR0 = 0x10;

export class V86Function implements PciBus {
  readonly io: Ports;
  private readonly slot: number;

  constructor(cpu: V86Cpu, slot: number) {
    this.io = cpu.io as unknown as Ports;
    this.slot = slot;
  }

  readConfig(offset: number, bytes: Width): number {
    this.select(offset);
    return this.read(CONFIG_DATA + (offset & 3), bytes);
  }

  writeConfig(offset: number, bytes: Width, value: number): void {
    this.select(offset);
    this.write(CONFIG_DATA + (offset & 3), bytes, value);
  }

  /** Sized as firmware does it: v86 moves the ports to the end of the space meanwhile. */
  barSize(bar: number): number {
    const at = BAR0 + 4 * bar;
    const before = this.readConfig(at, 4);
    this.writeConfig(at, 4, 0xffffffff);
    const size = (~this.readConfig(at, 4) | 3) + 1;
    this.writeConfig(at, 4, before);
    return before === 0 ? 0 : size;
  }

  readBar(bar: number, offset: number, bytes: Width): number {
    return this.read(this.base(bar) + offset, bytes);
  }

  writeBar(bar: number, offset: number, bytes: Width, value: number): void {
    this.write(this.base(bar) + offset, bytes, value);
  }

  /** First port of a BAR. */
  base(bar: number): number {
    return this.readConfig(BAR0 + 4 * bar, 4) & 0xfffc;
  }

  private select(offset: number): void {
    this.io.port_write32(CONFIG_ADDRESS, ENABLE | (this.slot << 11) | (offset & 0xfc));
  }

  private read(port: number, bytes: Width): number {
    if (bytes === 1) return this.io.port_read8(port);
    return bytes === 2 ? this.io.port_read16(port) : this.io.port_read32(port) >>> 0;
  }

  private write(port: number, bytes: Width, value: number): void {
    if (bytes === 1) this.io.port_write8(port, value);
    else if (bytes === 2) this.io.port_write16(port, value);
    else this.io.port_write32(port, value);
  }
}
