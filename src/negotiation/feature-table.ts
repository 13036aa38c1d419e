/**
 * Every feature bit of virtio 1.4 that virtq knows, with what it rests on (§2.2, §6 and the device sections 5.x).
 * Data only, one row a bit: the names are looked up in feature-names.ts, the rules judged in prerequisites.ts.
 * Names inside a rule are short names of the same device type.
 */
import * as reserved from "../spec/features";

/** What a bit rests on, beside being offered. */
export interface FeatureRule {
  /** Bits that must stand beside it, in the offer and in every accepted set. */
  readonly requires?: readonly string[];
  /** Groups of which at least one bit must stand beside it. */
  readonly requiresAny?: readonly (readonly string[])[];
  /** Bits that must stand beside it in the offer alone. */
  readonly offerRequires?: readonly string[];
  /** Bits that should stand beside it: a warning, never a refusal. */
  readonly advises?: readonly string[];
  /** Transports that can carry it; absent: all of them. */
  readonly only?: readonly string[];
  /** Belongs to the legacy interface alone. */
  readonly legacy?: true;
}

/** Bit number 0…127, name without its prefix, and the bit's rule. */
export type FeatureRow = readonly [bit: number, name: string, rule?: FeatureRule];

/** The feature bits of one device type. */
export interface DeviceTypeFeatures {
  /** Device ID (§5). */
  readonly id: number;
  /** What the specification writes before the short names. */
  readonly prefix: string;
  readonly rows: readonly FeatureRow[];
}

const PCI: FeatureRule = { only: ["pci"] };
const LEGACY: FeatureRule = { legacy: true };

/** Queue and negotiation bits, the same for every device type (§6). */
export const RESERVED_FEATURES: readonly FeatureRow[] = [
  [reserved.VIRTIO_F_NOTIFY_ON_EMPTY, "NOTIFY_ON_EMPTY", LEGACY],
  [reserved.VIRTIO_F_ANY_LAYOUT, "ANY_LAYOUT", LEGACY],
  [reserved.VIRTIO_F_INDIRECT_DESC, "INDIRECT_DESC"],
  [reserved.VIRTIO_F_EVENT_IDX, "EVENT_IDX"],
  [reserved.VIRTIO_F_UNUSED, "UNUSED", LEGACY],
  [reserved.VIRTIO_F_VERSION_1, "VERSION_1"],
  [reserved.VIRTIO_F_ACCESS_PLATFORM, "ACCESS_PLATFORM"],
  [reserved.VIRTIO_F_RING_PACKED, "RING_PACKED"],
  [reserved.VIRTIO_F_IN_ORDER, "IN_ORDER"],
  [reserved.VIRTIO_F_ORDER_PLATFORM, "ORDER_PLATFORM"],
  [reserved.VIRTIO_F_SR_IOV, "SR_IOV", PCI],
  [reserved.VIRTIO_F_NOTIFICATION_DATA, "NOTIFICATION_DATA"],
  [reserved.VIRTIO_F_NOTIF_CONFIG_DATA, "NOTIF_CONFIG_DATA", PCI],
  [reserved.VIRTIO_F_RING_RESET, "RING_RESET", { only: ["pci", "mmio", "loopback"] }],
  [reserved.VIRTIO_F_ADMIN_VQ, "ADMIN_VQ", PCI],
  [reserved.VIRTIO_F_SUSPEND, "SUSPEND"],
];

/** Older spellings of reserved names, still met in headers. */
export const FEATURE_ALIASES: ReadonlyMap<string, string> = new Map([
  ["VIRTIO_RING_F_INDIRECT_DESC", "INDIRECT_DESC"],
  ["VIRTIO_RING_F_EVENT_IDX", "EVENT_IDX"],
  ["VIRTIO_F_IOMMU_PLATFORM", "ACCESS_PLATFORM"],
  ["VIRTIO_BLK_F_WCE", "VIRTIO_BLK_F_FLUSH"],
]);

/** What a received packet may be left as: large-receive bits rest on checksums (§5.1.3.1). */
const GUEST_CSUM: FeatureRule = { requires: ["GUEST_CSUM"] };
const CSUM: FeatureRule = { requires: ["CSUM"] };
const CTRL_VQ: FeatureRule = { requires: ["CTRL_VQ"] };
const HOST_TSO: readonly string[] = ["HOST_TSO4", "HOST_TSO6"];

