/** Exact counters: the golden file to the last digit, the rules of the model, and the instrumenter on known code. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Agents } from "../../bench/counters/agents";
import { countAll } from "../../bench/counters/count";
import { differences, type Golden, goldenText } from "../../bench/counters/golden";
import { insertAtStart } from "../../bench/counters/insert";
import { instrument } from "../../bench/counters/instrument";
import { DEVICE, DRIVER } from "../../bench/counters/sides";
import { embeddedBytes } from "../../src/core/module";

const text = readFileSync(new URL("../../bench/counters.golden.json", import.meta.url), "utf8");
const kept = (JSON.parse(text) as Golden).rows;
const rows = countAll();

describe("the counters", () => {
  it("are those of the golden file: `npm run bench:golden` writes it anew", () => {
    expect(differences(rows, kept)).toEqual([]);
    expect(goldenText(rows)).toBe(text);
  });

  it("notice one load more in a verb, in every row of a ring that calls it, and in no other", () => {
    const load = [0x41, 0x80, 0x80, 0x04, 0x28, 2, 0, 0x1a]; // i32.const 65536, i32.load, drop
    const loaded = countAll(insertAtStart(embeddedBytes("release"), "packedDeviceRun", load));
    const changed = loaded.filter((row, i) => row.device.loads !== rows[i]?.device.loads);
    expect(changed).toEqual(
      loaded.filter(({ ring }) => /^wasm-packed(?:-in-order)?(?:-round-trip)?$/.test(ring)),
    );
    for (const [i, row] of loaded.entries()) {
      const before = rows[i];
      const isMore = changed.includes(row) ? 1 / row.batch : 0;
      expect(row.device.loads - (before?.device.loads ?? 0)).toBeCloseTo(isMore, 3);
      expect(row.device.instructions - (before?.device.instructions ?? 0)).toBeCloseTo(3 * isMore, 3);
      expect(row.driver).toEqual(before?.driver);
    }
  });

  it("count a round in one call as the verbs' work, side for side, with the call's own to the driver", () => {
    const find = (ring: string, chain: string, batch: number) =>
      rows.find(
        (row) => row.ring === ring && row.chain === chain && row.batch === batch && row.notify === "off",
      );
    for (const fused of rows.filter(({ ring }) => ring.endsWith("-round-trip"))) {
      const verbs = find(fused.ring.replace("-round-trip", ""), fused.chain, fused.batch);
      expect(fused.device, fused.ring).toEqual(verbs?.device);
      expect(fused.driver.stores, fused.ring).toBe(verbs?.driver.stores);
      expect(fused.driver.loads - (verbs?.driver.loads ?? 0), fused.ring).toBeCloseTo(1 / fused.batch, 3);
    }
  });

  it("show why: IN_ORDER halves the transfers of a batch, packed reads less often at batch 1", () => {
    const find = (ring: string, batch: number) =>
      rows.find(
        (row) => row.ring === ring && row.chain === "1" && row.batch === batch && row.notify === "event-idx",
      );
    const [packed, inOrder] = [find("wasm-packed", 256), find("wasm-packed-in-order", 256)];
    expect(inOrder?.transfers).toBeLessThan(0.6 * (packed?.transfers ?? 0));
    expect(find("wasm-packed", 1)?.pciReads).toBeLessThan(find("wasm-split", 1)?.pciReads ?? 0);
  });

  it("name what differs, what is new and what is gone", () => {
    const [first, ...rest] = kept;
    if (first === undefined) throw new Error("the golden file is empty");
    expect(differences([{ ...first, transfers: first.transfers + 1 }, ...rest], kept)).toEqual([
      `wasm-split, chain 1, batch 1: transfers ${first.transfers + 1}, was ${first.transfers}`,
    ]);
    expect(differences(rest, kept)).toEqual(["wasm-split, chain 1, batch 1: no longer counted"]);
    expect(differences(kept, rest)).toEqual(["wasm-split, chain 1, batch 1: not in the file"]);
  });
});

describe("the model", () => {
  const shared = [{ from: 4096, to: 12288, unit: 16 }];

  it("counts a transfer when a side reads what it has no copy of, or writes what the other has a copy of", () => {
    const agents = new Agents(shared);
    agents.store(DRIVER, 4096, 8); // nobody had it
    agents.store(DRIVER, 4104, 8);
    expect(agents.transfers).toBe(0);
    agents.load(DEVICE, 4100, 2); // moves
    agents.load(DRIVER, 4096, 8); // both have it
    expect(agents.transfers).toBe(1);
    agents.store(DEVICE, 4096, 1); // the driver's copy dies
    agents.store(DEVICE, 4159, 1);
    expect(agents.transfers).toBe(2);
    agents.load(DRIVER, 4150, 16); // two lines, the second is nobody's
    expect(agents.transfers).toBe(3);
    agents.store(DRIVER, 64, 8);
    agents.load(DEVICE, 64, 8); // not shared
    expect(agents.transfers).toBe(3);
  });

  it("counts the device's bursts, within a page and a round", () => {
    const agents = new Agents(shared);
    agents.load(DEVICE, 4110, 2); // the flags, and with them the whole descriptor
    agents.load(DEVICE, 4096, 8);
    agents.load(DEVICE, 4112, 8); // the next one
    agents.load(DRIVER, 5000, 8); // no device
    expect(agents.pciReads).toBe(1);
    agents.load(DEVICE, 8176, 8);
    agents.load(DEVICE, 8192, 8); // another page
    expect(agents.pciReads).toBe(3);
    agents.store(DEVICE, 4104, 4);
    agents.store(DEVICE, 4108, 2); // the same descriptor
    agents.store(DEVICE, 4120, 8); // the next
    agents.store(DEVICE, 4110, 2); // back to the first
    expect(agents.pciWrites).toBe(2);
    agents.endRound();
    agents.load(DEVICE, 4096, 8); // forgotten
    expect(agents.pciReads).toBe(4);
  });

  it("counts distinct lines by round and side", () => {
    const agents = new Agents(shared);
    agents.load(DRIVER, 60, 8);
    agents.load(DRIVER, 0, 4);
    agents.load(DEVICE, 0, 4);
    agents.endRound();
    agents.load(DRIVER, 0, 4);
    agents.endRound();
    expect(agents.sums[DRIVER]).toEqual({ loads: 3, stores: 0, lines: 3 });
    expect(agents.sums[DEVICE]?.lines).toBe(1);
  });
});

/** What an instrumented module told, in order. */
function told(
  bytes: Uint8Array,
  name: string,
  ...args: number[]
): { events: string[]; instructions: bigint } {
  const events: string[] = [];
  const event =
    (kind: string) =>
    (...values: number[]) =>
      void events.push([kind, ...values].join(" "));
  const count = Object.fromEntries(
    ["load", "store", "copy", "fill", "enter", "leave", "change"].map((kind) => [kind, event(kind)]),
  );
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const module = new WebAssembly.Module(instrument(bytes));
  const { exports } = new WebAssembly.Instance(module, { env: { memory }, count });
  (exports[name] as (...values: number[]) => number)(...args);
  return { events, instructions: (exports.instructions as WebAssembly.Global).value as bigint };
}

