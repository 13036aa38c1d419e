/** `virtq bench --self`: what this machine can tell apart, and with `--slow` whether it sees a slowed build. */
import type { Change } from "../../bench/compare";
import { environment } from "../../bench/node/environment";
import { runJob } from "../../bench/node/run-job";
import { BENCH_SCHEMA, type BenchDocument, type Row } from "../../bench/result";
import { noiseFloor, ringBehind, SELF, SLOW, SLOWED_RINGS, verdicts } from "../../bench/self";
import { calibrate } from "../../bench/slow";
import type { Cell } from "../../bench/suites";
import type { BenchArguments } from "./bench-arguments";
import { measured } from "./bench-sweep";
import { drawBench, drawEnvironment } from "./bench-table";

/** More than elsewhere: small differences are what is asked for. */
const PROCESSES = 16;

/**
 * Runs it.
 *
 * @returns whether every ring did its work and, with `--slow`, the slowed builds alone were found slower
 */
export async function runSelf(given: BenchArguments, version: string): Promise<boolean> {
  const where = environment(version, given.seed);
  const turns = given.slow === undefined ? undefined : await calibrateAll(given.slow / 100);
  const rows = await measured([turns === undefined ? SELF : SLOW], {
    processes: given.processes ?? PROCESSES,
    seed: given.seed,
    run: (job) => runJob({ ...job, ring: ringBehind(job.ring, turns) }),
  });
  const document: BenchDocument = { schema: BENCH_SCHEMA, environment: where, rows };
  if (given.json) process.stdout.write(`${JSON.stringify(document)}\n`);
  else
    process.stdout.write(
      `${drawEnvironment(where)}\n\n${drawBench(rows)}\n\n${conclusion(rows, given.slow)}\n`,
    );
  const { again, slowed } = verdicts(rows);
  return (
    rows.every(({ status }) => status !== "wrong") &&
    (turns === undefined ||
      (again.every(({ verdict }) => verdict === "same") &&
        slowed.every(({ verdict }) => verdict === "slower")))
  );
}

async function calibrateAll(share: number): Promise<ReadonlyMap<string, number>> {
  const turns = new Map<string, number>();
  for (const ring of SLOWED_RINGS)
    turns.set(ring, await calibrate(ring, SLOW.cells[0] as Cell, share, runJob));
  return turns;
}

function conclusion(rows: readonly Row[], slow: number | undefined): string {
  if (slow === undefined) {
    const floor = (noiseFloor(rows) * 100).toFixed(1);
    return `the same build differs from itself by up to ${floor} %: smaller differences say nothing here`;
  }
  const { again, slowed } = verdicts(rows);
  return [
    ...again.map((change) => `${change.ring}, the same build: ${figures(change)}`),
    ...slowed.map((change) => `${change.ring}, slowed by ${slow} %: ${figures(change)}`),
  ].join("\n");
}

function figures({ ratio, bound, verdict }: Change): string {
  return `×${ratio.toFixed(3)}, ${verdict} (a change is one beyond ${(bound * 100).toFixed(1)} %)`;
}
