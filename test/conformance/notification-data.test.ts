/**
 * Area "notification-data" of the clause catalogue (§2.9), over {model, release, shared, queues} × starts: what an available
 * buffer notification carries. Bits 0 to 15 name the queue, bits 16 to 30 are next_off, bit 31 is next_wrap.
 */
import { describe, expect, test } from "vitest";
import { add, finish, seg, takeAll, takeUsed } from "../ring-steps";
import type { World } from "../rings";
import { eachPacked, eachSplit } from "./bench";

const notificationData = true;
const INDEX = 0xabcd;

const parts = (count: number) => ({
  readable: Array.from({ length: count }, (_, i) => seg(0x8000 + 16 * i, 16)),
  writable: [],
});

/** Makes buffers of so many descriptors available, and gives what the notification carries; they come back at once. */
function kick(world: World, ...counts: readonly number[]): number {
  add(world, ...counts.map(parts));
  const { kickValue } = world.driver.publish();
  finish(world, ...takeAll(world));
  takeUsed(world);
  return kickValue;
}

describe("split", () => {
  eachSplit(({ open, idx }) => {
    test("NOTIFICATION-DATA-004 §2.9 driver: next_off and next_wrap are all 16 bits of avail.idx", () => {
      const world = open({ notificationData }, { index: INDEX });
      let chains = 0;
      for (const counts of [[1], [3, 2], [1, 1, 1], [8], [1, 2, 1]]) {
        chains += counts.length;
        expect(kick(world, ...counts)).toBe(((idx(chains) << 16) | INDEX) >>> 0);
      }
    });

    test("NOTIFICATION-DATA-004 §2.9 driver: bit 15 of avail.idx is next_wrap", () => {
      const world = open({ notificationData }, { index: INDEX, start: { idx: 0x7ffe } });
      expect(kick(world, 1)).toBe((0x7fff << 16) | INDEX);
      expect(kick(world, 1)).toBe(0x8000_0000 + INDEX);
    });

    test("NOTIFICATION-DATA-002 §2.9 driver: nothing new, the same value", () => {
      const world = open({ notificationData }, { index: INDEX });
      const value = kick(world, 1, 1);
      expect([world.driver.publish().kickValue, world.driver.publish().kickValue]).toEqual([value, value]);
    });

    test("NOTIFICATION-DATA-003 §2.9 driver: without the feature, the queue index alone", () => {
      const world = open({}, { index: INDEX });
      for (let n = 0; n < 10; n++) expect(kick(world, 1)).toBe(INDEX);
    });
  });
});

describe("packed", () => {
  eachPacked(({ open, offWrap }) => {
    test("NOTIFICATION-DATA-001 §2.8.16 driver: next_off and next_wrap name the next descriptor not yet available", () => {
      const world = open({ notificationData }, { index: INDEX });
      let n = 0;
      for (const counts of [[1], [3, 2], [1, 1], [8], [1, 2, 1], [7], [5]]) {
        n += counts.reduce((sum, count) => sum + count, 0);
        expect(kick(world, ...counts)).toBe(((offWrap(n) << 16) | INDEX) >>> 0);
      }
    });

    test("NOTIFICATION-DATA-002 §2.8.16 driver: nothing new, the same value", () => {
      const world = open({ notificationData }, { index: INDEX });
      const value = kick(world, 3);
      expect([world.driver.publish().kickValue, world.driver.publish().kickValue]).toEqual([value, value]);
    });

    test("NOTIFICATION-DATA-003 §2.9 driver: without the feature, the queue index alone", () => {
      const world = open({}, { index: INDEX });
      for (let n = 0; n < 10; n++) expect(kick(world, 1)).toBe(INDEX);
    });

    test("NOTIFICATION-DATA-005 §2.9 driver: behind the last slot it is slot 0 with the counter flipped", () => {
      const world = open({ notificationData }, { index: INDEX, start: { slot: 0, wrap: 1 } });
      expect(kick(world, 7)).toBe(0x8007_0000 + INDEX);
      expect(kick(world, 1)).toBe(INDEX); // slot 0, wrap 0
      expect(kick(world, 8)).toBe(0x8000_0000 + INDEX); // slot 0, wrap 1: a whole ring
    });

    test("NOTIFICATION-DATA-005 §2.9 driver: an offset, not an index: it stays below a size that is no power of two", () => {
      const world = open({ notificationData }, { index: INDEX, size: 5, start: { slot: 3, wrap: 1 } });
      const values = Array.from({ length: 8 }, () => kick(world, 1) >>> 16);
      expect(values).toEqual([0x8004, 0x0000, 0x0001, 0x0002, 0x0003, 0x0004, 0x8000, 0x8001]);
    });
  });
});