/**
 * A module with a shared memory and two functions (i32) → (); the second is exported as deviceTry and does nothing.
 * Its one global, mutable, is exported as `side` if it marks.
 */
function moduleOf(first: readonly number[], name = "driverTry", marks = false): Uint8Array {
  const section = (id: number, body: readonly number[]) => [id, body.length, ...body];
  const code = (body: readonly number[]) => [body.length + 2, 0, ...body, 0x0b];
  const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]),
    ...section(2, [1, ...text("env"), ...text("memory"), 2, 3, 1, 1]),
    ...section(3, [2, 0, 0]),
    ...section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
    ...section(7, [
      marks ? 3 : 2,
      ...[...text(name), 0, 0, ...text("deviceTry"), 0, 1],
      ...(marks ? [...text("side"), 3, 0] : []),
    ]),
    ...section(10, [2, ...code(first), ...code([])]),
  ]);
}

const ARG = [0x20, 0];
const const32 = (value: number) => [0x41, value];

describe("the instrumenter", () => {
  it.each([
    ["i32.load16_u offset=4", [...ARG, 0x2f, 1, 4, 0x1a], ["load 8 4 2"]],
    ["i64.store", [...ARG, 0x42, 7, 0x37, 3, 0], ["store 8 0 8"]],
    ["f64.store", [...ARG, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x39, 3, 0], ["store 8 0 8"]],
    ["memory.copy", [...ARG, ...const32(32), ...const32(5), 0xfc, 10, 0, 0], ["copy 8 32 5"]],
    ["memory.fill", [...ARG, ...const32(1), ...const32(6), 0xfc, 11, 0], ["fill 8 6"]],
    [
      "v128.load and v128.store",
      [...ARG, ...ARG, 0xfd, 0, 0, 16, 0xfd, 11, 0, 0],
      ["load 8 16 16", "store 8 0 16"],
    ],
    ["v128.store8_lane", [...ARG, ...ARG, 0xfd, 0, 0, 0, 0xfd, 88, 0, 2, 3], ["load 8 0 16", "store 8 2 1"]],
    [
      "i32.atomic.rmw16.add_u",
      [...ARG, ...const32(1), 0xfe, 0x21, 1, 0, 0x1a],
      ["load 8 0 2", "store 8 0 2"],
    ],
    [
      "i32.atomic.rmw.cmpxchg",
      [...ARG, ...const32(0), ...const32(3), 0xfe, 0x48, 2, 0, 0x1a],
      ["load 8 0 4", "store 8 0 4"],
    ],
    ["i64.atomic.store", [...ARG, 0x42, 1, 0xfe, 0x18, 3, 0], ["store 8 0 8"]],
  ] as const)("tells of %s", (_, body, events) => {
    expect(told(moduleOf(body), "driverTry", 8).events).toEqual(events);
  });

  it("marks where a call of both sides' work goes over to a side", () => {
    expect(told(moduleOf([...ARG, 0x10, 1], "queueRoundTrip"), "queueRoundTrip", 8).events).toEqual([
      "enter 2",
      "leave",
    ]);
    expect(told(moduleOf([...ARG, 0x10, 1], "deviceFused"), "deviceFused", 8).events).toEqual([]);
  });

  describe("where both sides' work is inlined in one function", () => {
    const load = [...ARG, 0x28, 2, 0, 0x1a];
    const mark = (side: number) => [...const32(side), 0x24, 0];

    it("lets the driver have what stands before the first change", () => {
      expect(
        told(moduleOf([...load, ...ARG, 0x10, 1], "queueRoundTrip"), "queueRoundTrip", 8).events,
      ).toEqual(["load 8 0 4", "enter 2", "leave"]);
    });

    it("refuses accesses behind it that nothing marks", () => {
      const unmarked = moduleOf([...ARG, 0x10, 1, ...load], "queueRoundTrip");
      expect(() => instrument(unmarked)).toThrow(
        /function 0 does the work of both sides, and doesn't mark where/,
      );
    });

    it("follows the global `side` that the module sets", () => {
      const body = [...load, ...mark(2), ...load, ...mark(1), ...load];
      expect(told(moduleOf(body, "queueRoundTrip", true), "queueRoundTrip", 8).events).toEqual([
        "load 8 0 4",
        "change 2",
        "load 8 0 4",
        "change 1",
        "load 8 0 4",
      ]);
    });
  });

  it("counts what was executed, and not what was jumped over", () => {
    // A loop that runs `arg` times: local.get, const, sub, tee, br_if.
    const loop = [0x03, 0x40, ...ARG, ...const32(1), 0x6b, 0x22, 0, 0x0d, 0, 0x0b];
    expect(told(moduleOf(loop), "driverTry", 3).instructions).toBe(15n);
    const branch = [...ARG, 0x04, 0x40, 0x01, 0x01, 0x05, 0x01, 0x0b];
    expect(told(moduleOf(branch), "driverTry", 1).instructions).toBe(4n);
    expect(told(moduleOf(branch), "driverTry", 0).instructions).toBe(3n);
  });

  it("makes valid modules of both builds", () => {
    for (const build of ["release", "shared"] as const) {
      expect(WebAssembly.validate(instrument(embeddedBytes(build))), build).toBe(true);
    }
  });
});
