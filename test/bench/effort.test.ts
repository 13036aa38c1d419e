/** Efforts for coarse clocks, and a browser's engine by its user agent. */
import { describe, expect, it } from "vitest";
import { engineOf } from "../../bench/browser/environment";
import { clockStep, effortFor } from "../../bench/effort";
import { EFFORT, measure } from "../../bench/measure";
import { NONE } from "../../bench/rings/none";
import { SHAPES, workloadOf } from "../../bench/workload";

describe("the clock's step", () => {
  it("is the smallest that was seen", () => {
    let reads = 0;
    const jittery = () => 5000 * Math.floor(reads++ / 10) + (reads > 100 ? 100_000 : 0);
    expect(clockStep(jittery)).toBe(5000);
  });

  it.each([
    ["a fine clock changes nothing", 50, 100_000, 200],
    ["5 µs, as where a page is isolated", 5000, 500_000, 200],
    ["100 µs, as where it is not", 100_000, 10_000_000, 40],
    ["a millisecond", 1_000_000, 100_000_000, 40],
  ])("%s", (_, step, sampleNs, samples) => {
    expect(effortFor(step, EFFORT)).toEqual({ ...EFFORT, sampleNs, samples });
  });

  it("leaves samples that are long already", () => {
    const long = { ...EFFORT, sampleNs: 5_000_000, samples: 7, leastChains: 2048 };
    expect(effortFor(5000, long)).toBe(long);
    expect(effortFor(100_000, long)).toEqual({ ...long, sampleNs: 10_000_000 });
  });
});

it("a sample has the chains that it must have at least, in whole batches", async () => {
  const [shape] = Object.values(SHAPES);
  if (shape === undefined) throw new Error("no shapes");
  const effort = { samples: 1, sampleNs: 1, warmUpNs: 1000, leastChains: 100 };
  expect(await measure(NONE, workloadOf({ shape, batch: 32 }), effort)).toMatchObject({
    chainsPerSample: 128,
  });
});

it.each([
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
    "Chromium 156.0.0.0, V8",
  ],
  [
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Edge 140.0.0.0, V8",
  ],
  ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox 140.0, SpiderMonkey"],
  [
    "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Safari 18.5, JavaScriptCore",
  ],
  ["Something/1.0", "Something/1.0"],
])("%s", (userAgent, engine) => {
  expect(engineOf(userAgent)).toBe(engine);
});
