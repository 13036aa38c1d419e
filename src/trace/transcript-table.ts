/**
 * A transcript as a table for people: who did what to which register, the feature sets where they change, and findings
 * below the event that showed them. Colours are the caller's and only an extra: without them it is the same text.
 */
import { SetChanges } from "./set-changes";
import { tableLayout } from "./table-layout";
import { type TableFinding, type TablePaint, TablePen } from "./table-pen";
import { rowCells, type ShownEvent, transcriptRows } from "./transcript-rows";

/** How the table is to look. */
export interface TranscriptTableOptions {
  /** Columns that no line exceeds, 24 and up; Infinity: one line an event. Default 80. */
  readonly width?: number;
  /** Each is written below its event; those of no event that is here, at the end. */
  readonly findings?: readonly TableFinding[];
  /** Leave out what only repeats the other side's row, and reads. Default false. */
  readonly short?: boolean;
  /** The time column. Default true. */
  readonly times?: boolean;
  /** Default: no colours. */
  readonly paint?: TablePaint;
}

const DEFAULT_WIDTH = 80;
const LEAST_WIDTH = 24;

const same = (text: string) => text;
const PLAIN: TablePaint = { bold: same, dim: same, red: same, yellow: same, green: same, cyan: same };

/**
 * Draws the events: a header, a row for each event, and below it what it changed in the feature sets. Where the rows are
 * about several devices, each change of device has a line with its name.
 *
 * @returns lines without a newline at the end; "" for no events and no findings
 */
export function transcriptTable(events: readonly ShownEvent[], options: TranscriptTableOptions = {}): string {
  const {
    width: wanted = DEFAULT_WIDTH,
    findings = [],
    short = false,
    times = true,
    paint = PLAIN,
  } = options;
  const width = wanted >= LEAST_WIDTH ? Math.floor(wanted) : LEAST_WIDTH;
  const rows = transcriptRows(events, new Set(findings.map(({ seq }) => seq)), short);
  const layout = tableLayout(rows.map(rowCells), width, times);
  const pen = new TablePen(layout, width, paint);
  const sets = new SetChanges(short);
  const placed = new Set<TableFinding>();
  const areSeveral = rows.some(({ event }) => event.device !== rows[0]?.event.device);
  const lines = rows.length === 0 ? [] : pen.titles();
  for (const [i, row] of rows.entries()) {
    const { event } = row;
    const isOther = i === 0 || event.device !== rows[i - 1]?.event.device;
    if (areSeveral && isOther) lines.push(...pen.device(event.device));
    lines.push(...pen.row(row), ...pen.sets(sets.after(event, width - layout.indent)));
    for (const finding of findings) {
      if (finding.seq !== event.seq) continue;
      lines.push(...pen.finding(finding));
      placed.add(finding);
    }
  }
  for (const finding of findings) if (!placed.has(finding)) lines.push(...pen.finding(finding));
  return lines.join("\n");
}
