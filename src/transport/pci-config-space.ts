/**
 * PCI configuration space of one function, 256 bytes (§4.1.2, PCI 3.0 §6.1): bytes, which of their bits the driver may
 * write, and parts that are asked before a read and told after a write. Writes to other bits are dropped, as PCI has it.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import {
  PCI_BASE_ADDRESS_0,
  PCI_CACHE_LINE_SIZE,
  PCI_CAPABILITY_LIST,
  PCI_CLASS_PROG,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_COMMAND_PARITY,
  PCI_COMMAND_SERR,
  PCI_CONFIG_SIZE,
  PCI_DEVICE_ID,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_LATENCY_TIMER,
  PCI_REVISION_ID,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_STATUS_INTERRUPT,
  PCI_STD_HEADER_SIZEOF,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from "../spec/pci-header";
import type { GuestAddress } from "../virtqueue/layout";
import { barFlags, type PciBar } from "./pci-bars";
import type { PciIdentity } from "./pci-identity";
import { lowBytes, unnatural, wrongAlign } from "./pci-register";

const COMMAND_BITS =
  PCI_COMMAND_IO |
  PCI_COMMAND_MEMORY |
  PCI_COMMAND_MASTER |
  PCI_COMMAND_PARITY |
  PCI_COMMAND_SERR |
  PCI_COMMAND_INTX_DISABLE;
const PIN_INTA = 1;

/** A part that lies behind some bytes. */
export interface PciConfigWatch {
  readonly at: number;
  readonly length: number;
  /** Before the driver reads any of the bytes: puts into them what is to be read. */
  readonly reads?: () => void;
  /** After the driver wrote to any of them. */
  readonly written?: (value: number) => void;
}

/** A capability before it has a place. */
export interface PciCapability {
  /** Its bytes, of which the second, the link to the next one, is filled in. */
  readonly bytes: Uint8Array;
  /** Bits that the driver may write; default none. */
  readonly writable?: Uint8Array;
}

/** The configuration space of one function. */
export class PciConfigSpace {
  private readonly device: VirtioDevice;
  private readonly bytes = new Uint8Array(PCI_CONFIG_SIZE);
  private readonly writable = new Uint8Array(PCI_CONFIG_SIZE);
  private readonly watches: PciConfigWatch[] = [];
  private readonly view = new DataView(this.bytes.buffer);
  /** All bytes as they are after a reset of the function. */
  private initial: Uint8Array = this.bytes;
  private linkAt = PCI_CAPABILITY_LIST;
  private end = PCI_STD_HEADER_SIZEOF;

