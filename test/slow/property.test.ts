/**
 * Ten million property operations: the WebAssembly core, release and shared, against the reference rings, comparing every
 * answer, the state and the ring bytes. Prints the coverage table; every reachable cell is met a thousand times or more.
 */
import { expect, it } from "vitest";
import { makeModelRings } from "../model/model";
import { Coverage } from "../property/coverage";
import { type Implementation, runTwins } from "../property/twins";
import { makeWasmRings, wasmMemory } from "../wasm-rings";

const OPERATIONS = 10_000_000;
/** Rare cells may want some more programs; this many operations are enough for all of them. */
const AT_MOST = 14_000_000;
const ROUND = 500_000;
const SEED = 20_261_122;
const LEAST = 1000;

const PAGE = 65536;
const model: Implementation = { name: "model", makeRings: makeModelRings };
const core = (shared: boolean): Implementation => ({
  name: shared ? "shared" : "release",
  makeRings: makeWasmRings,
  memory: (bytes) => wasmMemory(Math.ceil(bytes / PAGE) * PAGE, shared).subarray(0, bytes),
});

it("the core, in both builds, does what the reference rings do", () => {
  const coverage = new Coverage();
  const twins = [core(false), core(true)];
  let operations = 0;
  let programs = 0;
  for (
    let round = 0;
    operations < OPERATIONS || (operations < AT_MOST && coverage.thin(LEAST).length > 0);
    round++
  ) {
    const right = twins[round % 2] ?? core(false);
    const report = runTwins({ left: model, right, seed: SEED + round, operations: ROUND, coverage });
    operations += report.operations;
    programs += report.programs;
  }
  console.log(
    `${operations} operations in ${programs} programs; the least that any feature set met each cell:`,
  );
  console.log(coverage.toText());
  expect(operations).toBeGreaterThanOrEqual(OPERATIONS);
  expect(coverage.thin(LEAST)).toEqual([]);
});
