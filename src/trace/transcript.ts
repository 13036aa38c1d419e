/**
 * What happened on the control plane, in order: for a program as plain data, for a person as a table.
 * It listens to a driver and a device through their `onEvent`; neither knows of it.
 */
import type { ControlEvent, EventSink, SetNames } from "../negotiation/control-event";

/** An event with its place in the transcript. */
export interface TranscriptEvent extends ControlEvent {
  /** 0 and up, without gaps. */
  readonly seq: number;
  /** Milliseconds since the first event, by the transcript's clock. */
  readonly time: number;
}

/** How a transcript is kept. */
export interface TranscriptOptions {
  /** Milliseconds, from any start. Default: `performance.now()`. */
  readonly clock?: () => number;
  /** Most events kept; later ones are only counted. Default 10,000. */
  readonly limit?: number;
}

/** The transcript as plain data. */
export interface TranscriptJson {
  readonly schema: "virtq.transcript/1";
  readonly events: readonly TranscriptEvent[];
  /** Events beyond the limit. */
  readonly dropped: number;
}

/** How the table is to look. */
export interface TranscriptTextOptions {
  /** Leave out what only repeats the other side's line: register reads and writes as the device saw them. */
  readonly short?: boolean;
  /** Write the time column. Default true. */
  readonly times?: boolean;
}

/** Collects control events. */
export class Transcript {
  /** To be given to a driver and a device as `onEvent`. */
  readonly sink: EventSink;
  private readonly kept: TranscriptEvent[] = [];
  private readonly clock: () => number;
  private readonly limit: number;
  private start = 0;
  private count = 0;

  constructor(options: TranscriptOptions = {}) {
    this.clock = options.clock ?? (() => performance.now());
    this.limit = options.limit ?? 10_000;
    this.sink = (event) => this.add(event);
  }

  /** The events so far, in order. */
  get events(): readonly TranscriptEvent[] {
    return this.kept;
  }

  /** Events that were not kept because of the limit. */
  get dropped(): number {
    return this.count - this.kept.length;
  }

  /** The events that carry a code: breaches and refusals. */
  get findings(): readonly TranscriptEvent[] {
    return this.kept.filter(({ code }) => code !== undefined);
  }

  toJSON(): TranscriptJson {
    return { schema: "virtq.transcript/1", events: this.kept, dropped: this.dropped };
  }

  /** The table of {@link transcriptText}, and how many events were not kept. */
  toText(options: TranscriptTextOptions = {}): string {
    const text = transcriptText(this.kept, options);
    return this.dropped > 0 ? `${text}\n… and ${this.dropped} more` : text;
  }

  private add(event: ControlEvent): void {
    if (this.count === 0) this.start = this.clock();
    this.count++;
    if (this.kept.length >= this.limit) return;
    this.kept.push({ seq: this.kept.length, time: this.clock() - this.start, ...event });
  }
}

/**
 * One line for each event: number, milliseconds, side, step, register or field, before and after, section, and the
 * note; below it the feature sets that changed.
 */
export function transcriptText(
  transcript: readonly TranscriptEvent[],
  options: TranscriptTextOptions = {},
): string {
  const events = options.short ? transcript.filter(isOwnNews) : transcript;
  const rows = events.map((event) => cells(event, options.times ?? true));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const shown: Record<string, SetNames> = {};
  const lines = events.flatMap(({ side, sets }, i) => {
    const row = (rows[i] ?? []).map((cell, column) => cell.padEnd(widths[column] ?? 0));
    if (sets === undefined) return [row.join("  ").trimEnd()];
    const view = options.short ? "both" : side;
    const below = setLines(shown[view] ?? NOTHING, sets);
    shown[view] = sets;
    return [row.join("  ").trimEnd(), ...below];
  });
  return lines.join("\n");
}

/** Whether the line says something that the other side's line doesn't: all of the driver's, the device's decisions. */
function isOwnNews({ side, step, field, code }: ControlEvent): boolean {
  if (side === "driver" || code !== undefined) return true;
  return (step === "status" && field === "FEATURES_OK") || step === "violation" || step === "notify";
}

function cells(event: TranscriptEvent, times: boolean): string[] {
  const { seq, time, side, step, field, before, after, section, note, code } = event;
  const change = before === undefined ? (after ?? "") : `${before} -> ${after ?? "?"}`;
  const remark = code === undefined ? (note ?? "") : `${code}: ${note ?? ""}`;
  const where = section === "" ? "" : `§${section}`;
  return [`${seq}`, ...(times ? [time.toFixed(2)] : []), side, step, field ?? "", change, where, remark];
}

const NOTHING: SetNames = { offered: [], accepted: [], negotiated: [] };

/** A line for each set that is another one than its side showed before. */
function setLines(before: SetNames, now: SetNames): string[] {
  const lines: string[] = [];
  for (const name of ["offered", "accepted", "negotiated"] as const) {
    const text = now[name].join(" | ");
    if (text !== before[name].join(" | ")) lines.push(`      ${name}: ${text === "" ? "(none)" : text}`);
  }
  return lines;
}
