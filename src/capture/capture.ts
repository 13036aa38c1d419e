/**
 * A capture of network traffic as a list of frames, whatever format it is in: pcap or pcapng, found out by its first
 * bytes. Frames are read one at a time and as often as they are iterated.
 */
import { CaptureError } from "./capture-error";
import type { CapturedFrame } from "./frame";
import { isPcap, pcapFrames } from "./pcap";
import { pcapngFrames, SECTION_HEADER } from "./pcapng";
import { type CaptureSource, fields, memorySource, piece } from "./source";

/** A capture whose format is known. */
export interface Capture {
  readonly format: "pcap" | "pcapng";
  /** Bytes of the file. */
  readonly size: number;
  /**
   * Begins at the first frame at each call.
   *
   * @throws CaptureError while it is iterated: a capture is judged where it is read
   */
  frames(): IterableIterator<CapturedFrame>;
}

/** What people mistake for a capture, by its first two bytes. */
const COMPRESSED: ReadonlyMap<number, string> = new Map([
  [0x1f8b, "gzip"],
  [0x28b5, "zstd"],
  [0xfd37, "xz"],
  [0x0422, "lz4"],
]);
const MAGIC_BYTES = 4;

/**
 * Opens a capture.
 *
 * @param from its bytes, or where they come from
 * @throws CaptureError CAPTURE_INVALID when it is neither pcap nor pcapng, CAPTURE_TRUNCATED when it is shorter than
 *   what tells
 */
export function readCapture(from: Uint8Array | CaptureSource): Capture {
  const source = from instanceof Uint8Array ? memorySource(from) : from;
  const { size } = source;
  const magic = fields(source, 0, MAGIC_BYTES, "the magic number at offset 0").getUint32(0, true);
  if (isPcap(magic)) return { format: "pcap", size, frames: () => pcapFrames(source) };
  if (magic === SECTION_HEADER) return { format: "pcapng", size, frames: () => pcapngFrames(source) };
  throw unknownFormat(piece(source, 0, MAGIC_BYTES, "the magic number"));
}

function unknownFormat(start: Uint8Array): CaptureError {
  const shown = Array.from(start, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const compressed = COMPRESSED.get(((start[0] ?? 0) << 8) | (start[1] ?? 0));
  const hint = compressed === undefined ? "" : `; it is compressed with ${compressed}, unpack it first`;
  const text = `the bytes ${shown} at offset 0 begin neither pcap nor pcapng${hint}`;
  return new CaptureError("CAPTURE_INVALID", 0, text);
}
