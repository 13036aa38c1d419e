/** A build slowed by a known share: the same work, more instructions, and as many as calibrating asks for. */
import { describe, expect, it } from "vitest";
import { countAll } from "../../bench/counters/count";
import type { Job, Outcome } from "../../bench/job";
import { type BenchDocument, rowOf } from "../../bench/result";
import { expectedChecksum } from "../../bench/ring";
import { SLOW, SLOWED_RINGS, verdicts } from "../../bench/self";
import { busyModule, busyName, busyRing, calibrate } from "../../bench/slow";
import type { Cell } from "../../bench/suites";
import { SHAPES, workloadOf } from "../../bench/workload";

const cell = SLOW.cells[0] as Cell;
const found = (p10: number): Outcome => ({
  kind: "measured",
  quantiles: { p10, p50: p10, p90: p10, samples: 1, chainsPerSample: 1 },
});

describe.each(SLOWED_RINGS)("%s with busy work", (ring) => {
  it("does the work of the ring", async () => {
    const workload = workloadOf({ shape: SHAPES["3"] ?? cell.choice.shape, batch: 32 });
    const busy = await busyRing(busyName(ring, 7))?.open(workload);
    expect((await busy?.run(320))?.checksum).toBe(expectedChecksum(workload, 320));
  });

  it("executes four instructions a turn more in each batch, and reaches no more memory", () => {
    const layout = ring === "wasm-split" ? "split" : "packed";
    const [plain, busy] = [countAll(), countAll(busyModule(layout, 64))].map((rows) =>
      rows.find((row) => row.ring === ring && row.chain === "1" && row.batch === 32),
    );
    expect((busy?.device.instructions ?? 0) - (plain?.device.instructions ?? 0)).toBeCloseTo(
      (4 * 64 + 5) / 32,
      3,
    );
    expect(busy?.device.loads).toBe(plain?.device.loads);
    expect(busy?.driver).toEqual(plain?.driver);
  });
});

it("calibrates where the first turns cost more than the thousandth", async () => {
  const costOf = (turns: number) => (turns === 0 ? 0 : 0.02 + 0.002 * turns);
  const run = ({ ring }: Job) => {
    const turns = Number(/busy (\d+)/.exec(ring)?.[1] ?? 0);
    return Promise.resolve([found(10 * (1 + costOf(turns)))]);
  };
  const turns = await calibrate("wasm-split", cell, 0.1, run);
  expect(costOf(turns)).toBeGreaterThan(0.09);
  expect(costOf(turns)).toBeLessThan(0.12);
});

it("tells the slowed ones from the same ones", () => {
  const ns = { "wasm-split": 10, "wasm-split (again)": 10.2, "wasm-split (slowed)": 11 };
  const rows: BenchDocument["rows"] = Object.entries(ns).map(([ring, p10]) =>
    rowOf("throughput", ring, cell, [found(p10), found(p10)]),
  );
  const { again, slowed } = verdicts(rows);
  expect(again.map(({ ring, verdict }) => [ring, verdict])).toEqual([["wasm-split (again)", "same"]]);
  expect(slowed.map(({ ring, verdict }) => [ring, verdict])).toEqual([["wasm-split (slowed)", "slower"]]);
});
