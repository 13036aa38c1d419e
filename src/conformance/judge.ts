/**
 * Judges what happened on the control plane by the clauses of clauses.ts: one pass over the accesses and
 * notifications, in order. It reads events that carry an `access` and those of steps "interrupt" and "exposed", from a VirtioDevice
 * or from a tap on the port (src/trace/port-tap.ts); of two that tell the same the first counts. Rings are judged
 * elsewhere.
 */
import type { ControlEvent } from "../negotiation/control-event";
import { actOf } from "./act-of";
import { CLAUSES, type ClauseId } from "./clauses";
import type { JudgeContext } from "./context";
import type { Finding } from "./finding";
import { configFieldsRule } from "./rules/config-fields";
import { configVersionsRule } from "./rules/config-versions";
import { deviceConfigRule } from "./rules/device-config";
import { deviceFeaturesRule } from "./rules/device-features";
import { deviceStatusRule } from "./rules/device-status";
import { featuresRule } from "./rules/features";
import { orderRule } from "./rules/order";
import type { Report, Rule } from "./rules/rule";
import { statusRule } from "./rules/status";
import { Run } from "./run";

/** An event with its place; a TranscriptEvent is one. */
export type NumberedEvent = ControlEvent & { readonly seq: number };

/** Follows one device and finds what its driver and it do against the clauses. */
export class Judge {
  private readonly run: Run;
  private readonly versions = configVersionsRule();
  private readonly rules: readonly Rule[] = [
    statusRule(),
    orderRule(),
    featuresRule(),
    configFieldsRule(),
    this.versions,
    deviceFeaturesRule(),
    deviceStatusRule(),
    deviceConfigRule(),
  ];
  private readonly found: Finding[] = [];
  private seq = 0;
  /** Who tells of the accesses: a device, or a tap on the driver's port. */
  private source: ControlEvent["side"] | undefined;

  /** @param context what is known of the run; every part may be left out */
  constructor(context: JudgeContext = {}) {
    this.run = new Run(context);
  }

  /** All findings so far, in the order of the events that showed them. */
  get findings(): readonly Finding[] {
    return this.found;
  }

  /**
   * Takes the next event; one without an access that is no notification or exposure changes nothing.
   *
   * @returns the findings that this event brought
   */
  add(event: NumberedEvent): readonly Finding[] {
    const { run, report, found } = this;
    const before = found.length;
    this.seq = event.seq;
    const { access } = event;
    if (access !== undefined) {
      this.source ??= event.side;
      if (event.side !== this.source) return [];
      const act = actOf(run, access);
      for (const rule of this.rules) rule.access?.({ run, report, access, act });
      run.apply(access, act);
    } else if (event.step === "interrupt") {
      const kind = event.field === "config" ? "config" : "used";
      for (const rule of this.rules) rule.notice?.({ run, report }, kind);
    } else if (event.step === "exposed") {
      for (const rule of this.rules) rule.exposed?.({ run, report }, event.field ?? "a queue");
    }
    return found.slice(before);
  }

  /**
   * The run is over: judges what waited for a next access.
   *
   * @returns the findings that this brought
   */
  end(): readonly Finding[] {
    const before = this.found.length;
    this.versions.end({ run: this.run, report: this.report });
    return this.found.slice(before);
  }

  private readonly report: Report = (side, clauses, what) => {
    for (const id of clauses) this.found.push(finding(id, side, what, this.seq));
  };
}

/** The findings of a whole run, in order. */
export function judge(events: Iterable<NumberedEvent>, context: JudgeContext = {}): Finding[] {
  const one = new Judge(context);
  for (const event of events) one.add(event);
  one.end();
  return [...one.findings];
}

function finding(clause: ClauseId, side: Finding["side"], what: string, seq: number): Finding {
  const { section, level, mend } = CLAUSES[clause];
  return { clause, section, level, side, what, mend, seq };
}
