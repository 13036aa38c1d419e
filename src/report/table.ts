/** The comparison as plain text without colours or borders: for a log, an example, a browser's console. */
import type { SimReport } from "../sim/metrics";
import { runTitle, summaryRows } from "./rows";
import { wrap } from "./wrap";

/**
 * Draws one report or several side by side, with the reason for each layout below.
 *
 * @param reports what `simulate()` gave
 * @param width columns for the reasons; the table is as wide as its numbers
 */
export function formatTable(reports: SimReport | readonly SimReport[], width = 80): string {
  const runs = Array.isArray(reports) ? (reports as readonly SimReport[]) : [reports as SimReport];
  const titles = runs.map(runTitle);
  const rows = [{ label: "", cells: titles }, ...summaryRows(runs)];
  const labelWidth = Math.max(...rows.map(({ label }) => label.length));
  const cellWidths = titles.map((_, run) => Math.max(...rows.map(({ cells }) => cells[run]?.length ?? 0)));
  const lines = rows.map(({ label, cells }) =>
    [label.padEnd(labelWidth), ...cells.map((cell, run) => cell.padStart(cellWidths[run] ?? 0))]
      .join("  ")
      .trimEnd(),
  );
  const reasons = runs.map((run, i) => `${titles[i]}: ${run.reason}`);
  return [...lines, ...new Set(reasons.map((reason) => wrap(reason, width, "  ")))].join("\n");
}
