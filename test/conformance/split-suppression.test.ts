/**
 * Area "split-suppression" of the clause catalogue (§2.7.7, §2.7.10), over {model, release, shared} × starts.
 * One index word against the other: `used_event` and `avail_event` name the entry whose writing is to be told, free-running.
 */
import { describe, expect, test } from "vitest";
import { add, finish, offer, readable, roundTrip, take, takeOne, takeUsed, writable } from "../ring-steps";
import type { World } from "../rings";
import { eachSplit } from "./bench";

/** Offers and uses one buffer; must a used buffer notification follow? */
function useOne(world: World): boolean {
  offer(world, readable());
  const notified = finish(world, takeOne(world));
  takeUsed(world);
  return notified;
}

/** Offers one buffer; must an available buffer notification follow? The device and the driver then finish it. */
function offerOne(world: World): boolean {
  add(world, readable());
  const { notify } = world.driver.publish();
  finish(world, takeOne(world));
  takeUsed(world);
  return notify;
}

eachSplit(({ open, idx, slot }) => {
  describe("driver: used buffer notifications", () => {
    test("SPLIT-SUPPRESSION-001 §2.7.7.1 driver: avail.flags is 0 or 1 without EVENT_IDX", () => {
      const world = open();
      const seen = new Set<number>();
      for (const step of [
        () => world.driver.disarm(),
        () => world.driver.arm(0),
        () => world.driver.arm(7),
      ]) {
        step();
        seen.add(world.split.availFlags);
        roundTrip(world);
        seen.add(world.split.availFlags);
      }
      expect([...seen].sort()).toEqual([0, 1]);
      expect(world.split.usedEvent).toBe(0);
    });

    test("SPLIT-SUPPRESSION-002 §2.7.7.1 driver: flags = 1 says that notifications are unwanted", () => {
      const world = open();
      world.driver.disarm();
      expect(world.split.availFlags).toBe(1);
      expect(useOne(world)).toBe(false);
      world.driver.arm(0);
      expect(world.split.availFlags).toBe(0);
      expect(useOne(world)).toBe(true);
    });

    test("SPLIT-SUPPRESSION-003 §2.7.7.1 driver: avail.flags stays 0 with EVENT_IDX", () => {
      const world = open({ eventIdx: true });
      for (const step of [
        () => world.driver.disarm(),
        () => world.driver.arm(0),
        () => world.driver.disarm(),
      ]) {
        step();
        expect(world.split.availFlags).toBe(0);
        roundTrip(world);
        expect(world.split.availFlags).toBe(0);
      }
    });

    test("SPLIT-SUPPRESSION-004 §2.7.7.1 driver: used_event names the used index whose write is to be told", () => {
      const world = open({ eventIdx: true });
      world.driver.arm(0);
      expect(world.split.usedEvent).toBe(idx(0));
      for (let n = 0; n < 7; n++) useOne(world);
      world.driver.arm(0);
      expect(world.split.usedEvent).toBe(idx(7));
      world.driver.arm(3);
      expect(world.split.usedEvent).toBe(idx(10));
      expect([useOne(world), useOne(world), useOne(world), useOne(world)]).toEqual([
        false,
        false,
        false,
        true,
      ]);
    });

    test("SPLIT-SUPPRESSION-005 §2.7.7.1 driver: a spurious notification finds nothing, and nothing breaks", () => {
      for (const eventIdx of [false, true]) {
        const world = open({ eventIdx });
        for (let i = 0; i < 3; i++) {
          expect(world.driver.hasUsed()).toBe(false);
          expect(world.driver.takeUsed(8)).toEqual({ used: [] });
        }
        offer(world, readable());
        expect(world.driver.takeUsed(8)).toEqual({ used: [] });
        finish(world, takeOne(world));
        expect(takeUsed(world).length).toBe(1);
        expect(world.driver.takeUsed(8)).toEqual({ used: [] });
      }
    });
  });

  describe("device: used buffer notifications", () => {
    test("SPLIT-SUPPRESSION-006 §2.7.7.2 device: without EVENT_IDX used_event means nothing", () => {
      const world = open();
      for (const event of [idx(0), idx(1), idx(-1), idx(100), idx(-100)]) {
        world.split.usedEvent = event;
        expect(useOne(world)).toBe(true);
      }
      world.split.availFlags = 1;
      for (let n = 5; n < 10; n++) {
        world.split.usedEvent = idx(n);
        expect(useOne(world)).toBe(false);
      }
    });

    test("SPLIT-SUPPRESSION-007 §2.7.7.2 device: no notification when avail.flags is 1", () => {
      const world = open();
      world.split.availFlags = 1;
      for (let n = 0; n < 10; n++) expect(useOne(world)).toBe(false);
    });

    test("SPLIT-SUPPRESSION-008 §2.7.7.2 device: a notification when avail.flags is 0", () => {
      const world = open();
      for (let n = 0; n < 10; n++) expect(useOne(world)).toBe(true);
      // One for a batch, and none without anything new.
      offer(world, readable(0), readable(1), readable(2));
      expect(finish(world, ...take(world, 3))).toBe(true);
      expect(world.device.publish()).toBe(false);
    });

    test("SPLIT-SUPPRESSION-009 §2.7.7.2 device: with EVENT_IDX bit 0 of avail.flags means nothing", () => {
      for (const flags of [0, 1, 0xffff]) {
        const world = open({ eventIdx: true });
        world.split.availFlags = flags;
        world.split.usedEvent = idx(1);
        expect([useOne(world), useOne(world), useOne(world)]).toEqual([false, true, false]);
      }
    });

    test("SPLIT-SUPPRESSION-010 §2.7.7.2 device: a notification when the index just written was used_event", () => {
      const world = open({ eventIdx: true });
      for (let n = 0; n < 12; n++) {
        world.split.usedEvent = idx(n);
        expect(useOne(world)).toBe(true);
      }
    });

    test.each([1, 2, 5, 8])(
      "SPLIT-SUPPRESSION-010 §2.7.7.2 device: a batch of %d fires for each index that it wrote",
      (batch) => {
        // event, new, old: fires for old ≤ event < new, distances modulo 2^16.
        for (let event = -3; event < batch + 3; event++) {
          const world = open({ eventIdx: true });
          world.split.usedEvent = idx(event);
          offer(world, ...Array.from({ length: batch }, (_, i) => readable(i)));
          expect(finish(world, ...take(world, batch))).toBe(event >= 0 && event < batch);
        }
      },
    );

    test("SPLIT-SUPPRESSION-010 §2.7.7.2 device: used_event is read after the index was written", () => {
      const world = open({ eventIdx: true });
      offer(world, readable());
      world.split.usedEvent = idx(100);
      world.device.complete(takeOne(world).token, 0);
      world.split.usedEvent = idx(0);
      expect(world.device.publish()).toBe(true);
    });

    test("SPLIT-SUPPRESSION-011 §2.7.7.2 device: no notification for another index than used_event", () => {
      const world = open({ eventIdx: true });
      for (let n = 0; n < 12; n++) {
        for (const other of [idx(n - 1), idx(n + 1), idx(n + 0x8000)]) {
          world.split.usedEvent = other;
        }
        expect(useOne(world)).toBe(false);
      }
    });

    test("SPLIT-SUPPRESSION-011 §2.7.7.2 device: once fired, silent until the driver names another index", () => {
      const world = open({ eventIdx: true });
      world.split.usedEvent = idx(0);
      expect(useOne(world)).toBe(true);
      for (let n = 0; n < 20; n++) expect(useOne(world)).toBe(false);
    });
  });

  describe("driver: available buffer notifications", () => {
    test("SPLIT-SUPPRESSION-012 §2.7.10.1 driver: used.flags is 0 when the ring is first used, and never written again", () => {
      const world = open();
      expect(world.split.usedFlags).toBe(0);
      world.split.usedFlags = 1; // the device's
      add(world, readable());
      world.driver.publish();
      world.driver.arm(0);
      world.driver.disarm();
      world.driver.takeUsed(1);
      expect(world.split.usedFlags).toBe(1);
    });

    test("SPLIT-SUPPRESSION-013 §2.7.10.1 driver: without EVENT_IDX avail_event means nothing", () => {
      const world = open();
      for (let n = 0; n < 5; n++) {
        world.split.availEvent = idx(n + 100);
        expect(offerOne(world)).toBe(true);
      }
      world.split.usedFlags = 1;
      for (let n = 5; n < 10; n++) {
        world.split.availEvent = idx(n);
        expect(offerOne(world)).toBe(false);
      }
    });

    test("SPLIT-SUPPRESSION-014 §2.7.10.1 driver: no kick when used.flags is 1", () => {
      const world = open();
      world.split.usedFlags = 1;
      for (let n = 0; n < 10; n++) expect(offerOne(world)).toBe(false);
    });

    test("SPLIT-SUPPRESSION-015 §2.7.10.1 driver: a kick when used.flags is 0", () => {
      const world = open();
      for (let n = 0; n < 10; n++) expect(offerOne(world)).toBe(true);
      expect(world.driver.publish().notify).toBe(false); // nothing new
    });

    test("SPLIT-SUPPRESSION-016 §2.7.10.1 driver: with EVENT_IDX bit 0 of used.flags means nothing", () => {
      for (const flags of [0, 1, 0xffff]) {
        const world = open({ eventIdx: true });
        world.split.usedFlags = flags;
        world.split.availEvent = idx(1);
        expect([offerOne(world), offerOne(world), offerOne(world)]).toEqual([false, true, false]);
      }
    });

    test.each([1, 2, 5, 8])(
      "SPLIT-SUPPRESSION-017 §2.7.10.1 driver: a batch of %d kicks for each index that it wrote",
      (batch) => {
        for (let event = -3; event < batch + 3; event++) {
          const world = open({ eventIdx: true });
          world.split.availEvent = idx(event);
          add(world, ...Array.from({ length: batch }, (_, i) => readable(i)));
          expect(world.driver.publish().notify).toBe(event >= 0 && event < batch);
        }
      },
    );

    test("SPLIT-SUPPRESSION-017 §2.7.10.1 driver: avail_event is read after the index was written", () => {
      const world = open({ eventIdx: true });
      world.split.availEvent = idx(100);
      add(world, readable());
      world.split.availEvent = idx(0);
      expect(world.driver.publish().notify).toBe(true);
    });

    test("SPLIT-SUPPRESSION-018 §2.7.10.1 driver: no kick for another index than avail_event", () => {
      const world = open({ eventIdx: true });
      for (let n = 0; n < 12; n++) {
        world.split.availEvent = idx(n + 1 + 0x4000 * (n % 4));
        expect(offerOne(world)).toBe(false);
      }
      world.split.availEvent = idx(12);
      expect(offerOne(world)).toBe(true);
      for (let n = 0; n < 20; n++) expect(offerOne(world)).toBe(false);
    });
  });

  describe("device: available buffer notifications", () => {
    test("SPLIT-SUPPRESSION-019 §2.7.10.2 device: used.flags is 0 or 1 without EVENT_IDX", () => {
      const world = open();
      const seen = new Set<number>();
      for (const step of [
        () => world.device.disarm(),
        () => world.device.arm(),
        () => world.device.disarm(),
      ]) {
        step();
        seen.add(world.split.usedFlags);
        roundTrip(world);
        seen.add(world.split.usedFlags);
      }
      expect([...seen].sort()).toEqual([0, 1]);
      expect(world.split.availEvent).toBe(0);
    });

    test("SPLIT-SUPPRESSION-020 §2.7.10.2 device: flags = 1 says that kicks are unneeded", () => {
      const world = open();
      world.device.disarm();
      expect(world.split.usedFlags).toBe(1);
      expect(offerOne(world)).toBe(false);
      world.device.arm();
      expect(world.split.usedFlags).toBe(0);
      expect(offerOne(world)).toBe(true);
    });

    test("SPLIT-SUPPRESSION-021 §2.7.10.2 device: used.flags stays 0 with EVENT_IDX", () => {
      const world = open({ eventIdx: true });
      for (const step of [
        () => world.device.disarm(),
        () => world.device.arm(),
        () => world.device.disarm(),
      ]) {
        step();
        expect(world.split.usedFlags).toBe(0);
        roundTrip(world);
        expect(world.split.usedFlags).toBe(0);
      }
    });

    test("SPLIT-SUPPRESSION-022 §2.7.10.2 device: avail_event names the available index that is to be told", () => {
      const world = open({ eventIdx: true });
      for (let n = 0; n < 12; n++) {
        expect(world.device.arm()).toBe(false);
        expect(world.split.availEvent).toBe(idx(n));
        expect(offerOne(world)).toBe(true);
      }
      // Taken, not only seen: two are available, one is taken.
      offer(world, readable(0), readable(1));
      take(world, 1);
      expect(world.device.arm()).toBe(true); // look again
      expect(world.split.availEvent).toBe(idx(13));
    });

    test("SPLIT-SUPPRESSION-023 §2.7.10.2 device: a spurious kick finds nothing, and nothing breaks", () => {
      for (const eventIdx of [false, true]) {
        const world = open({ eventIdx });
        for (let i = 0; i < 3; i++) {
          expect(world.device.hasAvailable()).toBe(false);
          expect(world.device.take(8)).toEqual({ chains: [] });
          expect(world.device.publish()).toBe(false);
        }
        expect(world.split.usedIdx).toBe(idx(0));
        roundTrip(world);
        expect(world.device.take(8)).toEqual({ chains: [] });
      }
    });

    test("SPLIT-SUPPRESSION-024 §2.7.13.4 device: a device that never suppresses gets every kick", () => {
      const world = open();
      for (let n = 0; n < 10; n++) expect(offerOne(world)).toBe(true);
      expect(world.split.usedFlags).toBe(0);
    });

    test("SPLIT-SUPPRESSION-024 §2.7.13.4 device: nor must it take every buffer that it was told of", () => {
      const world = open();
      offer(world, writable(0), writable(1));
      finish(world, takeOne(world));
      expect(world.split.usedRing(slot(0))).toEqual([0, 16]);
      expect(world.device.hasAvailable()).toBe(true);
    });
  });
});
