/** `virtq bench`: its options, their meaning and every complaint that needs no ring. */
import type { Command } from "cac";
import { NAMES } from "../../bench/node/rings";
import { SUITES } from "../../bench/suites";
import { nearest } from "../errors";
import { UsageError } from "./usage-error";
import { namesOf, numberOf, optionName, textOf } from "./values";

/** The options of `virtq bench`. */
export interface BenchArguments {
  readonly mode: "quick" | "full" | "goals" | "counters" | "self" | "list";
  /** Suites by name; undefined: those of the mode. */
  readonly suites: readonly string[] | undefined;
  /** Rings by name; undefined: those of the suite. */
  readonly rings: readonly string[] | undefined;
  /** A module with a ring of the user's own. */
  readonly ring: string | undefined;
  readonly processes: number | undefined;
  /** Per cent by which --self slows a build. */
  readonly slow: number | undefined;
  readonly seed: number;
  /** Compare the counters with this file, or write it. */
  readonly golden: string | undefined;
  readonly write: boolean;
  readonly json: boolean;
}

const OPTIONS: readonly (readonly [flag: string, description: string])[] = [
  ["--quick", "The default: throughput, six rings and the floor, five processes each; under a minute"],
  ["--full", "Every suite with every ring"],
  ["--goals", "Measure what the goals P1 to P10 need, and say which are met"],
  ["--counters", "Exact counters of the instrumented module instead of times"],
  ["--self", "The same build against itself: the noise floor of this machine"],
  [
    "--slow <percent>",
    "With --self: beside a build slowed by so much; exit 1 unless it is seen, and nothing else",
  ],
  ["--suite <names>", `Only these suites, between commas: ${SUITES.map(({ name }) => name).join(", ")}`],
  ["--rings <names>", "Only these rings, between commas; --list names them"],
  ["--ring <file>", "A module that exports a ring of your own, beside ours in the table"],
  ["--processes <n>", "Fresh processes for each ring, 1 to 99. Default: 5"],
  ["--seed <n>", "What the turns of the rings and the payload are drawn from. Default: 1"],
  ["--golden <file>", "With --counters: compare with this file, exit 1 if anything differs"],
  ["--write", "With --golden: write the file instead"],
  ["--list", "Print the suites and the rings"],
  ["--json", "Print one JSON object (schema virtq.bench/1)"],
];

const EXAMPLES: readonly string[] = [
  "  $ virtq bench",
  "  $ virtq bench --suite throughput --rings wasm-split,js-tuned-split",
  "  $ virtq bench --ring ./mine.mjs",
  "  $ virtq bench --counters",
  "  $ virtq bench --goals --json > result.json",
];

/** Gives a cac command the options and examples of `virtq bench`. */
export function declareBench(command: Command): void {
  for (const [flag, description] of OPTIONS) command.option(flag, description);
  for (const example of EXAMPLES) command.example(example);
}

/**
 * Reads the options.
 *
 * @param argv what stands behind `virtq bench`
 * @throws UsageError
 */
export function readBenchArguments(argv: readonly string[]): BenchArguments {
  const modes = (["quick", "full", "goals", "counters", "self", "list"] as const).filter((mode) =>
    argv.includes(`--${mode}`),
  );
  if (modes.length > 1) {
    throw new UsageError(`${modes.map(optionName).join(" and ")} are different runs: give one of them`);
  }
  const given: BenchArguments = {
    mode: modes[0] ?? "quick",
    suites: namesOf(argv, "suite"),
    rings: namesOf(argv, "rings"),
    ring: textOf(argv, "ring"),
    processes: numberOf(argv, "processes"),
    slow: numberOf(argv, "slow"),
    seed: numberOf(argv, "seed") ?? 1,
    golden: textOf(argv, "golden"),
    write: argv.includes("--write"),
    json: argv.includes("--json"),
  };
  refuseUnknown(
    "suite",
    given.suites,
    SUITES.map(({ name }) => name),
  );
  refuseUnknown("ring", given.rings, NAMES);
  refuseCombinations(given);
  return given;
}

function refuseUnknown(what: string, names: readonly string[] | undefined, known: readonly string[]): void {
  if (names?.length === 0) throw new UsageError(`no ${what} is named; there are: ${known.join(", ")}`);
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const meant = nearest(unknown, known);
  const hint = meant === undefined ? "" : `: did you mean ${meant}?`;
  throw new UsageError(`there is no ${what} "${unknown}"${hint}; there are: ${known.join(", ")}`);
}

function refuseCombinations({
  mode,
  suites,
  rings,
  ring,
  processes,
  slow,
  golden,
  write,
  seed,
}: BenchArguments): void {
  const isMeasured = mode !== "counters" && mode !== "list";
  if (mode !== "quick" && mode !== "full" && (suites ?? rings ?? ring) !== undefined)
    throw new UsageError(`--${mode} decides itself what it runs: leave out --suite, --rings and --ring`);
  if (!isMeasured && processes !== undefined)
    throw new UsageError(`--${mode} measures nothing: leave out --processes`);
  if (slow !== undefined && mode !== "self") throw new UsageError("--slow means something only with --self");
  if (slow !== undefined && (slow < 1 || slow > 100))
    throw new UsageError(`--slow must be 1 to 100 per cent, not ${slow}`);
  if (golden !== undefined && mode !== "counters")
    throw new UsageError("--golden means something only with --counters");
  if (write && golden === undefined) throw new UsageError("--write means something only with --golden FILE");
  if (processes !== undefined && (processes < 1 || processes > 99)) {
    throw new UsageError(`--processes must be 1 to 99, not ${processes}`);
  }
  if (seed > 0xffffffff) throw new UsageError(`--seed must be below 2^32, not ${seed}`);
}
