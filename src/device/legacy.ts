/**
 * How a transitional device finds out that its driver is a legacy one (§2.2.3, §3.1.2, patch for issue 241): the
 * specification's own way is only an example, since before features are written it can't tell "not accepted" from
 * "not accepted yet". A strategy looks at what the driver has done since the last reset; a user's own is an object.
 */
import type { FeatureSet } from "../negotiation/feature-set";
import { VIRTIO_F_VERSION_1 } from "../spec/features";

/** What a device has seen of its driver since the last reset. */
export interface InterfaceEvidence {
  /** What the driver feature words hold now; empty before FEATURES_OK on a device that hears of them then only. */
  readonly accepted: FeatureSet;
  /** Whether any of them was written. */
  readonly featuresWritten: boolean;
  /** The first thing that was done to configuration or features; reads of the offer don't count. */
  readonly firstAccess: "config" | "features" | undefined;
  /** Which of its two windows the driver used last (PCI, §4.1.4.10), if the transport has two. */
  readonly window: "legacy" | "modern" | undefined;
  /** The Version register that the driver sees (MMIO, §4.2.2), if the transport has one. */
  readonly versionRegister: 1 | 2 | undefined;
}

/** A way of telling a legacy driver from a modern one. */
export interface LegacyDetection {
  readonly name: string;
  /** One line for a reader. */
  readonly summary: string;
  /** Asked until features are final: at every configuration access and status write. */
  isLegacy(evidence: InterfaceEvidence): boolean;
}

const withoutVersion1 = ({ accepted }: InterfaceEvidence) => !accepted.has(VIRTIO_F_VERSION_1);

/** The strategies that come with virtq, by name. */
export const LEGACY_DETECTIONS = {
  "by-version1-accepted": {
    name: "by-version1-accepted",
    summary: "legacy until VERSION_1 is accepted: wrong while a modern driver reads before it accepts",
    isLegacy: withoutVersion1,
  },
  "by-window": {
    name: "by-window",
    summary: "legacy if the driver uses the legacy window (PCI)",
    isLegacy: ({ window }) => window === "legacy",
  },
  "by-version-register": {
    name: "by-version-register",
    summary: "legacy if the Version register reads 1 (MMIO)",
    isLegacy: ({ versionRegister }) => versionRegister === 1,
  },
  "by-first-access": {
    name: "by-first-access",
    summary: "legacy if the configuration is read before any feature is written, until one is (vdpa)",
    isLegacy: (evidence) =>
      evidence.featuresWritten ? withoutVersion1(evidence) : evidence.firstAccess === "config",
  },
} as const satisfies Record<string, LegacyDetection>;
