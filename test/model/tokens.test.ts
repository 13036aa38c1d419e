/**
 * Tokens, slots and the order of free lists in the reference rings; undo; completing in turn; and what IN_ORDER batches look
 * like in the ring.
 */
import { describe, expect, it } from "vitest";
import { setUpError } from "./areas";
import { AREAS, openModel, segments } from "./open";
import type { RingOptions, TakenChain } from "./ring";
import { Tokens } from "./tokens";

const LAYOUTS = ["split", "packed"] as const;
const ONE = { readable: [], writable: segments(1) };
const token = (slot: number, generation: number) => slot | (generation << 16);
const tokensOf = (chains: readonly TakenChain[]) => chains.map((chain) => chain.token);

it("a generation goes from 32767 to 1, and a token is never 0 or negative", () => {
  const tokens = new Tokens(65536);
  const seen = Array.from({ length: 32768 }, () => {
    const token = tokens.of(0xffff);
    tokens.release(0xffff);
    return token;
  });
  expect(seen).toEqual(Array.from({ length: 32768 }, (_, i) => ((i % 32767) + 1) * 65536 + 0xffff));
});

describe.each(LAYOUTS)("%s", (layout) => {
  it("free lists: last in, first out", () => {
    const { driver, device } = openModel({ layout, size: 4 });
    expect(driver.add([ONE, ONE, ONE]).tokens).toEqual([token(0, 1), token(1, 1), token(2, 1)]);
    driver.publish();
    const { chains } = device.take(8);
    expect(tokensOf(chains)).toEqual([token(0, 1), token(1, 1), token(2, 1)]);
    for (const i of [1, 0]) {
      device.complete(tokensOf(chains)[i] ?? 0, 0);
    }
    device.publish();
    driver.takeUsed(8);
    expect(driver.add([ONE, ONE, ONE]).tokens).toEqual([token(0, 2), token(1, 2), token(3, 1)]);
    driver.publish();
    expect(tokensOf(device.take(8).chains)).toEqual([token(0, 2), token(1, 2), token(3, 1)]);
  });

  it("IN_ORDER: round robin", () => {
    const { driver, device } = openModel({
      layout,
      size: 3 + (layout === "split" ? 1 : 0),
      features: { inOrder: true },
    });
    const driverSlots: number[] = [];
    const deviceSlots: number[] = [];
    for (let i = 0; i < 6; i++) {
      driverSlots.push((driver.add([ONE]).tokens[0] ?? 0) & 0xffff);
      driver.publish();
      const [taken] = tokensOf(device.take(1).chains);
      deviceSlots.push((taken ?? 0) & 0xffff);
      device.complete(taken ?? 0, 0);
      device.publish();
      driver.takeUsed(1);
    }
    const expected = layout === "split" ? [0, 1, 2, 3, 0, 1] : [0, 1, 2, 0, 1, 2];
    expect([driverSlots, deviceSlots]).toEqual([expected, expected]);
  });

  it("complete: unknown, stale, too long", () => {
    const { driver, device } = openModel({ layout, size: 4 });
    driver.add([ONE, ONE]);
    driver.publish();
    const [a = 0, b = 0] = tokensOf(device.take(8).chains);
    expect(device.complete(token(3, 1), 0)).toBe("COMPLETE_UNKNOWN");
    expect(device.complete(0xffff, 0)).toBe("COMPLETE_UNKNOWN");
    expect(device.complete(a + 0x10000, 0)).toBe("STALE_TOKEN");
    expect(device.complete(a & 0xffff, 17)).toBe("STALE_TOKEN");
    expect(device.complete(a, 17)).toBe("COMPLETE_LEN_OVERFLOW");
    expect(device.complete(a, 16)).toBeUndefined();
    expect(device.complete(a, 16)).toBe("COMPLETE_UNKNOWN");
    device.reset();
    expect(device.complete(b, 0)).toBe("COMPLETE_UNKNOWN");
    expect(device.state().error).toBeUndefined();
  });

  it("generations outlive a reset", () => {
    const { driver, device } = openModel({ layout, size: 4 });
    driver.add([ONE, ONE]);
    driver.publish();
    const [a] = tokensOf(device.take(1).chains);
    driver.reset();
    device.reset();
    expect(driver.add([ONE, ONE, ONE]).tokens).toEqual([token(0, 2), token(1, 2), token(2, 1)]);
    driver.publish();
    expect(a).toBe(token(0, 1));
    if (layout === "split") {
      expect(tokensOf(device.take(3).chains)).toEqual([token(0, 2), token(1, 1), token(2, 1)]);
    }
  });

  it("undo: the last one taken, then the one before; not past a completed one", () => {
    const { driver, device } = openModel({ layout, size: 8 });
    driver.add([ONE, { readable: segments(2), writable: [] }, ONE, ONE]);
    driver.publish();
    const before = device.state();
    const [a = 0, b = 0, c = 0, d = 0] = tokensOf(device.take(8).chains);
    expect(device.undo(a)).toBe("BAD_ARGUMENT");
    expect(device.undo(d + 0x10000)).toBe("STALE_TOKEN");
    expect(device.undo(d)).toBeUndefined();
    expect(device.undo(d)).toBe("COMPLETE_UNKNOWN");
    expect(device.complete(b, 0)).toBeUndefined();
    expect(device.undo(c)).toBeUndefined();
    expect(device.undo(a)).toBe("BAD_ARGUMENT");
    const again = device.take(8).chains;
    expect(again.map(({ readable, writable }) => [readable.length, writable.length])).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(tokensOf(again).map((t) => t >> 16)).toEqual([2, 2]);
    expect(before.inFlight).toBe(0);
  });

  it.each([0, 2, 3])("undo across the wrap, from slot %i", (slot) => {
    const start = layout === "split" ? { idx: 65535 } : { slot, wrap: 0 as const };
    const { driver, device } = openModel({ layout, size: layout === "split" ? 4 : 5, start });
    driver.add([{ readable: segments(3), writable: [] }]);
    driver.publish();
    const before = device.state();
    const [a = 0] = tokensOf(device.take(1).chains);
    expect(device.undo(a)).toBeUndefined();
    expect(device.state()).toEqual(before);
    expect(tokensOf(device.take(1).chains)).toEqual([a + 0x10000]);
  });

  it("IN_ORDER: out of turn is refused, after what is worse", () => {
    const { driver, device } = openModel({ layout, size: 4, features: { inOrder: true } });
    driver.add([ONE, ONE]);
    driver.publish();
    const [a = 0, b = 0] = tokensOf(device.take(8).chains);
    expect(device.complete(b, 17)).toBe("COMPLETE_LEN_OVERFLOW");
    expect(device.complete(b, 16)).toBe("IN_ORDER_VIOLATION");
    expect(device.complete(a, 16)).toBeUndefined();
    expect(device.complete(b, 16)).toBeUndefined();
  });
});

