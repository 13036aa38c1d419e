/**
 * The header before each frame of a network device (§5.1.6): its fields, its size, and what the negotiated set lets
 * stand in it. For both halves. num_buffers belongs to the buffers, not to the frame, and is no field here.
 */
import {
  VIRTIO_NET_HDR_CSUM_OFFSET,
  VIRTIO_NET_HDR_CSUM_START,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_F_RSC_INFO,
  VIRTIO_NET_HDR_FLAGS,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_SIZE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_TYPE,
  VIRTIO_NET_HDR_GSO_UDP,
  VIRTIO_NET_HDR_HDR_LEN,
  VIRTIO_NET_HDR_LEGACY_SIZE,
  VIRTIO_NET_HDR_NUM_BUFFERS,
  VIRTIO_NET_HDR_SIZE,
} from "../spec/net";
import type { FeatureSet } from "./feature-set";

/** What is still to be done with a frame, as the header says it. All zero: nothing, the frame is complete. */
export interface NetHeader {
  /** VIRTIO_NET_HDR_F_*. */
  readonly flags: number;
  /** VIRTIO_NET_HDR_GSO_*, possibly with VIRTIO_NET_HDR_GSO_ECN. */
  readonly gsoType: number;
  /** Bytes of all headers of the frame: a hint, never to be relied on. */
  readonly hdrLen: number;
  /** Payload bytes of each segment. */
  readonly gsoSize: number;
  /** Offset in the frame from which its checksum counts; with NEEDS_CSUM alone. */
  readonly csumStart: number;
  /** Offset of the checksum's two bytes from csumStart; with NEEDS_CSUM alone. */
  readonly csumOffset: number;
}

/** The header of a complete frame. */
export const PLAIN_NET_HEADER: NetHeader = Object.freeze({
  flags: 0,
  gsoType: VIRTIO_NET_HDR_GSO_NONE,
  hdrLen: 0,
  gsoSize: 0,
  csumStart: 0,
  csumOffset: 0,
});

/** What one direction may leave to the other side. */
export interface NetOffloads {
  /** Whether NEEDS_CSUM may be set. */
  readonly csum: boolean;
  /** Every value that gso_type may have, ECN included; NONE always. */
  readonly gso: ReadonlySet<number>;
}

/** Flags of a received header that mean something; the others are ignored (§5.1.6.4.2). */
const KNOWN_FLAGS = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_RSC_INFO;

const GSO_FEATURES = [
  [VIRTIO_NET_HDR_GSO_TCPV4, "TSO4"],
  [VIRTIO_NET_HDR_GSO_TCPV6, "TSO6"],
  [VIRTIO_NET_HDR_GSO_UDP, "UFO"],
] as const;

/** Bytes of the header: the legacy interface had num_buffers with MRG_RXBUF alone (§5.1.6.1). */
export function netHeaderBytes(negotiated: FeatureSet): number {
  const isWhole = negotiated.has("VERSION_1") || negotiated.has("MRG_RXBUF", "net");
  return isWhole ? VIRTIO_NET_HDR_SIZE : VIRTIO_NET_HDR_LEGACY_SIZE;
}

/**
 * What the headers of one direction may ask for (§5.1.6.2.1, §5.1.6.4.1).
 *
 * @param side who takes the frames: "HOST" for transmitted ones, "GUEST" for received ones
 */
export function netOffloads(negotiated: FeatureSet, side: "HOST" | "GUEST"): NetOffloads {
  const gso = new Set<number>([VIRTIO_NET_HDR_GSO_NONE]);
  const hasEcn = negotiated.has(`${side}_ECN`, "net");
  for (const [type, name] of GSO_FEATURES) {
    if (!negotiated.has(`${side}_${name}`, "net")) continue;
    gso.add(type);
    if (hasEcn) gso.add(type | VIRTIO_NET_HDR_GSO_ECN);
  }
  return { csum: negotiated.has(side === "HOST" ? "CSUM" : "GUEST_CSUM", "net"), gso };
}

