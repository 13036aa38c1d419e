/** Every ring of the benchmark does the same work, and says so in the same words. */
import { describe, expect, it } from "vitest";
import { engineFlags, NODE_RINGS } from "../../bench/node/rings";
import { expectedChecksum, NotMeasured, type Ring, type RingAdapter, type Workload } from "../../bench/ring";
import { WASM_PACKED_IN_ORDER, WASM_PACKED_IN_ORDER_SCALAR, type WasmRing } from "../../bench/rings/wasm";
import { payloadShape, SHAPES, workloadOf } from "../../bench/workload";

const WORKLOADS: readonly (readonly [name: string, workload: Workload])[] = [
  ...Object.entries(SHAPES).flatMap(([name, shape]) =>
    [1, 32, 256].map((batch) => [`${name}, batch ${batch}`, workloadOf({ shape, batch })] as const),
  ),
  ["echo of 1500 B", workloadOf({ shape: payloadShape(1500), batch: 32, device: "echo" })],
  ["event-idx", workloadOf({ shape: SHAPES["1"] ?? payloadShape(1), batch: 32, notify: "event-idx" })],
  ["64 queues", workloadOf({ shape: SHAPES["3"] ?? payloadShape(1), batch: 32, queues: 64 })],
  ["ring of 32768", workloadOf({ shape: SHAPES["1"] ?? payloadShape(1), batch: 256, queueSize: 32768 })],
];

/** The ring, or why it can't be measured here; nothing else may go wrong. */
async function opened(adapter: RingAdapter, workload: Workload): Promise<Ring | string> {
  const why = adapter.refuses?.(workload);
  if (why !== undefined) return why;
  try {
    return await adapter.open(workload);
  } catch (error) {
    if (error instanceof NotMeasured) return error.message;
    throw error;
  }
}

describe.each(NODE_RINGS)("$name", (adapter) => {
  it.each(WORKLOADS)("does the work of: %s", async (_, workload) => {
    const ring = await opened(adapter, workload);
    if (typeof ring === "string") return expect(ring).not.toBe("");
    try {
      for (const rounds of [1, 3, 17]) {
        const chains = rounds * workload.batch;
        const { ns, checksum } = await ring.run(chains);
        expect(ns).toBeGreaterThanOrEqual(0);
        expect(checksum).toBe(expectedChecksum(workload, chains));
      }
    } finally {
      ring.close?.();
    }
  });
});

describe("four descriptors at a time", () => {
  const foursOf = async (adapter: RingAdapter) => {
    const workload = workloadOf({ shape: SHAPES["1"] ?? payloadShape(1), batch: 32 });
    const ring = (await adapter.open(workload)) as WasmRing;
    ring.run(32 * workload.batch);
    return ring.fours;
  };

  it("are what wasm-packed-in-order does, and its scalar twin doesn't", async () => {
    expect(await foursOf(WASM_PACKED_IN_ORDER)).toBeGreaterThan(0);
    expect(await foursOf(WASM_PACKED_IN_ORDER_SCALAR)).toBe(0);
  });
});

describe.each(["split", "packed"])("rings that lie in memory, %s", (layout) => {
  const rings = NODE_RINGS.filter(({ name }) => name.endsWith(`-${layout}`) && !name.startsWith("native"));

  it.each(WORKLOADS)("leave the same bytes after: %s", async (_, workload) => {
    const images = new Map<string, Uint8Array>();
    for (const adapter of rings) {
      const ring = await opened(adapter, workload);
      if (typeof ring === "string") continue;
      for (let run = 0; run < 3; run++)
        await ring.run((workload.queueSize + workload.batch * 3) * workload.queues);
      images.set(adapter.name, ring.image?.() ?? new Uint8Array());
    }
    const [, first] = [...images][0] ?? [];
    expect(first?.some((byte) => byte !== 0)).toBe(true);
    for (const [name, image] of images) {
      expect(
        image.findIndex((byte, at) => byte !== first?.[at]),
        name,
      ).toBe(-1);
    }
  });
});

it("the rings in JavaScript have V8's limit of inlining raised, and no other ring has flags", () => {
  const flagged = NODE_RINGS.map(({ name }) => name).filter((name) => engineFlags(name).length > 0);
  expect(flagged.sort()).toEqual([
    "js-device",
    "js-plain-packed",
    "js-plain-split",
    "js-tuned-packed",
    "js-tuned-split",
  ]);
  expect(engineFlags("./mine.mjs")).toEqual([]);
});
