/** A sweep in fresh processes of Node, with progress on stderr. */
import { runJob } from "../../bench/node/run-job";
import type { Row } from "../../bench/result";
import type { Suite } from "../../bench/suites";
import { type SweepOptions, sweep } from "../../bench/sweep";
import { Progress } from "./progress";

/** Measures suites, and says on stderr how far it is. */
export async function measured(
  suites: readonly Suite[],
  { processes, seed, run = runJob }: Pick<SweepOptions, "processes" | "seed"> & { run?: SweepOptions["run"] },
): Promise<Row[]> {
  const progress = new Progress();
  const from = performance.now();
  try {
    return await sweep(suites, {
      processes,
      ...(seed === undefined ? {} : { seed }),
      run,
      onProgress: (suite, done, all) => {
        const left = Math.round((((performance.now() - from) / done) * (all - done)) / 1000);
        progress.report(`${suite}, about ${left} s left`, done, all);
      },
    });
  } finally {
    progress.clear();
  }
}
