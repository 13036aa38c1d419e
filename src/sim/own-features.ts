/** A user's list of features, taken apart: what belongs to the ring, and what to the device type. */
import { featureBit, isDeviceTypeBit } from "../negotiation/feature-names";
import type { DeviceType } from "../negotiation/feature-table";

/** The two parts of a list. */
export interface SplitFeatures {
  readonly ring: readonly string[];
  readonly own: readonly string[];
}

/**
 * Which names are the ring's and which the device type's own.
 *
 * @param names short or full names, or undefined for none given
 * @throws VirtioError UNKNOWN_NAME naming the nearest
 */
export function splitByType(
  names: readonly string[] | undefined,
  type: DeviceType,
): SplitFeatures | undefined {
  if (names === undefined) return undefined;
  const isOwn = (name: string) => isDeviceTypeBit(featureBit(name, type));
  return { ring: names.filter((name) => !isOwn(name)), own: names.filter(isOwn) };
}
