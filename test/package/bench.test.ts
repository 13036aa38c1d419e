/** `virtq bench` from the packed package: rings of a user's own, right ones and wrong ones. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Installed, install } from "./installed";

let installed: Installed;
beforeAll(() => {
  installed = install();
});
afterAll(() => installed?.remove());

/** A ring that moves nothing and knows the right answer, changed by `wrong`. */
const ringText = (wrong: string): string => `
import { expectedChecksum } from "virtq/bench";
export const ring = {
  name: "mine",
  open: (workload) => ({
    run(chains) {
      const start = performance.now();
      ${wrong}
      const sum = expectedChecksum(workload, chains);
      return { ns: (performance.now() - start) * 1e6, checksum: sum };
    },
  }),
};
`;

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(installed.clean, "node_modules/virtq/dist/cli.js");
  return spawnSync(process.execPath, [program, "bench", ...args], { cwd: installed.clean, encoding: "utf8" });
}

function mine(name: string, wrong: string): string {
  writeFileSync(join(installed.clean, name), ringText(wrong));
  return `./${name}`;
}

const FEW = ["--rings", "none,wasm-split,native-plain-split", "--processes", "1"];

it("measures a user's ring beside ours", () => {
  const { status, stdout, stderr } = bench("--ring", mine("mine.mjs", ""), ...FEW);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toMatch(/mine\.mjs +│ +[\d.]+ ±/);
  expect(stdout).toMatch(/wasm-split +│ +[\d.]+ ±/);
});

it("names a user's ring that throws, or computes something else, and exits with 1", () => {
  const thrown = bench("--ring", mine("throws.mjs", 'throw new Error("no luck");'), ...FEW);
  expect(thrown.stdout).toContain("ring mine: threw no luck");
  expect(thrown.status).toBe(1);
  const wrong = bench("--ring", mine("wrong.mjs", "return { ns: 0, checksum: chains };"), ...FEW);
  expect(wrong.stdout).toMatch(/ring mine: checksum 0x[0-9a-f]+ after \d+ chains/);
  expect(wrong.status).toBe(1);
});

it("says that v86 is not measured where it isn't installed", () => {
  const { status, stdout } = bench(
    "--suite",
    "device-in-js",
    "--rings",
    "wasm-device-in-wasm,v86",
    "--processes",
    "1",
  );
  expect(stdout).toContain("v86: not measured: the package v86 is not installed");
  expect(status).toBe(0);
});

it("counts there what it counts here", () => {
  const { status, stdout } = bench(
    "--counters",
    "--golden",
    new URL("../../bench/counters.golden.json", import.meta.url).pathname,
  );
  expect(stdout).toContain("transfers");
  expect(status).toBe(0);
});
