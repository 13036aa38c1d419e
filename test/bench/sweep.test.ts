/** A sweep from suites to the document, in this process and with little effort. */
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020";
import { describe, expect, it } from "vitest";
import { countAll } from "../../bench/counters/count";
import { STACKS } from "../../bench/end-to-end/adapters";
import { goalSuites, judgeGoals } from "../../bench/goals";
import { type Job, type Outcome, work } from "../../bench/job";
import { environment } from "../../bench/node/environment";
import { plan } from "../../bench/plan";
import { BENCH_SCHEMA, type BenchDocument, rowOf, summary } from "../../bench/result";
import { NONE } from "../../bench/rings/none";
import { RINGS } from "../../bench/rings/registry";
import { SUITES } from "../../bench/suites";
import { sweep } from "../../bench/sweep";

const schema = JSON.parse(
  readFileSync(new URL("../../schema/virtq.bench-1.schema.json", import.meta.url), "utf8"),
);
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);

const run = (job: Job): Promise<Outcome[]> => {
  const adapter = [...RINGS, ...STACKS].find(({ name }) => name === job.ring);
  const missing = job.choices.map((): Outcome => ({ kind: "not measured", why: "not here" }));
  return adapter === undefined
    ? Promise.resolve(missing)
    : work(adapter, { ...job, effort: { samples: 2, sampleNs: 100, warmUpNs: 100 } });
};

const counters = countAll();

describe("every suite", () => {
  it.each(SUITES)("$name runs, and its document follows the schema", async (suite) => {
    const rows = await sweep([suite], { processes: 2, run });
    expect(rows.filter(({ status }) => status === "wrong")).toEqual([]);
    expect(rows.length).toBe(suite.cells.length * suite.rings.length);
    for (const cell of suite.cells) {
      const measured = rows.filter(
        ({ group, column, status }) =>
          group === cell.group && column === cell.column && status === "measured",
      );
      expect(measured.length, `${cell.group}, ${cell.column}`).toBeGreaterThan(0);
      for (const { processes } of measured) expect(processes.length).toBe(2);
    }
    const document: BenchDocument = {
      schema: BENCH_SCHEMA,
      environment: environment("0.0.0", 1),
      rows,
      goals: judgeGoals(rows, 0),
      counters,
    };
    validate(JSON.parse(JSON.stringify(document)));
    expect(validate.errors ?? []).toEqual([]);
  });
});

it("takes turns in an order that the seed decides: in each round every ring once for each cell", async () => {
  const suite = { name: "s", about: "", rings: ["a", "b", "c"], cells: SUITES[0]?.cells.slice(0, 2) ?? [] };
  const turnsOf = async (seed: number) => {
    const asked: string[] = [];
    await sweep([suite], {
      processes: 4,
      seed,
      run: async (job) => {
        asked.push(job.ring);
        expect(job.choices[0]?.seed).toBe(seed);
        return work(NONE, { ...job, effort: { samples: 1, sampleNs: 1, warmUpNs: 1 } });
      },
    });
    return Array.from({ length: 8 }, (_, turn) => asked.slice(3 * turn, 3 * turn + 3));
  };
  const turns = await turnsOf(1);
  for (const turn of turns) expect([...turn].sort()).toEqual(["a", "b", "c"]);
  expect(new Set(turns.map((turn) => turn[0])).size).toBeGreaterThan(1);
  expect(await turnsOf(1)).toEqual(turns);
  expect(await turnsOf(2)).not.toEqual(turns);
});

it("does not ask a ring again that is wrong or missing", async () => {
  let asked = 0;
  const suite = { name: "s", about: "", rings: ["a"], cells: SUITES[0]?.cells.slice(0, 1) ?? [] };
  const [row] = await sweep([suite], {
    processes: 3,
    run: async () => {
      asked++;
      return [{ kind: "wrong", why: "ring a: no" }];
    },
  });
  expect(asked).toBe(1);
  expect(row).toMatchObject({ status: "wrong", why: "ring a: no", processes: [] });
});

it("marks a figure noisy whose processes disagree", () => {
  const cell = SUITES[0]?.cells[0];
  if (cell === undefined) throw new Error("no cell");
  const outcomes = (p10s: readonly number[]): Outcome[] =>
    p10s.map((p10) => ({
      kind: "measured",
      quantiles: { p10, p50: p10, p90: p10, samples: 1, chainsPerSample: 1 },
    }));
  expect(rowOf("s", "r", cell, outcomes([10, 10.1, 9.9, 10, 10]))).toMatchObject({ ns: 10, noisy: false });
  expect(rowOf("s", "r", cell, outcomes([10, 14, 8, 10, 12]))).toMatchObject({ ns: 10, noisy: true });
  expect(summary([4, 1, 3, 2])).toEqual({ median: 2.5, spread: 0.3 });
});

describe("the goals", () => {
  it("find every figure that they divide", () => {
    const suites = goalSuites();
    expect(suites.map(({ name }) => name)).toEqual(["throughput", "device-in-js", "scale"]);
    for (const { rings, cells } of suites) {
      expect(rings.length).toBeGreaterThan(1);
      expect(cells.length).toBeGreaterThan(1);
    }
    const figure = { p10: 1, p50: 1, p90: 1, samples: 1, chainsPerSample: 1 };
    const rows = suites.flatMap((suite) =>
      suite.cells.flatMap((cell) =>
        suite.rings.map((ring) => rowOf(suite.name, ring, cell, [{ kind: "measured", quantiles: figure }])),
      ),
    );
    expect(judgeGoals(rows, 0).filter(({ verdict }) => verdict === "not measured")).toEqual([]);
  });

  it("are judged by process pairs, so that what slowed both doesn't count", () => {
    const rows = (p10s: Record<string, readonly number[]>) =>
      goalSuites().flatMap((suite) =>
        suite.cells.flatMap((cell) =>
          suite.rings.map((ring) =>
            rowOf(
              suite.name,
              ring,
              cell,
              (p10s[ring] ?? []).map((p10) => ({
                kind: "measured" as const,
                quantiles: { p10, p50: p10, p90: p10, samples: 1, chainsPerSample: 1 },
              })),
            ),
          ),
        ),
      );
    const goals = judgeGoals(rows({ "wasm-loopback-split": [1, 2, 4], "native-plain-split": [2, 4, 8] }), 3);
    const find = (id: string, what: string) =>
      goals.find((goal) => goal.id === id && goal.what.includes(what));
    expect(find("P2", "split")).toMatchObject({ ratio: 0.5, verdict: "met", noisy: false });
    expect(find("P2", "packed")).toMatchObject({ ratio: null, verdict: "not measured" });
    expect(find("P10", "")).toMatchObject({ ratio: 3, verdict: "missed" });
  });
});

describe("a plan", () => {
  const none = { full: false, suites: undefined, rings: undefined, ring: undefined };

  it("keeps to what was chosen, and puts a user's ring beside ours", () => {
    const [suite] = plan({
      ...none,
      suites: ["scale"],
      rings: ["wasm-split"],
      ring: "./mine.mjs",
    }) as typeof SUITES;
    expect(suite).toMatchObject({ name: "scale", rings: ["wasm-split", "./mine.mjs"] });
    expect(plan({ ...none, full: true })).toHaveLength(SUITES.length);
  });

  it("says what would work where nothing does", () => {
    expect(plan({ ...none, suites: ["scale"], rings: ["v86"] })).toMatch(
      /the suite scale has none of the rings v86; it has: none, wasm-split/,
    );
  });
});
