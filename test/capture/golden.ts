/** Captures written down byte by byte, as the formats' descriptions say, and what is in them. */

import { readCapture } from "../../src/capture/capture";
import { CaptureError } from "../../src/capture/capture-error";
import type { CapturedFrame } from "../../src/capture/frame";

/** Hexadecimal digits as bytes; anything else in the text is for the eye. */
export function hex(...parts: string[]): Uint8Array {
  const digits = parts.join("").replace(/[^\da-f]/gi, "");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Two frames, of 16 and of 5 bytes. */
export const FIRST = "ffffffffffff 020000000001 88b5 6869";
export const SECOND = "0102030405";

/** Two records: 2001-09-09 01:46:40.000005, whole; one second and 999999 units later, 5 of 60 bytes. */
export const PCAP_LITTLE = [
  "d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000", // offset 0
  "00ca9a3b 05000000 10000000 10000000", // 24
  FIRST, // 40
  "01ca9a3b 3f420f00 05000000 3c000000", // 56
  SECOND, // 72
] as const;

export const PCAP_BIG = [
  "a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001",
  "3b9aca00 00000005 00000010 00000010",
  FIRST,
  "3b9aca01 000f423f 00000005 0000003c",
  SECOND,
] as const;

/** Little-endian: a section, an interface with default units, a frame in each kind of packet block, others between. */
export const PCAPNG_LITTLE = [
  "0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000", // 0
  "01000000 14000000 0100 0000 00000400 14000000", // 28
  "05000000 18000000 00000000 00000000 00000000 18000000", // 48: statistics, skipped
  `06000000 30000000 00000000 90d00300 05004b7f 10000000 10000000 ${FIRST} 30000000`, // 72
  `02000000 28000000 0000 ffff 90d00300 06004b7f 05000000 3c000000 ${SECOND} 000000 28000000`, // 120
  `03000000 18000000 05000000 ${SECOND} 000000 18000000`, // 160
] as const;

/** The same, big-endian. */
export const PCAPNG_BIG = [
  "0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c",
  "00000001 00000014 0001 0000 00040000 00000014",
  "00000005 00000018 00000000 00000000 00000000 00000018",
  `00000006 00000030 00000000 0003d090 7f4b0005 00000010 00000010 ${FIRST} 00000030`,
  `00000002 00000028 0000 ffff 0003d090 7f4b0006 00000005 0000003c ${SECOND} 000000 00000028`,
  `00000003 00000018 00000005 ${SECOND} 000000 00000018`,
] as const;

/** Microseconds of the first pcapng frame. */
export const PCAPNG_MICROSECONDS = 0x0003d0907f4b0005n;

/** All frames, each with bytes of its own. */
export function framesOf(bytes: Uint8Array): CapturedFrame[] {
  return [...readCapture(bytes).frames()].map((frame) => ({ ...frame, bytes: frame.bytes.slice() }));
}

/** What the reader says of a capture that is not right. */
export function complaintOf(bytes: Uint8Array): { code: string; offset: number; message: string } {
  try {
    framesOf(bytes);
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    const { code, offset, message } = error;
    return { code, offset, message };
  }
  throw new Error("it was read to the end");
}

/** A little-endian pcap of frames, a microsecond apart; `original` says more than was captured. */
export function pcapOf(frames: readonly Uint8Array[], original = 0): Uint8Array {
  const records = frames.flatMap((frame, i) => {
    const header = new DataView(new ArrayBuffer(16));
    header.setUint32(0, 1_000_000_000, true);
    header.setUint32(4, i, true);
    header.setUint32(8, frame.length, true);
    header.setUint32(12, Math.max(original, frame.length), true);
    return [new Uint8Array(header.buffer), frame];
  });
  return new Uint8Array(Buffer.concat([hex(PCAP_LITTLE[0]), ...records]));
}
