/**
 * What measures must see: a build that is 10 % slower, and not the same build again. Ratios of fresh processes that
 * take turns, by the built command; no time is asserted. Needs dist/.
 */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

const CLI = new URL("../../dist/cli.js", import.meta.url).pathname;

it("a build slowed by 10 % is seen, the same build against itself is not", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [CLI, "bench", "--self", "--slow", "10", "--processes", "24"],
    { encoding: "utf8" },
  );
  console.info(stdout);
  expect(status, stderr).toBe(0);
  expect(stdout.match(/, same \(/g)).toHaveLength(2);
  expect(stdout.match(/, slower \(/g)).toHaveLength(2);
});
