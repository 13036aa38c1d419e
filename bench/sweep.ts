/**
 * Runs suites: fresh processes that take turns, ring by ring, so that whatever the machine does meets all alike. One
 * process measures one cell: an engine compiles for what it meets first, and what came first decided up to a third.
 */
import { fillPayload } from "../src/sim/payload";
import type { Job, Outcome } from "./job";
import { type Row, rowOf } from "./result";
import type { Cell, Suite } from "./suites";

/** How a sweep is done. */
export interface SweepOptions {
  /** Fresh processes for each ring and cell. */
  readonly processes: number;
  /** What the order of the rings is drawn from, anew for each turn, and their payload. Default 1. */
  readonly seed?: number;
  readonly run: (job: Job) => Promise<Outcome[]>;
  readonly onProgress?: (suite: string, done: number, all: number) => void;
}

/** Measures every cell of the suites; a ring that is wrong or missing is not asked again. */
export async function sweep(suites: readonly Suite[], options: SweepOptions): Promise<Row[]> {
  const all = suites.reduce(
    (sum, { cells, rings }) => sum + cells.length * rings.length * options.processes,
    0,
  );
  let done = 0;
  const rows: Row[] = [];
  for (const suite of suites) {
    const found = new Map<string, Outcome[]>();
    for (let round = 0; round < options.processes; round++) {
      for (const cell of suite.cells) {
        const turn = round * suite.cells.length + suite.cells.indexOf(cell);
        for (const ring of shuffled(suite.rings, options.seed ?? 1, turn)) {
          await measureCell(suite, ring, cell, found, options);
          options.onProgress?.(suite.name, ++done, all);
        }
      }
    }
    for (const cell of suite.cells)
      for (const ring of suite.rings)
        rows.push(rowOf(suite.name, ring, cell, found.get(key(ring, cell)) ?? []));
  }
  return rows;
}

async function measureCell(
  { effort }: Suite,
  ring: string,
  cell: Cell,
  found: Map<string, Outcome[]>,
  { run, seed = 1 }: SweepOptions,
): Promise<void> {
  const before = found.get(key(ring, cell)) ?? [];
  if (before.some(({ kind }) => kind !== "measured")) return;
  found.set(key(ring, cell), [
    ...before,
    ...(await run({ ring, choices: [{ ...cell.choice, seed }], ...(effort && { effort }) })),
  ]);
}

const key = (ring: string, { group, column }: Cell): string => `${ring}\n${group}\n${column}`;

/** Another order for each turn, the same for the same seed. */
function shuffled(rings: readonly string[], seed: number, turn: number): string[] {
  const keys = new Uint8Array(rings.length * 4);
  fillPayload(keys, seed, turn);
  const words = new DataView(keys.buffer);
  return rings
    .map((ring, i) => ({ ring, key: words.getUint32(4 * i) }))
    .sort((a, b) => a.key - b.key)
    .map(({ ring }) => ring);
}