describe("IN_ORDER batches", () => {
  const features = { inOrder: true };
  /** Four chains completed; the second is short. One batch ends there, the other at publish. */
  const run = (layout: "split" | "packed") => {
    const rings = openModel({ layout, size: 8, features });
    rings.driver.add([ONE, { readable: segments(1), writable: segments(1) }, ONE, ONE]);
    rings.driver.publish();
    const [a = 0, b = 0, c = 0, d = 0] = tokensOf(rings.device.take(8).chains);
    rings.device.complete(a, 16);
    rings.device.complete(b, 3);
    rings.device.complete(c, 16);
    rings.device.complete(d, 16);
    return rings;
  };

  it("split: the last id in the first slot, the index past the batch", () => {
    const { driver, device, u16, u32 } = run("split");
    const element = (slot: number) => [u32(AREAS.device + 4 + 8 * slot), u32(AREAS.device + 8 + 8 * slot)];
    expect(element(2)).toEqual([0, 0]);
    expect(u16(AREAS.device + 2)).toBe(0);
    device.publish();
    expect([element(0), element(1), element(2), element(3)]).toEqual([
      [1, 3],
      [0, 0],
      [4, 16],
      [0, 0],
    ]);
    expect(u16(AREAS.device + 2)).toBe(4);
    expect(driver.takeUsed(8).used.map(({ length }) => length)).toEqual([16, 3, 16, 16]);
  });

  it("packed: one used descriptor for each batch, the first one's flags at publish", () => {
    const { driver, device, u16, u32 } = run("packed");
    const used = (slot: number) => {
      const at = AREAS.descriptor + 16 * slot;
      return [u16(at + 12), u32(at + 8), u16(at + 14)];
    };
    expect(used(0)).toEqual([1, 3, 0x82]); // id and length are there, the flags still say available
    device.publish();
    expect(used(0)).toEqual([1, 3, 0x8082]);
    expect(used(3)).toEqual([3, 16, 0x8082]);
    expect([used(1), used(2), used(4)].map(([, , flags]) => flags)).toEqual([0x81, 0x82, 0x82]); // untouched
    expect(driver.takeUsed(8).used.map(({ length }) => length)).toEqual([16, 3, 16, 16]);
  });

  it("packed: the rest of a batch is still used, though the cursor stands on no used descriptor", () => {
    const { driver, device } = run("packed");
    device.publish();
    expect(driver.takeUsed(1).used).toHaveLength(1);
    expect(driver.hasUsed()).toBe(true);
    expect(driver.arm(0)).toBe(true);
    expect(driver.takeUsed(8).used).toHaveLength(3);
    expect(driver.hasUsed()).toBe(false);
  });

  it("a bad chain is never skipped: what its driver takes for writable was not written", () => {
    const { driver, device, setU32 } = openModel({
      layout: "split",
      size: 4,
      features,
      options: { recover: true },
    });
    driver.add([ONE, ONE]);
    setU32(AREAS.descriptor + 8, 0xffff_ffff);
    driver.publish();
    const { chains } = device.take(8);
    expect(chains[0]?.error).toBe("DESC_OUT_OF_GUEST");
    device.complete(chains[0]?.token ?? 0, 0);
    device.complete(chains[1]?.token ?? 0, 16);
    device.publish();
    expect(driver.takeUsed(8).used.map(({ length }) => length)).toEqual([0, 16]);
  });
});

