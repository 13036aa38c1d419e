/**
 * What a balloon driver does before DRIVER_OK (§5.5.3.1, §5.5.6.6.1): which features it drops, and the value that it
 * says deflated pages are filled with. Both are hooks for a VirtioDriver:
 * `validate: balloonValidate({ fillsPages: true }), fill: () => balloonPoison(driver, 0)`.
 */
import type { VirtioDriver } from "./driver";
import type { ValidateContext } from "./initialisation";

/** The features that the balloon driver knows; add the ring's. */
export const BALLOON_DRIVER_FEATURES: readonly string[] = [
  "MUST_TELL_HOST",
  "STATS_VQ",
  "DEFLATE_ON_OOM",
  "PAGE_POISON",
];

/**
 * The `validate` hook of a balloon driver, as in Linux: it reads no configuration, and drops INDIRECT_DESC (6.1 keeps it)
 * and ACCESS_PLATFORM though they are reserved bits that it had accepted.
 *
 * @param guest `fillsPages`: the guest writes every page that it takes back, with a poison value or with zeros
 */
export function balloonValidate(guest: {
  readonly fillsPages: boolean;
}): (context: ValidateContext) => readonly string[] {
  return ({ accepted }) => {
    const drops = ["INDIRECT_DESC", "ACCESS_PLATFORM"];
    // §5.5.3.1: no PAGE_POISON without the filling, and no PAGE_REPORTING that leaves the filling unsaid.
    if (!guest.fillsPages) drops.push("PAGE_POISON");
    else if (!accepted.has("PAGE_POISON", "balloon")) drops.push("PAGE_REPORTING");
    return drops.filter((name) => accepted.has(name, "balloon"));
  };
}

/**
 * Writes poison_val, for the `fill` hook: after FEATURES_OK, before DRIVER_OK and never later (§5.5.6.6.1). Without
 * PAGE_POISON negotiated it does nothing.
 *
 * @param value 32 bits that a page which is taken back is filled with
 */
export async function balloonPoison(driver: VirtioDriver, value: number): Promise<void> {
  if (driver.negotiated?.has("PAGE_POISON", "balloon")) await driver.writeConfigField("poison_val", value);
}
