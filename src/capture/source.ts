/**
 * Where a capture's bytes come from: memory, or anything that can be read at an offset. A reader asks for small
 * pieces, never for the whole file, so a capture may be larger than memory.
 */
import { CaptureError } from "./capture-error";

/** Bytes that can be read at any offset. */
export interface CaptureSource {
  /** Bytes in all. */
  readonly size: number;
  /**
   * Reads a piece.
   *
   * @param offset bytes from the start, < size
   * @param length bytes wanted; offset + length ≤ size
   * @returns the piece, shorter only if the file has shrunk; it may be overwritten by the next call
   */
  read(offset: number, length: number): Uint8Array;
}

/** A capture that lies in memory; pieces are views of it. */
export function memorySource(bytes: Uint8Array): CaptureSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/**
 * Reads a piece that has to be there.
 *
 * @param what names the piece in the message, for example "the record header at offset 24"
 * @throws CaptureError CAPTURE_TRUNCATED when the file ends before
 */
export function piece(source: CaptureSource, offset: number, length: number, what: string): Uint8Array {
  const left = Math.max(0, source.size - offset);
  if (length > left) {
    throw new CaptureError("CAPTURE_TRUNCATED", offset, `${what} needs ${length} bytes, ${left} are left`);
  }
  const bytes = source.read(offset, length);
  if (bytes.length < length) {
    const text = `${what} was ${length} bytes long and is ${bytes.length} now: the file changed`;
    throw new CaptureError("CAPTURE_TRUNCATED", offset, text);
  }
  return bytes;
}

/** The same as {@link piece}, to take numbers out of. */
export function fields(source: CaptureSource, offset: number, length: number, what: string): DataView {
  const { buffer, byteOffset } = piece(source, offset, length, what);
  return new DataView(buffer, byteOffset, length);
}
