/** What the judge is told of a run that the accesses alone don't say. */
import { CONFIG_LAYOUTS, type ConfigLayout } from "../negotiation/config-table";
import type { FeatureSet } from "../negotiation/feature-set";
import type { DeviceType } from "../negotiation/feature-table";

/** The circumstances of a run; what is left out is not judged by. */
export interface JudgeContext {
  /** Whose features and fields count. */
  readonly deviceType?: DeviceType;
  /** Some features exist on some transports only. */
  readonly transport?: "pci" | "mmio" | "ccw" | "loopback";
  /** What the device offers; absent: what the driver read of it, and no judgement about words that it didn't read. */
  readonly offered?: FeatureSet;
  /** The configuration of a device type that virtq doesn't know. */
  readonly configLayout?: readonly ConfigLayout[];
  /** The legacy interface is in use: its own rules count, and no FEATURES_OK, generation or write order (§2.2.3). */
  readonly legacy?: boolean;
}

/** The fields of the configuration; none if neither a layout nor a known device type was given. */
export function layoutOf({ configLayout, deviceType }: JudgeContext): readonly ConfigLayout[] {
  return configLayout ?? (deviceType === undefined ? [] : CONFIG_LAYOUTS[deviceType]);
}
