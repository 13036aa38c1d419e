/**
 * Writes frames as pcapng 1.0, little-endian: one section, one Ethernet interface, timestamps in nanoseconds, one
 * enhanced packet block a frame. It makes bytes; where they go is the caller's business.
 */
import type { CapturedFrame } from "./frame";

/** A frame to be written. */
export type FrameToWrite = Pick<CapturedFrame, "bytes" | "timestamp" | "originalLength">;

const FRAME_FIELDS = 28;
const TRAILER = 4;

/**
 * What a file begins with: the section header and the interface.
 *
 * @param application goes into the section's options, ASCII
 */
export function pcapngHeader(application: string): Uint8Array {
  const name = new TextEncoder().encode(application);
  // shb_userappl; the end of options.
  const section = block(0x0a0d0d0a, 16 + 4 + padded(name.length) + 4);
  section.view.setUint32(8, 0x1a2b3c4d, true);
  section.view.setUint16(12, 1, true);
  // The section's length is left open.
  section.view.setBigInt64(16, -1n, true);
  section.view.setUint16(24, 4, true);
  section.view.setUint16(26, name.length, true);
  section.bytes.set(name, 28);
  // Link type 1, no snap length; if_tsresol 9 is nanoseconds; the end of options.
  const description = block(1, 8 + 8 + 4);
  description.view.setUint16(8, 1, true);
  description.view.setUint16(16, 9, true);
  description.view.setUint16(18, 1, true);
  description.view.setUint8(20, 9);
  const header = new Uint8Array(section.bytes.length + description.bytes.length);
  header.set(section.bytes);
  header.set(description.bytes, section.bytes.length);
  return header;
}

/** One frame as an enhanced packet block; a frame without a time is written at 1970. */
export function pcapngFrame({ bytes, timestamp = 0n, originalLength }: FrameToWrite): Uint8Array {
  const written = block(6, FRAME_FIELDS - 8 + padded(bytes.length));
  const { view } = written;
  const time = BigInt.asUintN(64, timestamp);
  view.setUint32(12, Number(time >> 32n), true);
  view.setUint32(16, Number(time & 0xffffffffn), true);
  view.setUint32(20, bytes.length, true);
  view.setUint32(24, originalLength, true);
  written.bytes.set(bytes, FRAME_FIELDS);
  return written.bytes;
}

/** A block of zeros with its type and both lengths. */
function block(type: number, body: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(8 + body + TRAILER);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, bytes.length, true);
  view.setUint32(bytes.length - TRAILER, bytes.length, true);
  return { bytes, view };
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
