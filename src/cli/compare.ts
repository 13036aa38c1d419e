/** `virtq compare BEFORE AFTER`: what became slower, and which counters differ. */
import { readFileSync } from "node:fs";
import Table from "cli-table3";
import { type Comparison, compare } from "../../bench/compare";
import { BENCH_SCHEMA, type BenchDocument } from "../../bench/result";
import { colours } from "./colours";
import { systemReason } from "./files";
import { UsageError } from "./usage-error";

/**
 * Runs the command.
 *
 * @param argv what stands behind `virtq compare`
 * @returns whether nothing became slower and no counter differs
 * @throws UsageError
 */
export function runCompare(argv: readonly string[]): boolean {
  const paths = argv.filter((argument) => !argument.startsWith("-"));
  const [before, after] = paths;
  if (before === undefined || after === undefined || paths.length > 2) {
    throw new UsageError(
      `compare takes two files of \`virtq bench --json\`, before and after, not ${paths.length}`,
    );
  }
  const comparison = compare(read(before), read(after));
  if (comparison.changes.length === 0 && comparison.counters.length === 0)
    process.stderr.write("virtq: the two results share no figure that differs, or no figure at all\n");
  process.stdout.write(argv.includes("--json") ? `${JSON.stringify(comparison)}\n` : `${draw(comparison)}\n`);
  return comparison.counters.length === 0 && comparison.changes.every(({ verdict }) => verdict !== "slower");
}

function read(path: string): BenchDocument {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`can't read the result ${path}: ${systemReason(error)}`);
  }
  try {
    const document = JSON.parse(text) as BenchDocument;
    if (document.schema === BENCH_SCHEMA) return document;
  } catch {
    // no JSON at all
  }
  throw new UsageError(`${path} is no result of \`virtq bench --json\` (${BENCH_SCHEMA})`);
}

function draw({ changes, counters, machines }: Comparison): string {
  const head = ["suite", "ring", "chain", "before", "after", "ratio", "bound", ""];
  const table = new Table({
    head: head.map((text) => colours.bold(text)),
    colAligns: ["left", "left", "left", "right", "right", "right", "right", "left"],
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
  for (const { suite, ring, cell, before, after, ratio, bound, verdict } of changes) {
    const standing = verdict === "slower" ? colours.red(verdict) : verdict === "same" ? "" : verdict;
    const figures = [before, after, ratio].map((value) => value.toFixed(2));
    table.push([suite, ring, cell, ...figures, `${(bound * 100).toFixed(0)} %`, standing]);
  }
  return [
    ...machines.map((text) => `not the same machine, so times say little: ${text}`),
    ...(changes.length > 0 ? [table.toString()] : []),
    ...counters,
  ].join("\n");
}
