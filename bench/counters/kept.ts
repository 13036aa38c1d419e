/** The counters that this version was released with: bench/counters.golden.json, in the package. */
import golden from "../counters.golden.json";
import { differences, type Golden } from "./golden";
import type { CounterRow } from "./row";

/** What differs from them, in words. */
export function differencesFromKept(rows: readonly CounterRow[]): string[] {
  return differences(rows, (golden as Golden).rows);
}
