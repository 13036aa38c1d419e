/** `virtq bench`: measures rings, prints the tables or the document. */
import { countAll } from "../../bench/counters/count";
import { differencesFromKept } from "../../bench/counters/kept";
import { goalSuites, judgeGoals } from "../../bench/goals";
import { environment } from "../../bench/node/environment";
import { loadRing, NAMES } from "../../bench/node/rings";
import { plan } from "../../bench/plan";
import { BENCH_SCHEMA, type BenchDocument, NOISY } from "../../bench/result";
import { SUITES } from "../../bench/suites";
import type { BenchArguments } from "./bench-arguments";
import { countAgainst, drawCounters } from "./bench-counters";
import { runSelf } from "./bench-self";
import { measured } from "./bench-sweep";
import { drawBench, drawEnvironment, drawGoals } from "./bench-table";
import { UsageError } from "./usage-error";

const PROCESSES = 5;

/**
 * Runs the command.
 *
 * @param version of virtq
 * @returns whether every ring did its work
 * @throws UsageError
 */
export async function runBench(given: BenchArguments, version: string): Promise<boolean> {
  if (given.mode === "list") {
    process.stdout.write(`${list()}\n`);
    return true;
  }
  if (given.mode === "counters") return runCounters(given, version);
  if (given.ring !== undefined) await checkRing(given.ring);
  if (given.mode === "goals") return runGoals(given, version);
  if (given.mode === "self") return runSelf(given, version);
  const suites = plan({
    full: given.mode === "full",
    suites: given.suites,
    rings: given.rings,
    ring: given.ring,
  });
  if (typeof suites === "string") throw new UsageError(suites);
  const where = environment(version, given.seed);
  const rows = await measured(suites, { processes: given.processes ?? PROCESSES, seed: given.seed });
  const document: BenchDocument = { schema: BENCH_SCHEMA, environment: where, rows };
  if (given.json) process.stdout.write(`${JSON.stringify(document)}\n`);
  else {
    process.stdout.write(
      `ns per chain, driver + device + reclaim, every check on; ± spread of the processes, ? over ${NOISY * 100} %; × against wasm; end-to-end: ns per request, × against a copy\n` +
        `${drawEnvironment(where)}\n\n${drawBench(rows)}\n`,
    );
  }
  return rows.every(({ status }) => status !== "wrong");
}

function runCounters(given: BenchArguments, version: string): boolean {
  const { rows, changed } = countAgainst(given);
  const document: BenchDocument = {
    schema: BENCH_SCHEMA,
    environment: environment(version, given.seed),
    rows: [],
    counters: rows,
  };
  if (given.json) process.stdout.write(`${JSON.stringify(document)}\n`);
  else if (changed.length === 0) process.stdout.write(`${drawCounters(rows)}\n`);
  for (const line of changed) process.stderr.write(`${line}\n`);
  if (changed.length > 0)
    process.stderr.write(`virtq: ${changed.length} counters are not those of ${given.golden}\n`);
  return changed.length === 0;
}

async function runGoals(given: BenchArguments, version: string): Promise<boolean> {
  const where = environment(version, given.seed);
  const counters = countAll();
  const rows = await measured(goalSuites(), { processes: given.processes ?? PROCESSES, seed: given.seed });
  const goals = judgeGoals(rows, differencesFromKept(counters).length);
  const document: BenchDocument = { schema: BENCH_SCHEMA, environment: where, rows, goals, counters };
  if (given.json) process.stdout.write(`${JSON.stringify(document)}\n`);
  else process.stdout.write(`${drawEnvironment(where)}\n\n${drawGoals(goals)}\n`);
  return rows.every(({ status }) => status !== "wrong");
}

/** A module that can't be a ring is the user's mistake; what it does when it runs is not. */
async function checkRing(path: string): Promise<void> {
  try {
    await loadRing(path);
  } catch (error) {
    throw new UsageError(`--ring ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function list(): string {
  const suites = SUITES.map(({ name, about, rings }) => `  ${name}: ${about}\n    ${rings.join(", ")}`);
  return ["suites, and the rings of each", ...suites, "rings", `  ${NAMES.join(", ")}`].join("\n");
}
