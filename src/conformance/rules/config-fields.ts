/**
 * Which configuration fields a driver touches, and what it has accepted by then (§2.5.1, patch for issue 241). A
 * field whose feature is not offered doesn't exist; one whose feature is offered may be read at any time, but should
 * be read after the feature was accepted. Fields that may be written at any time need no acceptance (§5.3.4).
 */
import type { ConfigLayout } from "../../negotiation/config-table";
import { nameAndBit } from "../../negotiation/feature-names";
import { touchedFields } from "../act-of";
import type { Run } from "../run";
import { fieldText, told } from "../telling";
import type { AccessStep, Rule } from "./rule";

/** Rules about optional fields. */
export function configFieldsRule(): Rule {
  /** Where the access ended that was reported last, and the field: what goes on from there is the same read. */
  let reported: { readonly field: string; readonly end: number } | undefined;
  return {
    access(step) {
      const { access, run } = step;
      if (access.register !== "config") {
        if (access.register !== "config-generation") reported = undefined;
        return;
      }
      const { index = 0, bytes = 1 } = access;
      const field = fieldText(run, access);
      const goesOn = reported?.field === field && reported.end === index;
      const isBreach = goesOn || judgeFields(step);
      reported = isBreach ? { field, end: index + bytes } : undefined;
    },
  };
}

/** @returns whether something was reported */
function judgeFields(step: AccessStep): boolean {
  const { access, run, report } = step;
  const fields = touchedFields(run, access);
  const missing = fields.filter((field) => isMissing(run, field));
  if (missing.length > 0) {
    report("driver", ["CONFIG-003"], `${told(run, access)}: ${governorNames(run, missing)} not offered`);
    return true;
  }
  if (access.how === "write" || run.isLegacy || run.phase === "unknown" || run.phase === "resetting")
    return false;
  const early = fields.filter((field) => isUnaccepted(run, field));
  if (early.length === 0) return false;
  const negotiating = run.phase === "negotiating" ? (["SEED241-010"] as const) : [];
  report(
    "driver",
    ["SEED241-007", ...negotiating],
    `${told(run, access)}: ${governorNames(run, early)} not accepted`,
  );
  return true;
}

/** Whether the device is known not to have the field. */
function isMissing(run: Run, field: ConfigLayout): boolean {
  const bits = run.governors(field);
  return bits.length > 0 && bits.every((bit) => run.offer.knows(bit) && !run.offer.set.has(bit));
}

/** Whether the field hangs on features of which the driver has accepted none. */
export function isUnaccepted(run: Run, field: ConfigLayout): boolean {
  const bits = run.governors(field);
  return bits.length > 0 && field.writable !== "any-time" && bits.every((bit) => !run.declared.has(bit));
}

function governorNames(run: Run, fields: readonly ConfigLayout[]): string {
  const bits = new Set(fields.flatMap((field) => run.governors(field)));
  return `${[...bits].map((bit) => nameAndBit(bit, run.context.deviceType)).join(" or ")} is`;
}
