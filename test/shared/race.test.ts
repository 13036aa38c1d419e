/**
 * No lost wake-up on shared memory: races of a publish against an arm, in two worker threads. The same races with a build
 * whose accesses are plain do lose some, on any machine where two threads run at once.
 */
import { availableParallelism } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedBytes } from "../../src/core/module";
import { NodeRace } from "./node-race";
import { plainTwin } from "./plain-twin";
import { RACES, raceOften } from "./race";

let workers: NodeRace;
beforeAll(async () => {
  workers = await NodeRace.start();
});
afterAll(() => workers.end());

describe.each(RACES)("$layout, $notify", (kind) => {
  it("§2.7.13.4.1, §2.7.14, §2.8.17: whoever arms looks again, or is notified", async () => {
    const { races, notified, lookedAgain, both, lost } = await raceOften(kind, 50_000, workers.run);
    expect(lost).toBe(0);
    expect(races).toBeGreaterThanOrEqual(50_000);
    expect(notified + lookedAgain + both).toBe(races);
  });

  it.skipIf(availableParallelism() === 1)("loses wake-ups when the accesses are plain", async () => {
    const { bytes, replaced } = plainTwin(embeddedBytes("shared"));
    expect(replaced).toBeGreaterThan(10);
    const module = new WebAssembly.Module(bytes);
    let lost = 0;
    for (let attempt = 0; attempt < 100 && lost === 0; attempt++)
      lost += (await raceOften(kind, 20_000, workers.run, module)).lost;
    expect(lost).toBeGreaterThan(0);
  });
});
