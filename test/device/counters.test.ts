/** What a device counts, over all its queues and through its resets. */
import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import { makeRig, roundTrips, started } from "../control-rig";

const TWO = { queues: ["a", "b"].map((name) => ({ name, maxSize: 16 })) };

describe.each([["VERSION_1"], ["VERSION_1", "RING_PACKED", "RING_RESET"]])("counters, %s", (...supports) => {
  it("add up over queues, and go on through resets", async () => {
    const rig = await started(makeRig({ model: TWO, supports }));
    roundTrips(rig, 3, 0);
    roundTrips(rig, 2, 1);
    const before = rig.device.counters;
    expect(before).toEqual({
      chains: 5,
      bytesToDevice: 5 * 64,
      bytesFromDevice: 0,
      availableNotifications: 5,
      usedNotifications: 5,
      usedSuppressed: 0,
      drops: 0,
      violations: 0,
    });
    await rig.driver.reset();
    expect(rig.device.counters).toEqual(before);
    await started(rig);
    if (supports.includes("RING_RESET")) await rig.driver.resetQueue(0);
    roundTrips(rig, 1, 0);
    expect(rig.device.counters).toMatchObject({ chains: 6, availableNotifications: 6 });
    expect(before.chains).toBe(5);
  });

  it("hold breaches and what the model gave up", async () => {
    const rig = await started(makeRig({ supports }));
    Object.assign(rig.model, { drops: 4 });
    rig.device.notify(7);
    rig.device.needsReset(new VirtioError("INTERNAL", "a test"));
    expect(rig.device.counters).toMatchObject({ drops: 4, violations: 2, availableNotifications: 1 });
  });

  it("go on in a restored device from what it has done itself", async () => {
    const rig = await started(makeRig({ supports }));
    roundTrips(rig, 2);
    const image = rig.device.save();
    const other = makeRig({ supports });
    other.device.restore(image);
    expect(other.device.counters.chains).toBe(0);
  });
});

it("canSave says what save() would say", async () => {
  const rig = await started(makeRig());
  expect(rig.device.canSave).toBe(true);
  rig.model.holds = true;
  rig.driver.queues[0]?.add([{ address: rig.allocator.allocate(8), length: 8 }], []);
  await rig.driver.kick(0);
  rig.device.process();
  expect(rig.device.canSave).toBe(false);
  expect(() => rig.device.save()).toThrow(/1 chains and 0 answers/);
  await rig.driver.reset();
  expect(rig.device.canSave).toBe(true);
});
