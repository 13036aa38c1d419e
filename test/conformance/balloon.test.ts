/**
 * Clauses of the memory balloon (§5.5) for what is built: no FREE_PAGE_HINT, no PAGE_REPORTING, no legacy interface.
 */
import { describe, expect, it } from "vitest";
import { BalloonDriver, type BalloonDriverOptions } from "../../src/driver/balloon";
import { BALLOON_DRIVER_FEATURES, balloonPoison, balloonValidate } from "../../src/driver/balloon-features";
import type { DriverOptions, VirtioDriver } from "../../src/driver/driver";
import type { BalloonOptions } from "../../src/models/balloon";
import { CONFIG_LAYOUTS } from "../../src/negotiation/config-table";
import type { ControlEvent } from "../../src/negotiation/control-event";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { DEFLATEQ, INFLATEQ, openBalloon, pfnList, STATSQ, statList } from "../models/balloon-rig";
import { LAYOUTS } from "../models/rig";

const POISON = 0xaaaa_aaaa;

interface Wishes {
  readonly device?: BalloonOptions;
  readonly accept?: readonly string[];
  readonly driver?: Partial<DriverOptions>;
  readonly balloon?: BalloonDriverOptions;
}

const without = (...names: string[]) => BALLOON_DRIVER_FEATURES.filter((name) => !names.includes(name));

/** A balloon and its driver, and the configuration writes with the status they came at. */
async function start(ring: readonly string[], wishes: Wishes = {}) {
  let self: VirtioDriver | undefined;
  const writes: (readonly [field: string, status: number])[] = [];
  const opened = await openBalloon(wishes.device, ring, wishes.accept, {
    fill: async () => self && balloonPoison(self, POISON),
    onEvent: ({ step, field, note }: ControlEvent) => {
      if (step === "config" && note === "written") writes.push([field ?? "", self?.lastStatus ?? 0]);
    },
    ...wishes.driver,
  });
  self = opened.driver;
  await self.initialize();
  const balloon = await BalloonDriver.start(opened.driver, opened.core, opened.allocator, wishes.balloon);
  const settle = async () => {
    for (let turn = 0; turn < 12; turn++) {
      opened.device.process();
      await balloon.poll();
    }
  };
  const inflate = async (pages: number) => {
    opened.model.target(pages);
    await settle();
    expect(balloon.size).toBe(pages);
  };
  return { ...opened, balloon, settle, inflate, writes };
}

/** The content of a page, as words. */
const words = (core: { view(gpa: number, length: number): Uint8Array }, pfn: number) =>
  new Uint32Array(core.view(pfn * 4096, 4096).slice().buffer);

describe.each(LAYOUTS)("balloon: features, %s", (_, ring) => {
  it("BALLOON-001 §5.5.3.1 driver: MUST_TELL_HOST is accepted where it is offered", async () => {
    const { driver } = await start(ring);
    expect(driver.negotiated?.has("MUST_TELL_HOST", "balloon")).toBe(true);
  });

  it("BALLOON-002 §5.5.3.1 driver: PAGE_POISON is dropped by a guest that doesn't fill pages", async () => {
    const plain = await start(ring, { driver: { validate: balloonValidate({ fillsPages: false }) } });
    expect(plain.driver.negotiated?.has("PAGE_POISON", "balloon")).toBe(false);
    const filling = await start(ring, { driver: { validate: balloonValidate({ fillsPages: true }) } });
    expect(filling.driver.negotiated?.has("PAGE_POISON", "balloon")).toBe(true);
  });

  it("BALLOON-003 §5.5.3.1 driver: no PAGE_REPORTING without PAGE_POISON in a guest that fills pages", async () => {
    const set = FeatureSet.from(["PAGE_REPORTING"], "balloon");
    const read = () => Promise.reject(new Error("no configuration is read"));
    const context = { offered: set, accepted: set, readConfigField: read, readConfigFields: read };
    expect(balloonValidate({ fillsPages: true })(context)).toEqual(["PAGE_REPORTING"]);
  });

  it("BALLOON-004 §5.5.3.2 device: without MUST_TELL_HOST FEATURES_OK may be refused", async () => {
    const accept = without("MUST_TELL_HOST");
    const refused = openBalloon({ insistsOnTelling: true }, ring, accept);
    await expect(refused).rejects.toThrow("insists on MUST_TELL_HOST");
    await expect(openBalloon({}, ring, accept)).resolves.toBeDefined();
    await expect(openBalloon({ insistsOnTelling: true }, ring)).resolves.toBeDefined();
  });

  it("BALLOON-007 §5.5.4 both: num_pages and actual are always there, poison_val with PAGE_POISON", async () => {
    const fields = ["num_pages", "actual", "free_page_hint_cmd_id", "poison_val"];
    const all = await start(ring);
    expect(await all.driver.readConfigFields(fields)).toEqual([0, 0, undefined, POISON]);
    const few = await start(ring, { device: { offers: [] } });
    expect(await few.driver.readConfigFields(fields)).toEqual([0, 0, undefined, undefined]);
    expect(CONFIG_LAYOUTS.balloon.find(({ name }) => name === "free_page_hint_cmd_id")?.writable).toBe(false);
  });

  it("§5.5.2 device: the statsq exists with STATS_VQ", async () => {
    const has = async (offers: readonly string[]) =>
      (await openBalloon({ offers }, ring)).device.queueMaxSize(STATSQ) > 0;
    expect(await has(["STATS_VQ"])).toBe(true);
    expect(await has(["MUST_TELL_HOST"])).toBe(false);
  });
});

