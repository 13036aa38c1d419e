/** Draws the parts of a transcript's table, line by line, within a width and with the caller's colours. */
import type { SetChange } from "./set-changes";
import { type Column, type ColumnKey, GAP, type TableLayout } from "./table-layout";
import { isQuietRead, type Row, rowCells } from "./transcript-rows";
import { widestWord, wrapWords } from "./wrap-words";

/** Puts a colour on text or leaves it as it is; what is read stays the same. */
export type Brush = (text: string) => string;

/** Colours, such as those of picocolors. */
export interface TablePaint {
  readonly bold: Brush;
  readonly dim: Brush;
  readonly red: Brush;
  readonly yellow: Brush;
  readonly green: Brush;
  readonly cyan: Brush;
}

/** A broken clause, as src/conformance finds it. */
export interface TableFinding {
  /** `seq` of the event that showed it. */
  readonly seq: number;
  readonly clause: string;
  /** "MUST", "SHOULD NOT", … */
  readonly level: string;
  readonly section: string;
  readonly side: "driver" | "device";
  readonly what: string;
  readonly mend: string;
}

/** A note of more lines, or with a word that its column would cut, goes below its row, where there is more room. */
const MOST_NOTE_LINES = 3;
/** With less room than this a list hangs at the left instead of beside its name. */
const LEAST_LIST = 40;

/** Draws; every method gives lines of at most the width. */
export class TablePen {
  private readonly layout: TableLayout;
  private readonly width: number;
  private readonly paint: TablePaint;

  constructor(layout: TableLayout, width: number, paint: TablePaint) {
    this.layout = layout;
    this.width = width;
    this.paint = paint;
  }

  titles(): string[] {
    return this.cells(
      ({ title }) => title,
      () => this.paint.bold,
    );
  }

  /** Which device the rows below are about. */
  device(name: string | undefined): string[] {
    return wrapWords(`${name ?? "no device"}:`, this.width).map(this.paint.bold);
  }

  row(row: Row): string[] {
    const { layout, paint } = this;
    const { side, code } = row.event;
    const all = rowCells(row);
    const isBelow = this.goesBelow(all.note);
    const cells = isBelow ? { ...all, note: "" } : all;
    const note: Brush = (text) => {
      const cited = text.replace(/§\S+$/, paint.dim);
      return code === undefined ? cited : paint.red(cited);
    };
    const brushes: Partial<Record<ColumnKey, Brush>> = {
      time: paint.dim,
      side: side === "driver" ? paint.cyan : paint.yellow,
      section: paint.dim,
      note,
      event: note,
    };
    const beside = this.cells(
      ({ key }) => layout.cell(cells, key),
      ({ key }) => (isQuietRead(row.event) ? paint.dim : brushes[key]),
    );
    const below = wrapWords(isBelow ? all.note : layout.below(cells), this.width - layout.indent);
    return [...beside, ...below.map((line) => this.indented(0, note(line)))];
  }

  /** What is below a row that changed feature sets. */
  sets(changes: readonly SetChange[]): string[] {
    const { green, red, dim } = this.paint;
    const room = this.width - this.layout.indent;
    const painted = (line: string) =>
      line
        .replace(/[+−][^,;]+/g, (name) => (name.startsWith("+") ? green(name) : red(name)))
        .replace(/^[a-z]+:/, dim);
    return changes.flatMap(({ name, text }) => {
      const label = `${name}: `;
      const hang = room - label.length < LEAST_LIST ? 2 : label.length;
      const [first = "", ...others] =
        hang === 2
          ? wrapWords(label + text, room - hang)
          : wrapWords(text, room - hang).map((line, i) => (i === 0 ? label + line : line));
      return [this.indented(0, painted(first)), ...others.map((line) => this.indented(hang, painted(line)))];
    });
  }

  /** Every line begins with "!" in the first column: nothing else in the table does. */
  finding({ clause, level, section, side, what, mend }: TableFinding): string[] {
    const said = wrapWords(`${clause} ${level} §${section} ${side}: ${what}`, this.width - 4);
    const mending = wrapWords(`mend: ${mend}`, this.width - 4);
    const lines = [...said, ...mending].map((line, i) => `!${i === 0 ? " " : "   "}${line}`);
    return lines.map(level.startsWith("SHOULD") ? this.paint.yellow : this.paint.red);
  }

  private goesBelow(note: string): boolean {
    const column = this.layout.columns.find(({ key }) => key === "note");
    if (column === undefined || column.width >= this.width - this.layout.indent) return false;
    return widestWord(note) > column.width || wrapWords(note, column.width).length > MOST_NOTE_LINES;
  }

  /** Cells side by side, each broken within its column; padded before they are painted. */
  private cells(
    textOf: (column: Column) => string,
    brushOf: (column: Column) => Brush | undefined,
  ): string[] {
    const { columns } = this.layout;
    const wrapped = columns.map((column) => wrapWords(textOf(column), column.width));
    const height = Math.max(1, ...wrapped.map(({ length }) => length));
    return Array.from({ length: height }, (_, line) => {
      const last = wrapped.findLastIndex((lines) => lines[line] !== undefined);
      return columns
        .slice(0, last + 1)
        .map((column, i) => {
          const text = wrapped[i]?.[line] ?? "";
          const pad = " ".repeat(column.width - text.length);
          const painted = text === "" ? "" : (brushOf(column)?.(text) ?? text);
          if (column.key === "time") return pad + painted;
          return i === last ? painted : painted + pad;
        })
        .join(" ".repeat(GAP));
    });
  }

  private indented(more: number, line: string): string {
    return " ".repeat(this.layout.indent + more) + line;
  }
}
