/** `virtq bench` with arguments that can't work: exit 2, one message that says what would. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { virtq } from "../cli/run";

const folder = mkdtempSync(join(tmpdir(), "virtq-bench-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe("virtq bench", () => {
  it.each([
    [
      ["--suite", "througput"],
      /there is no suite "througput": did you mean throughput\?; there are: throughput, /,
    ],
    [["--suite", "xyzzy"], /there is no suite "xyzzy"; there are: throughput, boundary/],
    [["--suite", ""], /no suite is named; there are: throughput/],
    [["--rings", "wasm-spilt"], /there is no ring "wasm-spilt": did you mean wasm-split\?/],
    [["--suite", "scale", "--rings", "v86"], /the suite scale has none of the rings v86; it has: none/],
    [["--quick", "--full"], /--quick and --full are different runs: give one of them/],
    [["--counters", "--suite", "scale"], /--counters decides itself what it runs/],
    [["--goals", "--rings", "v86"], /--goals decides itself what it runs/],
    [["--golden", "x.json"], /--golden means something only with --counters/],
    [["--counters", "--write"], /--write means something only with --golden FILE/],
    [
      ["--counters", "--golden", "/nowhere/x.json"],
      /can't read the counters \/nowhere\/x.json: no such file/,
    ],
    [["--processes", "0"], /--processes must be 1 to 99, not 0/],
    [["--processes", "many"], /--processes takes a whole number/],
    [["--slow", "10"], /--slow means something only with --self/],
    [["--self", "--slow", "0"], /--slow must be 1 to 100 per cent, not 0/],
    [["--seed", "5G"], /--seed must be below 2\^32/],
    [["--suit"], /there is no option --suit: did you mean --suite\?/],
    [["--ring", "/nowhere/mine.mjs"], /--ring \/nowhere\/mine.mjs: .*mine.mjs/],
  ] as const)("refuses %j", async (argv, message) => {
    const { code, stdout, stderr } = await virtq(["bench", ...argv]);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  it("refuses a module that exports no ring, and says how one looks", async () => {
    const path = file("empty.mjs", "export const name = 'mine';\n");
    const { code, stderr } = await virtq(["bench", "--ring", path]);
    expect(stderr).toContain("exports no ring: it needs `export const ring = { name, open(workload) }`");
    expect(code).toBe(2);
  });

  it("lists suites and rings", async () => {
    const { code, stdout } = await virtq(["bench", "--list"]);
    expect(code).toBe(0);
    for (const name of ["throughput: ", "device-in-js: ", "native-plain-split", "v86"])
      expect(stdout).toContain(name);
  });

  it("compares counters with a file: 0 for equal, 1 for any difference, which it names", async () => {
    const path = join(folder, "kept.json");
    expect((await virtq(["bench", "--counters", "--golden", path, "--write"])).code).toBe(0);
    const same = await virtq(["bench", "--counters", "--golden", path]);
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toContain("transfers");
    const { stdout } = await virtq(["bench", "--counters", "--json"]);
    const { counters } = JSON.parse(stdout) as { counters: { transfers: number }[] };
    const rows = counters.map((row, i) => (i === 4 ? { ...row, transfers: 99 } : row));
    const other = file("other.json", JSON.stringify({ schema: "virtq.counters/1", rows }));
    const changed = await virtq(["bench", "--counters", "--golden", other]);
    expect(changed.code).toBe(1);
    expect(changed.stderr).toMatch(
      /^wasm-split, chain 3, batch 32: transfers [\d.]+, was 99\n.*1 counters are not/,
    );
  });
});
