/**
 * Area "split" of the clause catalogue (§2.7), over {model, release, shared} × starts: one test or more per clause.
 * Clauses that hold by construction are tested by looking at the construction: what was written where, and when.
 */
import { describe, expect, test } from "vitest";
import type { Segment } from "../model/ring";
import {
  add,
  complete,
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
import { eachSplit, outside } from "./bench";

const NEXT = 1;
const WRITE = 2;

const DESC_AREA = [0x1000, 128] as const;
const AVAIL_AREA = [0x2000, 22] as const;
const USED_AREA = [0x3000, 70] as const;

eachSplit(({ open, idx, slot }) => {
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

  describe("indices", () => {
    test("SPLIT-015 §2.7.6.1 driver: avail.idx never goes back", () => {
      const world = open();
      let last = world.split.availIdx;
      const steps = [2, 0, 1, 3, 0, 2, 1, 1, 3, 2];
      for (const [round, count] of steps.entries()) {
        add(world, ...Array.from({ length: count }, (_, i) => readable(i)));
        expect(world.split.availIdx).toBe(last);
        world.driver.add([{ readable: [], writable: [] }]);
        world.driver.add(Array.from({ length: 9 }, () => readable()).slice(0, round % 2));
        const pending = world.driver.state().available;
        world.driver.publish();
        expect((world.split.availIdx - last) & 0xffff).toBe(count + (round % 2));
        expect(world.split.availIdx).toBe(pending);
        last = world.split.availIdx;
        finish(world, ...takeAll(world));
        takeUsed(world);
      }
    });

    test("SPLIT-016 §2.7.6 both: avail.idx runs freely through 65,536, the slot is idx modulo size", () => {
      const world = open();
      for (let n = 0; n < 20; n++) {
        world.split.setAvailRing(slot(n), 0xdead);
        offer(world, readable(n % 4));
        expect(world.split.availIdx).toBe(idx(n + 1));
        expect(world.split.availRing(slot(n))).toBeLessThan(8);
        finish(world, takeOne(world));
        takeUsed(world);
      }
    });

    test("SPLIT-016 §2.7.6 both: a fresh queue starts at 0", () => {
      const world = open({}, { start: {} });
      offer(world, readable());
      expect(world.split.availIdx).toBe(1);
      finish(world, takeOne(world));
      expect(world.split.usedIdx).toBe(1);
    });

    test("SPLIT-017 §2.7.8 both: used.idx runs freely through 65,536, the slot is idx modulo size", () => {
      const world = open();
      for (let n = 0; n < 20; n++) {
        offer(world, writable(n % 4, 100));
        world.split.setUsedRing(slot(n), 0xdead, 0xbeef);
        const chain = takeOne(world);
        expect(world.split.usedIdx).toBe(idx(n));
        finish(world, chain);
        expect(world.split.usedIdx).toBe(idx(n + 1));
        expect(world.split.usedRing(slot(n))).toEqual([world.split.availRing(slot(n)), 100]);
        takeUsed(world);
      }
    });
  });

  describe("used ring", () => {
    test("SPLIT-018 §2.7.8.2 device: the length stands before the index moves", () => {
      const world = open();
      offer(world, writable(0, 64));
      complete(world, takeOne(world), 33);
      expect(world.split.usedIdx).toBe(idx(0));
      expect(world.split.usedRing(slot(0))).toEqual([0, 33]);
      world.device.publish();
      expect(world.split.usedIdx).toBe(idx(1));
      expect(world.split.usedRing(slot(0))).toEqual([0, 33]);
    });

    test("SPLIT-019 §2.7.8.2 device: a length above what could be written is refused, and breaks nothing", () => {
      const world = open();
      offer(
        world,
        { readable: [seg(0x8000, 100)], writable: [seg(0x8100, 10), seg(0x8200, 20)] },
        readable(),
      );
      const [both, readOnly] = take(world, 2);
      if (!both || !readOnly) throw new Error("two chains");
      expect(world.device.complete(both.token, 31)).toBe("COMPLETE_LEN_OVERFLOW");
      expect(world.device.complete(readOnly.token, 1)).toBe("COMPLETE_LEN_OVERFLOW");
      expect(world.split.usedIdx).toBe(idx(0));
      expect(world.device.complete(both.token, 30)).toBeUndefined();
      expect(world.device.complete(readOnly.token, 0)).toBeUndefined();
      world.device.publish();
      expect(takeUsed(world).map((u) => u.length)).toEqual([30, 0]);
    });

    test("SPLIT-020 §2.7.8.2 device: a length may say less than was written", () => {
      const world = open();
      offer(world, writable(0, 64));
      const chain = takeOne(world);
      world.guest.fill(0x8000, 64, 7);
      complete(world, chain, 1);
      world.device.publish();
      expect(takeUsed(world)[0]?.length).toBe(1);
    });

    test("SPLIT-021 §2.7.8.3 driver: says how much is valid, and nothing about the bytes behind", () => {
      const world = open();
      const [token] = offer(world, writable(0, 64));
      world.guest.fill(0x8000, 64, 0xee);
      complete(world, takeOne(world), 5);
      world.device.publish();
      expect(takeUsed(world)).toEqual([{ token, length: 5 }]);
    });

    test("SPLIT-022 §2.7.8.3 driver: neither reads nor clears a buffer that comes back", () => {
      const rows = [0x00, 0xff].map((fill) => {
        const world = open();
        offer(world, writable(0, 64));
        complete(world, takeOne(world), 5);
        world.device.publish();
        world.guest.fill(0x8005, 59, fill);
        const used = takeUsed(world);
        return { used, after: new Set(world.guest.copy(0x8005, 59)) };
      });
      expect(rows[0]?.used).toEqual(rows[1]?.used);
      expect(rows.map((row) => [...row.after])).toEqual([[0x00], [0xff]]);
    });

    test("SPLIT-023 §2.7.8 device: a used element is le32 head and le32 length of a chain that was offered", () => {
      const world = open();
      offer(world, writable(0, 0x1234), { readable: [seg(0x8000, 1)], writable: [seg(0x9000, 0x300)] });
      finish(world, ...take(world, 2).toReversed());
      const first = 0x3000 + 4 + 8 * slot(0);
      const second = 0x3000 + 4 + 8 * slot(1);
      expect([...world.guest.copy(first, 8)]).toEqual([1, 0, 0, 0, 0x00, 0x03, 0, 0]);
      expect([...world.guest.copy(second, 8)]).toEqual([0, 0, 0, 0, 0x34, 0x12, 0, 0]);
    });
  });

  describe("supplying", () => {
    test("SPLIT-024 §2.7.13 driver: descriptors and ring entries first, then the index, then the suppression check", () => {
      const world = open();
      world.split.usedFlags = 1;
      add(world, readable(0, 16), writable(1, 32));
      expect(world.split.readDesc(0)).toEqual({ addr: 0x8000, len: 16, flags: 0, next: 0 });
      expect(world.split.readDesc(1)).toEqual({ addr: 0x8100, len: 32, flags: WRITE, next: 0 });
      expect([world.split.availRing(slot(0)), world.split.availRing(slot(1))]).toEqual([0, 1]);
      expect(world.split.availIdx).toBe(idx(0));
      expect(world.device.take(8).chains).toEqual([]);
      world.split.usedFlags = 0; // read at publish, not before
      expect(world.driver.publish().notify).toBe(true);
      expect(world.split.availIdx).toBe(idx(2));
    });

    test("SPLIT-027 §2.7.13.3 device: may take a chain as soon as the index shows it, without a notification", () => {
      const world = open();
      world.device.disarm();
      add(world, readable());
      expect(world.device.hasAvailable()).toBe(false);
      expect(world.driver.publish().notify).toBe(false);
      expect(world.device.hasAvailable()).toBe(true);
      takeOne(world);
    });

    test("SPLIT-028 §2.7.13 driver: several buffers may be placed one after the other", () => {
      const world = open();
      const tokens = [...add(world, readable(0)), ...add(world, writable(1)), ...add(world, readable(2))];
      expect(new Set(tokens).size).toBe(3);
      expect([0, 1, 2].map((n) => world.split.availRing(slot(n)))).toEqual([0, 1, 2]);
    });

    test("SPLIT-029 §2.7.13.2 driver: one index update for a batch", () => {
      const world = open();
      for (let n = 0; n < 8; n++) {
        add(world, readable(n));
        expect(world.split.availIdx).toBe(idx(0));
      }
      world.driver.publish();
      expect(world.split.availIdx).toBe(idx(8));
      expect(takeAll(world).length).toBe(8);
    });

    test("SPLIT-030 §2.7.14 driver: notifications may be off while draining, and arming looks again", () => {
      for (const eventIdx of [false, true]) {
        const world = open({ eventIdx });
        offer(world, writable(0), writable(1), writable(2));
        const [a, b, c] = take(world, 3);
        if (!a || !b || !c) throw new Error("three chains");
        world.driver.disarm();
        finish(world, a, b);
        expect(takeUsed(world).length).toBe(2);
        finish(world, c); // between the last look and arming
        expect(world.driver.arm(0)).toBe(true);
        expect(takeUsed(world).length).toBe(1);
        expect(world.driver.arm(0)).toBe(false);
      }
    });
  });

  describe("breaches and ownership", () => {
    test.each([8, 9, 0x8000, 0xffff])("SPLIT-031 §2.7.6 device: head %d is a driver error", (head) => {
      const world = open();
      world.split.setAvailRing(slot(0), head);
      world.split.availIdx = idx(1);
      expect(world.device.take(8)).toEqual({ chains: [], error: "DESC_INDEX_RANGE" });
      expect(world.device.take(8)).toEqual({ chains: [], error: "QUEUE_BROKEN" });
    });

    test.each([9, 10, 0x8000, 0xffff])(
      "SPLIT-031 §2.7.6 device: avail.idx %d ahead is a driver error",
      (lead) => {
        const world = open();
        world.split.availIdx = idx(lead);
        expect(world.device.take(8)).toEqual({ chains: [], error: "RING_INDEX_JUMP" });
        expect(world.device.take(8)).toEqual({ chains: [], error: "QUEUE_BROKEN" });
      },
    );

    test("SPLIT-032 §2.7 driver: writes the descriptor table and the available ring only", () => {
      for (const eventIdx of [false, true]) {
        const world = open({ eventIdx });
        const before = outside(world, DESC_AREA, AVAIL_AREA);
        offer(world, readable(0), { readable: [seg(0x8100, 4)], writable: [seg(0x8200, 4)] });
        world.driver.arm(0);
        world.driver.disarm();
        expect(outside(world, DESC_AREA, AVAIL_AREA).equals(before)).toBe(true);
        finish(world, ...take(world, 2));
        const used = outside(world, DESC_AREA, AVAIL_AREA);
        takeUsed(world);
        world.driver.arm(0);
        expect(outside(world, DESC_AREA, AVAIL_AREA).equals(used)).toBe(true);
      }
    });

    test("SPLIT-032 §2.7 device: writes the used ring only", () => {
      for (const eventIdx of [false, true]) {
        const world = open({ eventIdx });
        offer(world, readable(0), { readable: [seg(0x8100, 4)], writable: [seg(0x8200, 4)] });
        const before = outside(world, USED_AREA);
        world.device.arm();
        const chains = take(world, 2);
        world.device.disarm();
        finish(world, ...chains);
        expect(outside(world, USED_AREA).equals(before)).toBe(true);
      }
    });
  });
});