describe.each(LAYOUTS)("balloon: operation, %s", (_, ring) => {
  it("BALLOON-009 §5.5.6.1 driver: supplies pages when num_pages exceeds the balloon", async () => {
    const { inflate, heard } = await start(ring);
    await inflate(7);
    expect(heard.inflated).toHaveLength(7);
  });

  it("BALLOON-010 §5.5.6.1 driver: takes pages back when num_pages is below the balloon, and none at its size", async () => {
    const { inflate, heard } = await start(ring);
    await inflate(7);
    await inflate(7);
    expect(heard.deflated).toEqual([]);
    await inflate(5);
    expect(heard.deflated).toHaveLength(2);
  });

  // As published the clause says "num_pages less than or equal", which would forbid what the one above it allows.
  it("BALLOON-011 §5.5.6.1 driver: takes none back by itself without DEFLATE_ON_OOM", async () => {
    const { inflate, balloon, settle, heard } = await start(ring, { accept: without("DEFLATE_ON_OOM") });
    await inflate(7);
    expect(await balloon.reclaim(3)).toBe(0);
    await settle();
    expect(heard.deflated).toEqual([]);
  });

  it("BALLOON-012 BALLOON-013 §5.5.6.1 driver: with DEFLATE_ON_OOM it may, through the deflateq", async () => {
    const { inflate, balloon, settle, heard, model } = await start(ring);
    await inflate(7);
    expect(await balloon.reclaim(3)).toBe(3);
    await settle();
    expect(heard.deflated).toHaveLength(3);
    expect(model.actual).toBe(4);
  });

  it.each([
    [
      "BALLOON-014 §5.5.6.1 driver: with MUST_TELL_HOST a page is used after the deflate request was used",
      [],
    ],
    ["BALLOON-015 §5.5.6.1 driver: without MUST_TELL_HOST it need not be earlier", ["MUST_TELL_HOST"]],
  ])("%s", async (_, missing) => {
    const { inflate, balloon, allocator, model, device } = await start(ring, { accept: without(...missing) });
    await inflate(4);
    const before = allocator.available;
    model.target(0);
    await balloon.poll();
    await balloon.poll();
    expect(allocator.available).toBe(before);
    expect(model.actual).toBe(4);
    device.process();
    expect(allocator.available).toBe(before);
    await balloon.poll();
    expect(allocator.available).toBe(before + 4 * 4096);
  });

  it("BALLOON-015 §5.5.6.1 device: a driver without MUST_TELL_HOST may write pages before that", async () => {
    const { rig, core, heard } = await openBalloon({}, ring, []);
    rig.ask([pfnList(900)], [], INFLATEQ);
    rig.send([pfnList(900)], [], DEFLATEQ);
    core.view(900 * 4096, 4096).fill(7);
    rig.device.process();
    expect(heard.deflated).toEqual([900]);
    expect(core.view(900 * 4096, 4096).every((byte) => byte === 7)).toBe(true);
  });

  it("BALLOON-016 BALLOON-017 §5.5.6.1 driver: a page is neither used nor asked back before its inflate was used", async () => {
    const { model, balloon, allocator, queueAt } = await start(ring);
    model.target(4);
    await balloon.poll();
    const before = allocator.available;
    model.target(0);
    for (let turn = 0; turn < 3; turn++) await balloon.poll();
    expect(queueAt(INFLATEQ).inFlight).toBe(1);
    expect(queueAt(DEFLATEQ).inFlight).toBe(0);
    expect(allocator.available).toBe(before);
  });

  it("BALLOON-018 BALLOON-019 §5.5.6.1 driver: actual is written after a change, once the device has acknowledged it", async () => {
    const { model, balloon, settle, device, writes } = await start(ring, { balloon: { batch: 4 } });
    writes.length = 0;
    model.target(10);
    await balloon.poll();
    expect(writes).toEqual([]);
    device.process();
    await balloon.poll();
    expect(model.actual).toBe(4);
    await settle();
    expect(model.actual).toBe(10);
    expect(writes.map(([field]) => field)).toEqual(["actual", "actual", "actual"]);
    await settle();
    expect(writes).toHaveLength(3);
  });

  it("BALLOON-020 §5.5.6.2 device: a page may be changed from its inflate request to the use of that", async () => {
    let wipe = (_: readonly number[]) => {};
    const { rig, core } = await openBalloon({ onInflate: (pfns) => wipe(pfns) }, ring);
    wipe = (pfns) => {
      expect(rig.used(INFLATEQ)).toEqual([]);
      for (const pfn of pfns) core.view(pfn * 4096, 4096).fill(0xdd);
    };
    rig.ask([pfnList(900)], [], INFLATEQ);
    expect(core.view(900 * 4096, 4096).every((byte) => byte === 0xdd)).toBe(true);
  });

  it("BALLOON-021 §5.5.6.2 device: with MUST_TELL_HOST also until its deflate request is used: the driver minds not", async () => {
    const { inflate, heard, core, settle, model } = await start(ring);
    await inflate(2);
    for (const pfn of heard.inflated) core.view(pfn * 4096, 4096).fill(0xdd);
    model.target(0);
    await settle();
    for (const pfn of heard.deflated) expect(words(core, pfn).every((word) => word === POISON)).toBe(true);
    expect(heard.deflated).toHaveLength(2);
  });
});

