/** A probe: something that a driver does, the rule that it tries, and why devices may answer differently. */
import type { DeviceName } from "./devices";
import type { ProfileName } from "./our-subject";
import type { ProbeDriver } from "./probe-driver";

/** Why one of ours does not do what QEMU does. */
export interface Difference {
  /** Who lets less pass, or does more of its duty; "neither" where both keep the rule, or it is silent. */
  readonly stricter: "ours" | "QEMU" | "neither";
  readonly why: string;
}

/** One for each profile that differs from QEMU. */
export type Differences = { readonly [Profile in ProfileName]?: Difference };

/** One row of the table. */
export interface Probe {
  /** What the driver does, unlike any other probe's. */
  readonly does: string;
  /** Clause and section of virtio 1.4, "STATUS-002 §2.1.1", or the section alone where no clause says it. */
  readonly rule: string;
  readonly device: DeviceName;
  /** What QEMU would do that ends the asking: it isn't asked then. */
  readonly notAsked?: string;
  readonly differs?: Differences;
  /** Puts it to a fresh device. @returns what the driver sees of the answer, the same at every run */
  run(driver: ProbeDriver): string;
}

/** Probes under a heading. */
export interface ProbeGroup {
  readonly title: string;
  readonly probes: readonly Probe[];
}

/** What is said of a difference: ours lets less pass. */
export const ours = (why: string): Difference => ({ stricter: "ours", why });
/** QEMU lets less pass. */
export const qemus = (why: string): Difference => ({ stricter: "QEMU", why });
/** Both keep the rule, or it is silent. */
export const neithers = (why: string): Difference => ({ stricter: "neither", why });
/** The profile qemu-mmio does what QEMU does. */
export const strictOnly = (strict: Difference): Differences => ({ strict });
/** What no profile changes. */
export const inBoth = (both: Difference): Differences => ({ strict: both, "qemu-mmio": both });
