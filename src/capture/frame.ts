/** A frame of a capture, and what holds for the frames of every format. */
import { CaptureError } from "./capture-error";

/** One captured frame. */
export interface CapturedFrame {
  /** What was captured of the frame, from the destination address on; valid until the next frame is asked for. */
  readonly bytes: Uint8Array;
  /** Nanoseconds since 1970, rounded down; undefined where the format keeps none (a Simple Packet Block). */
  readonly timestamp: bigint | undefined;
  /** Which interface of the file it came from, 0 and up over all sections. */
  readonly interface: number;
  /** Bytes that the frame had on the network: more than `bytes` has if it was cut when it was captured. */
  readonly originalLength: number;
  /** Bytes from the start of the file to the frame's record or block. */
  readonly offset: number;
}

/** The only link type whose frames a network device carries; on Linux the loopback's frames have it too. */
const LINKTYPE_ETHERNET = 1;
/** No capture program writes a longer record; a length beyond it is a damaged file. */
const MOST_CAPTURED = 0x40000;

/**
 * Judges a link type.
 *
 * @param offset of what says so in the file
 * @param what begins the message, for example "the file header at offset 20 says"
 * @throws CaptureError CAPTURE_LINK_TYPE for anything but Ethernet
 */
export function checkLinkType(linkType: number, offset: number, what: string): void {
  if (linkType === LINKTYPE_ETHERNET) return;
  const text = `${what} link type ${linkType}: only ${LINKTYPE_ETHERNET} (Ethernet) is read`;
  throw new CaptureError("CAPTURE_LINK_TYPE", offset, text);
}

/**
 * Judges the two lengths of a record.
 *
 * @param what for example "the record at offset 24"
 * @param captured bytes that the record says it has
 * @param original bytes that it says the frame had
 * @param left bytes that there is room for
 * @throws CaptureError CAPTURE_TRUNCATED, CAPTURE_INVALID
 */
export function checkLengths(
  what: string,
  offset: number,
  captured: number,
  original: number,
  left: number,
): void {
  if (captured > left) {
    throw new CaptureError("CAPTURE_TRUNCATED", offset, `${what} says ${captured} bytes, ${left} are left`);
  }
  if (captured > MOST_CAPTURED) {
    const text = `${what} says ${captured} bytes, more than the ${MOST_CAPTURED} of the longest record`;
    throw new CaptureError("CAPTURE_INVALID", offset, text);
  }
  if (captured > original) {
    const text = `${what} says ${captured} bytes of a frame of ${original}`;
    throw new CaptureError("CAPTURE_INVALID", offset, text);
  }
}
