/**
 * Which bits of a set lack a bit that they rest on (§2.2.1, §2.2.2 and the "Feature bit requirements" of 5.x).
 * That bits from 32 on rest on VERSION_1 is nowhere written; a device asks for VERSION_1 by its profile instead.
 */
import { VIRTIO_F_UNUSED } from "../spec/features";
import { featureBit, isUsable, nameAndBit, rowOf } from "./feature-names";
import type { FeatureSet } from "./feature-set";
import { type DeviceType, type FeatureRow, featureRows } from "./feature-table";

/** A bit of a set without a bit that it rests on. */
export interface MissingPrerequisite {
  /** The bit that is in the set. */
  readonly bit: number;
  /** The bits of which one is needed and none is there; a single one if that very bit is needed. */
  readonly requires: readonly number[];
  /** The sentence for a person, both bits named: "MQ (22) needs CTRL_VQ (17)". */
  readonly text: string;
}

/**
 * The bits of `set` whose prerequisites are not in `set`.
 *
 * @param purpose "offer" also asks for what an offer alone must hold (CONFIG_WCE beside FLUSH, §5.2.5)
 * @returns one entry per unmet rule, empty if all hold
 */
export function missingPrerequisites(
  set: FeatureSet,
  type?: DeviceType,
  purpose: "accept" | "offer" = "accept",
): MissingPrerequisite[] {
  return unmet(set, type, ([, , rule]) => [
    ...alone(rule?.requires),
    ...(purpose === "offer" ? alone(rule?.offerRequires) : []),
    ...(rule?.requiresAny ?? []),
  ]);
}

/** The bits of `set` that should not stand without another one (SHOULD NOT, §5.1.4): for warnings, never a refusal. */
export function missingAdvice(set: FeatureSet, type?: DeviceType): MissingPrerequisite[] {
  return unmet(set, type, ([, , rule]) => alone(rule?.advises));
}

/**
 * The set without the bits that must not be accepted: undocumented, legacy, or not for this transport (§2.2.1).
 *
 * @param onLegacy the legacy interface is in use: its own bits count, but for the one that nobody should accept (§6.3)
 */
export function usableBits(
  set: FeatureSet,
  type?: DeviceType,
  transport?: string,
  onLegacy = false,
): FeatureSet {
  const isUnusable = (bit: number) =>
    onLegacy ? rowOf(bit, type) === undefined || bit === VIRTIO_F_UNUSED : !isUsable(bit, type, transport);
  return set.without(...set.bits().filter(isUnusable));
}

/** The set without bits whose prerequisites are not in it, until no such bit is left (§2.2.1). */
export function dropUnmet(set: FeatureSet, type?: DeviceType): FeatureSet {
  let kept = set;
  for (;;) {
    const missing = missingPrerequisites(kept, type);
    if (missing.length === 0) return kept;
    kept = kept.without(...missing.map(({ bit }) => bit));
  }
}

function alone(names: readonly string[] | undefined): string[][] {
  return (names ?? []).map((name) => [name]);
}

function unmet(
  set: FeatureSet,
  type: DeviceType | undefined,
  groupsOf: (row: FeatureRow) => readonly (readonly string[])[],
): MissingPrerequisite[] {
  const missing: MissingPrerequisite[] = [];
  for (const row of featureRows(type)) {
    if (!set.has(row[0])) continue;
    for (const group of groupsOf(row)) {
      const requires = group.map((name) => featureBit(name, type));
      if (requires.some((bit) => set.has(bit))) continue;
      const names = requires.map((bit) => nameAndBit(bit, type));
      missing.push({
        bit: row[0],
        requires,
        text: `${nameAndBit(row[0], type)} needs ${names.join(" or ")}`,
      });
    }
  }
  return missing;
}
