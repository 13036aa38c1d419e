/**
 * Which events of a transcript a person is shown, and what stands in their cells. How wide the cells are is
 * table-layout.ts.
 */
import { type ControlEvent, hex, type RegisterAccess } from "../negotiation/control-event";
import { GLUE } from "./wrap-words";

/** An event as a transcript keeps it. */
export interface ShownEvent extends ControlEvent {
  /** Its place in the transcript, 0 and up. */
  readonly seq: number;
  /** Milliseconds since the first event. */
  readonly time: number;
  /** Which device of the run, if there are several. */
  readonly device?: string;
}

/** One row of the table. */
export interface Row {
  readonly event: ShownEvent;
  /** How many equal reads it stands for, 1 and up. */
  readonly count: number;
}

/** What stands in the columns; GLUE holds words together. */
export interface Cells {
  readonly time: string;
  readonly side: string;
  readonly step: string;
  readonly field: string;
  readonly change: string;
  readonly section: string;
  readonly note: string;
}

/**
 * The rows for events in their order. Equal reads that follow each other and tell nothing new become one row.
 *
 * @param marked `seq` of the events that always get a row of their own
 * @param short leave out what only repeats the other side's row, and reads
 */
export function transcriptRows(
  events: readonly ShownEvent[],
  marked: ReadonlySet<number>,
  short: boolean,
): Row[] {
  const rows: { event: ShownEvent; count: number }[] = [];
  for (const event of events) {
    const isMarked = marked.has(event.seq);
    if (short && !isMarked && !isOwnNews(event)) continue;
    const last = rows.at(-1);
    const isRepeated =
      last !== undefined && !isMarked && !marked.has(last.event.seq) && isSameRead(last.event, event);
    if (isRepeated) last.count++;
    else rows.push({ event, count: 1 });
  }
  return rows;
}

/** The texts of a row. A device stands two columns further right than a driver, to be told from it at a glance. */
export function rowCells({ event, count }: Row): Cells {
  const { time, side, step, before, after, section, note, code, access, policy } = event;
  const value = after ?? (access === undefined ? undefined : accessValue(access));
  const said = code === undefined ? note : `${code}: ${note ?? ""}`;
  const read = access?.how === "read" && said === undefined ? "read" : said;
  const remarks = [
    count > 1 ? `${read ?? ""} ${count} times` : read,
    policy === undefined ? undefined : `policy ${policy.name}: ${policy.choice}`.replaceAll(" ", GLUE),
  ];
  return {
    time: time.toFixed(2),
    side: side === "driver" ? "driver" : `${GLUE}${GLUE}device`,
    step,
    field: (event.field ?? (access === undefined ? "" : accessField(access))).replace(/ (?=\d)/g, GLUE),
    change: before === undefined ? (value ?? "") : `${before} →${GLUE}${value ?? "?"}`,
    section: section === "" ? "" : `§${section}`,
    note: remarks
      .filter((remark) => remark !== undefined)
      .join("; ")
      .replaceAll(" | ", `${GLUE}| `),
  };
}

/** Whether the row says something that the other side's row doesn't: all of the driver's, the device's decisions. */
function isOwnNews(event: ShownEvent): boolean {
  const { side, step, field, code, policy } = event;
  if (code !== undefined || policy !== undefined) return true;
  if (isQuietRead(event)) return false;
  return side === "driver" || (step === "status" && field === "FEATURES_OK") || step === "notify";
}

/** A read that changed, decided and breached nothing. */
function isQuietRead({ access, sets, code, policy }: ShownEvent): boolean {
  return access?.how === "read" && sets === undefined && code === undefined && policy === undefined;
}

function isSameRead(one: ShownEvent, other: ShownEvent): boolean {
  if (!isQuietRead(one) || !isQuietRead(other) || one.device !== other.device) return false;
  const [a, b] = [one, other].map((event) => Object.values({ ...rowCells({ event, count: 1 }), time: "" }));
  return String(a) === String(b);
}

function accessField({ register, index }: RegisterAccess): string {
  return index === undefined ? register : `${register} ${index}`;
}

function accessValue({ register, value, bytes }: RegisterAccess): string {
  if (register === "status") return hex(value);
  return register.endsWith("-features") || register === "config" ? hex(value, 2 * (bytes ?? 4)) : `${value}`;
}