/** Whether a frame is to be cut into segments: gso_type is neither NONE nor ECN alone (§5.1.4.1). */
export function isSegmented({ gsoType }: NetHeader): boolean {
  return (gsoType & ~VIRTIO_NET_HDR_GSO_ECN) !== VIRTIO_NET_HDR_GSO_NONE;
}

/**
 * What is wrong with a header, in words, or undefined.
 *
 * @param frameBytes bytes of its frame
 * @param offloads what the direction may ask for
 */
export function netHeaderFault(
  header: NetHeader,
  frameBytes: number,
  { csum, gso }: NetOffloads,
): string | undefined {
  const { flags, gsoType, gsoSize, csumStart, csumOffset } = header;
  const isPartial = (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
  if (isPartial && !csum) return "NEEDS_CSUM was not negotiated";
  if (isPartial && csumStart + csumOffset + 2 > frameBytes) {
    return `a checksum at ${csumStart} + ${csumOffset} is outside of a frame of ${frameBytes} bytes`;
  }
  if (gsoType === VIRTIO_NET_HDR_GSO_NONE) return undefined;
  if (!gso.has(gsoType)) return `gso_type ${gsoType} was not negotiated`;
  if (!isPartial) return `gso_type ${gsoType} without NEEDS_CSUM`;
  return gsoSize === 0 ? `gso_type ${gsoType} with gso_size 0` : undefined;
}

/** Reads a header of 10 bytes or more; little-endian. */
export function readNetHeader(bytes: Uint8Array, at: number): NetHeader {
  return {
    flags: bytes[at + VIRTIO_NET_HDR_FLAGS] ?? 0,
    gsoType: bytes[at + VIRTIO_NET_HDR_GSO_TYPE] ?? 0,
    hdrLen: readU16(bytes, at + VIRTIO_NET_HDR_HDR_LEN),
    gsoSize: readU16(bytes, at + VIRTIO_NET_HDR_GSO_SIZE),
    csumStart: readU16(bytes, at + VIRTIO_NET_HDR_CSUM_START),
    csumOffset: readU16(bytes, at + VIRTIO_NET_HDR_CSUM_OFFSET),
  };
}

/**
 * Reads a received header, without flags that nobody knows, and without a checksum place that means nothing
 * (§5.1.6.4.2).
 *
 * @returns PLAIN_NET_HEADER itself for a complete frame
 */
export function receivedNetHeader(bytes: Uint8Array, at: number): NetHeader {
  const flags = (bytes[at + VIRTIO_NET_HDR_FLAGS] ?? 0) & KNOWN_FLAGS;
  if (flags === 0 && bytes[at + VIRTIO_NET_HDR_GSO_TYPE] === VIRTIO_NET_HDR_GSO_NONE) return PLAIN_NET_HEADER;
  const header = readNetHeader(bytes, at);
  const isPartial = (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0 && (flags & VIRTIO_NET_HDR_F_RSC_INFO) === 0;
  return isPartial ? { ...header, flags } : { ...header, flags, csumStart: 0, csumOffset: 0 };
}

/** num_buffers of a header of 12 bytes. */
export function readNumBuffers(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + VIRTIO_NET_HDR_NUM_BUFFERS);
}

/**
 * Writes a header.
 *
 * @param numBuffers buffers of a received frame, 0 for a transmitted one; undefined for a header of 10 bytes
 */
export function writeNetHeader(
  bytes: Uint8Array,
  at: number,
  header: NetHeader,
  numBuffers: number | undefined,
): void {
  bytes[at + VIRTIO_NET_HDR_FLAGS] = header.flags;
  bytes[at + VIRTIO_NET_HDR_GSO_TYPE] = header.gsoType;
  writeU16(bytes, at + VIRTIO_NET_HDR_HDR_LEN, header.hdrLen);
  writeU16(bytes, at + VIRTIO_NET_HDR_GSO_SIZE, header.gsoSize);
  writeU16(bytes, at + VIRTIO_NET_HDR_CSUM_START, header.csumStart);
  writeU16(bytes, at + VIRTIO_NET_HDR_CSUM_OFFSET, header.csumOffset);
  if (numBuffers !== undefined) writeU16(bytes, at + VIRTIO_NET_HDR_NUM_BUFFERS, numBuffers);
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}
