/**
 * The device's side of the negotiation: what it offers, and whether it agrees (§2.2.2, §6.2, §6.3). The offer is
 * judged once, when the driver answers it; which valid sets a device agrees to is its own affair, but it should not
 * change its mind.
 */
import { isUsable, nameAndBit, rowOf } from "../../negotiation/feature-names";
import { missingPrerequisites } from "../../negotiation/prerequisites";
import {
  VIRTIO_F_ADMIN_VQ,
  VIRTIO_F_ANY_LAYOUT,
  VIRTIO_F_SR_IOV,
  VIRTIO_F_VERSION_1,
} from "../../spec/features";
import { VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_NEEDS_RESET } from "../../spec/status";
import type { Run } from "../run";
import { BIT_30, invalidity, offPciClauses } from "./features";
import type { AccessStep, Rule, Step } from "./rule";

/** Rules about what a device offers and agrees to. */
export function deviceFeaturesRule(): Rule {
  /** The offers that were judged, and the sets that were agreed to under each of them in an earlier life. */
  const judged = new Set<string>();
  const agreed = new Set<string>();
  /** FEATURES_OK was tried in this life before; a second try without a reset is the device's to refuse. */
  let tries = 0;
  return {
    access(step) {
      const { run, access } = step;
      const { register, how, value } = access;
      if (how === "write") {
        if (register === "status" && value === 0) tries = 0;
        if (!answersOffer(step) || run.offer.set.isEmpty) return;
        if (run.offer.isAlias && !judged.has(ALIAS)) {
          judged.add(ALIAS);
          judgeAlias(step);
        }
        const offer = run.offer.set.words.join();
        if (!judged.has(offer)) judgeOffer(step);
        judged.add(offer);
      } else if (
        register === "status" &&
        run.phase === "checking" &&
        (value & VIRTIO_CONFIG_S_NEEDS_RESET) === 0
      ) {
        tries++;
        judgeAnswer(step, agreed, tries === 1);
      }
    },
  };
}

/** That words 2 and 3 show word 1 again, among the offers that were judged. */
const ALIAS = "alias";

function judgeAlias({ run, report }: Step): void {
  if (run.isLegacy) return;
  const word = `0x${run.offer.set.word(1).toString(16).padStart(8, "0")}`;
  const what = `words 2 and 3 of the offer show word 1 again, ${word}: 0 was to be there`;
  report("device", ["FEATURES-012"], what);
}

/** The driver has seen what it wanted to see: it accepts, or goes on without. */
function answersOffer({ run, access }: AccessStep): boolean {
  if (run.phase === "unknown") return false;
  return (
    access.register === "driver-features" || (access.register === "status" && run.added(access.value) !== 0)
  );
}

function judgeOffer({ run, report }: Step): void {
  const { offer, context, isLegacy } = run;
  const { deviceType, transport } = context;
  const { set } = offer;
  if (isLegacy) {
    const missing = [VIRTIO_F_ANY_LAYOUT, BIT_30].filter((bit) => offer.knows(bit) && !set.has(bit));
    if (!set.has(VIRTIO_F_VERSION_1) || missing.length === 0) return;
    const names = missing.map((bit) => nameAndBit(bit)).join(", ");
    report("device", ["RESERVED-029"], `${names} not offered beside VERSION_1 (32) on the legacy interface`);
    return;
  }
  if (offer.knows(VIRTIO_F_VERSION_1) && !set.has(VIRTIO_F_VERSION_1)) {
    report("device", ["RESERVED-014"], `VERSION_1 (32) not offered: offered ${set.toString(deviceType)}`);
  }
  const unusable = set
    .bits()
    .filter((bit) => !isUsable(bit, deviceType, transport) && !isTransitional(run, bit));
  if (unusable.length > 0) {
    const names = unusable.map((bit) => nameAndBit(bit, deviceType)).join(", ");
    const where = `${deviceType ?? "this"} device${transport === undefined ? "" : ` over ${transport}`}`;
    const also = offPciClauses(
      unusable,
      [VIRTIO_F_SR_IOV, "RESERVED-023"],
      [VIRTIO_F_ADMIN_VQ, "RESERVED-024"],
    );
    report("device", ["FEATURES-012", ...also], `offered ${names}, no feature of a ${where}`);
  }
  const unmet = missingPrerequisites(set, deviceType, "offer").filter((rule) =>
    rule.requires.every((bit) => offer.knows(bit)),
  );
  if (unmet.length > 0) {
    const what = `${unmet.map(({ text }) => text).join("; ")}: offered ${set.toString(deviceType)}`;
    report("device", ["FEATURES-009"], what);
  }
}

/** Bits that a transitional device may show to legacy drivers (§6.3, and the legacy rows of §5). */
function isTransitional(run: Run, bit: number): boolean {
  return bit === BIT_30 || rowOf(bit, run.context.deviceType)?.[2]?.legacy === true;
}

function judgeAnswer({ run, access, report }: AccessStep, agreed: Set<string>, isFirst: boolean): void {
  const { deviceType } = run.context;
  const set = run.declared;
  const key = `${run.offer.set.words.join()} ${set.words.join()}`;
  if ((access.value & VIRTIO_CONFIG_S_FEATURES_OK) !== 0) {
    const faults = invalidity(run, set);
    if (faults.length > 0) {
      const what = `FEATURES_OK (8) shown for an invalid set: ${faults.join("; ")}`;
      report("device", ["FEATURES-011", "SEED241-002"], what);
    }
    agreed.add(key);
  } else if (isFirst && agreed.has(key)) {
    const what = `refused ${set.toString(deviceType)}, the set that it agreed to before a reset`;
    report("device", ["FEATURES-013"], what);
  }
}
