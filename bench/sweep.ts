/** Runs suites: fresh processes that take turns, ring by ring, so that whatever the machine does meets all alike. */
import type { Job, Outcome } from "./job";
import { type Row, rowOf } from "./result";
import type { Cell, Suite } from "./suites";

/** How a sweep is done. */
export interface SweepOptions {
  /** Fresh processes for each ring and group. */
  readonly processes: number;
  readonly run: (job: Job) => Promise<Outcome[]>;
  readonly onProgress?: (suite: string, done: number, all: number) => void;
}

/** Measures every cell of the suites; a ring that is wrong or missing is not asked again. */
export async function sweep(suites: readonly Suite[], options: SweepOptions): Promise<Row[]> {
  const all = suites.reduce((sum, suite) => sum + turns(suite) * options.processes, 0);
  let done = 0;
  const rows: Row[] = [];
  for (const suite of suites) {
    const found = new Map<string, Outcome[]>();
    for (let round = 0; round < options.processes; round++) {
      for (const cells of groups(suite)) {
        for (let turn = 0; turn < suite.rings.length; turn++) {
          const ring = suite.rings[(turn + round) % suite.rings.length] as string;
          await measureGroup(suite, ring, cells, found, options);
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

async function measureGroup(
  { effort }: Suite,
  ring: string,
  cells: readonly Cell[],
  found: Map<string, Outcome[]>,
  { run }: SweepOptions,
): Promise<void> {
  const open = cells.filter((cell) =>
    (found.get(key(ring, cell)) ?? []).every(({ kind }) => kind === "measured"),
  );
  if (open.length === 0) return;
  const outcomes = await run({ ring, choices: open.map(({ choice }) => choice), ...(effort && { effort }) });
  open.forEach((cell, i) => {
    const outcome = outcomes[i];
    if (outcome) found.set(key(ring, cell), [...(found.get(key(ring, cell)) ?? []), outcome]);
  });
}

const key = (ring: string, { group, column }: Cell): string => `${ring}\n${group}\n${column}`;
const turns = (suite: Suite): number => groups(suite).length * suite.rings.length;

function groups(suite: Suite): (readonly Cell[])[] {
  const names = [...new Set(suite.cells.map(({ group }) => group))];
  return names.map((name) => suite.cells.filter(({ group }) => group === name));
}
