/** How many buffers of which size a network driver uses (§5.1.6.3.1). */
import { VirtioError } from "../errors";
import type { FeatureSet } from "../negotiation/feature-set";
import { netHeaderBytes, netOffloads } from "../negotiation/net-header";
import {
  VIRTIO_NET_ETH_HEADER_SIZE,
  VIRTIO_NET_FRAME_SIZE,
  VIRTIO_NET_FRAME_SIZE_MAX,
  VIRTIO_NET_HDR_SIZE,
} from "../spec/net";

/** How a network driver uses its queues. */
export interface NetDriverOptions {
  /**
   * Bytes of a receive buffer, header included. Default: what the largest frame needs, 65601 with GUEST_TSO4, TSO6 or
   * UFO and without MRG_RXBUF, else 1526 or mtu + 26 if that is more (§5.1.6.3.1).
   */
  readonly bufferBytes?: number;
  /** How many receive buffers. Default: as many as the queue may hold, within 1 MiB. */
  readonly receiveBuffers?: number;
  /** Largest frame that is sent, in bytes. Default: 65589 with HOST_TSO4, TSO6 or UFO, else 1514 or mtu + 14. */
  readonly frameBytes?: number;
  /** Most frames on their way out. Default: as many as the queue may hold, within 1 MiB. */
  readonly transmitSlots?: number;
  /** Put header and frame into an indirect table; the driver was made with `indirect` ≥ 2 then. Default false. */
  readonly indirect?: boolean;
}

/** Buffers of one size. */
export interface NetBuffers {
  readonly count: number;
  readonly bytes: number;
}

/**
 * The buffers of both queues, and the largest frame that is sent.
 *
 * @param mtu the device's, if it has one
 * @param receiveSize descriptors of the receive queue
 * @param transmitSize descriptors of the transmit queue
 * @throws VirtioError BAD_ARGUMENT for less than one buffer, or buffers that don't hold what must be received
 */
export function netSizes(
  negotiated: FeatureSet,
  mtu: number | undefined,
  options: NetDriverOptions,
  receiveSize: number,
  transmitSize: number,
): { readonly receive: NetBuffers; readonly transmit: NetBuffers; readonly frameBytes: number } {
  const headerBytes = netHeaderBytes(negotiated);
  const isMergeable = negotiated.has("MRG_RXBUF", "net");
  const isSegmented = (side: "HOST" | "GUEST") => netOffloads(negotiated, side).gso.size > 1;
  const packetBytes = mtu === undefined ? 0 : mtu + VIRTIO_NET_ETH_HEADER_SIZE;
  const incoming =
    isSegmented("GUEST") && !isMergeable
      ? VIRTIO_NET_FRAME_SIZE_MAX
      : Math.max(packetBytes, VIRTIO_NET_FRAME_SIZE);
  const bytes = options.bufferBytes ?? VIRTIO_NET_HDR_SIZE + incoming;
  const count = buffersFor(receiveSize, bytes, options.receiveBuffers);
  // §5.1.4.2: a packet of mtu bytes must fit; §5.1.6.3.1: no buffer is smaller than the header.
  if (bytes < headerBytes || (isMergeable ? bytes * count : bytes) < packetBytes + headerBytes) {
    const text = `${count} receive buffers of ${bytes} bytes can't hold ${headerBytes} + ${packetBytes}`;
    throw new VirtioError("BAD_ARGUMENT", text, { section: "5.1.6.3.1" });
  }
  const outgoing = isSegmented("HOST") ? VIRTIO_NET_FRAME_SIZE_MAX : packetBytes || VIRTIO_NET_FRAME_SIZE;
  const frameBytes = options.frameBytes ?? outgoing;
  const slotBytes = frameBytes + headerBytes;
  const slots = buffersFor(transmitSize, slotBytes, options.transmitSlots);
  return { receive: { count, bytes }, transmit: { count: slots, bytes: slotBytes }, frameBytes };
}

/** What was wanted, or what fits into 1 MiB; at most one buffer per descriptor. */
function buffersFor(size: number, bytes: number, wanted: number | undefined): number {
  const count = Math.min(wanted ?? Math.max(1, Math.floor(0x100000 / bytes)), size);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new VirtioError("BAD_ARGUMENT", `${wanted} buffers, a network driver needs at least one`);
}
