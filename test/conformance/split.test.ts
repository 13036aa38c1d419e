/**
 * Area "split" of the clause catalogue, areas, framing and descriptor table (§2.7.1, §2.7.4, §2.7.5), over {model, release,
 * shared, queues} × starts: one test or more per clause. The rings are in split-rings.test.ts.
 */
import { describe, expect, test } from "vitest";
import type { Segment } from "../model/ring";
import {
  add,
  finish,
  offer,
  readable,
  roundTrip,
  seg,
  take,
  takeOne,
  takeUsed,
  writable,
} from "../ring-steps";
import { eachSplit, outside } from "./bench";

const NEXT = 1;
const WRITE = 2;

const DESC_AREA = [0x1000, 128] as const;
const USED_AREA = [0x3000, 70] as const;

eachSplit(({ open, slot }) => {
  describe("areas and size", () => {
    test.each([
      ["descriptor table", { descriptor: 0x1008, driver: 0x2000, device: 0x3000 }],
      ["available ring", { descriptor: 0x1000, driver: 0x2001, device: 0x3000 }],
      ["used ring", { descriptor: 0x1000, driver: 0x2000, device: 0x3002 }],
    ])("SPLIT-001 §2.7.1 driver: a misaligned %s is refused", (_, areas) => {
      expect(() => open({}, { areas })).toThrow("RING_ALIGN");
    });

    test("SPLIT-001 §2.7.1 driver: 16, 2 and 4 are enough", () => {
      roundTrip(open({}, { areas: { descriptor: 0x1010, driver: 0x2002, device: 0x3004 } }));
    });

    test.each([0, 3, 6, 12, 32767, 32769, 65536])("SPLIT-002 §2.7 both: size %d is refused", (size) => {
      const areas = { descriptor: 0x10000, driver: 0x90000, device: 0xa1000 };
      const regions = [{ gpa: 0, base: 0x100000, size: 0x200000 }];
      expect(() => open({}, { size, areas, regions })).toThrow("QUEUE_SIZE_INVALID");
    });

    test.each([1, 2, 8, 1024, 32768])("SPLIT-002 §2.7 both: size %d works", (size) => {
      const areas = { descriptor: 0x10000, driver: 0x90000, device: 0xa1000 };
      const regions = [{ gpa: 0, base: 0x100000, size: 0x200000 }];
      roundTrip(open({}, { size, areas, regions }));
    });

    test("SPLIT-003 §2.7 both: each part has its size, event words included, and may end at the last byte of RAM", () => {
      const end = 0x40000;
      roundTrip(open({}, { areas: { descriptor: end - 128, driver: 0x2000, device: 0x3000 } }));
      roundTrip(open({}, { areas: { descriptor: 0x1000, driver: end - 22, device: 0x3000 } }));
      roundTrip(open({}, { areas: { descriptor: 0x1000, driver: 0x2000, device: end - 72 } }));
    });

    test.each([
      ["table", { descriptor: 0x40000 - 112, driver: 0x2000, device: 0x3000 }],
      ["available ring", { descriptor: 0x1000, driver: 0x40000 - 20, device: 0x3000 }],
      ["used ring", { descriptor: 0x1000, driver: 0x2000, device: 0x40000 - 68 }],
    ])("SPLIT-003 §2.7 both: a %s one unit shorter than its size is refused", (_, areas) => {
      expect(() => open({}, { areas })).toThrow("RING_OUT_OF_GUEST");
    });

    test("SPLIT-003 §2.7 both: the trailing event words belong to the parts", () => {
      // avail ends at 0x2016, used_event included: a used ring at 0x2014 would share it.
      expect(() => open({}, { areas: { descriptor: 0x1000, driver: 0x2000, device: 0x2014 } })).toThrow(
        "RING_OVERLAP",
      );
      roundTrip(open({}, { areas: { descriptor: 0x1000, driver: 0x2000, device: 0x2018 } }));
    });
  });

  describe("framing", () => {
    test("SPLIT-004 §2.7.4.1 device: one buffer in any arrangement of descriptors is the same bytes", () => {
      const arrangements: readonly (readonly Segment[])[] = [
        [seg(0x8000, 48)],
        [seg(0x8000, 12), seg(0x800c, 36)],
        [seg(0x8000, 1), seg(0x8001, 1), seg(0x8002, 0), seg(0x8002, 46)],
      ];
      const world = open();
      for (const list of arrangements) {
        offer(world, { readable: list, writable: [] });
        const chain = takeOne(world);
        const bytes = chain.readable.flatMap((s) =>
          Array.from({ length: s.length }, (_, i) => s.address + i),
        );
        expect(bytes).toEqual(Array.from({ length: 48 }, (_, i) => 0x8000 + i));
        finish(world, chain);
      }
    });

    test("SPLIT-005 §2.7.4.1 device: the limit is the queue size, and nothing less", () => {
      const world = open();
      const eight = Array.from({ length: 8 }, (_, i) => seg(0x8000 + 16 * i, 16));
      offer(world, { readable: eight, writable: [] });
      expect(takeOne(world).readable).toEqual(eight);
    });

    test("SPLIT-006 §2.7.4.2 driver: writable elements come after all readable ones", () => {
      const world = open();
      offer(world, {
        readable: [seg(0x8000, 4), seg(0x8100, 4)],
        writable: [seg(0x8200, 4), seg(0x8300, 4)],
      });
      const flags: number[] = [];
      for (let at = world.split.availRing(slot(0)), more = true; more; ) {
        const d = world.split.readDesc(at);
        flags.push(d.flags & WRITE);
        more = (d.flags & NEXT) !== 0;
        at = d.next;
      }
      expect(flags).toEqual([0, 0, WRITE, WRITE]);
    });

    test("SPLIT-007 §2.7.4.2 driver: one descriptor an element, never more", () => {
      const world = open();
      add(world, { readable: [seg(0x8000, 0x8000)], writable: [seg(0x10000, 0x10000)] });
      expect(world.driver.state().free).toBe(6);
    });

    test("SPLIT-033 §2.7.13.1 driver: a buffer has at least one element, of either kind", () => {
      const world = open();
      expect(world.driver.add([{ readable: [], writable: [] }])).toMatchObject({
        added: 0,
        error: "BAD_ARGUMENT",
      });
      roundTrip(world, readable());
      roundTrip(world, writable());
      roundTrip(world, { readable: [seg(0x8000, 1)], writable: [seg(0x8100, 1)] });
    });
  });

  describe("descriptor table", () => {
    test("SPLIT-008 §2.7.5.1 device: writes no device-readable buffer", () => {
      const world = open();
      offer(world, { readable: [seg(0x8000, 64)], writable: [seg(0x9000, 64)] });
      world.guest.fill(0x8000, 64, 0x5a);
      const chain = takeOne(world);
      const before = outside(world, USED_AREA);
      finish(world, chain);
      expect(outside(world, USED_AREA).equals(before)).toBe(true);
    });

    test("SPLIT-009 §2.7.5.1 device: what stands in a writable buffer changes nothing", () => {
      const rows = [0x00, 0xff].map((fill) => {
        const world = open();
        world.guest.fill(0x8000, 64, fill);
        const tokens = offer(world, writable(0, 64));
        const chain = takeOne(world);
        const notified = finish(world, chain);
        return { tokens, chain, notified, used: takeUsed(world), ring: world.guest.copy(0x1000, 0x3000) };
      });
      expect(rows[0]).toEqual(rows[1]);
    });

    test("SPLIT-010 §2.7.5.1 device: the host may look into a writable buffer, where the chain says it is", () => {
      const world = open();
      world.guest.write(0x8000, Uint8Array.of(1, 2, 3, 4));
      offer(world, writable(0, 4));
      const [s] = takeOne(world).writable;
      expect([...world.guest.copy(s?.address ?? 0, s?.length ?? 0)]).toEqual([1, 2, 3, 4]);
    });

    test("SPLIT-011 §2.7.5.1 device: writes nothing into the descriptor table", () => {
      const world = open();
      offer(world, { readable: [seg(0x8000, 4)], writable: [seg(0x8100, 4)] }, writable(2));
      const before = world.guest.copy(...DESC_AREA);
      finish(world, ...take(world, 2).toReversed());
      world.device.arm();
      world.device.disarm();
      expect(world.guest.copy(...DESC_AREA)).toEqual(before);
    });

    test("SPLIT-012 §2.7.5.2 driver: 2^32 bytes in one chain, and not one more", () => {
      const regions = [{ gpa: 0, base: 0x100000, size: 0x200000 }];
      const areas = { descriptor: 0x10000, driver: 0x30000, device: 0x40000 };
      const world = open({}, { size: 4096, areas, regions });
      const most = Array.from({ length: 2048 }, () => seg(0, 0x200000));
      const before = Buffer.from(world.guest.copy(0x10000, 0x10000));
      expect(world.driver.add([{ readable: [...most, seg(0, 1)], writable: [] }])).toMatchObject({
        added: 0,
        error: "CHAIN_BYTES_OVERFLOW",
      });
      expect(before.equals(world.guest.copy(0x10000, 0x10000))).toBe(true);
      offer(world, { readable: most, writable: [] });
      expect(takeOne(world).readableBytes).toBe(2n ** 32n);
      // As many writable bytes would not fit a used length of 32 bits.
      expect(world.driver.add([{ readable: [], writable: most }])).toMatchObject({
        added: 0,
        error: "BAD_ARGUMENT",
      });
      const fewer = [...most.slice(1), seg(0, 0x1fffff)];
      expect(world.driver.add([{ readable: [], writable: fewer }]).added).toBe(1);
    });

    test("SPLIT-012 §2.7.5.2 driver: a chain that came from add has no loop", () => {
      const world = open();
      for (let round = 0; round < 40; round++) {
        const parts = 1 + (round % 5);
        offer(world, { readable: Array.from({ length: parts }, (_, i) => seg(0x8000 + i, 1)), writable: [] });
        const seen = new Set<number>();
        let at = world.split.availRing(slot(round));
        for (let d = world.split.readDesc(at); ; d = world.split.readDesc(at)) {
          expect(seen.has(at)).toBe(false);
          seen.add(at);
          if (!(d.flags & NEXT)) break;
          at = d.next;
        }
        expect(seen.size).toBe(parts);
        finish(world, takeOne(world));
        takeUsed(world);
      }
    });

    test("SPLIT-013 §2.7.5.2 driver: with IN_ORDER next is x + 1, and 0 behind the table's end", () => {
      const world = open({ inOrder: true });
      for (const parts of [3, 3, 4, 8, 5]) {
        offer(world, { readable: Array.from({ length: parts }, (_, i) => seg(0x8000 + i, 1)), writable: [] });
        finish(world, takeOne(world));
        takeUsed(world);
      }
      for (let at = 0; at < 8; at++) {
        const { flags, next } = world.split.readDesc(at);
        if (flags & NEXT) expect(next).toBe(at === 7 ? 0 : at + 1);
      }
      // 3 + 3 + 4 + 8 = 18: the chain of five lies in 2…6, the one of eight before it went over the end in 2…7, 0, 1.
      expect([2, 3, 4, 5, 6].map((at) => world.split.readDesc(at).next)).toEqual([3, 4, 5, 6, 0]);
      expect(world.split.readDesc(7)).toMatchObject({ flags: NEXT, next: 0 });
    });

    test("SPLIT-014 §2.7.5 driver: with IN_ORDER descriptors are taken in table order, wrapping", () => {
      const world = open({ inOrder: true });
      const heads: number[] = [];
      let n = 0;
      for (const parts of [1, 2, 3, 4, 2, 1, 7]) {
        offer(world, { readable: Array.from({ length: parts }, (_, i) => seg(0x8000 + i, 1)), writable: [] });
        heads.push(world.split.availRing(slot(n++)));
        finish(world, takeOne(world));
        takeUsed(world);
      }
      expect(heads).toEqual([0, 1, 3, 6, 2, 4, 5]);
    });
  });
});