const net: readonly FeatureRow[] = [
  [0, "CSUM"],
  [1, "GUEST_CSUM"],
  [2, "CTRL_GUEST_OFFLOADS"],
  [3, "MTU"],
  [5, "MAC"],
  [6, "GSO", LEGACY],
  [7, "GUEST_TSO4", GUEST_CSUM],
  [8, "GUEST_TSO6", GUEST_CSUM],
  [9, "GUEST_ECN", { requiresAny: [["GUEST_TSO4", "GUEST_TSO6"]] }],
  [10, "GUEST_UFO", GUEST_CSUM],
  [11, "HOST_TSO4", CSUM],
  [12, "HOST_TSO6", CSUM],
  [13, "HOST_ECN", { requiresAny: [HOST_TSO] }],
  [14, "HOST_UFO", CSUM],
  [15, "MRG_RXBUF"],
  [16, "STATUS"],
  [17, "CTRL_VQ"],
  [18, "CTRL_RX", CTRL_VQ],
  [19, "CTRL_VLAN", CTRL_VQ],
  [20, "CTRL_RX_EXTRA", { advises: ["CTRL_VQ"] }],
  [21, "GUEST_ANNOUNCE", CTRL_VQ],
  [22, "MQ", CTRL_VQ],
  [23, "CTRL_MAC_ADDR", CTRL_VQ],
  [41, "GUEST_RSC4", LEGACY],
  [42, "GUEST_RSC6", LEGACY],
  [50, "DEVICE_STATS"],
  [51, "HASH_TUNNEL", { requires: ["CTRL_VQ"], requiresAny: [["RSS", "HASH_REPORT"]] }],
  [52, "VQ_NOTF_COAL", CTRL_VQ],
  [53, "NOTF_COAL", CTRL_VQ],
  [54, "GUEST_USO4", GUEST_CSUM],
  [55, "GUEST_USO6", GUEST_CSUM],
  [56, "HOST_USO", CSUM],
  [57, "HASH_REPORT", { advises: ["CTRL_VQ"] }],
  [59, "GUEST_HDRLEN"],
  [60, "RSS", CTRL_VQ],
  [61, "RSC_EXT", { requiresAny: [HOST_TSO] }],
  [62, "STANDBY"],
  [63, "SPEED_DUPLEX"],
  [64, "RSS_CONTEXT", { requires: ["CTRL_VQ", "RSS"] }],
  [65, "GUEST_UDP_TUNNEL_GSO", { requires: ["GUEST_TSO4", "GUEST_TSO6", "GUEST_USO4", "GUEST_USO6"] }],
  [66, "GUEST_UDP_TUNNEL_GSO_CSUM", { requires: ["GUEST_UDP_TUNNEL_GSO"] }],
  [67, "HOST_UDP_TUNNEL_GSO", { requires: ["HOST_TSO4", "HOST_TSO6", "HOST_USO"] }],
  [68, "HOST_UDP_TUNNEL_GSO_CSUM", { requires: ["HOST_UDP_TUNNEL_GSO"] }],
  [69, "OUT_NET_HEADER"],
  [70, "IPSEC", { advises: ["OUT_NET_HEADER"] }],
];

const blk: readonly FeatureRow[] = [
  [0, "BARRIER", LEGACY],
  [1, "SIZE_MAX"],
  [2, "SEG_MAX"],
  [4, "GEOMETRY"],
  [5, "RO"],
  [6, "BLK_SIZE"],
  [7, "SCSI", LEGACY],
  [9, "FLUSH"],
  [10, "TOPOLOGY"],
  [11, "CONFIG_WCE", { offerRequires: ["FLUSH"] }],
  [12, "MQ"],
  [13, "DISCARD"],
  [14, "WRITE_ZEROES"],
  [15, "LIFETIME"],
  [16, "SECURE_ERASE"],
  [17, "ZONED"],
];

const console: readonly FeatureRow[] = [
  [0, "SIZE"],
  [1, "MULTIPORT"],
  [2, "EMERG_WRITE"],
];

const balloon: readonly FeatureRow[] = [
  [0, "MUST_TELL_HOST"],
  [1, "STATS_VQ"],
  [2, "DEFLATE_ON_OOM"],
  [3, "FREE_PAGE_HINT"],
  [4, "PAGE_POISON"],
  [5, "PAGE_REPORTING"],
];

/** Feature bits by device type. */
export const FEATURES = {
  net: { id: 1, prefix: "VIRTIO_NET_F_", rows: net },
  blk: { id: 2, prefix: "VIRTIO_BLK_F_", rows: blk },
  console: { id: 3, prefix: "VIRTIO_CONSOLE_F_", rows: console },
  entropy: { id: 4, prefix: "VIRTIO_RNG_F_", rows: [] },
  balloon: { id: 5, prefix: "VIRTIO_BALLOON_F_", rows: balloon },
  "9p": { id: 9, prefix: "VIRTIO_9P_", rows: [[0, "MOUNT_TAG"]] },
  fs: { id: 26, prefix: "VIRTIO_FS_F_", rows: [[0, "NOTIFICATION"]] },
} as const satisfies Record<string, DeviceTypeFeatures>;

/** A device type whose feature bits are known by name. */
export type DeviceType = keyof typeof FEATURES;

const typeOfId = new Map<number, DeviceType>(
  (Object.keys(FEATURES) as DeviceType[]).map((type) => [FEATURES[type].id, type]),
);

/** The device type of a device ID (§5), or undefined if its bits have no names here. */
export function deviceTypeOf(id: number): DeviceType | undefined {
  return typeOfId.get(id);
}

/** The rows of a device type; none for an unknown one. */
export function featureRows(type: DeviceType | undefined): readonly FeatureRow[] {
  return type === undefined ? [] : FEATURES[type].rows;
}
