/**
 * Area "packed" of the clause catalogue (§2.8), the driver's and the device's clauses on what a descriptor says, over {model,
 * release, shared, queues} × starts: both wrap counters, at the ring's begin and two slots before its end.
 */
import { describe, expect, test } from "vitest";
import {
  finish,
  offer,
  readable,
  roundTrip,
  seg,
  take,
  takeAll,
  takeOne,
  takeUsed,
  writable,
} from "../ring-steps";
import { eachPacked, outside } from "./bench";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL_USED = 0x8080;

const RING = [0x1000, 128] as const;
const three = { readable: [seg(0x8000, 1), seg(0x8100, 2)], writable: [seg(0x8200, 3)] };
const two = { readable: [seg(0x9000, 4)], writable: [seg(0x9100, 5)] };
const parts = (count: number) => ({
  readable: Array.from({ length: count }, (_, i) => seg(0x8000 + 16 * i, 16)),
  writable: [],
});

eachPacked(({ open, slot, available, used }) => {
  describe("areas and size", () => {
    test.each([
      ["descriptor ring", { descriptor: 0x1008, driver: 0x2000, device: 0x2010 }],
      ["driver event structure", { descriptor: 0x1000, driver: 0x2002, device: 0x2010 }],
      ["device event structure", { descriptor: 0x1000, driver: 0x2000, device: 0x2011 }],
    ])("PACKED-001 §2.8.11 driver: a misaligned %s is refused", (_, areas) => {
      expect(() => open({}, { areas })).toThrow("RING_ALIGN");
    });

    test("PACKED-001 §2.8.11 driver: 16, 4 and 4 are enough, and the sizes are 16 × size, 4 and 4", () => {
      roundTrip(open({}, { areas: { descriptor: 0x1010, driver: 0x1090, device: 0x1094 } }));
      roundTrip(open({}, { areas: { descriptor: 0x40000 - 128, driver: 0x2000, device: 0x2004 } }));
      roundTrip(open({}, { areas: { descriptor: 0x1000, driver: 0x3fffc, device: 0x2004 } }));
      expect(() => open({}, { areas: { descriptor: 0x1000, driver: 0x107c, device: 0x2004 } })).toThrow(
        "RING_OVERLAP",
      );
    });

    const big = {
      areas: { descriptor: 0x10000, driver: 0x90000, device: 0x90010 },
      regions: [{ gpa: 0, base: 0x100000, size: 0x200000 }],
      start: {},
    };
    test.each([0, 32769, 65536])("PACKED-002 §2.8 both: size %d is refused", (size) => {
      expect(() => open({}, { ...big, size })).toThrow("QUEUE_SIZE_INVALID");
    });

    test.each([1, 2, 3, 5, 7, 1000, 32767, 32768])("PACKED-002 §2.8 both: size %d works", (size) => {
      const world = open({}, { ...big, size });
      for (let i = 0; i < 3; i++) roundTrip(world);
      if (size > 2) for (let i = 0; i < 3; i++) roundTrip(world, parts(Math.min(size, 3)));
    });

    test("PACKED-038 §2.8.13 driver: in a zeroed ring nothing is available and nothing used", () => {
      const world = open({}, { start: {} });
      expect(world.guest.copy(...RING).every((byte) => byte === 0)).toBe(true);
      expect([world.device.hasAvailable(), world.driver.hasUsed()]).toEqual([false, false]);
      roundTrip(world);
    });
  });

  describe("wrap counters", () => {
    test("PACKED-003 §2.8.1 both: the counter starts at 1", () => {
      const world = open({}, { start: {} });
      offer(world, readable());
      expect(world.packed.flags(0)).toBe(0x0080);
      finish(world, takeOne(world));
      expect(world.packed.flags(0)).toBe(0x8080);
    });

    test("PACKED-003 §2.8.1 both: it flips behind the last slot, lap after lap", () => {
      const world = open();
      for (let n = 0; n < 40; n++) {
        offer(world, readable(n % 4));
        expect(world.packed.flags(slot(n))).toBe(available(n));
        finish(world, takeOne(world));
        expect(world.packed.flags(slot(n))).toBe(used(n));
        takeUsed(world);
      }
    });

    test.each([2, 3, 5, 7, 8])("PACKED-003 §2.8.1 both: it flips inside or behind a list of %d", (count) => {
      const world = open();
      let n = 0;
      for (let round = 0; round < 12; round++) {
        offer(world, parts(count));
        for (let i = 0; i < count; i++)
          expect(world.packed.flags(slot(n + i)) & AVAIL_USED).toBe(available(n + i));
        finish(world, takeOne(world));
        expect(world.packed.flags(slot(n)) & AVAIL_USED).toBe(used(n));
        takeUsed(world);
        n += count;
      }
    });

    test("PACKED-004 §2.8.1 driver: AVAIL is the counter, USED its inverse", () => {
      const world = open();
      offer(world, writable(0), readable(1), three);
      for (let n = 0; n < 5; n++) expect(world.packed.flags(slot(n)) & AVAIL_USED).toBe(available(n));
    });

    test("PACKED-005 §2.8.1 device: AVAIL and USED are the counter", () => {
      const world = open();
      offer(world, ...Array.from({ length: 8 }, (_, i) => writable(i)));
      finish(world, ...takeAll(world));
      for (let n = 0; n < 8; n++) expect(world.packed.flags(slot(n))).toBe(used(n) | WRITE);
    });

    test("PACKED-006 §2.8.1 both: equal bits prove nothing: those of the other lap are not used", () => {
      const world = open();
      offer(world, writable());
      const other = AVAIL_USED - used(0);
      world.packed.used(slot(0), { id: 0, len: 4, flags: other | WRITE });
      expect(world.driver.hasUsed()).toBe(false);
      expect(world.driver.takeUsed(1)).toEqual({ used: [] });
      world.packed.setFlags(slot(0), used(0) | WRITE);
      expect(takeUsed(world)[0]?.length).toBe(4);
    });

    test("PACKED-006 §2.8.1 both: unequal bits of the other lap are not available", () => {
      const world = open();
      world.packed.desc(slot(0), { addr: 0x8000, len: 4, flags: AVAIL_USED - available(0) });
      expect(world.device.hasAvailable()).toBe(false);
      expect(world.device.take(1)).toEqual({ chains: [] });
      world.packed.setFlags(slot(0), available(0));
      takeOne(world);
    });
  });

  describe("processing order", () => {
    test("PACKED-007 §2.8.12 device: chains are taken in ring order", () => {
      const world = open();
      offer(world, ...Array.from({ length: 8 }, (_, i) => readable(i)));
      expect(takeAll(world).map((c) => c.readable[0]?.address)).toEqual(
        Array.from({ length: 8 }, (_, i) => 0x8000 + 0x100 * i),
      );
    });

    test("PACKED-008 §2.8.12 device: used descriptors are written in the order of completion", () => {
      const world = open();
      const tokens = offer(world, writable(0, 10), writable(1, 11), writable(2, 12), writable(3, 13));
      const [a, b, c, d] = take(world, 4);
      finish(world, ...[c, a, d, b].flatMap((chain) => chain ?? []));
      expect([0, 1, 2, 3].map((n) => world.packed.readDesc(slot(n)).len)).toEqual([12, 10, 13, 11]);
      expect(takeUsed(world).map((u) => u.token)).toEqual([2, 0, 3, 1].map((i) => tokens[i]));
    });

    test("PACKED-009 §2.8.12 device: writes may be reordered: the first of a batch becomes visible last", () => {
      const world = open();
      offer(world, writable(0), writable(1), writable(2));
      for (const chain of take(world, 3)) world.device.complete(chain.token, 16);
      expect(world.packed.flags(slot(0))).toBe(available(0) | WRITE);
      expect(world.packed.flags(slot(1))).toBe(used(1) | WRITE);
      expect(world.packed.flags(slot(2))).toBe(used(2) | WRITE);
      expect(world.driver.takeUsed(8)).toEqual({ used: [] });
      world.device.publish();
      expect(takeUsed(world).length).toBe(3);
    });

    test("PACKED-039 §2.8.9 device: the first buffer of a request of several is marked used last", () => {
      const world = open();
      offer(world, writable(0), writable(1));
      const [first, second] = take(world, 2);
      for (const chain of [first, second]) if (chain) world.device.complete(chain.token, 16);
      // The second one is marked; the driver looks at the first one's slot, and sees none of them.
      expect(world.packed.flags(slot(1)) & AVAIL_USED).toBe(used(1));
      expect(world.driver.hasUsed()).toBe(false);
      world.device.publish();
      expect(takeUsed(world).length).toBe(2);
    });

    test("PACKED-041 §2.8.2 both: each side looks at the slot behind the last one it processed, and nowhere else", () => {
      const world = open();
      for (let n = 1; n < 8; n++) world.packed.desc(slot(n), { addr: 0x8000, len: 4, flags: available(n) });
      expect(world.device.take(8)).toEqual({ chains: [] });
      const other = open();
      offer(other, writable(0), writable(1));
      other.packed.used(slot(1), { id: 1, len: 1, flags: used(1) | WRITE });
      expect(other.driver.takeUsed(8)).toEqual({ used: [] });
    });
  });

  describe("descriptors", () => {
    test("PACKED-010 §2.8.15 device: writes no device-readable buffer, and nothing but used descriptors", () => {
      const world = open();
      offer(world, three, two);
      world.guest.fill(0x8000, 0x300, 0x5a);
      const before = outside(world, RING);
      finish(world, ...take(world, 2));
      expect(outside(world, RING).equals(before)).toBe(true);
    });

    test("PACKED-011 §2.8.15 device: what stands in a writable buffer changes nothing", () => {
      const rows = [0x00, 0xff].map((fill) => {
        const world = open();
        world.guest.fill(0x8000, 64, fill);
        const tokens = offer(world, writable(0, 64));
        const chain = takeOne(world);
        const notified = finish(world, chain);
        return { tokens, chain, notified, used: takeUsed(world), ring: [...world.guest.copy(...RING)] };
      });
      expect(rows[0]).toEqual(rows[1]);
    });

    test("PACKED-012 §2.8.15 device: uses no descriptor before its AVAIL bit has changed", () => {
      const world = open();
      const before = world.packed.flags(slot(0));
      world.packed.desc(slot(0), { addr: 0x8000, len: 16, flags: before, id: 5 });
      expect(world.device.take(8)).toEqual({ chains: [] });
      expect(world.packed.readDesc(slot(0))).toEqual({ addr: 0x8000, len: 16, flags: before, id: 5 });
      world.packed.setFlags(slot(0), available(0));
      takeOne(world);
    });

    test("PACKED-013 §2.8.15 device: doesn't change a descriptor again once its USED bit has flipped", () => {
      const world = open();
      offer(world, ...Array.from({ length: 6 }, (_, i) => writable(i)));
      const chains = take(world, 6);
      let shown: number[] = [];
      for (const [i, chain] of chains.entries()) {
        finish(world, chain);
        world.device.publish();
        world.device.arm();
        world.device.disarm();
        const now = [...world.guest.copy(0x1000 + 16 * slot(i), 16)];
        shown = i === 0 ? now : shown;
        expect([...world.guest.copy(0x1000 + 16 * slot(0), 16)]).toEqual(shown);
      }
    });

    test("PACKED-014 §2.8.16 driver: changes no descriptor before its USED bit has changed", () => {
      const world = open();
      offer(world, ...Array.from({ length: 8 }, (_, i) => writable(i)));
      const before = world.guest.copy(...RING);
      expect(world.driver.add([readable()])).toEqual({ added: 0, tokens: [] });
      world.driver.publish();
      takeAll(world);
      expect(world.driver.add([readable()])).toEqual({ added: 0, tokens: [] });
      expect(world.guest.copy(...RING)).toEqual(before);
    });

    test("PACKED-015 §2.8.16 driver: nor after its AVAIL bit has flipped", () => {
      const world = open();
      offer(world, three);
      const before = [0, 1, 2].map((n) => world.packed.readDesc(slot(n)));
      offer(world, two);
      offer(world, readable());
      world.driver.arm(0);
      world.driver.disarm();
      world.driver.takeUsed(8);
      world.driver.publish();
      expect([0, 1, 2].map((n) => world.packed.readDesc(slot(n)))).toEqual(before);
    });

    test("PACKED-032 §2.8.6 device: one used descriptor a list, behind it the list's other slots keep their content", () => {
      const world = open();
      offer(world, three, two);
      const before = [1, 2, 4].map((n) => world.packed.readDesc(slot(n)));
      finish(world, ...take(world, 2));
      expect([1, 2, 4].map((n) => world.packed.readDesc(slot(n)))).toEqual(before);
      expect([0, 3].map((n) => world.packed.flags(slot(n)))).toEqual([used(0) | WRITE, used(3) | WRITE]);
    });

    test("PACKED-035 §2.8.3 device: WRITE in a used descriptor says whether anything was written", () => {
      const world = open();
      offer(world, writable(0), writable(1), readable(2));
      const [a, b, c] = take(world, 3);
      if (!a || !b || !c) throw new Error("three chains");
      world.device.complete(a.token, 1);
      world.device.complete(b.token, 0);
      world.device.complete(c.token, 0);
      world.device.publish();
      expect([0, 1, 2].map((n) => world.packed.flags(slot(n)))).toEqual([used(0) | WRITE, used(1), used(2)]);
    });

    test("PACKED-037 §2.8.4 device: the length counts bytes written, the address is left alone", () => {
      const world = open();
      offer(world, { readable: [seg(0x8000, 100)], writable: [seg(0x8100, 30), seg(0x8200, 40)] });
      world.device.complete(takeOne(world).token, 55);
      world.device.publish();
      expect(world.packed.readDesc(slot(0))).toMatchObject({ addr: 0x8000, len: 55 });
    });
  });

  describe("lists", () => {
    test("PACKED-022 §2.8.18 device: the descriptors of a list are used in their order", () => {
      const world = open();
      offer(world, parts(8));
      expect(takeOne(world).readable.map((s) => s.address)).toEqual(parts(8).readable.map((s) => s.address));
    });

    test("PACKED-023 §2.8.18 device: the limit is the queue size: a list without end is refused", () => {
      const world = open();
      for (let n = 0; n < 8; n++) {
        world.packed.desc(slot(n), { addr: 0x8000, len: 4, flags: available(n) | NEXT });
      }
      expect(world.device.take(1)).toEqual({ chains: [], error: "CHAIN_TOO_LONG" });
      expect(world.device.take(1)).toEqual({ chains: [], error: "QUEUE_BROKEN" });
    });

    test("PACKED-025 §2.8.21 device: may read a list as soon as its head is exposed", () => {
      const world = open();
      world.device.disarm();
      world.driver.add([three]);
      expect(world.device.hasAvailable()).toBe(false);
      expect(world.driver.publish().notify).toBe(false);
      expect(takeOne(world).readable.length).toBe(2);
    });

    test("PACKED-030 §2.8.6 device: the id counts in the last descriptor of a list alone", () => {
      const world = open();
      world.packed.desc(slot(0), { addr: 0x8000, len: 1, id: 0xdead, flags: available(0) | NEXT });
      world.packed.desc(slot(1), { addr: 0x8100, len: 2, id: 0xbeef, flags: available(1) | NEXT });
      world.packed.desc(slot(2), { addr: 0x8200, len: 3, id: 0x1234, flags: available(2) });
      finish(world, takeOne(world));
      expect(world.packed.readDesc(slot(0)).id).toBe(0x1234);
    });

    test("PACKED-032 §2.8.6 device: skips ahead by the length of the list that was used", () => {
      const world = open();
      offer(world, three, two, readable(3));
      const [a, b, c] = take(world, 3);
      finish(world, ...[b, c, a].flatMap((chain) => chain ?? [])); // 2, then 1, then 3 descriptors
      expect(world.packed.readDesc(slot(0))).toMatchObject({ id: 1, len: 5, flags: used(0) | WRITE });
      expect(world.packed.readDesc(slot(2))).toMatchObject({ id: 2, len: 0, flags: used(2) });
      expect(world.packed.readDesc(slot(3))).toMatchObject({ id: 0, len: 3, flags: used(3) | WRITE });
    });

    test("PACKED-040 §2.8.5 device: a list never holds a table", () => {
      const world = open({ indirect: true });
      world.packed.desc(0, { addr: 0x8100, len: 2 }, 0x9000);
      world.packed.desc(slot(0), { addr: 0x8000, len: 1, flags: available(0) | NEXT });
      world.packed.desc(slot(1), { addr: 0x9000, len: 16, flags: available(1) | INDIRECT });
      expect(world.device.take(1)).toEqual({ chains: [], error: "INDIRECT_WITH_NEXT" });
    });

    test("PACKED-040 §2.8.5 both: direct lists and tables share a ring", () => {
      const world = open({ indirect: true });
      for (let round = 0; round < 8; round++) {
        roundTrip(world, three);
        roundTrip(world, { ...three, indirect: true });
        roundTrip(world, readable());
      }
    });
  });
});
