/**
 * Notifications at the edges: NOTIFY_ON_EMPTY of the legacy interface (§6.3), the second look of a
 * driver that arms with a delay (§2.7.7), across the wrap of the index, and a used index ahead of what is in flight.
 */
import { describe, expect, test } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { ringLayout } from "../../src/virtqueue/layout";
import { eachSplit } from "../conformance/bench";
import { add, finish, offer, takeOne, takeUsed, writable } from "../ring-steps";

describe.each([[["NOTIFY_ON_EMPTY"]], [["NOTIFY_ON_EMPTY", "EVENT_IDX"]]])("with %j", (features) => {
  const core = loadCoreSync({ guestBytes: 65536 });
  const areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
  const options = { index: 0, ring: ringLayout(FeatureSet.of(...features)), size: 8, areas };
  const driver = new DriverQueue(core, options);
  const device = new DeviceQueue(core, options);
  const segment = { address: 0x8000, length: 16 };

  test("a device that used everything notifies although notifications are off, and only then", () => {
    for (let round = 0; round < 10; round++) {
      driver.arm(7); // with EVENT_IDX far ahead; without it, the flag
      driver.disarm();
      const tokens = [driver.add([segment]), driver.add([segment]), driver.add([segment])];
      expect(tokens).not.toContain(0);
      driver.publish();
      expect(device.take(2)).toBe(2);
      const [first, second] = [device.chain(0).token, device.chain(1).token];
      device.complete(first, 0);
      expect(device.publish()).toBe(false); // one is taken and not used, one is available
      device.complete(second, 0);
      expect(device.publish()).toBe(false); // one is available
      expect(device.take()).toBe(1);
      driver.add([segment]);
      driver.publish();
      const third = device.chain(0).token;
      expect(device.take()).toBe(1);
      device.complete(third, 0);
      expect(device.publish()).toBe(false); // one is taken and not used
      device.complete(device.chain(0).token, 0);
      expect(device.publish()).toBe(true);
      expect(driver.takeUsed()).toBe(4);
    }
  });
});

eachSplit(({ open, idx }) => {
  test.each([{}, { eventIdx: true }])(
    "the second look sees what is used, whatever the delay, with %o",
    (features) => {
      const world = open(features);
      for (let n = 0; n < 20; n++) {
        offer(world, writable(0));
        expect([0, 1, 8].map((ahead) => world.driver.arm(ahead))).toEqual([false, false, false]);
        finish(world, takeOne(world));
        expect([0, 1, 8].map((ahead) => world.driver.arm(ahead))).toEqual([true, true, true]);
        takeUsed(world);
      }
    },
  );

  test.each([1, 2, 7])(
    "a used index %d ahead of what is in flight is a breach before anything is taken",
    (more) => {
      const world = open();
      add(world, writable(0));
      world.driver.publish();
      for (let slot = 0; slot < 8; slot++) world.split.setUsedRing(slot, 0, 0);
      world.split.usedIdx = idx(1 + more);
      expect(world.driver.takeUsed(8)).toEqual({ used: [], error: "USED_INDEX_JUMP" });
    },
  );
});
