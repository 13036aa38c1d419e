/**
 * How wide the columns of a transcript are. The narrower the terminal, the more is given up: first the values break at
 * the arrow, then the section joins the note, then the note goes below its row, at last all but time and side are one
 * text.
 */
import type { Cells } from "./transcript-rows";
import { GLUE, widestWord } from "./wrap-words";

/** A column's name: a cell, or "event", several cells in one. */
export type ColumnKey = keyof Cells | "event";

/** A column and its width. */
export interface Column {
  readonly key: ColumnKey;
  readonly title: string;
  /** Columns of the terminal, 1 and up. */
  readonly width: number;
}

/** The columns, and what doesn't stand in one. */
export interface TableLayout {
  readonly columns: readonly Column[];
  /** What stands in a column of a row. */
  readonly cell: (cells: Cells, key: ColumnKey) => string;
  /** What stands below the row. */
  readonly below: (cells: Cells) => string;
  /** Columns before what stands below. */
  readonly indent: number;
}

/** Spaces between columns. */
export const GAP = 2;

const TITLES: Readonly<Record<ColumnKey, string>> = {
  time: "ms",
  side: "side",
  step: "step",
  field: "field",
  change: `before →${GLUE}after`,
  section: "section",
  note: "note",
  event: "event",
};

/** Where there is not enough, a column shrinks to its widest word, but not below nor above these. */
const NARROW: Partial<Record<ColumnKey, readonly [least: number, most: number]>> = {
  step: [4, 12],
  field: [5, 14],
  change: [14, 18],
  section: [7, 10],
};
/** A note column below this is not worth having: a narrower layout is taken. */
const LEAST_NOTE = { withSection: 28, withoutSection: 18 };
/** Who gets what is left, in this order and up to these widths; then each what it can use. */
const GROWTH: readonly (readonly [ColumnKey, number])[] = [
  ["note", 36],
  ["field", 24],
  ["change", 32],
  ["note", Number.POSITIVE_INFINITY],
  ["field", Number.POSITIVE_INFINITY],
  ["change", Number.POSITIVE_INFINITY],
  ["step", Number.POSITIVE_INFINITY],
  ["section", Number.POSITIVE_INFINITY],
];

/**
 * The layout for rows.
 *
 * @param width columns of the terminal
 */
export function tableLayout(rows: readonly Cells[], width: number, hasTimes: boolean): TableLayout {
  const lead: ColumnKey[] = hasTimes ? ["time", "side"] : ["side"];
  const main: ColumnKey[] = [...lead, "step", "field", "change"];
  return (
    fitted(rows, width, lead, [...main, "section", "note"], ownCell, nothing, LEAST_NOTE.withSection) ??
    fitted(rows, width, lead, [...main, "note"], withSection, nothing, LEAST_NOTE.withoutSection) ??
    fitted(rows, width, lead, main, ownCell, noteAndSection, 0) ??
    oneText(rows, width, lead)
  );
}

function fitted(
  rows: readonly Cells[],
  width: number,
  lead: readonly ColumnKey[],
  keys: readonly ColumnKey[],
  cell: TableLayout["cell"],
  below: TableLayout["below"],
  leastNote: number,
): TableLayout | undefined {
  const natural = new Map(keys.map((key) => [key, naturalWidth(rows, key, cell)]));
  const widths = new Map<ColumnKey, number>();
  for (const [key, wanted] of natural) {
    const [least, most] = key === "note" ? [leastNote, leastNote] : (NARROW[key] ?? [wanted, wanted]);
    const word = rows.reduce((widest, cells) => Math.max(widest, widestWord(cell(cells, key))), least);
    widths.set(key, Math.min(wanted, word, most));
  }
  let left = width - GAP * (keys.length - 1);
  for (const taken of widths.values()) left -= taken;
  if (left < 0) return undefined;
  for (const [key, most] of GROWTH) {
    const now = widths.get(key);
    if (now === undefined) continue;
    const more = Math.min(left, Math.max(0, Math.min(most, natural.get(key) ?? 0) - now));
    widths.set(key, now + more);
    left -= more;
  }
  const columns = keys.map((key) => ({ key, title: TITLES[key], width: widths.get(key) ?? 1 }));
  return { columns, cell, below, indent: indentAfter(columns, lead) };
}

/** For very narrow terminals: time and side, and beside them everything else as running text. */
function oneText(rows: readonly Cells[], width: number, lead: readonly ColumnKey[]): TableLayout {
  const columns: Column[] = lead.map((key) => {
    const wanted = naturalWidth(rows, key, ownCell);
    return { key, title: TITLES[key], width: Math.max(1, Math.min(wanted, Math.floor(width / 3) - GAP)) };
  });
  const indent = indentAfter(columns, lead);
  columns.push({ key: "event", title: TITLES.event, width: Math.max(1, width - indent) });
  const cell = (cells: Cells, key: ColumnKey) => (key === "event" ? runningText(cells) : cells[key]);
  return { columns, cell, below: nothing, indent };
}

function naturalWidth(rows: readonly Cells[], key: ColumnKey, cell: TableLayout["cell"]): number {
  return rows.reduce((most, cells) => Math.max(most, cell(cells, key).length), TITLES[key].length);
}

function indentAfter(columns: readonly Column[], lead: readonly ColumnKey[]): number {
  return columns.slice(0, lead.length).reduce((sum, { width }) => sum + width + GAP, 0);
}

function ownCell(cells: Cells, key: ColumnKey): string {
  return key === "event" ? "" : cells[key];
}

function withSection(cells: Cells, key: ColumnKey): string {
  return key === "note" ? noteAndSection(cells) : ownCell(cells, key);
}

function noteAndSection({ note, section }: Cells): string {
  return [note, section].filter((text) => text !== "").join(GLUE);
}

function runningText({ step, field, change, ...cells }: Cells): string {
  const what = [step === field ? "" : step, field, change].filter((text) => text !== "").join(" ");
  const remark = noteAndSection(cells as Cells);
  return [what, remark].filter((text) => text !== "").join(": ");
}

function nothing(): string {
  return "";
}
