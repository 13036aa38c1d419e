/** The same build against itself: whatever differs is what this machine can't tell apart. */
import type { Row } from "./result";
import { QUICK, type Suite } from "./suites";

const AGAIN = " (again)";
const RINGS = ["wasm-split", "wasm-packed"];

/** The quick suite's short chains, each ring twice. */
export const SELF: Suite = {
  ...QUICK,
  rings: RINGS.flatMap((ring) => [ring, ring + AGAIN]),
  cells: QUICK.cells.filter(({ group }) => group === "1"),
};

/** The ring behind a name of {@link SELF}. */
export function ringBehind(name: string): string {
  return name.endsWith(AGAIN) ? name.slice(0, -AGAIN.length) : name;
}

/** The largest false difference, as a share. */
export function noiseFloor(rows: readonly Row[]): number {
  const differences = rows.flatMap(({ ring, group, column, ns }) => {
    const again = rows.find(
      (row) => row.ring === ring + AGAIN && row.group === group && row.column === column,
    );
    return ns === undefined || again?.ns === undefined ? [] : [Math.abs(again.ns / ns - 1)];
  });
  return Math.max(0, ...differences);
}
