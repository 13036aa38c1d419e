/**
 * Device behaviours as data: what a device offers and how it answers where devices differ (§2.1, §2.2, §3.1).
 * Nothing asks for a profile by name; a user's own is an object literal: `{ ...DEVICE_PROFILES.strict, … }`.
 */
import { nearest, VirtioError } from "../errors";
import { LEGACY_DETECTIONS, type LegacyDetection } from "./legacy";
import { CAREFUL, type DevicePolicies } from "./policies";
import { LENIENT_STATUS, MODERN_STATUS, type StatusTable, TRANSITIONAL_STATUS } from "./status";

/** How a device behaves. */
export interface DeviceProfile {
  readonly name: string;
  /** One line for a reader. */
  readonly summary: string;
  /** Reserved features offered unless the user says otherwise. */
  readonly offers: readonly string[];
  /** Reserved features that may be offered at all: what the rest of this library can keep (§2.2.2). */
  readonly honours: readonly string[];
  /** Reserved features that must be offered. */
  readonly mustOffer: readonly string[];
  /** Features without which FEATURES_OK is refused if they were offered (§6.2). */
  readonly mustAccept: readonly string[];
  /** Whether an accepted set is judged at FEATURES_OK in any case, or only with VERSION_1 in it. */
  readonly validates: "always" | "with-version-1";
  /** The status writes that it follows. */
  readonly status: StatusTable;
  readonly policies: DevicePolicies;
  /** How it recognises a legacy driver; absent: it knows none. */
  readonly legacy?: LegacyDetection;
  /** Feature words that it has, and what is behind them: nothing, or the last one again. */
  readonly featureWords: { readonly count: 2 | 4; readonly beyond: "nothing" | "last" };
  /** Which set the configuration follows: what is accepted at the moment, or what was at FEATURES_OK. */
  readonly configFollows: "accepted" | "negotiated";
  /** A configuration read before any feature was written: just a read, or taken for "nothing accepted" (vdpa). */
  readonly configReadFirst: "answers" | "accepts-nothing";
  /** What bytes beyond the last field read as (§2.5 leaves it open). */
  readonly beyondConfig: "zeros" | "ones";
  /** How the generation moves: as §2.5 asks, never, or by one a notification in eight bits. */
  readonly generation: "moves" | "constant" | "counts-notifications";
}

const RING_FEATURES = ["INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "IN_ORDER", "NOTIFICATION_DATA"];

/** What the specification says, taken at its word; where it leaves a choice, the one that harms nobody. */
const strict: DeviceProfile = {
  name: "strict",
  summary: "virtio 1.4 and the patch for issue 241, to the letter",
  offers: ["VERSION_1", ...RING_FEATURES, "RING_RESET", "SUSPEND"],
  honours: ["VERSION_1", ...RING_FEATURES, "RING_RESET", "SUSPEND", "ACCESS_PLATFORM", "ORDER_PLATFORM"],
  mustOffer: ["VERSION_1"],
  mustAccept: ["VERSION_1"],
  validates: "always",
  status: MODERN_STATUS,
  policies: CAREFUL,
  featureWords: { count: 4, beyond: "nothing" },
  configFollows: "accepted",
  configReadFirst: "answers",
  beyondConfig: "zeros",
  generation: "moves",
};

/** §6.3: ANY_LAYOUT and the bit that nobody should accept are offered; VERSION_1 may be left out. */
const transitional: DeviceProfile = {
  ...strict,
  name: "transitional",
  summary: "strict for modern drivers, and works with legacy ones, found by VERSION_1 not being accepted",
  offers: [...strict.offers, "ANY_LAYOUT", "UNUSED"],
  honours: [...strict.honours, "NOTIFY_ON_EMPTY", "ANY_LAYOUT", "UNUSED"],
  mustAccept: [],
  status: TRANSITIONAL_STATUS,
  legacy: LEGACY_DETECTIONS["by-version1-accepted"],
};

/** hw/virtio of QEMU 7.2 as measured over virtio-pci: it looks at bits, not at their order. */
const qemu: DeviceProfile = {
  ...transitional,
  name: "qemu",
  summary: "like QEMU: drops unoffered bits, judges only with VERSION_1, stores the status as written",
  offers: ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "RING_RESET", "ANY_LAYOUT", "UNUSED"],
  mustAccept: ["ACCESS_PLATFORM"],
  validates: "with-version-1",
  status: LENIENT_STATUS,
  policies: {
    ...CAREFUL,
    unofferedBits: "mask",
    clearedStatusBit: "store",
    severalStatusBits: "in-order",
    earlyConfigWrite: "apply",
    earlyConfigNotice: "drop",
  },
  featureWords: { count: 2, beyond: "last" },
  beyondConfig: "ones",
  generation: "counts-notifications",
};

/** The same over modern MMIO: the words wait in the transport until FEATURES_OK is written. */
const qemuMmio: DeviceProfile = {
  ...qemu,
  name: "qemu-mmio",
  summary: "like qemu, and the device sees the accepted set no earlier than FEATURES_OK",
  configFollows: "negotiated",
};

/** drivers/vdpa of Linux 6.1. */
const vdpa: DeviceProfile = {
  ...transitional,
  name: "vdpa",
  summary: "takes a configuration read before any accepted feature for a legacy driver's",
  legacy: LEGACY_DETECTIONS["by-first-access"],
  configReadFirst: "accepts-nothing",
};

const vhostBacked: DeviceProfile = {
  ...strict,
  name: "vhost-backed",
  summary:
    "its backend hears of features at FEATURES_OK only, and answers the configuration without them before",
  configFollows: "negotiated",
};

const propolis: DeviceProfile = {
  ...strict,
  name: "propolis",
  summary: "another set written after FEATURES_OK makes it need a reset",
  policies: { ...CAREFUL, featuresAfterOk: "needs-reset" },
};

const cloudHypervisor: DeviceProfile = {
  ...strict,
  name: "cloud-hypervisor",
  summary: "two feature words, and a configuration generation that never moves",
  featureWords: { count: 2, beyond: "nothing" },
  generation: "constant",
};

/** The profiles that come with virtq, by name. */
export const DEVICE_PROFILES = {
  strict,
  qemu,
  "qemu-mmio": qemuMmio,
  vdpa,
  "vhost-backed": vhostBacked,
  transitional,
  propolis,
  "cloud-hypervisor": cloudHypervisor,
} as const satisfies Record<string, DeviceProfile>;

/**
 * A profile by name, or the given one.
 *
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export function deviceProfile(profile: DeviceProfile | string): DeviceProfile {
  if (typeof profile !== "string") return profile;
  const found = new Map<string, DeviceProfile>(Object.entries(DEVICE_PROFILES)).get(profile);
  if (found !== undefined) return found;
  const hint = nearest(profile, Object.keys(DEVICE_PROFILES));
  throw new VirtioError(
    "UNKNOWN_NAME",
    `no device profile is called "${profile}"${hint === undefined ? "" : `: did you mean ${hint}?`}`,
  );
}
