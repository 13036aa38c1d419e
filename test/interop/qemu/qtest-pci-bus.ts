/**
 * One PCI function of QEMU's pc through qtest: configuration mechanism #1 (ports 0xcf8 and 0xcfc), and what the platform
 * does before a driver comes: BARs sized and placed, decoding and bus mastering switched on.
 */
import { PCI_BASE_ADDRESS_0, PCI_COMMAND } from "../../../src/spec/pci-header";
import type { PciBus } from "../../../src/transport/pci-bus";
import { type Qtest, WIDTH } from "./qtest-bus";

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const ENABLE = 0x8000_0000;
const BARS = 6;
/** I/O space, memory space, bus master. */
const COMMAND = 7;
/** Where BARs go, each into a place of its own: above RAM, and above the ports of the chipset. */
const MEMORY = { base: 0xe000_0000, step: 0x0010_0000 };
const PORTS = { base: 0xc000, step: 0x100 };
const IS_IO = 1;
const IS_64 = 4;

interface Bar {
  readonly isIo: boolean;
  readonly base: number;
  readonly size: number;
}

/** A function, of a device on bus 0. */
export class QtestPciBus implements PciBus {
  private readonly qtest: Qtest;
  private readonly device: number;
  private readonly bars: readonly (Bar | undefined)[];

  /** @param device its number, 0…31 */
  constructor(qtest: Qtest, device: number) {
    this.qtest = qtest;
    this.device = device;
    const bars: (Bar | undefined)[] = [];
    for (let bar = 0; bar < BARS; bar++) {
      const at = PCI_BASE_ADDRESS_0 + 4 * bar;
      this.writeConfig(at, 4, 0xffff_ffff);
      const sized = this.readConfig(at, 4);
      if (sized === 0) continue;
      bars[bar] = this.place(bar, sized);
      if ((sized & (IS_IO | IS_64)) === IS_64) this.writeConfig(PCI_BASE_ADDRESS_0 + 4 * ++bar, 4, 0);
    }
    this.bars = bars;
    this.writeConfig(PCI_COMMAND, 2, COMMAND);
  }

  readConfig(offset: number, bytes: 1 | 2 | 4): number {
    return Number(this.qtest.command(`in${WIDTH[bytes]} ${this.select(offset)}`));
  }

  writeConfig(offset: number, bytes: 1 | 2 | 4, value: number): void {
    this.qtest.command(`out${WIDTH[bytes]} ${this.select(offset)} ${hex(value)}`);
  }

  barSize(bar: number): number {
    return this.bars[bar]?.size ?? 0;
  }

  readBar(bar: number, offset: number, bytes: 1 | 2 | 4): number {
    const { isIo, base } = this.bar(bar);
    return Number(this.qtest.command(`${isIo ? "in" : "read"}${WIDTH[bytes]} ${hex(base + offset)}`));
  }

  writeBar(bar: number, offset: number, bytes: 1 | 2 | 4, value: number): void {
    const { isIo, base } = this.bar(bar);
    this.qtest.command(`${isIo ? "out" : "write"}${WIDTH[bytes]} ${hex(base + offset)} ${hex(value)}`);
  }

  private place(bar: number, sized: number): Bar {
    const isIo = (sized & IS_IO) !== 0;
    const size = isIo ? (~(sized & ~3) + 1) & 0xffff : (~(sized & ~15) + 1) >>> 0;
    const { base, step } = isIo ? PORTS : MEMORY;
    const placed = base + bar * step;
    this.writeConfig(PCI_BASE_ADDRESS_0 + 4 * bar, 4, placed);
    return { isIo, base: placed, size };
  }

  private bar(index: number): Bar {
    const bar = this.bars[index];
    if (bar === undefined) throw new Error(`device ${this.device} has no BAR ${index}`);
    return bar;
  }

  /** @returns the port that the register is at now */
  private select(offset: number): string {
    this.qtest.command(`outl ${hex(CONFIG_ADDRESS)} ${hex(ENABLE + (this.device << 11) + (offset & 0xfc))}`);
    return hex(CONFIG_DATA + (offset & 3));
  }
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
