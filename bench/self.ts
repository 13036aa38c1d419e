/**
 * What this machine can tell apart: the same build against itself, which must not differ, and beside a build that is
 * slower by a known share, which must.
 */
import { type Change, changeOf } from "./compare";
import type { Row } from "./result";
import { busyName } from "./slow";
import { QUICK, type Suite } from "./suites";

const AGAIN = " (again)";
const SLOWED = " (slowed)";
const RINGS = ["wasm-split", "wasm-packed"];

/** The quick suite's short chains, each ring twice. */
export const SELF: Suite = {
  ...QUICK,
  rings: RINGS.flatMap((ring) => [ring, ring + AGAIN]),
  cells: QUICK.cells.filter(({ group }) => group === "1"),
};

/** The same on one cell, with a slowed ring behind each pair. */
export const SLOW: Suite = {
  ...SELF,
  rings: RINGS.flatMap((ring) => [ring, ring + AGAIN, ring + SLOWED]),
  cells: SELF.cells.filter(({ choice }) => choice.batch === 32),
};

/**
 * The ring behind a name of {@link SELF} or {@link SLOW}.
 *
 * @param turns of busy work, by ring
 */
export function ringBehind(name: string, turns: ReadonlyMap<string, number> = new Map()): string {
  if (name.endsWith(AGAIN)) return name.slice(0, -AGAIN.length);
  if (!name.endsWith(SLOWED)) return name;
  const ring = name.slice(0, -SLOWED.length);
  return busyName(ring, turns.get(ring) ?? 0);
}

/** The rings that are slowed. */
export const SLOWED_RINGS: readonly string[] = RINGS;

/** The largest false difference, as a share. */
export function noiseFloor(rows: readonly Row[]): number {
  const differences = rows.flatMap((row) => {
    const again = twin(rows, row, AGAIN);
    return row.ns === undefined || again?.ns === undefined ? [] : [Math.abs(again.ns / row.ns - 1)];
  });
  return Math.max(0, ...differences);
}

/** What `virtq compare` would say of the same build, and of the slowed one. */
export function verdicts(rows: readonly Row[]): { readonly again: Change[]; readonly slowed: Change[] } {
  const against = (suffix: string) =>
    rows.flatMap((row) => {
      const other = twin(rows, row, suffix);
      return other === undefined ? [] : changeOf(row, other);
    });
  return { again: against(AGAIN), slowed: against(SLOWED) };
}

function twin(rows: readonly Row[], { ring, group, column }: Row, suffix: string): Row | undefined {
  return rows.find((row) => row.ring === ring + suffix && row.group === group && row.column === column);
}
