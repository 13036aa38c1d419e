/** The comparison as a box for a terminal; what it says is src/report/rows.ts. */
import Table from "cli-table3";
import { runTitle, summaryRows } from "../report/rows";
import { wrap } from "../report/wrap";
import type { SimReport } from "../sim/metrics";
import { colours } from "./colours";

/**
 * Draws runs side by side, and why each has the layout that it has.
 *
 * @param width columns of the terminal; the box is as wide as its numbers, at most 80 for three runs
 */
export function drawTable(reports: readonly SimReport[], width: number): string {
  const table = new Table({
    head: ["", ...reports.map((report) => colours.bold(runTitle(report)))],
    colAligns: ["left", ...reports.map(() => "right" as const)],
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
  for (const { label, cells } of summaryRows(reports)) table.push([label, ...cells]);
  return `${table.toString()}\n${drawReasons(reports, width)}`;
}

/** Why each run has its layout, or none. */
export function drawReasons(reports: readonly SimReport[], width: number): string {
  const reasons = reports.map((report) => wrap(`${runTitle(report)}: ${report.reason}`, width, "  "));
  return [...new Set(reasons)].join("\n");
}
