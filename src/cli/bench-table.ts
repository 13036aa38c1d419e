/** The benchmark's results as boxes for a terminal: a table for each group of cells, a row for each ring. */
import Table from "cli-table3";
import { figureText, reasonsOf, rowIn } from "../../bench/figure";
import { referenceOf } from "../../bench/reference";
import type { Environment, Goal, Row } from "../../bench/result";
import { colours } from "./colours";

/** Draws all tables, and under them what stands for a figure that is not there. */
export function drawBench(rows: readonly Row[]): string {
  const groups = [...new Set(rows.map(({ suite, group }) => `${suite}\n${group}`))];
  const tables = groups.map((name) =>
    drawGroup(rows.filter(({ suite, group }) => `${suite}\n${group}` === name)),
  );
  const reasons = reasonsOf(rows);
  return [...tables, ...(reasons.length > 0 ? [reasons.join("\n")] : [])].join("\n\n");
}

/** The machine in two lines. */
export function drawEnvironment({
  cpu,
  cores,
  caches,
  os,
  engine,
  compiler,
  load,
  commit,
  version,
}: Environment): string {
  return [
    `${cpu}, ${cores} cores, ${caches ?? "caches unknown"}, ${os}`,
    `${engine}, ${compiler ?? "no C compiler"}, virtq ${version} ${commit?.slice(0, 10) ?? ""}, load ${load.join(" ")}`,
  ].join("\n");
}

function drawGroup(rows: readonly Row[]): string {
  const { suite, group } = rows[0] as Row;
  const columns = [...new Set(rows.map(({ column }) => column))];
  const table = new Table({
    head: [colours.bold(`${suite}: ${group}`), ...columns.map((column) => colours.bold(column))],
    colAligns: ["left", ...columns.map(() => "right" as const)],
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
  for (const ring of new Set(rows.map((row) => row.ring))) {
    const cells = columns.map((column) => {
      const row = rowIn(rows, ring, column);
      return row === undefined ? "" : cellText(row, rowIn(rows, referenceOf(ring), column));
    });
    table.push([ring, ...cells]);
  }
  return table.toString();
}

function cellText(row: Row, reference: Row | undefined): string {
  return row.status === "wrong" ? colours.red("wrong") : figureText(row, reference);
}

/** The goals: measured ratio, must, goal, and how it stands. */
export function drawGoals(goals: readonly Goal[]): string {
  const table = new Table({
    head: ["", "goal", "ratio", "must", "goal", ""].map((text) => colours.bold(text)),
    colAligns: ["left", "left", "right", "right", "right", "left"],
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
  for (const { id, what, ratio, must, goal, sense, verdict, why, noisy } of goals) {
    const sign = sense === "most" ? "≤" : "≥";
    const figure = ratio === null ? "-" : `${ratio.toFixed(ratio < 20 ? 2 : 0)}${noisy ? " ?" : ""}`;
    const standing = verdict === "not measured" ? `not measured: ${why}` : paintVerdict(verdict);
    table.push([id, what, figure, `${sign} ${must}`, `${sign} ${goal}`, standing]);
  }
  return table.toString();
}

function paintVerdict(verdict: Goal["verdict"]): string {
  return verdict === "missed" ? colours.red(verdict) : verdict;
}
