/**
 * The accepted set, judged when FEATURES_OK is written and not before: between two word writes it is half new, and
 * the driver may accept another one as often as it likes (§2.2.1, §6.1, patch for issue 241). On the legacy interface
 * it is judged at DRIVER_OK, by the rules that hold there.
 */
import { isUsable, nameAndBit } from "../../negotiation/feature-names";
import type { FeatureSet } from "../../negotiation/feature-set";
import { missingPrerequisites } from "../../negotiation/prerequisites";
import {
  VIRTIO_F_ACCESS_PLATFORM,
  VIRTIO_F_ADMIN_VQ,
  VIRTIO_F_NOTIF_CONFIG_DATA,
  VIRTIO_F_ORDER_PLATFORM,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_SR_IOV,
  VIRTIO_F_VERSION_1,
} from "../../spec/features";
import { VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK } from "../../spec/status";
import type { ClauseId } from "../clauses";
import type { Run } from "../run";
import type { AccessStep, Rule } from "./rule";

/** The trap bit of transitional devices (§6.3); it has no name. */
export const BIT_30 = 30;

/** Bits that a driver is to accept where they are offered. */
const WANTED: readonly (readonly [bit: number, clause: ClauseId])[] = [
  [VIRTIO_F_VERSION_1, "RESERVED-001"],
  [VIRTIO_F_ACCESS_PLATFORM, "RESERVED-003"],
  [VIRTIO_F_RING_PACKED, "RESERVED-006"],
  [VIRTIO_F_ORDER_PLATFORM, "RESERVED-007"],
  [VIRTIO_F_NOTIF_CONFIG_DATA, "RESERVED-013"],
];

/** Rules about what a driver accepts. */
export function featuresRule(): Rule {
  return {
    access(step) {
      const { run, access } = step;
      if (access.register !== "status" || access.how === "read" || run.phase === "failed") return;
      const settles = run.isLegacy ? VIRTIO_CONFIG_S_DRIVER_OK : VIRTIO_CONFIG_S_FEATURES_OK;
      if ((run.added(access.value) & settles) !== 0) judgeAccepted(step);
    },
  };
}

/** The faults of a set that no device may agree to, in words (§2.2.1). */
export function invalidity(run: Run, set: FeatureSet): string[] {
  const { deviceType } = run.context;
  const unoffered = run.offer.lacking(set).bits();
  return [
    ...unoffered.map((bit) => `${nameAndBit(bit, deviceType)} was not offered`),
    ...missingPrerequisites(set, deviceType).map(({ text }) => text),
  ];
}

function judgeAccepted({ run, report }: AccessStep): void {
  const { accepted, offer, context, isLegacy } = run;
  const { deviceType, transport } = context;
  const names = (bits: readonly number[]) => bits.map((bit) => nameAndBit(bit, deviceType)).join(", ");
  const unoffered = offer.lacking(accepted).bits();
  if (unoffered.length > 0) {
    const what = `accepted ${names(unoffered)}, the device offers ${offer.set.toString(deviceType)}`;
    report("driver", ["FEATURES-001"], what);
  }
  const unmet = missingPrerequisites(accepted, deviceType).map(({ text }) => text);
  if (unmet.length > 0) {
    report("driver", ["FEATURES-002"], `${unmet.join("; ")}: accepted ${accepted.toString(deviceType)}`);
  }
  if (accepted.has(BIT_30)) report("driver", ["RESERVED-031"], `accepted bit ${BIT_30}, which is no feature`);
  if (isLegacy) return;
  const unusable = accepted.bits().filter((bit) => bit !== BIT_30 && !isUsable(bit, deviceType, transport));
  if (unusable.length > 0) {
    const where = `${deviceType ?? "this"} device${transport === undefined ? "" : ` over ${transport}`}`;
    const also = offPciClauses(
      unusable,
      [VIRTIO_F_SR_IOV, "RESERVED-010"],
      [VIRTIO_F_ADMIN_VQ, "RESERVED-024"],
    );
    report("driver", ["FEATURES-005", ...also], `accepted ${names(unusable)}, no feature of a ${where}`);
  }
  for (const [bit, clause] of WANTED) {
    if (!offer.set.has(bit) || accepted.has(bit) || !isUsable(bit, deviceType, transport)) continue;
    const what = `${nameAndBit(bit)} is offered and not accepted: accepted ${accepted.toString(deviceType)}`;
    report("driver", [clause], what);
  }
}

/** The clauses about features of PCI alone, for those among `bits`. */
export function offPciClauses(
  bits: readonly number[],
  ...rows: readonly (readonly [bit: number, clause: ClauseId])[]
): ClauseId[] {
  return rows.filter(([bit]) => bits.includes(bit)).map(([, clause]) => clause);
}
