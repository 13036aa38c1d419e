/** The measuring loop believes nothing that it can check. */
import { describe, expect, it } from "vitest";
import { type Effort, measure, WrongRing } from "../../bench/measure";
import { checksum, expectedChecksum, type RingAdapter, type Sample, type Workload } from "../../bench/ring";
import { NONE } from "../../bench/rings/none";
import { SHAPES, workloadOf } from "../../bench/workload";

const EFFORT: Effort = { samples: 4, sampleNs: 1000, warmUpNs: 2000 };
const workload = workloadOf({ shape: SHAPES["3"] as Workload["shape"], batch: 4 });

const ringOf = (run: (chains: number) => Sample): RingAdapter => ({ name: "mine", open: () => ({ run }) });

describe("a ring is found out that", () => {
  it.each([
    [
      "does less",
      (chains: number) => ({ ns: 0, checksum: expectedChecksum(workload, chains - 4) }),
      /mine: checksum/,
    ],
    [
      "computes nothing",
      () => ({ ns: 0, checksum: 0 }),
      /checksum 0x0 after \d+ chains of 3, batch 4, not 0x/,
    ],
    ["gives no number", () => ({ ns: 0, checksum: Number.NaN }), /checksum NaN/],
    [
      "claims more time than passed",
      (chains: number) => ({ ns: 1e15, checksum: expectedChecksum(workload, chains) }),
      /says 1000000000000000 ns/,
    ],
    [
      "runs backwards",
      (chains: number) => ({ ns: -1, checksum: expectedChecksum(workload, chains) }),
      /says -1 ns/,
    ],
    [
      "throws",
      () => {
        throw new Error("no luck");
      },
      /mine: threw no luck/,
    ],
  ] as const)("%s", async (_, run, message) => {
    const measured = measure(ringOf(run as (chains: number) => Sample), workload, EFFORT);
    await expect(measured).rejects.toThrow(WrongRing);
    await expect(measure(ringOf(run as (chains: number) => Sample), workload, EFFORT)).rejects.toThrow(
      message,
    );
  });
});

it("runs whole batches, and gives quantiles in their order", async () => {
  const { p10, p50, p90, samples, chainsPerSample } = await measure(NONE, workload, EFFORT);
  expect(chainsPerSample % workload.batch).toBe(0);
  expect(samples).toBe(4);
  expect(p10).toBeLessThanOrEqual(p50);
  expect(p50).toBeLessThanOrEqual(p90);
});

it("closes a ring, also one that is wrong", async () => {
  let closed = 0;
  const ring = (sum: number): RingAdapter => ({
    name: "mine",
    open: () => ({
      run: (chains) => ({ ns: 0, checksum: expectedChecksum(workload, chains) + sum }),
      close: () => void closed++,
    }),
  });
  await measure(ring(0), workload, EFFORT);
  await measure(ring(1), workload, EFFORT).catch(() => {});
  expect(closed).toBe(2);
});

it("tells different work apart by its checksum", () => {
  const sums = [
    { chains: 4, used: 0, seen: 0 },
    { chains: 5, used: 0, seen: 0 },
    { chains: 4, used: 1, seen: 0 },
    { chains: 4, used: 0, seen: 1 },
    { chains: 4, used: 1, seen: 1 },
  ].map(checksum);
  expect(new Set(sums).size).toBe(sums.length);
});
