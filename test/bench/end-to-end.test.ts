/** Whole stacks: requests arrive byte for byte, and a stack that moves others is found out. */
import { describe, expect, it } from "vitest";
import { STACKS } from "../../bench/end-to-end/adapters";
import { measureStack } from "../../bench/end-to-end/measure";
import { expectSame, isEndToEnd, type Stack } from "../../bench/end-to-end/stack";
import { work } from "../../bench/job";
import { NONE } from "../../bench/rings/none";
import { SUITES } from "../../bench/suites";
import { payloadShape, workloadOf } from "../../bench/workload";

const EFFORT = { samples: 3, sampleNs: 1000, warmUpNs: 1000 };
const cells = SUITES.find(({ name }) => name === "end-to-end")?.cells ?? [];
const [first] = cells;
if (first === undefined) throw new Error("no cell");

describe.each(STACKS)("$name", (adapter) => {
  it.each(cells)("moves $group, $column", async ({ choice }) => {
    const stack = await adapter.openStack(workloadOf(choice));
    for (let round = 0; round < 20; round++) stack.round();
    expect(() => stack.prove()).not.toThrow();
  });

  it("is measured with tinybench, per request", async () => {
    const { p10, p50, p90, samples } = await measureStack(adapter, workloadOf(first.choice), EFFORT);
    expect(samples).toBeGreaterThanOrEqual(EFFORT.samples);
    expect(p10).toBeLessThanOrEqual(p50);
    expect(p50).toBeLessThanOrEqual(p90);
    expect(p10).toBeGreaterThan(0);
  });
});

describe("a stack is found out that", () => {
  const broken = (stack: Partial<Stack>) => ({
    name: "mine",
    openStack: () => Promise.resolve({ round: () => {}, prove: () => {}, ...stack }),
  });
  const fails = () => {
    throw new Error("a request failed");
  };

  it.each([
    [
      "moves other bytes",
      { prove: () => expectSame("disk", Uint8Array.of(1, 2), Uint8Array.of(1, 3)) },
      "disk: byte 1 is 2, not 3",
    ],
    [
      "moves fewer",
      { prove: () => expectSame("disk", new Uint8Array(1), new Uint8Array(2)) },
      "disk: 1 bytes, not 2",
    ],
    ["fails in a round", { round: fails }, "a request failed"],
  ] as const)("%s", async (_, stack, why) => {
    const [outcome] = await work(broken(stack), { ring: "mine", choices: [first.choice], effort: EFFORT });
    expect(outcome).toEqual({ kind: "wrong", why: `ring mine: threw ${why}` });
  });
});

it("rings and stacks refuse each other's workloads", async () => {
  const [stack] = STACKS;
  const sink = { shape: payloadShape(64), batch: 1 };
  expect(isEndToEnd(workloadOf(sink))).toBe(false);
  expect(await work(NONE, { ring: "none", choices: [first.choice] })).toEqual([
    { kind: "not measured", why: "it is a ring alone, no stack" },
  ]);
  expect(await work(stack ?? NONE, { ring: "copy", choices: [sink] })).toEqual([
    { kind: "not measured", why: "it is a stack: it has models for devices" },
  ]);
});
