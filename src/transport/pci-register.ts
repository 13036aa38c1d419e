/**
 * One field of a structure of virtio-pci (§4.1.4), as the parts of the transport contribute them, and what may be wrong
 * with an access. A field's direction follows from what it has: without `write` it is read-only for the driver.
 */
import { type ErrorCode, VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";

/** A field at its place in a structure. 64-bit fields are two of them, low half first (§4.1.3). */
export interface PciRegister {
  /** Bytes from the start of the structure, a multiple of `bytes`. */
  readonly at: number;
  /** Its width. */
  readonly bytes: 1 | 2 | 4;
  /** As §4.1.4 has it, for messages. */
  readonly name: string;
  /** `bytes` wide, unsigned. */
  readonly read?: () => number;
  /** @param value `bytes` wide, unsigned */
  readonly write?: (value: number) => void;
}

/** What a driver does to a place. */
export interface PciAccess {
  readonly how: "read" | "write";
  /** Bytes from the start of `place`. */
  readonly offset: number;
  readonly bytes: number;
  /** What is accessed, for messages: "BAR 4", "the common configuration". */
  readonly place: string;
}

/** Whether a width is one that a register access has at all. */
export function isWidth(bytes: number): bytes is 1 | 2 | 4 {
  return bytes === 1 || bytes === 2 || bytes === 4;
}

/** The low `bytes` of a value, unsigned; 0 for what is no number. */
export function lowBytes(value: number, bytes: number): number {
  return bytes === 4 ? value >>> 0 : value & (2 ** (8 * bytes) - 1);
}

/** §4.1.3.1: another width than the field has. */
export function wrongWidth(access: PciAccess, wanted: string): VirtioError {
  return breach("PCI_WIDTH", `${attempt(access)}: ${wanted}`);
}

/** §4.1.3.1: not where a field begins. */
export function wrongAlign(access: PciAccess, wanted: string): VirtioError {
  return breach("PCI_ALIGN", `${attempt(access)}: ${wanted}`);
}

/** §4.1.4.3.2: a field that isn't the driver's to write. */
export function readOnly(name: string, value: number): VirtioError {
  return breach("PCI_READONLY", `${hex(value)} written to ${name}, which is read-only`, "4.1.4.3.2");
}

/** What is wrong with an access that is to be as wide as it is aligned, 1, 2 or 4 bytes. */
export function unnatural(access: PciAccess): VirtioError | undefined {
  const { offset, bytes } = access;
  if (!isWidth(bytes)) return wrongWidth(access, "accesses are 1, 2 or 4 wide");
  if (Number.isSafeInteger(offset) && offset >= 0 && offset % bytes === 0) return undefined;
  return wrongAlign(access, `the offset is no multiple of ${bytes}`);
}

function attempt({ how, bytes, offset, place }: PciAccess): string {
  return `${how} of ${bytes} bytes at offset ${offset} of ${place}`;
}

function breach(code: ErrorCode, reason: string, section = "4.1.3.1"): VirtioError {
  return new VirtioError(code, reason, { section });
}
