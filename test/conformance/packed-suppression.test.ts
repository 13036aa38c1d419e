/**
 * Area "packed-suppression" of the clause catalogue (§2.8.10, §2.8.14), over {model, release, shared, queues} × starts.
 * Three positions in each test of an event: the one asked for, the one before what was just written, the one behind it.
 */
import { describe, expect, test } from "vitest";
import { add, finish, offer, readable, take, takeOne, takeUsed, writable } from "../ring-steps";
import type { World } from "../rings";
import { eachPacked, outside } from "./bench";

const ENABLE = 0;
const DISABLE = 1;
const DESC = 2;
const RESERVED = 3;

const NEXT = { readable: [{ address: 0x8000, length: 4 }], writable: [{ address: 0x8100, length: 4 }] };

/** Offers `count` buffers at once; must a kick follow? */
function offerMany(world: World, count: number): boolean {
  add(world, ...Array.from({ length: count }, (_, i) => readable(i)));
  return world.driver.publish().notify;
}

/** Uses `count` buffers at once; must a used buffer notification follow? */
function useMany(world: World, count: number): boolean {
  offer(world, ...Array.from({ length: count }, (_, i) => writable(i)));
  return finish(world, ...take(world, count));
}

eachPacked(({ open, slot, offWrap }) => {
  describe.each([false, true])("EVENT_IDX %s", (eventIdx) => {
    test.each([
      [ENABLE, true],
      [DISABLE, false],
      [RESERVED, true], // §2.8.10 gives it no meaning: notifying is the safe side
    ])("PACKED-SUPPRESSION-001 §2.8.10 device: driver event flags %d: notify %s", (flags, notify) => {
      const world = open({ eventIdx });
      world.packed.driverEvent = [offWrap(0), flags];
      for (let i = 0; i < 9; i++) {
        expect(useMany(world, 1)).toBe(notify);
        takeUsed(world);
      }
    });

    test.each([
      [ENABLE, true],
      [DISABLE, false],
      [RESERVED, true],
    ])("PACKED-SUPPRESSION-001 §2.8.10 driver: device event flags %d: notify %s", (flags, notify) => {
      const world = open({ eventIdx });
      world.packed.deviceEvent = [offWrap(0), flags];
      for (let i = 0; i < 9; i++) {
        expect(offerMany(world, 1)).toBe(notify);
        finish(world, takeOne(world));
        takeUsed(world);
      }
    });

    test("PACKED-SUPPRESSION-002 §2.8.10 both: 2 is written only with EVENT_IDX, otherwise 0 and 1", () => {
      const world = open({ eventIdx });
      const seen = new Set<number>();
      for (const step of ["arm", "disarm", "arm"] as const) {
        if (step === "arm") world.driver.arm(0);
        else world.driver.disarm();
        world.device[step]();
        seen.add(world.packed.driverEvent[1]).add(world.packed.deviceEvent[1]);
      }
      expect([...seen].sort()).toEqual(eventIdx ? [DISABLE, DESC] : [ENABLE, DISABLE]);
    });

    test("PACKED-SUPPRESSION-004 §2.8.10 both: the other side's structure is read after the descriptors are written", () => {
      const world = open({ eventIdx });
      world.packed.deviceEvent = [0, DISABLE];
      world.packed.driverEvent = [0, DISABLE];
      add(world, readable());
      world.packed.deviceEvent = [0, ENABLE];
      expect(world.driver.publish().notify).toBe(true);
      expect(world.device.complete(takeOne(world).token, 0)).toBeUndefined();
      world.packed.driverEvent = [0, ENABLE];
      expect(world.device.publish()).toBe(true);
    });

    test("PACKED-SUPPRESSION-004 §2.8.10 both: nothing new, no notification", () => {
      const world = open({ eventIdx });
      expect([world.driver.publish().notify, world.device.publish()]).toEqual([false, false]);
    });

    test("PACKED-SUPPRESSION-005 §2.8.14 both: offset in 15 bits, wrap counter above it, flags in 2 bits, the rest 0", () => {
      const world = open({ eventIdx });
      for (let n = 0; n < 20; n++) {
        world.driver.arm(0);
        world.device.arm();
        const expected = eventIdx ? [offWrap(n), DESC] : [0, ENABLE];
        expect(world.packed.driverEvent).toEqual(expected);
        expect(world.packed.deviceEvent).toEqual(expected);
        useMany(world, 1);
        takeUsed(world);
      }
      world.driver.disarm();
      world.device.disarm();
      expect([world.packed.driverEvent[1], world.packed.deviceEvent[1]]).toEqual([DISABLE, DISABLE]);
    });

    test("PACKED-SUPPRESSION-005 §2.8.14 both: reserved bits of the flags mean nothing", () => {
      const world = open({ eventIdx });
      world.packed.driverEvent = [0, 0xfffc | DISABLE];
      world.packed.deviceEvent = [0, 0xfffc | DISABLE];
      expect([offerMany(world, 1), finish(world, takeOne(world))]).toEqual([false, false]);
      takeUsed(world);
      world.packed.driverEvent = [0, 0xfffc];
      world.packed.deviceEvent = [0, 0xfffc];
      expect([offerMany(world, 1), finish(world, takeOne(world))]).toEqual([true, true]);
    });

    test("PACKED-SUPPRESSION-006 §2.8.10 device: the device area is the device's, the driver area the driver's", () => {
      const world = open({ eventIdx });
      const ring = [0x1000, 128] as const;
      const driverOwn = outside(world, ring, [0x2000, 4]);
      offer(world, NEXT, writable(2));
      world.driver.arm(1);
      world.driver.disarm();
      expect(outside(world, ring, [0x2000, 4]).equals(driverOwn)).toBe(true);
      const deviceOwn = outside(world, ring, [0x2010, 4]);
      world.device.arm();
      finish(world, ...take(world, 2));
      world.device.disarm();
      expect(outside(world, ring, [0x2010, 4]).equals(deviceOwn)).toBe(true);
    });
  });

  describe("value 2", () => {
    test("PACKED-SUPPRESSION-002 §2.8.10 both: without EVENT_IDX it names no descriptor: notify", () => {
      const world = open();
      world.packed.driverEvent = [offWrap(5), DESC];
      world.packed.deviceEvent = [offWrap(5), DESC];
      expect([offerMany(world, 1), finish(world, takeOne(world))]).toEqual([true, true]);
    });

    test.each([1, 2, 3, 5, 8])(
      "PACKED-SUPPRESSION-003 §2.8.10 driver: a batch of %d kicks for each descriptor that it passed",
      (batch) => {
        for (let event = -3; event < batch + 3; event++) {
          const world = open({ eventIdx: true });
          world.packed.deviceEvent = [offWrap(event), DESC];
          expect(offerMany(world, batch), `event ${event}`).toBe(event >= 0 && event < batch);
        }
      },
    );

    test.each([1, 2, 3, 5, 8])(
      "PACKED-SUPPRESSION-003 §2.8.10 device: a batch of %d notifies for each descriptor that it passed",
      (batch) => {
        for (let event = -3; event < batch + 3; event++) {
          const world = open({ eventIdx: true });
          world.packed.driverEvent = [offWrap(event), DESC];
          expect(useMany(world, batch), `event ${event}`).toBe(event >= 0 && event < batch);
        }
      },
    );

    test("PACKED-SUPPRESSION-003 §2.8.10 device: every descriptor of a list is passed when the list is used", () => {
      for (const event of [-1, 0, 1, 2, 3, 4]) {
        const world = open({ eventIdx: true });
        world.packed.driverEvent = [offWrap(event), DESC];
        offer(world, NEXT, NEXT);
        expect(finish(world, ...take(world, 2)), `event ${event}`).toBe(event >= 0 && event < 4);
      }
    });

    test("PACKED-SUPPRESSION-003 §2.8.10 both: the same offset in the other lap is another descriptor", () => {
      const world = open({ eventIdx: true });
      world.packed.driverEvent = [offWrap(8), DESC];
      world.packed.deviceEvent = [offWrap(8), DESC];
      for (let n = 0; n < 12; n++) {
        expect(offerMany(world, 1)).toBe(n === 8);
        expect(finish(world, takeOne(world))).toBe(n === 8);
        takeUsed(world);
      }
    });

    test("PACKED-SUPPRESSION-003 §2.8.10 driver: arming ahead names the descriptor so many further on", () => {
      const world = open({ eventIdx: true });
      for (let ahead = 0; ahead < 8; ahead++) {
        world.driver.arm(ahead);
        expect(world.packed.driverEvent).toEqual([offWrap(ahead), DESC]);
      }
      world.driver.arm(3);
      const notified = Array.from({ length: 6 }, () => {
        const due = useMany(world, 1);
        takeUsed(world);
        return due;
      });
      expect(notified).toEqual([false, false, false, true, false, false]);
      expect(slot(6)).toBe(world.driver.state().used & 0x7fff);
    });
  });
});
