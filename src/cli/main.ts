/** From arguments to an exit code; what goes wrong on the way becomes one message on stderr. */
import { readFileSync } from "node:fs";
import { VirtioError } from "../errors";
import { runBench } from "./bench";
import { readBenchArguments } from "./bench-arguments";
import { parseCommandLine } from "./command-line";
import { runCompare } from "./compare";
import { runSim } from "./sim";
import { readSimArguments } from "./sim-arguments";
import { UsageError } from "./usage-error";

/** Exit codes, for every command. */
export const EXIT = { fine: 0, no: 1, usage: 2, unsure: 3 } as const;

/**
 * Runs the command line.
 *
 * @param argv without node and the program's name
 * @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const request = parseCommandLine(argv, version());
    if (request.kind === "answered") return EXIT.fine;
    if (request.kind === "nothing") return EXIT.usage;
    return (await run(request.kind, request.argv)) ? EXIT.fine : EXIT.no;
  } catch (error) {
    return explain(error);
  }
}

async function run(command: "sim" | "bench" | "compare", argv: readonly string[]): Promise<boolean> {
  if (command === "compare") return runCompare(argv);
  return command === "sim" ? runSim(readSimArguments(argv)) : runBench(readBenchArguments(argv), version());
}

/** What `simulate` and `copyDisk` throw for options that can't work. */
const USERS: readonly string[] = [
  "BAD_ARGUMENT",
  "INDIRECT_NOT_NEGOTIATED",
  "QUEUE_SIZE_INVALID",
  "UNKNOWN_NAME",
];

function explain(error: unknown): number {
  const isUsers = error instanceof UsageError || (error instanceof VirtioError && USERS.includes(error.code));
  if (isUsers) {
    process.stderr.write(`virtq: ${error.message}\n`);
    return EXIT.usage;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`virtq: this should not happen, please report it: ${text}\n`);
  return EXIT.unsure;
}

/** Of the package that this file was built into. */
function version(): string {
  try {
    const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
    return String((JSON.parse(text) as { version?: unknown }).version);
  } catch {
    return "unreleased";
  }
}
