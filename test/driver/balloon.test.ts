// The balloon driver against the balloon model: it follows num_pages, tells what it has, answers for statistics (§5.5.6).
import { describe, expect, it } from "vitest";
import { BalloonDriver, type BalloonDriverOptions } from "../../src/driver/balloon";
import { BALLOON_DRIVER_FEATURES, balloonPoison, balloonValidate } from "../../src/driver/balloon-features";
import type { VirtioDriver } from "../../src/driver/driver";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { openBalloon } from "../models/balloon-rig";
import { LAYOUTS } from "../models/rig";

async function open(
  ring: readonly string[] = ["VERSION_1"],
  accept: readonly string[] = BALLOON_DRIVER_FEATURES,
  options: BalloonDriverOptions = {},
) {
  let self: VirtioDriver | undefined;
  const opened = await openBalloon({}, ring, accept, {
    fill: async () => self && balloonPoison(self, 0x1234_5678),
  });
  self = opened.driver;
  await self.initialize();
  const balloon = await BalloonDriver.start(opened.driver, opened.core, opened.allocator, options);
  /** Lets both sides work until the balloon stands still. */
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) {
      opened.device.process();
      await balloon.poll();
    }
    return balloon.size;
  };
  return { ...opened, balloon, settle };
}

describe.each(LAYOUTS)("a balloon driver on %s", (_, ring) => {
  it("follows num_pages up and down, and says so", async () => {
    const { balloon, model, heard, settle, allocator } = await open(ring, undefined, { batch: 16 });
    const before = allocator.available;
    model.target(50);
    expect(await settle()).toBe(50);
    expect(model.actual).toBe(50);
    expect(new Set(heard.inflated).size).toBe(50);
    expect(before - allocator.available).toBe(50 * 4096);
    model.target(10);
    expect(await settle()).toBe(10);
    expect(model.actual).toBe(10);
    expect(heard.deflated).toHaveLength(40);
    expect(heard.deflated.every((pfn) => heard.inflated.includes(pfn))).toBe(true);
    model.target(0);
    await settle();
    expect(allocator.available).toBe(before);
    expect(balloon.size).toBe(0);
    expect(model.breaches + model.ignoredPages).toBe(0);
  });

  it("answers for statistics as often as it is asked", async () => {
    let swapped = 0;
    const statistics = new Map<number, () => number | bigint>([
      [0, () => ++swapped],
      [9, () => 2n ** 40n],
    ]);
    const { model, heard, settle } = await open(ring, undefined, { statistics });
    for (let lap = 0; lap < 3; lap++) {
      model.requestStats();
      await settle();
    }
    expect(heard.stats.map((stats) => stats.map(({ tag, value }) => [tag, value]))).toEqual(
      [2n, 3n, 4n].map((value) => [
        [0, value],
        [9, 2n ** 40n],
      ]),
    );
    expect(model.breaches).toBe(0);
  });
});

describe("a balloon driver", () => {
  it("gives what there is when more is wanted than it has", async () => {
    const { model, settle, allocator, balloon } = await open(undefined, undefined, { batch: 256 });
    model.target(2 ** 32 - 1);
    const size = await settle();
    expect(size).toBeGreaterThan(900);
    expect(allocator.available).toBeLessThan(3 * 4096);
    expect(model.actual).toBe(size);
    model.target(0);
    expect(await settle()).toBe(0);
    expect(balloon.size).toBe(0);
  });

  it("fills pages that it takes back with poison_val", async () => {
    const { model, heard, settle, core } = await open();
    model.target(3);
    await settle();
    model.target(2);
    await settle();
    const [page = 0] = heard.deflated;
    const words = new Uint32Array(core.view(page * 4096, 4096).slice().buffer);
    expect(words.every((word) => word === 0x1234_5678)).toBe(true);
    expect(model.poisonValue).toBe(0x1234_5678);
  });

  it("takes pages back for want of memory, and keeps them until num_pages changes", async () => {
    const { model, settle, balloon } = await open();
    model.target(20);
    await settle();
    expect(await balloon.reclaim(0)).toBe(0);
    expect(await balloon.reclaim(5)).toBe(5);
    expect(await balloon.reclaim(5)).toBe(0);
    expect(await settle()).toBe(15);
    expect(model.actual).toBe(15);
    model.target(21);
    expect(await settle()).toBe(21);
  });

  it("gives all memory back after a reset, and needs an initialised device", async () => {
    const { model, settle, balloon, driver, allocator, core } = await open();
    model.target(20);
    await settle();
    model.target(30);
    await balloon.poll();
    await driver.reset();
    balloon.dispose();
    const free = allocator.available;
    expect(free).toBe(0x400000);
    await expect(BalloonDriver.start(driver, core, allocator)).rejects.toThrow("not initialised");
  });

  it("passes on that the device needs a reset", async () => {
    const { balloon, device, driver } = await open();
    device.needsReset(Object.assign(new Error("x"), { code: "INTERNAL" }) as never);
    expect(driver.lastStatus & 0x40).toBe(0x40);
    await expect(balloon.poll()).rejects.toThrow(expect.objectContaining({ code: "DEVICE_NEEDS_RESET" }));
  });
});

describe("before FEATURES_OK", () => {
  const validate = (fillsPages: boolean, ...accepted: string[]) => {
    const set = FeatureSet.from(accepted, "balloon");
    const read = () => Promise.reject(new Error("no configuration is read"));
    return balloonValidate({ fillsPages })({
      offered: set,
      accepted: set,
      readConfigField: read,
      readConfigFields: read,
    });
  };

  it.each<[boolean, string[], string[]]>([
    [true, ["PAGE_POISON", "PAGE_REPORTING"], []],
    [false, ["PAGE_POISON", "PAGE_REPORTING"], ["PAGE_POISON"]],
    [true, ["PAGE_REPORTING"], ["PAGE_REPORTING"]],
    [false, ["PAGE_REPORTING"], []],
    [true, ["INDIRECT_DESC", "ACCESS_PLATFORM", "PAGE_POISON"], ["INDIRECT_DESC", "ACCESS_PLATFORM"]],
    [true, ["STATS_VQ"], []],
  ])("a guest that fills pages: %s, accepted %j, drops %j", (fillsPages, accepted, dropped) => {
    expect(validate(fillsPages, ...accepted)).toEqual(dropped);
  });

  it("the reserved bit vanishes in the second write", async () => {
    const { driver, negotiated } = await openBalloon({}, ["VERSION_1", "INDIRECT_DESC"], ["PAGE_POISON"], {
      validate: balloonValidate({ fillsPages: false }),
    }).then(({ driver }) => ({ driver, negotiated: driver.negotiated }));
    expect(negotiated?.equals(FeatureSet.from(["VERSION_1"]))).toBe(true);
    expect(driver.offered.has("INDIRECT_DESC")).toBe(true);
  });
});
