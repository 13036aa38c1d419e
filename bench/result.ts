/** What a benchmark found, as `--json` prints it: schema/virtq.bench-1.schema.json says the same. */
import type { CounterRow } from "./counters/row";
import { requestBytes } from "./end-to-end/stack";
import type { Outcome } from "./job";
import type { Quantiles } from "./measure";
import type { Cell } from "./suites";
import { workloadOf } from "./workload";

export const BENCH_SCHEMA = "virtq.bench/1";

/** The whole document. */
export interface BenchDocument {
  readonly schema: typeof BENCH_SCHEMA;
  readonly environment: Environment;
  readonly rows: readonly Row[];
  readonly goals?: readonly Goal[];
  readonly counters?: readonly CounterRow[];
}

/** Where and of what; null: this machine doesn't say. */
export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly caches: string | null;
  readonly memoryBytes: number | null;
  readonly os: string;
  readonly arch: string;
  readonly engine: string;
  readonly compiler: string | null;
  readonly version: string;
  readonly commit: string | null;
  readonly seed: number;
  /** Load averages over 1, 5 and 15 minutes, before the run; empty: this machine doesn't say. */
  readonly load: readonly number[];
}

/** One ring on one workload. */
export interface Row {
  readonly suite: string;
  readonly ring: string;
  readonly group: string;
  readonly column: string;
  readonly workload: {
    readonly chain: string;
    readonly batch: number;
    readonly queueSize: number;
    readonly queues: number;
    readonly device: string;
    readonly notify: string;
    /** Payload bytes that a chain moves; 0: none is touched. */
    readonly bytes: number;
  };
  readonly status: "measured" | "not measured" | "wrong";
  /** Why there is no figure. */
  readonly why?: string;
  /** Nanoseconds per chain: the median of the processes' 10 % quantiles. */
  readonly ns?: number;
  /** Half the distance of the quartiles of the processes' 10 % quantiles, as a share of `ns`. */
  readonly spread?: number;
  /** The spread is over {@link NOISY}. */
  readonly noisy?: boolean;
  /** What each process found. */
  readonly processes: readonly Quantiles[];
}

/** One of P1 to P10. */
export interface Goal {
  readonly id: string;
  readonly what: string;
  readonly ratio: number | null;
  readonly must: number;
  readonly goal: number;
  /** `least`: the ratio shall not be below; `most`: not above. */
  readonly sense: "least" | "most";
  readonly verdict: "met" | "must met" | "missed" | "not measured";
  readonly why?: string;
  readonly noisy: boolean;
}

/** A spread from which on a figure is marked noisy. */
export const NOISY = 0.05;

/** Sums up what the processes of one ring and cell found. */
export function rowOf(suite: string, ring: string, cell: Cell, outcomes: readonly Outcome[]): Row {
  const workload = workloadOf(cell.choice);
  const { shape, batch, queueSize, queues, device, notify } = workload;
  const bytes = device === "sink" ? 0 : requestBytes(workload);
  const base = {
    suite,
    ring,
    group: cell.group,
    column: cell.column,
    workload: { chain: shape.name, batch, queueSize, queues, device, notify, bytes },
  };
  const odd = outcomes.find((outcome) => outcome.kind !== "measured");
  if (odd !== undefined) return { ...base, status: odd.kind, why: odd.why, processes: [] } as Row;
  const processes = outcomes.flatMap((outcome) => (outcome.kind === "measured" ? [outcome.quantiles] : []));
  if (processes.length === 0) return { ...base, status: "not measured", why: "not asked", processes };
  const { median, spread } = summary(processes.map(({ p10 }) => p10));
  return { ...base, status: "measured", ns: median, spread, noisy: spread > NOISY, processes };
}

/** How many times as long one row takes as another, by pairs of processes that ran beside each other. */
export function ratioOf(dividend: Row, divisor: Row): { median: number; spread: number } {
  return summary(
    dividend.processes.flatMap(({ p10 }, i) => {
      const other = divisor.processes[i];
      return other === undefined ? [] : [p10 / other.p10];
    }),
  );
}

/** Median, and half the distance of the quartiles as its share. */
export function summary(values: readonly number[]): { median: number; spread: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => {
    const place = (sorted.length - 1) * share;
    const low = sorted[Math.floor(place)] as number;
    return low + ((sorted[Math.ceil(place)] as number) - low) * (place % 1);
  };
  const median = at(0.5);
  return { median, spread: median > 0 ? (at(0.75) - at(0.25)) / 2 / median : 0 };
}
