/** The goals P1 to P10: which figures each divides, what it must reach, and what we are after. */
import { type Goal, NOISY, type Row, ratioOf } from "./result";
import { SUITES, type Suite } from "./suites";

/** A ratio of two figures of a suite. */
interface GoalSpec {
  readonly id: string;
  readonly what: string;
  readonly suite: string;
  /** Ring, group and column of the dividend, and of the divisor. */
  readonly over: Figure;
  readonly under: Figure;
  readonly must: number;
  readonly goal: number;
  readonly sense: Goal["sense"];
}
type Figure = readonly [ring: string, group: string, column: string];

const LAYOUTS = ["split", "packed"] as const;
const most = (must: number, goal: number) => ({ must, goal, sense: "most" }) as const;
const least = (must: number, goal: number) => ({ must, goal, sense: "least" }) as const;

/** Two rings on the same cell. */
function pair(
  id: string,
  what: string,
  suite: string,
  [over, under]: readonly [string, string],
  [group, column]: readonly [string, string],
  bound: Pick<GoalSpec, "must" | "goal" | "sense">,
): GoalSpec {
  return { id, what, suite, over: [over, group, column], under: [under, group, column], ...bound };
}

const ONE = ["1", "batch 32"] as const;
const V86_SHAPES = ["1", "3", "3-indirect"] as const;

/** v86's class against one of ours, for each shape. */
function againstV86(
  id: string,
  what: string,
  ours: string,
  musts: readonly number[],
  goals: readonly number[],
): GoalSpec[] {
  return V86_SHAPES.map((shape, i) =>
    pair(
      id,
      `${what}, chain ${shape}`,
      "device-in-js",
      ["v86", ours],
      [shape, "batch 32"],
      least(musts[i] ?? 0, goals[i] ?? 0),
    ),
  );
}

const SPECS: readonly GoalSpec[] = [
  ...LAYOUTS.flatMap((layout) =>
    [1, 32, 256].map((batch) =>
      pair(
        "P1",
        `wasm loopback / the same algorithm in C, ${layout}, batch ${batch}`,
        "throughput",
        [`wasm-loopback-${layout}`, `native-tuned-${layout}`],
        ["1", `batch ${batch}`],
        most(1.3, 1.15),
      ),
    ),
  ),
  ...LAYOUTS.map((layout) =>
    pair(
      "P2",
      `wasm loopback / plain C, ${layout}`,
      "throughput",
      [`wasm-loopback-${layout}`, `native-plain-${layout}`],
      ONE,
      most(0.6, 0.5),
    ),
  ),
  pair(
    "P3",
    "packed + IN_ORDER / packed, SIMD",
    "throughput",
    ["wasm-packed-in-order", "wasm-packed"],
    ONE,
    most(0.65, 0.5),
  ),
  pair(
    "P3",
    "packed + IN_ORDER / packed, scalar",
    "throughput",
    ["wasm-packed-in-order-scalar", "wasm-packed"],
    ONE,
    most(0.8, 0.7),
  ),
  ...LAYOUTS.flatMap((layout) => [
    pair(
      "P4",
      `plain JavaScript / wasm, ${layout}`,
      "throughput",
      [`js-plain-${layout}`, `wasm-${layout}`],
      ONE,
      least(2.5, 3),
    ),
    pair(
      "P4",
      `tuned JavaScript / wasm, ${layout}`,
      "throughput",
      [`js-tuned-${layout}`, `wasm-${layout}`],
      ONE,
      least(1.5, 2),
    ),
  ]),
  ...againstV86("P5", "v86 / ours, device in wasm", "wasm-device-in-wasm", [40, 80, 90], [50, 100, 110]),
  ...againstV86("P6", "v86 / ours, flat records", "wasm-device-flat", [23, 43, 49], [30, 50, 60]),
  ...againstV86("P7", "v86 / ours, drop-in", "wasm-device-drop-in", [9, 13, 18], [12, 18, 22]),
  pair(
    "P8",
    "device in JavaScript, ours / hand-written",
    "device-in-js",
    ["wasm-device-flat", "js-device"],
    ONE,
    most(1, 0.8),
  ),
  ...LAYOUTS.flatMap((layout): GoalSpec[] => [
    {
      id: "P9",
      what: `256 in flight, ring 32768 / ring 256, ${layout}`,
      suite: "scale",
      over: [`wasm-${layout}`, "ring 32768", "batch 256"],
      under: [`wasm-${layout}`, "ring 256", "batch 256"],
      ...most(1.25, 1.1),
    },
    {
      id: "P9",
      what: `64 queues / 1 queue, ${layout}`,
      suite: "scale",
      over: [`wasm-${layout}`, "64 queues", "batch 32"],
      under: [`wasm-${layout}`, "1 queues", "batch 32"],
      ...most(1.25, 1.1),
    },
  ]),
];

/** The suites with the rings and cells that the goals need, and no others. */
export function goalSuites(): Suite[] {
  return SUITES.flatMap((suite) => {
    const figures = SPECS.filter((spec) => spec.suite === suite.name).flatMap(({ over, under }) => [
      over,
      under,
    ]);
    if (figures.length === 0) return [];
    const rings = suite.rings.filter((ring) => figures.some(([wanted]) => wanted === ring));
    const cells = suite.cells.filter(({ group, column }) =>
      figures.some(([, wantedGroup, wantedColumn]) => wantedGroup === group && wantedColumn === column),
    );
    return [{ ...suite, rings, cells }];
  });
}

/**
 * Judges what was measured.
 *
 * @param changedCounters counters that are not those of the golden file
 */
export function judgeGoals(rows: readonly Row[], changedCounters: number): Goal[] {
  const exact: Goal = {
    id: "P10",
    what: "exact counters that differ from the golden file",
    ratio: changedCounters,
    ...most(0, 0),
    verdict: changedCounters === 0 ? "met" : "missed",
    noisy: false,
  };
  return [...SPECS.map((spec) => judge(spec, rows)), exact];
}

function judge({ id, what, suite, over, under, must, goal, sense }: GoalSpec, rows: readonly Row[]): Goal {
  const base = { id, what, must, goal, sense };
  const find = ([ring, group, column]: Figure) =>
    rows.find(
      (row) => row.suite === suite && row.ring === ring && row.group === group && row.column === column,
    );
  const [dividend, divisor] = [find(over), find(under)];
  if (dividend?.status !== "measured" || divisor?.status !== "measured") {
    const missing = dividend?.status === "measured" ? under : over;
    const why = find(missing)?.why ?? "there is no such ring";
    return { ...base, ratio: null, verdict: "not measured", why: `${missing[0]}: ${why}`, noisy: false };
  }
  // Processes that ran beside each other are divided, so that what slowed both doesn't count.
  const { median, spread } = ratioOf(dividend, divisor);
  const meets = (bound: number) => (sense === "most" ? median <= bound : median >= bound);
  const verdict = meets(goal) ? "met" : meets(must) ? "must met" : "missed";
  return { ...base, ratio: median, verdict, noisy: spread > NOISY };
}
