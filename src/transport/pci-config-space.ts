/**
 * PCI configuration space of one function, 256 bytes (PCI 3.0 §6.1): bytes, which of their bits the driver may
 * write, and parts that are asked before a read and told after a write. Writes to other bits are dropped, as PCI has it.
 */
import type { VirtioDevice } from "../device/device";
import {
  PCI_CAPABILITY_LIST,
  PCI_CONFIG_SIZE,
  PCI_STATUS,
  PCI_STATUS_INTERRUPT,
  PCI_STD_HEADER_SIZEOF,
} from "../spec/pci-header";
import { lowBytes, unnatural, wrongAlign } from "./pci-register";

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
  /** Its bytes, a multiple of 4, of which the second, the link to the next one, is filled in. */
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

  constructor(device: VirtioDevice) {
    this.device = device;
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

  /** Lets the driver write these bits. */
  allow(at: number, bits: number, bytes: 1 | 2 | 4): void {
    for (let i = 0; i < bytes; i++) this.writable[at + i] = bits >>> (8 * i);
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
    this.end = at + bytes.length;
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
}
