/**
 * The one measuring loop, in one process for one ring: warm up, find how many chains take some hundred microseconds,
 * sample, and let a low quantile speak. Every run proves its work.
 */
import { now } from "./clock";
import { expectedChecksum, type Ring, type RingAdapter, type Workload } from "./ring";

/** How long and how often. */
export interface Effort {
  readonly samples: number;
  /** Nanoseconds that a sample should take, about. */
  readonly sampleNs: number;
  /** Nanoseconds of warming up: enough for the engine's last tier. */
  readonly warmUpNs: number;
  /** A sample has at least so many chains, however long they take; default: a batch. */
  readonly leastChains?: number;
}

export const EFFORT: Effort = { samples: 200, sampleNs: 100_000, warmUpNs: 60_000_000 };

/** What one process found for one workload: nanoseconds per chain. */
export interface Quantiles {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
  readonly samples: number;
  readonly chainsPerSample: number;
}

/** A ring that did something else than it was asked. */
export class WrongRing extends Error {
  constructor(ring: string, what: string) {
    super(`ring ${ring}: ${what}`);
    this.name = "WrongRing";
  }
}

/**
 * Measures a ring on a workload.
 *
 * @throws WrongRing when it throws, or a run's checksum isn't that of its work
 * @throws NotMeasured when something is missing on this machine
 */
export async function measure(adapter: RingAdapter, workload: Workload, effort = EFFORT): Promise<Quantiles> {
  const ring = await adapter.open(workload);
  try {
    const run = (chains: number) => proven(adapter.name, ring, workload, chains);
    const chainsPerSample = await warmUp(run, workload.batch, effort);
    const samples = new Float64Array(effort.samples);
    for (let i = 0; i < samples.length; i++) samples[i] = (await run(chainsPerSample)) / chainsPerSample;
    samples.sort();
    const at = (share: number) => samples[Math.floor(samples.length * share)] as number;
    return { p10: at(0.1), p50: at(0.5), p90: at(0.9), samples: samples.length, chainsPerSample };
  } finally {
    ring.close?.();
  }
}

/** Runs until the code is hot; gives the chains of a sample, a multiple of the batch. */
async function warmUp(
  run: (chains: number) => Promise<number>,
  batch: number,
  effort: Effort,
): Promise<number> {
  const least = Math.max(1, Math.ceil((effort.leastChains ?? 1) / batch));
  let chains = least * batch;
  let spent = 0;
  while (spent < effort.warmUpNs) {
    const ns = Math.max(await run(chains), 1);
    spent += Math.max(ns, effort.sampleNs / 100);
    const wanted = (chains * effort.sampleNs) / ns;
    const limited = Math.min(Math.max(wanted, chains / 2), chains * 2);
    chains = Math.max(least, Math.round(limited / batch)) * batch;
  }
  return chains;
}

async function proven(name: string, ring: Ring, workload: Workload, chains: number): Promise<number> {
  const before = now();
  let sample: Awaited<ReturnType<Ring["run"]>>;
  try {
    sample = await ring.run(chains);
  } catch (error) {
    throw new WrongRing(name, `threw ${error instanceof Error ? error.message : String(error)}`);
  }
  const around = now() - before;
  const expected = expectedChecksum(workload, chains);
  const { ns, checksum } = sample;
  if (checksum !== expected) {
    throw new WrongRing(
      name,
      `checksum ${hex(checksum)} after ${chains} chains of ${workload.shape.name}, batch ${workload.batch}, not ${hex(expected)}`,
    );
  }
  if (!(ns >= 0) || ns > around) throw new WrongRing(name, `says ${ns} ns, the clock around it ${around}`);
  return ns;
}

function hex(value: unknown): string {
  return typeof value === "number" && Number.isInteger(value) ? `0x${value.toString(16)}` : String(value);
}
