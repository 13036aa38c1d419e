/**
 * Measures a stack with tinybench: a task whose every call is a round. Its samples are as ours, so the low quantile speaks
 * here too; before and behind them the stack proves what it moves.
 */
import { Bench } from "tinybench";
import { EFFORT, type Quantiles, WrongRing } from "../measure";
import type { Workload } from "../ring";
import type { Stack, StackAdapter } from "./stack";

/**
 * Measures it.
 *
 * @returns nanoseconds per request
 * @throws WrongRing when it fails, or moves other bytes
 */
export async function measureStack(
  adapter: StackAdapter,
  workload: Workload,
  effort = EFFORT,
): Promise<Quantiles> {
  const { batch } = workload;
  const bench = new Bench({
    time: (effort.samples * effort.sampleNs) / 1e6,
    iterations: effort.samples,
    warmupTime: effort.warmUpNs / 1e6,
    warmupIterations: 1,
    retainSamples: true,
    throws: true,
  });
  let stack: Stack | undefined;
  try {
    const opened = await adapter.openStack(workload);
    stack = opened;
    stack.prove();
    bench.add(adapter.name, () => opened.round(), { async: false });
    await bench.run();
    stack.prove();
  } catch (error) {
    throw new WrongRing(adapter.name, `threw ${error instanceof Error ? error.message : String(error)}`);
  }
  const result = bench.tasks[0]?.result;
  const samples = result !== undefined && "latency" in result ? (result.latency.samples ?? []) : [];
  const at = (share: number) => ((samples[Math.floor(samples.length * share)] ?? 0) * 1e6) / batch;
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9), samples: samples.length, chainsPerSample: batch };
}
