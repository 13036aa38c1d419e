/**
 * `npm run bench`: ns per chain of both layouts in WebAssembly, beside a plain JavaScript ring in the same run.
 * Exits 1 when WebAssembly misses a goal at batch 32. `--quick`: one process a cell instead of three.
 */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { type CellResult, type Layout, runCell } from "./cell";
import { SHAPES } from "./workload";

const BATCHES = [1, 32, 256];
/** How much faster than plain JavaScript WebAssembly must be, batches of GOAL_BATCH, a device in the ring. */
const GOALS: Readonly<Record<Layout, number>> = { split: 1.5, packed: 1.3 };
const GOAL_BATCH = 32;

const [mode, layout, shape, batch] = process.argv.slice(2);
if (mode === "--cell") {
  console.log(JSON.stringify(runCell(layout as Layout, Number(shape), Number(batch))));
} else {
  process.exitCode = table(mode === "--quick" ? 1 : 3);
}

/** Prints the table; 0, or 1 for a missed goal. Each figure is the median of `processes` processes. */
function table(processes: number): number {
  console.log(
    `ns per chain: driver + device + reclaim, checks on; queue size 256, or more if a batch needs it`,
  );
  console.log(
    "device: a sink in the ring | records: the device takes records in JavaScript and completes them",
  );
  console.log(
    `node ${process.version}, ${cpus()[0]?.model}, median of ${processes} process(es), 10 % quantile\n`,
  );
  const missed: string[] = [];
  print(["layout", "chain", "batch", "none", "wasm", "js", "js/wasm", "wasm rec.", "js rec.", "js/wasm"]);
  for (const layout of ["split", "packed"] as const) {
    for (const [shape, { name }] of SHAPES.entries()) {
      for (const batch of BATCHES) {
        const runs = Array.from({ length: processes }, () => cell(layout, shape, batch));
        const of = (key: keyof CellResult) => median(runs.map((run) => run[key]));
        const ratio = median(runs.map((run) => run.js / run.wasm));
        const recordRatio = median(runs.map((run) => run.jsRecords / run.wasmRecords));
        const ns = [of("none"), of("wasm"), of("js"), ratio, of("wasmRecords"), of("jsRecords"), recordRatio];
        print([layout, name, String(batch), ...ns.map((value) => value.toFixed(value < 10 ? 2 : 1))]);
        if (batch === GOAL_BATCH && ratio < GOALS[layout]) {
          missed.push(`${layout}, ${name}: ${ratio.toFixed(2)} times, goal ${GOALS[layout]}`);
        }
      }
    }
  }
  console.log("\nEvery ring moved the same chains; wasm and js left the same ring bytes in every cell.");
  for (const miss of missed) console.log(`missed at batch ${GOAL_BATCH}: ${miss}`);
  return missed.length > 0 ? 1 : 0;
}

function cell(layout: Layout, shape: number, batch: number): CellResult {
  const args = [fileURLToPath(import.meta.url), "--cell", layout, String(shape), String(batch)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as CellResult;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

function print(cells: readonly string[]): void {
  const widths = [6, 13, 5, 6, 7, 7, 7, 9, 8, 7];
  const text = cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
  console.log(text.join("  "));
}
