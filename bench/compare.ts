/** Two results of the same machine: what became slower, beyond what their noise explains, and which counters differ. */
import { differences } from "./counters/golden";
import type { BenchDocument, Row } from "./result";

/** A change below this is never called one. */
const FLOOR = 0.05;
/**
 * Standard error of a median of n normal values, times √n, in half distances of their quartiles: √(π/2) standard
 * deviations, each 1 / 0.6745 of such a half.
 */
const MEDIAN_ERROR = Math.sqrt(Math.PI / 2) / 0.6745;
/** How many standard errors a change must exceed. */
const ERRORS = 4;

/** One figure, before and after. */
export interface Change {
  readonly suite: string;
  readonly ring: string;
  readonly cell: string;
  readonly before: number;
  readonly after: number;
  readonly ratio: number;
  /** What the change must exceed: a share. */
  readonly bound: number;
  readonly verdict: "slower" | "faster" | "same";
}

/** What two documents say of each other. */
export interface Comparison {
  readonly changes: readonly Change[];
  /** Counters that differ, in words. */
  readonly counters: readonly string[];
  /** Machines that differ, in words: then times say little. */
  readonly machines: readonly string[];
}

/** Compares what both have measured. */
export function compare(before: BenchDocument, after: BenchDocument): Comparison {
  const changes = after.rows.flatMap((row) => {
    const old = before.rows.find((one) => key(one) === key(row));
    return old === undefined ? [] : changeOf(old, row);
  });
  const both = before.counters && after.counters;
  return {
    changes,
    counters: both ? differences(after.counters ?? [], before.counters ?? []) : [],
    machines: (["cpu", "cores", "engine", "compiler"] as const).flatMap((name) => {
      const [was, is] = [before.environment[name], after.environment[name]];
      return was === is ? [] : [`${name}: ${was}, then ${is}`];
    }),
  };
}

/** One figure before and after; nothing where one is missing. */
export function changeOf(before: Row, after: Row): Change[] {
  if (before.ns === undefined || after.ns === undefined) return [];
  const ratio = after.ns / before.ns;
  const bound = Math.max(FLOOR, ERRORS * Math.hypot(errorOf(before), errorOf(after)));
  const verdict = ratio > 1 + bound ? "slower" : ratio < 1 / (1 + bound) ? "faster" : "same";
  const { suite, ring, group, column } = after;
  return [
    { suite, ring, cell: `${group}, ${column}`, before: before.ns, after: after.ns, ratio, bound, verdict },
  ];
}

/** Standard error of a row's figure, as a share: more processes say more. */
function errorOf({ spread = 0, processes }: Row): number {
  return (MEDIAN_ERROR * spread) / Math.sqrt(Math.max(1, processes.length));
}

const key = ({ suite, ring, group, column }: Row): string => [suite, ring, group, column].join("\n");