describe.each(LAYOUTS)("balloon: statistics, %s", (_, ring) => {
  const statistics = new Map([
    [5, () => 50],
    [0, () => 7],
  ]);

  it("BALLOON-025 §5.5.6.3.1 driver: one buffer after initialisation, and a new one after each use", async () => {
    const { model, settle, device, balloon, queueAt } = await start(ring);
    expect(queueAt(STATSQ).inFlight).toBe(1);
    for (let lap = 0; lap < 3; lap++) {
      model.requestStats();
      device.process();
      expect(queueAt(STATSQ).inFlight).toBe(1);
      await balloon.poll();
      expect(queueAt(STATSQ).inFlight).toBe(1);
      await settle();
    }
    const silent = await start(ring, { accept: without("STATS_VQ") });
    expect(silent.queueAt(STATSQ).inFlight).toBe(0);
  });

  it("BALLOON-026 §5.5.6.3.1 driver: every buffer, the first one too, is filled and a multiple of 6 bytes", async () => {
    const { rig, device } = await start(ring, { balloon: { statistics } });
    const queue = rig.queueAt(STATSQ);
    const area = Number(queue.areas.descriptor);
    const descriptor = rig.core.view(area, 16);
    const fields = new DataView(descriptor.buffer, descriptor.byteOffset, 16);
    const length = fields.getUint32(8, true);
    const list = rig.core.view(Number(fields.getBigUint64(0, true)), length);
    expect([length % 6, length % 10]).toEqual([0, 0]);
    expect(list.subarray(0, 20)).toEqual(statList([5, 50n], [0, 7n]));
    expect(device.process()).toBe("done");
  });

  it("BALLOON-027 BALLOON-028 §5.5.6.3.1 driver: any subset in any order, and the same one every time", async () => {
    const { model, settle, heard } = await start(ring, { balloon: { statistics } });
    for (let lap = 0; lap < 3; lap++) {
      model.requestStats();
      await settle();
    }
    expect(heard.stats.map((stats) => stats.map(({ tag }) => tag))).toEqual([
      [5, 0],
      [5, 0],
      [5, 0],
    ]);
  });

  it("BALLOON-029 §5.5.6.3.2 device: ignores unknown tags and takes any order", async () => {
    const { rig, model, heard } = await openBalloon({}, ring);
    rig.send([statList([4, 1n])], [], STATSQ);
    model.requestStats();
    rig.device.process();
    rig.send([statList([9, 1n], [10, 2n], [0, 3n], [0xffff, 4n], [4, 5n])], [], STATSQ);
    rig.device.process();
    expect(heard.stats).toEqual([
      [
        { tag: 9, value: 1n },
        { tag: 0, value: 3n },
        { tag: 4, value: 5n },
      ],
    ]);
    expect(model.breaches).toBe(0);
  });
});

describe.each(LAYOUTS)("balloon: page poison, %s", (_, ring) => {
  it("BALLOON-046 §5.5.6.6.1 driver: a page that is taken back is filled with poison_val", async () => {
    const { inflate, heard, core } = await start(ring);
    await inflate(3);
    await inflate(1);
    expect(heard.deflated).toHaveLength(2);
    for (const pfn of heard.deflated) expect(words(core, pfn).every((word) => word === POISON)).toBe(true);
    const plain = await start(ring, { accept: without("PAGE_POISON") });
    await plain.inflate(1);
    await plain.inflate(0);
    expect(plain.heard.deflated.map((pfn) => words(plain.core, pfn)[0])).toEqual([0]);
  });

  it("BALLOON-047 BALLOON-048 §5.5.6.6.1 driver: poison_val is written between FEATURES_OK and DRIVER_OK, and not later", async () => {
    const { inflate, writes, violations } = await start(ring);
    await inflate(5);
    await inflate(0);
    expect(writes.filter(([field]) => field === "poison_val")).toEqual([["poison_val", 0x0b]]);
    expect(violations).toEqual([]);
    const plain = await start(ring, { accept: without("PAGE_POISON") });
    expect(plain.writes.filter(([field]) => field === "poison_val")).toEqual([]);
  });

  it("BALLOON-049 §5.5.6.6.2 device: knows poison_val as a hint where PAGE_POISON is negotiated", async () => {
    const { model, driver } = await start(ring);
    expect(model.poisonValue).toBe(POISON);
    await driver.initialize({ supports: [...ring, ...without("PAGE_POISON")] });
    expect(model.poisonValue).toBeUndefined();
  });
});
