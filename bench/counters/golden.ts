/** Comparing counters with those that were kept: equal to the last digit, or which row is not. */
import type { CounterRow } from "./row";

/** A kept file. */
export interface Golden {
  readonly schema: "virtq.counters/1";
  readonly rows: readonly CounterRow[];
}

/** The text of a kept file: a row each line, so that a difference shows which. */
export function goldenText(rows: readonly CounterRow[]): string {
  const lines = rows.map((row) => `    ${JSON.stringify(row)}`);
  return `{\n  "schema": "virtq.counters/1",\n  "rows": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

/** What differs, in words; empty: nothing. */
export function differences(rows: readonly CounterRow[], kept: readonly CounterRow[]): string[] {
  const titles = new Set([...rows, ...kept].map(title));
  return [...titles].flatMap((name) => {
    const now = rows.find((row) => title(row) === name);
    const before = kept.find((row) => title(row) === name);
    if (now === undefined) return [`${name}: no longer counted`];
    if (before === undefined) return [`${name}: not in the file`];
    const [values, old] = [flat(now), flat(before)];
    const changed = Object.keys(values).filter((key) => values[key] !== old[key]);
    return changed.map((key) => `${name}: ${key} ${values[key]}, was ${old[key]}`);
  });
}

/** "wasm-split, chain 3, batch 32". */
export function title({ ring, chain, batch, notify }: CounterRow): string {
  return `${ring}, chain ${chain}, batch ${batch}${notify === "off" ? "" : `, ${notify}`}`;
}

function flat({ driver, device, ...rest }: CounterRow): Record<string, unknown> {
  const named = (side: string, counts: object) =>
    Object.fromEntries(Object.entries(counts).map(([key, value]) => [`${side} ${key}`, value]));
  return { ...named("driver", driver), ...named("device", device), ...rest };
}
