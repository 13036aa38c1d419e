/** A measured figure in words, the same in a terminal and on a page. */
import type { Row } from "./result";

/** "5.93 ±1 %", payload as "812 MB/s" and, against a reference, "×1.89"; a noisy figure has a "?". */
export function figureText({ ns, spread = 0, noisy, workload }: Row, reference: Row | undefined): string {
  if (ns === undefined) return "-";
  const figure = `${ns.toFixed(ns < 100 ? 2 : 0)} ±${(spread * 100).toFixed(0)} %${noisy ? " ?" : ""}`;
  const rate = workload.bytes > 0 ? `  ${((workload.bytes / ns) * 1000).toFixed(0)} MB/s` : "";
  return reference?.ns === undefined ? figure + rate : `${figure}${rate}  ×${(ns / reference.ns).toFixed(2)}`;
}

/** Why rows have no figure, each reason once. */
export function reasonsOf(rows: readonly Row[]): string[] {
  const reasons = rows.flatMap(({ ring, status, why }) =>
    status === "measured" ? [] : [`${ring}: ${status === "wrong" ? why : `not measured: ${why}`}`],
  );
  return [...new Set(reasons)];
}

/** The row of a ring in a column. */
export function rowIn(rows: readonly Row[], ring: string, column: string): Row | undefined {
  return rows.find((row) => row.ring === ring && row.column === column);
}
