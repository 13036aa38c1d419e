/**
 * Area "packed" of the clause catalogue (§2.8), what the driver makes available and how it takes back, over {model, release,
 * shared, queues} × starts. The clauses on barriers and the order of stores are in order.test.ts.
 */
import { describe, expect, test } from "vitest";
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
import { eachPacked, outside } from "./bench";

const NEXT = 1;
const WRITE = 2;
const AVAIL_USED = 0x8080;

const RING = [0x1000, 128] as const;
const three = { readable: [seg(0x8000, 1), seg(0x8100, 2)], writable: [seg(0x8200, 3)] };
const parts = (count: number) => ({
  readable: Array.from({ length: count }, (_, i) => seg(0x8000 + 16 * i, 16)),
  writable: [],
});

eachPacked(({ open, slot, available, used }) => {
  describe("making available", () => {
    test("PACKED-016 §2.8.17 driver: no list is longer than the device allows: the queue size", () => {
      const world = open();
      const before = outside(world);
      expect(world.driver.add([parts(9)])).toMatchObject({ added: 0, error: "CHAIN_TOO_LONG" });
      expect(outside(world).equals(before)).toBe(true);
      roundTrip(world, parts(8));
    });

    test("PACKED-017 §2.8.17 driver: a list ends within the queue size", () => {
      const world = open();
      for (let count = 1; count <= 8; count++) {
        const from = world.driver.state().available & 0x7fff;
        offer(world, parts(count));
        const next = Array.from({ length: count }, (_, i) => world.packed.flags((from + i) % 8) & NEXT);
        expect(next).toEqual(Array.from({ length: count }, (_, i) => (i < count - 1 ? NEXT : 0)));
        finish(world, takeOne(world));
        takeUsed(world);
      }
    });

    test("PACKED-018 §2.8.17 driver: writable elements come after all readable ones", () => {
      const world = open();
      offer(world, {
        readable: [seg(0x8000, 1), seg(0x8100, 1)],
        writable: [seg(0x8200, 1), seg(0x8300, 1)],
      });
      expect([0, 1, 2, 3].map((n) => world.packed.flags(slot(n)) & WRITE)).toEqual([0, 0, WRITE, WRITE]);
      expect([0, 1, 2, 3].map((n) => world.packed.readDesc(slot(n)).addr)).toEqual([
        0x8000, 0x8100, 0x8200, 0x8300,
      ]);
    });

    test("PACKED-018 §2.8.17 device: readable behind writable is a driver error", () => {
      const world = open();
      world.packed.desc(slot(0), { addr: 0x8000, len: 1, flags: available(0) | NEXT | WRITE });
      world.packed.desc(slot(1), { addr: 0x8100, len: 1, flags: available(1) });
      expect(world.device.take(1)).toEqual({ chains: [], error: "DESC_ORDER" });
    });

    test("PACKED-019 §2.8.17 driver: a list waits for room of its own, whatever the device may free meanwhile", () => {
      const world = open();
      offer(world, ...Array.from({ length: 6 }, (_, i) => readable(i)));
      finish(world, takeOne(world)); // used, not yet taken back: no room yet
      const before = world.guest.copy(...RING);
      expect(world.driver.add([three])).toEqual({ added: 0, tokens: [] });
      expect(world.guest.copy(...RING)).toEqual(before);
      takeUsed(world);
      expect(world.driver.add([three]).added).toBe(1);
    });

    test("PACKED-020 §2.8.17 driver: nothing of a list is written unless all of it fits", () => {
      for (let free = 0; free < 3; free++) {
        const world = open();
        offer(world, ...Array.from({ length: 8 - free }, (_, i) => readable(i)));
        const before = outside(world);
        expect(world.driver.add([three])).toEqual({ added: 0, tokens: [] });
        expect(world.driver.publish().notify).toBe(false);
        expect(outside(world).equals(before)).toBe(true);
        expect(world.driver.state()).toMatchObject({ free, inFlight: 8 - free });
      }
    });

    test("PACKED-021 §2.8.17 driver: the first descriptor is exposed after all others of its list", () => {
      const world = open();
      const before = world.packed.flags(slot(0));
      add(world, parts(8));
      expect(world.packed.flags(slot(0))).toBe(before);
      for (let n = 1; n < 8; n++) expect(world.packed.flags(slot(n)) & AVAIL_USED).toBe(available(n));
      expect(world.device.take(1)).toEqual({ chains: [] });
      world.driver.publish();
      expect(world.packed.flags(slot(0))).toBe(available(0) | NEXT);
      takeOne(world);
    });

    test("PACKED-027 §2.8.21.1 driver: a batch is exposed by its first descriptor's flags alone", () => {
      const world = open();
      const before = world.packed.flags(slot(0));
      add(world, readable(0), three, writable(4));
      expect(world.packed.flags(slot(0))).toBe(before);
      expect(world.device.hasAvailable()).toBe(false);
      const rest = world.guest.copy(...RING);
      world.driver.publish();
      const after = world.guest.copy(...RING);
      after.set(rest.subarray(16 * slot(0) + 14, 16 * slot(0) + 16), 16 * slot(0) + 14);
      expect(after).toEqual(rest); // nothing else changed
      expect(take(world, 3).length).toBe(3);
    });

    test("PACKED-030 §2.8.6 driver: the last descriptor of a list carries its id", () => {
      const world = open();
      offer(world, readable(0), three, writable(1));
      expect([0, 3, 4].map((n) => world.packed.readDesc(slot(n)).id)).toEqual([0, 1, 2]);
    });

    test("PACKED-031 §2.8.6 driver: AVAIL, USED and WRITE are right in every descriptor of a list, across the ring's end", () => {
      const world = open();
      let n = 0;
      for (let round = 0; round < 16; round++) {
        offer(world, three);
        expect([0, 1, 2].map((i) => world.packed.flags(slot(n + i)))).toEqual([
          available(n) | NEXT,
          available(n + 1) | NEXT,
          available(n + 2) | WRITE,
        ]);
        finish(world, takeOne(world));
        takeUsed(world);
        n += 3;
      }
    });

    test("PACKED-042 §2.8 driver: a buffer has at least one element, of either kind", () => {
      const world = open();
      expect(world.driver.add([{ readable: [], writable: [] }])).toMatchObject({
        added: 0,
        error: "BAD_ARGUMENT",
      });
      roundTrip(world, readable());
      roundTrip(world, writable());
      roundTrip(world, three);
    });
  });

  describe("notifications", () => {
    test("PACKED-028 §2.8.22 driver: notifications may be off while draining, and arming looks again", () => {
      for (const eventIdx of [false, true]) {
        const world = open({ eventIdx });
        offer(world, writable(0), writable(1), writable(2));
        const [a, b, c] = take(world, 3);
        if (!a || !b || !c) throw new Error("three chains");
        world.driver.disarm();
        expect(finish(world, a, b)).toBe(false);
        expect(takeUsed(world).length).toBe(2);
        expect(finish(world, c)).toBe(false); // between the last look and arming
        expect(world.driver.arm(0)).toBe(true);
        expect(takeUsed(world).length).toBe(1);
        expect(world.driver.arm(0)).toBe(false);
      }
    });

    test("PACKED-029 §2.8.21.2 device: may suppress kicks through the device area", () => {
      for (const eventIdx of [false, true]) {
        const world = open({ eventIdx });
        world.device.disarm();
        expect(world.packed.deviceEvent[1]).toBe(1);
        for (let i = 0; i < 9; i++) {
          add(world, readable());
          expect(world.driver.publish().notify).toBe(false);
          finish(world, takeOne(world));
          takeUsed(world);
        }
        world.device.arm();
        add(world, readable());
        expect(world.driver.publish().notify).toBe(true);
      }
    });
  });

  describe("taking back", () => {
    test("PACKED-033 §2.8.6 driver: the list length of each id says where the next used descriptor is", () => {
      const world = open();
      const tokens = offer(world, three, readable(3), {
        readable: [seg(0x8400, 1)],
        writable: [seg(0x8500, 9)],
      });
      // Used in the order third (2 descriptors), first (3), second (1).
      world.packed.used(slot(0), { id: 2, len: 9, flags: used(0) | WRITE });
      world.packed.used(slot(2), { id: 0, len: 1, flags: used(2) | WRITE });
      world.packed.used(slot(5), { id: 1, flags: used(5) });
      expect(takeUsed(world)).toEqual([
        { token: tokens[2], length: 9 },
        { token: tokens[0], length: 1 },
        { token: tokens[1], length: 0 },
      ]);
      expect(world.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
    });

    test("PACKED-034 §2.8.6 driver: NEXT and INDIRECT in a used descriptor mean nothing", () => {
      const world = open();
      const [token] = offer(world, writable(0, 64));
      world.packed.used(slot(0), { id: 0, len: 7, flags: used(0) | WRITE | NEXT | 4 });
      expect(takeUsed(world)).toEqual([{ token, length: 7 }]);
      expect(world.driver.hasUsed()).toBe(false);
    });

    test("PACKED-036 §2.8.4 driver: a used length counts only with WRITE", () => {
      const world = open();
      const tokens = offer(world, writable(0, 64), writable(1, 64), readable(2));
      world.packed.used(slot(0), { id: 0, len: 64, flags: used(0) });
      world.packed.used(slot(1), { id: 1, len: 0xffffffff, flags: used(1) });
      world.packed.used(slot(2), { id: 2, len: 100, flags: used(2) });
      expect(takeUsed(world)).toEqual(tokens.map((token) => ({ token, length: 0 })));
    });

    test("PACKED-036 §2.8.4 driver: lengthWithoutWrite believes a device that leaves WRITE out, within what is writable", () => {
      for (const inOrder of [false, true]) {
        const world = open({ inOrder }, { options: { lengthWithoutWrite: true } });
        const tokens = offer(world, writable(0, 64), readable(1), writable(2, 64));
        world.packed.used(slot(0), { id: 0, len: 63, flags: used(0) });
        world.packed.used(slot(1), { id: 1, len: 0, flags: used(1) });
        expect(takeUsed(world)).toEqual([63, 0].map((length, i) => ({ token: tokens[i], length })));
        world.packed.used(slot(2), { id: 2, len: 65, flags: used(2) });
        expect(world.driver.takeUsed(8)).toEqual({ used: [], error: "USED_LEN_OVERFLOW" });
      }
    });

    test("PACKED-037 §2.8.4 driver: the address of a used descriptor means nothing", () => {
      const world = open();
      const [token] = offer(world, writable(0, 64));
      world.packed.desc(slot(0), { addr: 0xffff_ffff_ffff_fff0n, len: 8, id: 0, flags: used(0) | WRITE });
      expect(takeUsed(world)).toEqual([{ token, length: 8 }]);
      expect(world.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
    });
  });
});
