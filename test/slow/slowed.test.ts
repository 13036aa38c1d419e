/**
 * A build that is 10 % slower beside the same build again: what the benchmark says of both. Ratios of fresh processes
 * that take turns, by the built command, and so shown and not asserted: what a busy machine hides is no defect. That the
 * verdict follows from the samples is test/bench/slow.test.ts's. Needs dist/.
 */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

const CLI = new URL("../../dist/cli.js", import.meta.url).pathname;

it("a build slowed by 10 % and the same build are measured, and each has a verdict", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [CLI, "bench", "--self", "--slow", "10", "--processes", "24"],
    { encoding: "utf8" },
  );
  console.info(stdout);
  expect([0, 1], stderr).toContain(status);
  expect(stdout.match(/, the same build: ×\d\.\d+, (same|slower|faster) \(/g), stdout).toHaveLength(2);
  expect(stdout.match(/, slowed by 10 %: ×\d\.\d+, (same|slower|faster) \(/g), stdout).toHaveLength(2);
});
