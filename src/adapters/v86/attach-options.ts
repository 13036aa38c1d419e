/**
 * What devices are attached with, and what of that can't be right.
 */
import type { DeviceOptions } from "../../device/device";
import type { DeviceModel } from "../../device/model";
import { DEVICE_PROFILES, type DeviceProfile } from "../../device/profiles";
import { VirtioError } from "../../errors";

/** A device to attach, with more than its model. */
export interface DeviceSpec extends Pick<DeviceOptions, "offer" | "onEvent" | "onViolation"> {
  readonly model: DeviceModel;
  /** What snapshots, counters and messages call it; unique. Default its model's name and a number: "blk0". */
  readonly name?: string;
  /** For legacy drivers, too: the legacy window in BAR 0, the old IDs and revision 0. Default false. */
  readonly transitional?: boolean;
  /**
   * How the device behaves. Default: as "strict", or "transitional" for a transitional device, but it takes several
   * status bits at once, which is how SeaBIOS writes them.
   */
  readonly profile?: DeviceOptions["profile"];
}

/** How to attach. */
export interface AttachOptions {
  /** Most chains that are served of one device before the emulator gets its turn, ≥ 1. Default 64. */
  readonly budget?: number;
}

/** A {@link DeviceSpec} with a name and a profile. */
export interface NamedSpec extends DeviceSpec {
  readonly name: string;
  readonly profile: DeviceProfile | string;
}

const modern = forFirmware(DEVICE_PROFILES.strict);
const transitional = forFirmware(DEVICE_PROFILES.transitional);

function forFirmware(profile: DeviceProfile): DeviceProfile {
  return {
    ...profile,
    name: `${profile.name}, for firmware`,
    summary: `${profile.summary}; takes several status bits at once`,
    policies: { ...profile.policies, severalStatusBits: "in-order" },
  };
}

/**
 * The devices by name.
 *
 * @throws VirtioError BAD_ARGUMENT for none, or two of one name
 */
export function namedSpecs(devices: readonly (DeviceModel | DeviceSpec)[]): NamedSpec[] {
  const counts = new Map<string, number>();
  const specs = devices.map((given): NamedSpec => {
    const spec = "model" in given ? given : { model: given };
    const { name: type } = spec.model;
    const number = counts.get(type) ?? 0;
    counts.set(type, number + 1);
    const { name = `${type}${number}`, profile = spec.transitional ? transitional : modern } = spec;
    return { ...spec, name, profile };
  });
  const names = specs.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) bad(`two devices are called ${twice}`);
  if (names.length === 0) bad("0 devices to attach, it takes 1 at least");
  return specs;
}

/** @throws VirtioError BAD_ARGUMENT */
export function budgetOf({ budget = 64 }: AttachOptions): number {
  if (Number.isSafeInteger(budget) && budget >= 1) return budget;
  return bad(`a budget of ${budget} chains, it takes 1 at least`);
}

function bad(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason);
}
