/**
 * Area "split" of the clause catalogue, the rings' side of it (§2.7.6, §2.7.8, §2.7.13, §2.7.14), over {model, release, shared,
 * queues} × starts. Clauses that hold by construction are tested by looking at what was written where, and when.
 */
import { describe, expect, test } from "vitest";
import {
  add,
  complete,
  finish,
  offer,
  readable,
  seg,
  take,
  takeAll,
  takeOne,
  takeUsed,
  writable,
} from "../ring-steps";
import { eachSplit, outside } from "./bench";

const WRITE = 2;

const DESC_AREA = [0x1000, 128] as const;
const AVAIL_AREA = [0x2000, 22] as const;
const USED_AREA = [0x3000, 70] as const;

eachSplit(({ open, idx, slot }) => {
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
