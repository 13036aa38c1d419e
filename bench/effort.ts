/** Longer samples where the clock is coarse: a browser's steps by 5 µs, or by 100 µs when its page is not isolated. */
import { now } from "./clock";
import type { Effort } from "./measure";

/** A sample lasts so many steps of the clock: one of them is then 1 %. */
const STEPS = 100;
/** All samples of a workload together, and how many there are at least. */
const TOTAL_NS = 100_000_000;
const LEAST_SAMPLES = 40;

/** The smallest step of the clock that was seen, in nanoseconds. */
export function clockStep(read: () => number = now): number {
  let least = Number.POSITIVE_INFINITY;
  let last = read();
  for (let steps = 0; steps < 20; ) {
    const next = read();
    if (next === last) continue;
    least = Math.min(least, next - last);
    last = next;
    steps++;
  }
  return least;
}

/** The same effort for a clock with such a step, in nanoseconds: as it is, where the clock is fine enough. */
export function effortFor(stepNs: number, effort: Effort): Effort {
  const sampleNs = Math.max(effort.sampleNs, Math.ceil(stepNs) * STEPS);
  if (sampleNs === effort.sampleNs) return effort;
  const affordable = Math.max(LEAST_SAMPLES, Math.floor(TOTAL_NS / sampleNs));
  return { ...effort, sampleNs, samples: Math.min(effort.samples, affordable) };
}
