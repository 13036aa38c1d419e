/** Two results against each other: a slower build is seen, the same build is not. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compare } from "../../bench/compare";
import { environment } from "../../bench/node/environment";
import { BENCH_SCHEMA, type BenchDocument, rowOf } from "../../bench/result";
import { noiseFloor, ringBehind, SELF } from "../../bench/self";
import { virtq } from "../cli/run";
import { Random } from "../property/random";

const cell = SELF.cells[0];
if (cell === undefined) throw new Error("no cell");

const where = environment("0.0.0", 1);

/** A result whose only figure comes from processes with these 10 % quantiles. */
function result(p10s: readonly number[], cpu?: string): BenchDocument {
  const outcomes = p10s.map((p10) => ({
    kind: "measured" as const,
    quantiles: { p10, p50: p10, p90: p10, samples: 1, chainsPerSample: 1 },
  }));
  return {
    schema: BENCH_SCHEMA,
    environment: { ...where, cpu: cpu ?? where.cpu },
    rows: [rowOf("throughput", "wasm-split", cell as NonNullable<typeof cell>, outcomes)],
  };
}

/**
 * Draws what processes of a busy machine find: `ns`, 2 % standard deviation by luck of layout, and every tenth one
 * disturbed by up to 20 %, which only makes it longer.
 */
function drawer(seed: number): (ns: number) => number {
  const source = new Random(seed);
  const random = () => source.u32() / 2 ** 32;
  return (ns) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const disturbed = random() < 0.1 ? 1 + 0.2 * random() : 1;
    return ns * (1 + 0.02 * normal) * disturbed;
  };
}

const steady = [10, 10.05, 9.95, 10.1, 9.9];
const scaled = (factor: number) => steady.map((ns) => ns * factor);
const verdict = (before: readonly number[], after: readonly number[]) =>
  compare(result(before), result(after)).changes[0]?.verdict;

describe("compare", () => {
  it("sees a build that is 10 % slower or faster, and not 3 %", () => {
    expect(verdict(steady, scaled(1.1))).toBe("slower");
    expect(verdict(steady, scaled(1 / 1.1))).toBe("faster");
    expect(verdict(steady, scaled(1.03))).toBe("same");
    expect(verdict(steady, steady)).toBe("same");
  });

  it("asks more of noisy figures", () => {
    const noisy = [10, 11, 9, 10.5, 9.5];
    expect(verdict(noisy, scaled(1.1))).toBe("same");
    expect(verdict(noisy, scaled(1.4))).toBe("slower");
  });

  it("asks less where more processes say the same", () => {
    const rough = [10, 10.4, 9.6, 10.2, 9.8];
    expect(
      verdict(
        rough,
        rough.map((ns) => ns * 1.08),
      ),
    ).toBe("same");
    const more = Array.from({ length: 16 }, (_, i) => rough[i % rough.length] as number);
    expect(
      verdict(
        more,
        more.map((ns) => ns * 1.08),
      ),
    ).toBe("slower");
  });

  it("sees 10 % in drawn samples, and nothing in the same build: at most one error in two hundred", () => {
    const draw = drawer(0x5eed);
    const rounds = 400;
    const tally = { seen: 0, false: 0 };
    for (let round = 0; round < rounds; round++) {
      const before = Array.from({ length: 16 }, () => draw(10));
      if (
        verdict(
          before,
          Array.from({ length: 16 }, () => draw(10)),
        ) !== "same"
      )
        tally.false++;
      if (
        verdict(
          before,
          Array.from({ length: 16 }, () => draw(11)),
        ) === "slower"
      )
        tally.seen++;
    }
    expect(tally.false).toBeLessThanOrEqual(rounds / 200);
    expect(tally.seen).toBeGreaterThanOrEqual(rounds - rounds / 200);
  });

  it("says so when the machines differ", () => {
    expect(compare(result(steady, "a"), result(steady, "b")).machines).toEqual(["cpu: a, then b"]);
  });
});

describe("virtq compare", () => {
  const folder = mkdtempSync(join(tmpdir(), "virtq-compare-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: unknown): string => {
    writeFileSync(join(folder, name), JSON.stringify(content));
    return join(folder, name);
  };
  const [before, slower] = [file("before.json", result(steady)), file("slower.json", result(scaled(1.1)))];

  it("exits with 1 for something slower, with 0 for the same", async () => {
    const worse = await virtq(["compare", before, slower]);
    expect(worse.code).toBe(1);
    expect(worse.stdout).toContain("slower");
    expect(await virtq(["compare", before, before])).toMatchObject({ code: 0, stderr: "" });
    const { stdout } = await virtq(["compare", "--json", before, slower]);
    expect(JSON.parse(stdout)).toMatchObject({
      changes: [{ verdict: "slower" }],
      counters: [],
      machines: [],
    });
  });

  it.each([
    [[], /compare takes two files .* not 0/],
    [[before], /not 1/],
    [[before, slower, before], /not 3/],
    [[before, "/nowhere"], /can't read the result \/nowhere: no such file/],
    [[before, file("other.json", { schema: "virtq.sim/1" })], /is no result of `virtq bench --json`/],
    [[before, slower, "--wide"], /there is no option --wide/],
  ])("refuses %j", async (argv, message) => {
    const { code, stderr } = await virtq(["compare", ...argv]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

it("the noise floor is the largest false difference", () => {
  expect(SELF.rings.map((ring) => ringBehind(ring))).toEqual([
    "wasm-split",
    "wasm-split",
    "wasm-packed",
    "wasm-packed",
  ]);
  const rows = SELF.rings.flatMap((ring, i) => {
    const ns = [10, 10.2, 20, 19.8][i] ?? 0;
    const quantiles = { p10: ns, p50: ns, p90: ns, samples: 1, chainsPerSample: 1 };
    return rowOf("throughput", ring, cell as NonNullable<typeof cell>, [{ kind: "measured", quantiles }]);
  });
  expect(noiseFloor(rows)).toBeCloseTo(0.02);
});