  constructor(device: VirtioDevice, identity: PciIdentity) {
    this.device = device;
    this.put(PCI_VENDOR_ID, identity.vendorId, 2);
    this.put(PCI_DEVICE_ID, identity.deviceId, 2);
    this.put(PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
    this.put(PCI_REVISION_ID, identity.revision, 1);
    this.put(PCI_CLASS_PROG, identity.classCode & 0xffff, 2);
    this.put(PCI_CLASS_PROG + 2, identity.classCode >>> 16, 1);
    this.put(PCI_SUBSYSTEM_VENDOR_ID, identity.subsystemVendorId, 2);
    this.put(PCI_SUBSYSTEM_ID, identity.subsystemId, 2);
    this.put(PCI_INTERRUPT_PIN, PIN_INTA, 1);
    this.allow(PCI_COMMAND, COMMAND_BITS, 2);
    for (const at of [PCI_CACHE_LINE_SIZE, PCI_LATENCY_TIMER, PCI_INTERRUPT_LINE]) this.allow(at, 0xff, 1);
  }

  /** Bytes as they are now, for the parts of the transport: nobody is asked or told. */
  get(at: number, bytes: 1 | 2 | 4): number {
    return bytes === 1
      ? this.view.getUint8(at)
      : bytes === 2
        ? this.view.getUint16(at, true)
        : this.view.getUint32(at, true);
  }

  /** Changes bytes past the driver. */
  put(at: number, value: number, bytes: 1 | 2 | 4): void {
    for (let i = 0; i < bytes; i++) this.bytes[at + i] = value >>> (8 * i);
  }

  /**
   * Sets the base address registers up: a BAR's size decides which of its bits can be written (PCI 3.0 §6.2.5.1).
   *
   * @param addresses by index; 0 where there is none
   * @throws VirtioError BAD_ARGUMENT for an address that a BAR can't have
   */
  setBars(bars: readonly PciBar[], addresses: Readonly<Record<number, GuestAddress>>): void {
    const stray = Object.keys(addresses).find((key) => !bars.some(({ index }) => `${index}` === key));
    if (stray !== undefined)
      badAddress(`address for BAR ${stray}, there are ${bars.map(({ index }) => index)}`);
    for (const bar of bars) {
      const { index, size, is64 } = bar;
      const address = BigInt(addresses[index] ?? 0);
      if (address % BigInt(size) !== 0n || address < 0n || address >> (is64 ? 64n : 32n) !== 0n)
        badAddress(`address ${address} of BAR ${index}, which has ${size} bytes and ${is64 ? 64 : 32} bits`);
      const mask = BigInt.asUintN(64, -BigInt(size));
      for (const half of is64 ? [0, 1] : [0]) {
        const at = PCI_BASE_ADDRESS_0 + 4 * (index + half);
        const word = (whole: bigint) => Number((whole >> BigInt(32 * half)) & 0xffff_ffffn);
        this.put(at, word(address | BigInt(barFlags(bar))), 4);
        this.allow(at, word(mask), 4);
      }
    }
  }

  /** The address in a BAR's register. */
  barAddress({ index, size, is64 }: PciBar): bigint {
    const at = PCI_BASE_ADDRESS_0 + 4 * index;
    const whole = BigInt(this.get(at, 4)) | (is64 ? BigInt(this.get(at + 4, 4)) << 32n : 0n);
    return whole - (whole % BigInt(size));
  }

  /**
   * Puts a capability behind the last one.
   *
   * @returns where it is, or undefined if there is no room
   */
  add({ bytes, writable }: PciCapability): number | undefined {
    const at = this.end;
    if (at + bytes.length > PCI_CONFIG_SIZE) return undefined;
    this.bytes.set(bytes, at);
    if (writable !== undefined) this.writable.set(writable, at);
    this.bytes[this.linkAt] = at;
    this.linkAt = at + 1;
    this.end = at + ((bytes.length + 3) & ~3);
    return at;
  }

  /** Has a part asked and told. */
  watch(watch: PciConfigWatch): void {
    this.watches.push(watch);
  }

  /** The driver reads 1, 2 or 4 bytes. */
  read(offset: number, bytes: number): number {
    const width = this.width("read", offset, bytes);
    if (width === undefined) return 0;
    for (const { reads } of this.watching(offset, width)) reads?.();
    return this.get(offset, width);
  }

  /** The driver writes 1, 2 or 4 bytes; bits that aren't writable keep their value. */
  write(offset: number, value: number, bytes: number): void {
    const width = this.width("write", offset, bytes);
    if (width === undefined) return;
    const written = lowBytes(value, width);
    for (let i = 0; i < width; i++) {
      const mask = this.writable[offset + i] ?? 0;
      const before = this.bytes[offset + i] ?? 0;
      this.bytes[offset + i] = (before & ~mask) | ((written >>> (8 * i)) & mask);
    }
    for (const watch of this.watching(offset, width)) watch.written?.(written);
  }

  /** All bytes, a copy. */
  image(): Uint8Array {
    return this.bytes.slice();
  }

  /** Everything is set up: a reset of the function leads back to here. */
  seal(): void {
    this.initial = this.image();
  }

  /** A reset of the function (RST#, FLR). Nobody is told. */
  reset(): void {
    this.bytes.set(this.initial);
  }

  /**
   * The first byte in which an image differs where the driver has nothing to say, or undefined.
   *
   * @param image 256 bytes
   */
  misfit(image: readonly number[]): number | undefined {
    const isOther = (byte: number, at: number) => {
      const free = at === PCI_STATUS ? PCI_STATUS_INTERRUPT : (this.writable[at] ?? 0);
      return ((byte ^ (this.bytes[at] ?? 0)) & ~free) !== 0;
    };
    const at = this.bytes.length === image.length ? image.findIndex(isOther) : image.length;
    return at < 0 ? undefined : at;
  }

  /** Takes over an image that fits. Nobody is told. */
  restore(image: readonly number[]): void {
    this.bytes.set(image);
  }

  private width(how: "read" | "write", offset: number, bytes: number): 1 | 2 | 4 | undefined {
    const access = { how, offset, bytes, place: "configuration space" };
    const breach =
      unnatural(access) ??
      (offset < PCI_CONFIG_SIZE ? undefined : wrongAlign(access, `it has ${PCI_CONFIG_SIZE}`));
    if (breach === undefined) return bytes as 1 | 2 | 4;
    this.device.violation(breach);
    return undefined;
  }

  private watching(offset: number, bytes: number): PciConfigWatch[] {
    return this.watches.filter(({ at, length }) => at < offset + bytes && offset < at + length);
  }

  private allow(at: number, bits: number, bytes: 1 | 2 | 4): void {
    for (let i = 0; i < bytes; i++) this.writable[at + i] = bits >>> (8 * i);
  }
}

function badAddress(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.1" });
}
