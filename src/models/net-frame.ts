/**
 * Which frames may pass a network device, and how they look then (§5.1.4.1, §5.1.6.2.2, §5.1.6.4.1): pure judgements
 * on one frame and the negotiated set. What no rule lets pass is undefined here, and dropped by net.ts.
 */
import type { FeatureSet } from "../negotiation/feature-set";
import {
  isSegmented,
  type NetHeader,
  type NetOffloads,
  netHeaderBytes,
  netHeaderFault,
  netOffloads,
  PLAIN_NET_HEADER,
  readNetHeader,
} from "../negotiation/net-header";
import {
  VIRTIO_NET_ETH_HEADER_SIZE,
  VIRTIO_NET_FRAME_SIZE_MAX,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_SIZE,
} from "../spec/net";
import type { Chain } from "../virtqueue/chain";
import { withChecksum } from "./net-checksum";

/** A frame and what is left to do with it. */
export interface NetFrame {
  readonly bytes: Uint8Array;
  readonly header: NetHeader;
}

/** What a negotiated set means for frames. */
export interface NetRules {
  /** 10 on the legacy interface without MRG_RXBUF, else 12. */
  readonly headerBytes: number;
  /** A received frame may be spread over buffers. */
  readonly isMergeable: boolean;
  /** Most bytes of a frame that is not to be segmented. */
  readonly frameBytes: number;
  /** What a transmitted frame may leave to the device. */
  readonly host: NetOffloads;
  /** What a received frame may leave to the driver. */
  readonly guest: NetOffloads;
}

/** The rules of a negotiated set. @param mtu bytes, if the device has one */
export function netRules(negotiated: FeatureSet, mtu: number | undefined): NetRules {
  const hasMtu = mtu !== undefined && negotiated.has("MTU", "net");
  return {
    headerBytes: netHeaderBytes(negotiated),
    isMergeable: negotiated.has("MRG_RXBUF", "net"),
    frameBytes: hasMtu ? mtu + VIRTIO_NET_ETH_HEADER_SIZE : VIRTIO_NET_FRAME_SIZE_MAX,
    host: netOffloads(negotiated, "HOST"),
    guest: netOffloads(negotiated, "GUEST"),
  };
}

const header = new Uint8Array(VIRTIO_NET_HDR_SIZE);

/**
 * Copies a frame out of a transmitted chain, however the driver cut it into buffers (§2.7.4.2).
 *
 * @returns undefined without a whole header and a frame of 14 bytes and up, or if the driver asks for what was not agreed
 */
export function takeFrame(chain: Chain, { headerBytes, frameBytes, host }: NetRules): NetFrame | undefined {
  const length = chain.readableBytes - headerBytes;
  if (!isFrame(length)) return undefined;
  const reader = chain.reader();
  reader.read(header.subarray(0, headerBytes));
  // §5.1.6.2.2: flags that the device doesn't recognise are ignored; without CSUM that is all of them.
  const asked = askedOf(readNetHeader(header, 0), host.csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
  if (!isSegmented(asked) && length > frameBytes) return undefined;
  if (netHeaderFault(asked, length, host) !== undefined) return undefined;
  const bytes = new Uint8Array(length);
  reader.read(bytes);
  return { bytes, header: asked };
}

/**
 * A frame from the wire as the driver may be given it; its checksum is filled in if the driver can't (§5.1.6.4.1).
 *
 * @returns undefined if it is too long, or needs what the driver did not accept
 */
export function giveFrame(
  bytes: Uint8Array,
  from: NetHeader,
  { frameBytes, guest }: NetRules,
): NetFrame | undefined {
  // §5.1.6.4.1: RSC_INFO stays zero without RSC_EXT.
  const asked = askedOf(from, VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
  if (!isFrame(bytes.length) || (!isSegmented(asked) && bytes.length > frameBytes)) return undefined;
  if (netHeaderFault(asked, bytes.length, { ...guest, csum: true }) !== undefined) return undefined;
  if (guest.csum) return { bytes, header: asked };
  // §5.1.6.4.1: flags are zero without GUEST_CSUM, and nothing can be segmented then (§5.1.3.1).
  const isPartial = (asked.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
  return { bytes: isPartial ? withChecksum(bytes, asked) : bytes, header: PLAIN_NET_HEADER };
}

function isFrame(length: number): boolean {
  return length >= VIRTIO_NET_ETH_HEADER_SIZE && length <= VIRTIO_NET_FRAME_SIZE_MAX;
}

/** A header without the flags that nobody knows, and without the fields that mean nothing then (§5.1.6.2.2). */
function askedOf(from: NetHeader, knownFlags: number): NetHeader {
  const flags = from.flags & knownFlags;
  const gsoType = isSegmented(from) ? from.gsoType : VIRTIO_NET_HDR_GSO_NONE;
  if (flags === 0 && gsoType === VIRTIO_NET_HDR_GSO_NONE) return PLAIN_NET_HEADER;
  const isPartial = (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
  return {
    flags,
    gsoType,
    hdrLen: from.hdrLen,
    gsoSize: gsoType === VIRTIO_NET_HDR_GSO_NONE ? 0 : from.gsoSize,
    csumStart: isPartial ? from.csumStart : 0,
    csumOffset: isPartial ? from.csumOffset : 0,
  };
}
