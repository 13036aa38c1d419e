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
  /** Reads that this row stands for besides: all equal to the first, or the feature words that follow it. */
  readonly more: readonly ShownEvent[];
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
 * The rows for events in their order. Reads that follow each other and tell nothing new become one row: equal ones, and
 * those of feature words in their order.
 *
 * @param marked `seq` of the events that always get a row of their own
 * @param short leave out what only repeats the other side's row, and reads
 */
export function transcriptRows(
  events: readonly ShownEvent[],
  marked: ReadonlySet<number>,
  short: boolean,
): Row[] {
  const rows: { event: ShownEvent; more: ShownEvent[] }[] = [];
  for (const event of events) {
    const isMarked = marked.has(event.seq);
    if (short && !isMarked && !isOwnNews(event)) continue;
    const row = rows.at(-1);
    const isJoined = row !== undefined && !isMarked && !marked.has(row.event.seq) && joins(event, row);
    if (isJoined) row.more.push(event);
    else rows.push({ event, more: [] });
  }
  return rows;
}

/** The texts of a row. A device stands two columns further right than a driver, to be told from it at a glance. */
export function rowCells({ event, more }: Row): Cells {
  const { time, side, step, before, section, note, code, access, policy } = event;
  const words = more.filter((other) => other.access?.index !== access?.index);
  const value = words.length === 0 ? shownValue(event) : [event, ...words].map(shownValue).join(" ");
  const field = event.field ?? (access === undefined ? "" : accessField(access));
  const lastWord = words.at(-1)?.access?.index;
  const said = code === undefined ? note : `${code}: ${note ?? ""}`;
  const read = access?.how === "read" && said === undefined ? "read" : said;
  const remarks = [
    more.length > 0 && words.length === 0 ? `${read} ${more.length + 1} times` : read,
    policy === undefined ? undefined : `policy ${policy.name}: ${policy.choice}`.replaceAll(" ", GLUE),
  ];
  return {
    time: time.toFixed(2),
    side: side === "driver" ? "driver" : `${GLUE}${GLUE}device`,
    step,
    field: (lastWord === undefined ? field : `${field}…${lastWord}`).replace(/ (?=\d)/g, GLUE),
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
export function isQuietRead({ access, sets, code, policy }: ShownEvent): boolean {
  return access?.how === "read" && sets === undefined && code === undefined && policy === undefined;
}

/** Whether a read adds nothing to a row but one more time, or the next feature word. */
function joins(event: ShownEvent, { event: first, more }: Row): boolean {
  const [from, to] = [first.access, event.access];
  if (!isQuietRead(first) || !isQuietRead(event) || from === undefined || to === undefined) return false;
  if (first.device !== event.device || from.register !== to.register) return false;
  const [start = 0, last = 0, word = 0] = [from.index, (more.at(-1) ?? first).access?.index, to.index];
  const isNextWord = from.register.endsWith("-features") && word === start + more.length + 1;
  if (isNextWord && last === word - 1) return isAlike(first, event, { time: "", field: "", change: "" });
  return last === start && isAlike(first, event, { time: "" });
}

/** Whether two events have the same cells but for those given. */
function isAlike(one: ShownEvent, other: ShownEvent, but: Partial<Cells>): boolean {
  const [a, b] = [one, other].map((event) => Object.values({ ...rowCells({ event, more: [] }), ...but }));
  return String(a) === String(b);
}

function accessField({ register, index }: RegisterAccess): string {
  return index === undefined ? register : `${register} ${index}`;
}

function shownValue({ after, access }: ShownEvent): string | undefined {
  if (after !== undefined || access === undefined) return after;
  const { register, value, bytes } = access;
  if (register === "status") return hex(value);
  return register.endsWith("-features") || register === "config" ? hex(value, 2 * (bytes ?? 4)) : `${value}`;
}