it("split: a freed chain comes back as a whole, its head first", () => {
  const { driver, use, u16 } = openModel({ layout: "split", size: 8 });
  const three = { readable: segments(3), writable: [] };
  driver.add([three, ONE]);
  driver.publish();
  use([
    [3, 0],
    [0, 0],
  ]);
  driver.takeUsed(8);
  expect(driver.add([{ readable: segments(5), writable: [] }]).tokens).toEqual([token(0, 2)]);
  const next = (descriptor: number) => u16(AREAS.descriptor + 16 * descriptor + 14);
  expect([next(0), next(1), next(2), next(3), next(4)]).toEqual([1, 2, 3, 4, 0]);
});

it("packed: WRITE says whether anything was written", () => {
  const { driver, device, u16, u32 } = openModel({ layout: "packed", size: 4 });
  driver.add([ONE, ONE]);
  driver.publish();
  tokensOf(device.take(2).chains).forEach((taken, i) => void device.complete(taken, i));
  device.publish();
  expect([u16(AREAS.descriptor + 14), u32(AREAS.descriptor + 8)]).toEqual([0x8080, 0]);
  expect([u16(AREAS.descriptor + 30), u32(AREAS.descriptor + 24)]).toEqual([0x8082, 1]);
});

it("a set-up that §2.7 or §2.8 does not allow is named", () => {
  const memory = new Uint8Array(0x10000);
  const good: RingOptions = {
    layout: "split",
    size: 8,
    features: {},
    memory,
    regions: [{ gpa: 0, base: 0, size: 0x10000 }],
    areas: { descriptor: 0x1000, driver: 0x1082, device: 0x10a0 },
  };
  const areas = (change: Partial<RingOptions["areas"]>) => ({ areas: { ...good.areas, ...change } });
  const twoRegions = [
    { gpa: 0, base: 0, size: 0x8000 },
    { gpa: 0x8000, base: 0x8000, size: 0x8000 },
  ];
  for (const [change, error] of [
    [{}, undefined],
    [{ size: 0 }, "QUEUE_SIZE_INVALID"],
    [{ size: 3 }, "QUEUE_SIZE_INVALID"],
    [{ size: 3, layout: "packed", ...areas({ driver: 0x1084 }) }, undefined],
    [{ size: 32769, layout: "packed" }, "QUEUE_SIZE_INVALID"],
    [{ regions: twoRegions }, "BAD_ARGUMENT"],
    [areas({ descriptor: 0x1008 }), "RING_ALIGN"],
    [areas({ driver: 0x1081 }), "RING_ALIGN"],
    [areas({ device: 0x10a2 }), "RING_ALIGN"],
    [areas({ descriptor: 0xffa0 }), "RING_OUT_OF_GUEST"],
    [areas({ driver: 2 ** 64 - 2048 }), "RING_OUT_OF_GUEST"],
    [areas({ driver: 0x107e }), "RING_OVERLAP"],
    [areas({ device: 0x1090 }), "RING_OVERLAP"],
    [{ regions: [{ gpa: 0, base: 0, size: 0x10000, readOnly: true }] }, "RING_OUT_OF_GUEST"],
  ] as [Partial<RingOptions>, string | undefined][]) {
    expect(setUpError({ ...good, ...change }), JSON.stringify(change)).toBe(error);
  }
});
