/**
 * Device behaviours as data: what a device offers and how it answers where devices differ (§2.1, §2.2, §3.1).
 * Nothing asks for a profile by name; a user's own is an object literal.
 */
import { nearest, VirtioError } from "../errors";
import { MODERN_STATUS, type StatusTable } from "./status";

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
  /** An accepted bit that was not offered: FEATURES_OK is refused, or the bit is dropped in silence. */
  readonly unofferedBits: "refuse" | "mask";
  /** A different set written after FEATURES_OK: without effect, or the end until a reset. */
  readonly featuresAfterOk: "ignore" | "needs-reset";
  /** FEATURES_OK once more after a refusal, without a reset in between: judged anew, or refused again. */
  readonly retryAfterRefusal: "judge" | "refuse";
  /** The status writes that it follows. */
  readonly status: StatusTable;
}

/** What the specification says, taken at its word; where it leaves a choice, the one that harms nobody. */
const strict: DeviceProfile = {
  name: "strict",
  summary: "virtio 1.4 and the patch for issue 241, to the letter",
  offers: [
    "VERSION_1",
    "INDIRECT_DESC",
    "EVENT_IDX",
    "RING_PACKED",
    "IN_ORDER",
    "NOTIFICATION_DATA",
    "RING_RESET",
  ],
  honours: [
    "VERSION_1",
    "INDIRECT_DESC",
    "EVENT_IDX",
    "RING_PACKED",
    "IN_ORDER",
    "NOTIFICATION_DATA",
    "RING_RESET",
    "ACCESS_PLATFORM",
    "ORDER_PLATFORM",
  ],
  mustOffer: ["VERSION_1"],
  mustAccept: ["VERSION_1"],
  unofferedBits: "refuse",
  featuresAfterOk: "ignore",
  retryAfterRefusal: "judge",
  status: MODERN_STATUS,
};

/** The profiles that come with virtq, by name. */
export const DEVICE_PROFILES: Readonly<Record<string, DeviceProfile>> = { strict };

/**
 * A profile by name, or the given one.
 *
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export function deviceProfile(profile: DeviceProfile | string): DeviceProfile {
  if (typeof profile !== "string") return profile;
  const found = DEVICE_PROFILES[profile];
  if (found !== undefined) return found;
  const hint = nearest(profile, Object.keys(DEVICE_PROFILES));
  throw new VirtioError(
    "UNKNOWN_NAME",
    `no device profile is called "${profile}"${hint === undefined ? "" : `: did you mean ${hint}?`}`,
  );
}
