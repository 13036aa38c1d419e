/**
 * The commands of `virtq` and their help, by cac; what cac answers with "Unknown option" is answered here with the
 * nearest one that exists.
 */
import { type CAC, type Command, cac } from "cac";
import { nearest } from "../errors";
import { wrap } from "../report/wrap";
import { declareBench } from "./bench-arguments";
import { declareSim } from "./sim-arguments";
import { terminalWidth } from "./terminal-width";
import { UsageError } from "./usage-error";
import { optionName } from "./values";

/** What the user asked for. */
export type Request =
  /** Help or version was printed. */
  | { readonly kind: "answered" }
  /** No command at all: the help was printed. */
  | { readonly kind: "nothing" }
  | { readonly kind: "sim" | "bench" | "compare"; readonly argv: readonly string[] };

/**
 * Finds the command and checks that its options exist and have values.
 *
 * @param argv without the program's own name
 * @param version for `--version`
 * @throws UsageError
 */
export function parseCommandLine(argv: readonly string[], version: string): Request {
  const cli = cac("virtq");
  const sim = cli.command(
    "sim",
    "Move chains, a disk or captured frames through negotiated virtqueues and check every byte",
  );
  sim.usage("sim [options]");
  declareSim(sim);
  const bench = cli.command("bench", "Measure rings: ns per chain, exact counters, goals");
  bench.usage("bench [options]");
  declareBench(bench);
  const compare = cli.command("compare", "Compare two results of virtq bench --json");
  compare.usage("compare <before> <after> [options]");
  compare.option("--json", "Print one JSON object");
  compare.example("  $ virtq compare before.json after.json");
  cli.help((sections) => sections.map((section) => ({ ...section, body: fold(section.body) })));
  cli.version(version);
  cli.example("  $ virtq sim");
  cli.example("  $ virtq sim --help");
  cli.example("  $ virtq bench");
  cli.parse(["node", "virtq", ...argv], { run: false });
  if (cli.options.help || (cli.options.version && !cli.matchedCommand)) return { kind: "answered" };
  if (cli.matchedCommand === undefined) return unmatched(cli, argv);
  checkOptions(cli, cli.matchedCommand, cli.matchedCommand === compare);
  const at = argv.indexOf(cli.matchedCommand.name);
  const kind = cli.matchedCommand.name as "sim" | "bench" | "compare";
  return { kind, argv: [...argv.slice(0, at), ...argv.slice(at + 1)] };
}

function unmatched(cli: CAC, argv: readonly string[]): Request {
  const [name] = cli.args;
  if (name !== undefined) {
    throw new UsageError(
      `there is no command "${name}"${hint(
        String(name),
        cli.commands.map((command) => command.name),
      )}`,
    );
  }
  const option = argv.find((argument) => argument.startsWith("-"));
  if (option !== undefined)
    throw new UsageError(`${option}: say a command first, such as "virtq sim ${option}"`);
  cli.outputHelp();
  return { kind: "nothing" };
}

function checkOptions(cli: CAC, command: Command, takesFiles: boolean): void {
  try {
    command.checkOptionValue();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  for (const name of Object.keys(cli.options)) {
    if (name === "--" || command.hasOption(name) || cli.globalCommand.hasOption(name)) continue;
    const known = [...command.options, ...cli.globalCommand.options].map((option) => optionName(option.name));
    throw new UsageError(`there is no option ${optionName(name)}${hint(optionName(name), known)}`);
  }
  const [unused] = cli.args;
  if (unused !== undefined && !takesFiles) throw new UsageError(`"${unused}" belongs to no option`);
}

function hint(name: string, known: readonly string[]): string {
  const found = nearest(name, known);
  return found === undefined ? `; there are: ${known.join(", ")}` : `: did you mean ${found}?`;
}

/** Breaks the lines of a help section where the terminal ends, under the column that their text begins in. */
function fold(body: string): string {
  const width = terminalWidth();
  const lines = body.split("\n").map((line) => {
    const text = /^ +\S.*? {2,}(?=\S)/.exec(line)?.[0].length ?? 4;
    return wrap(line.trimEnd(), width, " ".repeat(text));
  });
  return lines.join("\n");
}
