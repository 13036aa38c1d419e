/** A first look at a capture: whether it can be sent at all, and how large a network device has to be for it. */
import type { Capture } from "../capture/capture";
import { CaptureError } from "../capture/capture-error";
import { VIRTIO_NET_ETH_HEADER_SIZE, VIRTIO_NET_MTU_MAX, VIRTIO_NET_MTU_MIN } from "../spec/net";

/** What is in a capture. */
export interface CaptureSurvey {
  readonly frames: number;
  /** Bytes of all frames, as captured. */
  readonly bytes: number;
  /** Bytes of the largest frame. */
  readonly largest: number;
  /** The MTU of a device that takes them all (§5.1.4.1). */
  readonly mtu: number;
  /** Frames of which only a part was captured. */
  readonly cut: number;
}

/** Bytes of the largest frame that a network device can take. */
const LARGEST = VIRTIO_NET_MTU_MAX + VIRTIO_NET_ETH_HEADER_SIZE;

/**
 * Reads a capture from its first to its last byte.
 *
 * @param breathe hears after each frame how many bytes of the file have been read; a Promise holds the reading up
 * @throws CaptureError for the first thing that is wrong with it: CAPTURE_FRAME_SIZE for a frame that no device takes,
 *   CAPTURE_INVALID for a capture without any
 */
export async function surveyCapture(
  capture: Capture,
  breathe: (bytes: number) => Promise<void> | undefined = () => undefined,
): Promise<CaptureSurvey> {
  const found = { frames: 0, bytes: 0, largest: 0, cut: 0 };
  for (const { bytes, offset, originalLength } of capture.frames()) {
    const { length } = bytes;
    if (length < VIRTIO_NET_ETH_HEADER_SIZE || length > LARGEST) {
      const text = `the frame at offset ${offset} has ${length} bytes: a network device takes ${VIRTIO_NET_ETH_HEADER_SIZE} to ${LARGEST}`;
      throw new CaptureError("CAPTURE_FRAME_SIZE", offset, text);
    }
    found.frames++;
    found.bytes += length;
    found.largest = Math.max(found.largest, length);
    if (length < originalLength) found.cut++;
    await breathe(offset);
  }
  if (found.frames === 0) {
    const text = `the ${capture.size} bytes of ${capture.format} up to offset ${capture.size} hold no frame`;
    throw new CaptureError("CAPTURE_INVALID", capture.size, text);
  }
  const { frames, bytes, largest, cut } = found;
  return {
    frames,
    bytes,
    largest,
    mtu: Math.max(VIRTIO_NET_MTU_MIN, largest - VIRTIO_NET_ETH_HEADER_SIZE),
    cut,
  };
}
