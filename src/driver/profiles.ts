/**
 * Driver orders as data: the steps of an initialisation, one after the other (§3.1). One loop in driver.ts runs them;
 * nothing asks for a profile by name, and a user's own is an object literal.
 */
import { nearest, VirtioError } from "../errors";

/** What can stand in a profile's list; the deeds are in steps.ts. */
export type DriverStep =
  | "reset"
  | "acknowledge"
  | "driver"
  | "read-offer"
  | "intersect"
  | "drop-unmet"
  | "accept"
  | "validate"
  | "accept-if-changed"
  | "features-ok"
  | "confirm"
  | "queues"
  | "fill"
  | "driver-ok";

/** How a driver initialises a device. */
export interface DriverProfile {
  readonly name: string;
  /** One line for a reader. */
  readonly summary: string;
  readonly steps: readonly DriverStep[];
  /** In which order words 0 and 1 of the accepted features are written, unless the transport has its own. */
  readonly wordOrder: readonly number[];
}

/**
 * The order of Linux since it accepts before it looks: everything in common is accepted, then the configuration is
 * judged, and what changed by that is accepted again (the patch for issue 241 describes this). "drop-unmet" is left
 * to each driver there.
 */
const linuxCurrent: DriverProfile = {
  name: "linux-current",
  summary: "intersect, accept, validate against the configuration, accept again if changed, FEATURES_OK",
  steps: [
    "reset",
    "acknowledge",
    "driver",
    "read-offer",
    "intersect",
    "drop-unmet",
    "accept",
    "validate",
    "accept-if-changed",
    "features-ok",
    "confirm",
    "queues",
    "fill",
    "driver-ok",
  ],
  wordOrder: [0, 1],
};

/** The profiles that come with virtq, by name. */
export const DRIVER_PROFILES: Readonly<Record<string, DriverProfile>> = { "linux-current": linuxCurrent };

/**
 * A profile by name, or the given one.
 *
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export function driverProfile(profile: DriverProfile | string): DriverProfile {
  if (typeof profile !== "string") return profile;
  const found = DRIVER_PROFILES[profile];
  if (found !== undefined) return found;
  const hint = nearest(profile, Object.keys(DRIVER_PROFILES));
  throw new VirtioError(
    "UNKNOWN_NAME",
    `no driver profile is called "${profile}"${hint === undefined ? "" : `: did you mean ${hint}?`}`,
  );
}
