/**
 * What a device answers to configuration reads: two answers that differ under one generation (§2.5, §2.5.2, §3.4.2,
 * patch for issue 241). Evidence is a field read twice between two reads of the same generation, with nothing written
 * between but the driver's features and FEATURES_OK; while suspended two reads are enough, nothing may change then.
 */
import { hex, type RegisterAccess } from "../../negotiation/control-event";
import type { FeatureSet } from "../../negotiation/feature-set";
import { VIRTIO_CONFIG_S_FEATURES_OK } from "../../spec/status";
import { touchedFields } from "../act-of";
import type { ClauseId } from "../clauses";
import type { Run } from "../run";
import { fieldText } from "../telling";
import { isUnaccepted } from "./config-fields";
import type { AccessStep, Report, Rule } from "./rule";

/** A byte of the configuration as it was answered last. */
interface Seen {
  readonly value: number;
  /** What the driver had accepted by then. */
  readonly declared: FeatureSet;
  /** Before FEATURES_OK was written. */
  readonly isEarly: boolean;
  /** Its field hung on a feature that was not accepted. */
  readonly wasUnaccepted: boolean;
  readonly whileSuspended: boolean;
}

/** Rules about the device's answers. */
export function deviceConfigRule(): Rule {
  const seen = new Map<number, Seen>();
  /** Bytes that the driver tried to write while suspended. */
  const tried = new Map<number, number>();
  /** Answers that differ, to be reported if the generation turns out to be the same. */
  let doubts: { readonly clause: ClauseId; readonly what: string }[] = [];
  let generation: number | undefined;

  const forget = (): void => {
    seen.clear();
    tried.clear();
    doubts = [];
    generation = undefined;
  };

  const readGeneration = (value: number, report: Report): void => {
    if (value !== generation) {
      forget();
      generation = value;
      return;
    }
    const clauses = new Set(doubts.map(({ clause }) => clause));
    for (const clause of clauses) {
      const first = doubts.find((doubt) => doubt.clause === clause);
      report("device", [clause], `${first?.what}, generation ${value} before and after`);
    }
    doubts = [];
  };

  const readBytes = ({ access, run, report }: AccessStep): void => {
    const before = previous(access, seen);
    if (before !== undefined && before.value !== access.value >>> 0) {
      const bytes = access.bytes ?? 1;
      const what = `${fieldText(run, access)} read ${hex(before.value, 2 * bytes)}, then ${hex(access.value, 2 * bytes)}`;
      if (run.phase === "suspended" && before.first.whileSuspended) {
        const wasWritten = previous(access, tried)?.value === access.value >>> 0;
        report("device", [wasWritten ? "SUSPEND-008" : "SUSPEND-009"], `${what}, while suspended`);
      } else {
        const clause = clauseOf(run, access, before.first);
        if (clause !== undefined) doubts.push({ clause, what });
      }
    }
    remember(run, access, seen);
  };

  return {
    access(step) {
      const { access, run, report } = step;
      const { register, how, value, index = 0, bytes = 1 } = access;
      if (run.isLegacy) return;
      if (register === "config-generation") readGeneration(value, report);
      else if (register === "config" && how === "read") readBytes(step);
      else if (register === "config" && run.phase === "suspended") {
        for (let i = 0; i < bytes; i++) tried.set(index + i, (value >>> (8 * i)) & 0xff);
      } else if (register === "config") forget();
      else if (register === "status" && how === "write") {
        const isFeaturesOk = run.added(value) === VIRTIO_CONFIG_S_FEATURES_OK;
        if (!isFeaturesOk) forget();
      }
    },
  };
}

/** The value that an access would have had before, and the first of its bytes; undefined unless all were seen. */
function previous<T extends number | Seen>(
  { index = 0, bytes = 1 }: RegisterAccess,
  known: ReadonlyMap<number, T>,
): { readonly value: number; readonly first: T } | undefined {
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) {
    const byte = known.get(index + i);
    if (byte === undefined) return undefined;
    value = value * 256 + (typeof byte === "number" ? byte : byte.value);
  }
  const first = known.get(index);
  return first === undefined ? undefined : { value, first };
}

function remember(run: Run, access: RegisterAccess, seen: Map<number, Seen>): void {
  const { index = 0, bytes = 1, value } = access;
  const circumstances = {
    declared: run.declared,
    isEarly: run.frozen === undefined,
    wasUnaccepted: touchedFields(run, access).some((field) => isUnaccepted(run, field)),
    whileSuspended: run.phase === "suspended",
  };
  for (let i = 0; i < bytes; i++)
    seen.set(index + i, { value: (value >>> (8 * i)) & 0xff, ...circumstances });
}

/** Whose rule the difference breaks; undefined where the text lets a field change with what is accepted (§5.2.5). */
function clauseOf(run: Run, access: RegisterAccess, before: Seen): ClauseId | undefined {
  const fields = touchedFields(run, access);
  const isSameSet = before.declared.equals(run.declared);
  const crossed = before.isEarly && run.frozen !== undefined;
  if (isSameSet && !crossed) return "CONFIG-008";
  const mayChange = ({ name, writable }: (typeof fields)[number]) =>
    writable !== false || name.startsWith("zoned.");
  if (fields.length === 0 || fields.some(mayChange)) return undefined;
  return before.wasUnaccepted && !isSameSet ? "SEED241-012" : "CONFIG-006";
}
