/**
 * Driver orders as data: the steps of an initialisation, one after the other (§3.1). One loop in driver.ts runs them;
 * nothing asks for a profile by name, and a user's own is an object literal: `{ ...DRIVER_PROFILES["seed-241"], … }`.
 */
import { nearest, VirtioError } from "../errors";
import type { DriverStep } from "./driver-step";
import { MISDEEDS, type Misdeed, type MisdeedRow, withMisdeeds } from "./misdeed-table";

/** In which order words 0 and 1 of the accepted features are written; transports differ. */
export interface WordOrder {
  readonly default: readonly number[];
  readonly [transport: string]: readonly number[];
}

/** How a driver initialises a device. */
export interface DriverProfile {
  readonly name: string;
  /** One line for a reader. */
  readonly summary: string;
  readonly steps: readonly DriverStep[];
  readonly wordOrder: WordOrder;
  /** Words of the offer that it reads and may accept of: 1 for a legacy driver. */
  readonly featureWords: 1 | 2 | 4;
  /**
   * What it does with a device that doesn't offer VERSION_1 (§2.2.3, §3.1.2): go on over the legacy interface, where
   * FEATURES_OK is neither written nor read, or go on as with any other.
   */
  readonly withoutVersion1: "legacy" | "modern";
}

/** As Linux has it: PCI and CCW count up, MMIO counts down. */
const LINUX_WORD_ORDER: WordOrder = { default: [0, 1], pci: [0, 1], ccw: [0, 1], mmio: [1, 0] };

const OPENING = ["reset", "acknowledge", "driver", "read-offer", "intersect", "drop-unmet"] as const;
const ENDING = ["features-ok", "confirm", "probe", "queues", "fill", "driver-ok"] as const;

/**
 * The order of Linux since it accepts before it looks: everything in common is accepted, then the configuration is
 * judged, and what changed by that is accepted again (the patch for issue 241 describes this). "drop-unmet" is left
 * to each driver there.
 */
const linuxCurrent: DriverProfile = {
  name: "linux-current",
  summary: "intersect, accept, validate against the configuration, accept again if changed, FEATURES_OK",
  steps: [...OPENING, "accept", "validate", "accept-if-changed", ...ENDING],
  wordOrder: LINUX_WORD_ORDER,
  featureWords: 4,
  withoutVersion1: "legacy",
};

/** Linux before 404123c2db79. */
const linuxPreValidate: DriverProfile = {
  ...linuxCurrent,
  name: "linux-pre-validate",
  summary: "intersect, accept, FEATURES_OK; the configuration is looked at after that",
  steps: [...OPENING, "accept", ...ENDING],
};

/** Linux from 404123c2db79 on, until it was found that devices answer as to a legacy driver. */
const linuxValidateFirst: DriverProfile = {
  ...linuxCurrent,
  name: "linux-validate-first",
  summary: "validates against the configuration before anything is accepted, then accepts once",
  steps: [...OPENING, "validate", "accept", ...ENDING],
};

/** Linux from 2f9a174f918e on: the mend for big-endian guests. */
const linuxVersion1Only: DriverProfile = {
  ...linuxCurrent,
  name: "linux-version1-only",
  summary: "as linux-validate-first, but on big-endian guests VERSION_1 alone is accepted first",
  steps: [...OPENING, "accept-version-1", "validate", "accept", ...ENDING],
};

/** §3.1.1 step 4 as published: read, decide, accept. */
const specNaive: DriverProfile = {
  name: "spec-1.4-naive",
  summary: "reads features and configuration, then accepts once, as step 4 of the published text can be read",
  steps: [...OPENING, "validate", "accept", ...ENDING],
  wordOrder: { default: [0, 1] },
  featureWords: 4,
  withoutVersion1: "modern",
};

/** §3.1.1 step 4 with the patch for issue 241. */
const seed241: DriverProfile = {
  ...specNaive,
  name: "seed-241",
  summary: "accepts, reads the configuration, accepts a different subset, and repeats until nothing changes",
  steps: [...OPENING, "accept-until-stable", ...ENDING],
};

/** §3.1.2. */
const legacy: DriverProfile = {
  name: "legacy",
  summary: "from before virtio 1.0: one feature word, no FEATURES_OK",
  steps: [
    "reset",
    "acknowledge",
    "driver",
    "read-offer",
    "intersect",
    "accept",
    "validate",
    "accept-if-changed",
    "confirm",
    "probe",
    "queues",
    "fill",
    "driver-ok",
  ],
  wordOrder: { default: [0] },
  featureWords: 1,
  withoutVersion1: "legacy",
};

/**
 * A driver that does wrong, each misdeed at the place where it does the most harm.
 *
 * @param misdeeds which ones; all of them that don't end the initialisation by themselves if left out
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export function misbehaving(...misdeeds: readonly string[]): DriverProfile {
  const all = Object.keys(MISDEEDS) as Misdeed[];
  const chosen =
    misdeeds.length === 0 ? all.filter((name) => !(MISDEEDS[name] as MisdeedRow).ends) : misdeeds;
  const known = chosen.map((name) => all.find((one) => one === name) ?? unknown("misdeed", name, all));
  return {
    ...linuxCurrent,
    name: misdeeds.length === 0 ? "misbehaving" : `misbehaving:${known.join(",")}`,
    summary: known.map((name) => MISDEEDS[name].summary).join("; "),
    steps: withMisdeeds(linuxCurrent.steps, known),
  };
}

/** The profiles that come with virtq, by name. */
export const DRIVER_PROFILES = {
  "linux-current": linuxCurrent,
  "linux-validate-first": linuxValidateFirst,
  "linux-pre-validate": linuxPreValidate,
  "linux-version1-only": linuxVersion1Only,
  "spec-1.4-naive": specNaive,
  "seed-241": seed241,
  legacy,
  misbehaving: misbehaving(),
} as const satisfies Record<string, DriverProfile>;

/**
 * A profile by name, or the given one. "misbehaving:clears-status-bit,kicks-early" chooses misdeeds.
 *
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export function driverProfile(profile: DriverProfile | string): DriverProfile {
  if (typeof profile !== "string") return profile;
  const found = new Map<string, DriverProfile>(Object.entries(DRIVER_PROFILES)).get(profile);
  if (found !== undefined) return found;
  const [kind, misdeeds] = profile.split(":", 2);
  if (kind === "misbehaving" && misdeeds) return misbehaving(...misdeeds.split(/[,+\s]+/));
  return unknown("driver profile", profile, Object.keys(DRIVER_PROFILES));
}

function unknown(what: string, name: string, known: readonly string[]): never {
  const hint = nearest(name, known);
  throw new VirtioError(
    "UNKNOWN_NAME",
    `no ${what} is called "${name}"${hint === undefined ? `; there are: ${known.join(", ")}` : `: did you mean ${hint}?`}`,
  );
}
