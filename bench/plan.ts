/** Which suites a run measures, and with which rings: what the user chose, or a reason why it can't work. */
import { QUICK, SUITES, type Suite } from "./suites";

/** What the user chose; undefined: the mode decides. */
export interface Choice {
  readonly full: boolean;
  readonly suites: readonly string[] | undefined;
  readonly rings: readonly string[] | undefined;
  /** A ring of the user's own, as a path. */
  readonly ring: string | undefined;
}

/**
 * The suites to run.
 *
 * @returns the suites, or in words why the choice can't work and what would
 */
export function plan({ full, suites, rings, ring }: Choice): readonly Suite[] | string {
  const wanted =
    suites === undefined ? (full ? SUITES : [QUICK]) : SUITES.filter(({ name }) => suites.includes(name));
  const planned = wanted.map((suite) => {
    const known = SUITES.find(({ name }) => name === suite.name)?.rings ?? suite.rings;
    const chosen = rings === undefined ? suite.rings : known.filter((name) => rings.includes(name));
    return { ...suite, rings: ring === undefined ? chosen : [...chosen, ring] };
  });
  const empty = planned.find((suite) => suite.rings.length === 0);
  if (empty === undefined) return planned;
  const possible = SUITES.find(({ name }) => name === empty.name)?.rings ?? [];
  return `the suite ${empty.name} has none of the rings ${rings?.join(", ")}; it has: ${possible.join(", ")}`;
}
