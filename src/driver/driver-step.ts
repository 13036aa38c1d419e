/** The names of the steps that driver profiles are made of (§3.1.1). */

/** What can stand in a profile's list; the deeds are in steps.ts, the misdeeds in misdeeds.ts. */
export type DriverStep =
  | "reset"
  | "acknowledge"
  | "driver"
  | "read-offer"
  | "intersect"
  | "drop-unmet"
  | "accept-version-1"
  | "accept"
  | "validate"
  | "accept-if-changed"
  | "accept-until-stable"
  | "features-ok"
  | "confirm"
  | "probe"
  | "queues"
  | "fill"
  | "driver-ok"
  | MisdeedStep;

/** A step of misdeeds.ts. */
export type MisdeedStep =
  | "write-config-early"
  | "clear-status-bit"
  | "set-up-queue-early"
  | "accept-unoffered"
  | "confirm-anyway"
  | "confirm-or-retry"
  | "accept-late"
  | "repeat-features-ok"
  | "kick-early";
