// The balloon device: lists of pages however they are cut, statistics on demand, configuration, hostile drivers (§5.5).
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import { VirtioDriver } from "../../src/driver/driver";
import { BalloonModel } from "../../src/models/balloon";
import { Loopback } from "../../src/transport/loopback";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { DEFLATEQ, INFLATEQ, openBalloon, pfnList, STATSQ, statList } from "./balloon-rig";
import { cut, LAYOUTS } from "./rig";

describe.each(LAYOUTS)("a balloon on %s", (_, ring) => {
  it("hears which pages it gets and which are taken back", async () => {
    const { rig, heard } = await openBalloon({}, ring);
    expect(rig.ask([pfnList(1, 2, 3)], [], INFLATEQ).length).toBe(0);
    expect(rig.ask([pfnList(2)], [], DEFLATEQ).length).toBe(0);
    expect(heard).toEqual({ inflated: [1, 2, 3], deflated: [2], stats: [] });
  });

  it.each([[[1]], [[3, 2, 1]], [[4, 4]], [[1, 1, 1, 1, 1]], [[11]]])(
    "reads a list cut into buffers of %j and the rest",
    async (lengths) => {
      const { rig, heard } = await openBalloon({}, ring);
      rig.ask(cut(pfnList(0x101, 0x202, 0x303), lengths), [], INFLATEQ);
      expect(heard.inflated).toEqual([0x101, 0x202, 0x303]);
    },
  );

  it("asks for statistics by using the buffer, reads the next one, and holds none", async () => {
    const { rig, model, heard } = await openBalloon({}, ring);
    const first = rig.send([statList([4, 1n])], [], STATSQ);
    expect(rig.device.process()).toBe("done");
    expect(rig.used(STATSQ)).toEqual([]);
    for (let lap = 0; lap < 5; lap++) {
      expect(model.requestStats()).toBe(true);
      rig.device.process();
      expect(rig.used(STATSQ)).toHaveLength(1);
      expect(heard.stats).toHaveLength(lap);
      rig.send([statList([0, BigInt(lap)], [5, 2n ** 63n])], [], STATSQ);
      expect(rig.device.process()).toBe("done");
      expect(heard.stats[lap]).toEqual([
        { tag: 0, value: BigInt(lap) },
        { tag: 5, value: 2n ** 63n },
      ]);
      expect(rig.used(STATSQ)).toEqual([]);
    }
    expect(first.token).toBeGreaterThan(0);
    expect(model.breaches).toBe(0);
  });
});

describe("a balloon", () => {
  it("says what it wants, and hears what it has", async () => {
    let changes = 0;
    const { driver, model } = await openBalloon({}, undefined, undefined, {
      onConfigChange: () => changes++,
    });
    model.target(300);
    expect(changes).toBe(1);
    expect(await driver.readConfigField("num_pages")).toBe(300);
    await driver.writeConfigField("actual", 200);
    expect(model.actual).toBe(200);
    await driver.reset();
    expect(model.actual).toBe(0);
    await driver.initialize();
    expect(await driver.readConfigField("num_pages")).toBe(300);
  });

  it("waits with statistics for the first buffer, and takes several requests for one", async () => {
    const { rig, model, heard } = await openBalloon();
    model.requestStats();
    model.requestStats();
    rig.device.process();
    rig.send([statList([4, 1n])], [], STATSQ);
    rig.device.process();
    expect(rig.used(STATSQ)).toHaveLength(1);
    model.requestStats();
    rig.send([statList([4, 2n])], [], STATSQ);
    expect(rig.device.process()).toBe("done");
    expect(heard.stats).toEqual([[{ tag: 4, value: 2n }]]);
    expect(rig.used(STATSQ)).toEqual([]);
  });

  it("may be asked for statistics by who just heard some", async () => {
    const seen: bigint[] = [];
    const { rig, model } = await openBalloon({
      onStats: ([stat]) => {
        seen.push(stat?.value ?? 0n);
        if (seen.length < 3) model.requestStats();
      },
    });
    rig.send([statList([4, 0n])], [], STATSQ);
    model.requestStats();
    for (let lap = 1n; lap <= 3n; lap++) {
      rig.device.process();
      expect(rig.used(STATSQ)).toHaveLength(1);
      rig.send([statList([4, lap])], [], STATSQ);
    }
    rig.device.process();
    expect(seen).toEqual([1n, 2n, 3n]);
  });

  it("asks nobody for statistics who didn't negotiate them", async () => {
    const { rig, model } = await openBalloon({}, undefined, ["MUST_TELL_HOST"]);
    expect(model.requestStats()).toBe(false);
    rig.send([statList([4, 1n])], [], STATSQ);
    rig.device.process();
    expect(rig.used(STATSQ)).toEqual([]);
    const stopped = await openBalloon();
    await stopped.driver.reset();
    expect(stopped.model.requestStats()).toBe(false);
  });

  it.each([
    [{ offers: ["FREE_PAGE_HINT"] }, "the balloon model cannot offer FREE_PAGE_HINT"],
    [{ offers: ["STAT_VQ"] }, "did you mean STATS_VQ?"],
  ])("options %j", (options, message) => {
    expect(() => new BalloonModel(options)).toThrow(message);
  });

  it.each([-1, 0.5, 2 ** 32, Number.NaN])("no target of %d pages", (pages) => {
    expect(() => new BalloonModel().target(pages)).toThrow("are not within 0…4294967295");
  });
});

describe("hostile drivers", () => {
  it.each([
    ["a list of 3 bytes", INFLATEQ, [Uint8Array.of(1, 0, 0)], [], []],
    ["a list of 9 bytes", INFLATEQ, [new Uint8Array([...pfnList(1, 2), 3])], [], [1, 2]],
    ["no list", INFLATEQ, [], [8], []],
    ["a list with a writable buffer behind it", INFLATEQ, [pfnList(5)], [8], [5]],
    ["the same on the deflateq", DEFLATEQ, [pfnList(5)], [8], []],
  ])("%s: survived, used and counted", async (_, index, readable, writable, inflated) => {
    const { rig, model, heard } = await openBalloon();
    expect(rig.ask(readable, writable, index).length).toBe(0);
    expect(model.breaches).toBe(1);
    expect(heard.inflated).toEqual(inflated);
    expect(rig.ask([pfnList(9)], [], INFLATEQ).length).toBe(0);
    expect(heard.inflated).toEqual([...inflated, 9]);
  });

  it("pages outside of guest RAM: counted, and nobody hears of them", async () => {
    const { rig, model, heard } = await openBalloon();
    const last = 0x400000 / 4096 - 1;
    rig.ask([pfnList(last + 1, 0xffffffff, last, 0x100000)], [], INFLATEQ);
    expect(heard.inflated).toEqual([last]);
    expect(model.ignoredPages).toBe(3);
    expect(model.breaches).toBe(0);
  });

  it("pages that guest RAM holds in part, or read-only: the same", async () => {
    const core = loadCoreSync({
      memory: new WebAssembly.Memory({ initial: 48 }),
      regions: [
        { gpa: 0, base: 0x10000, size: 0x100800 },
        { gpa: 0x200000, base: 0x180000, size: 0x1000, readOnly: true },
      ],
      state: { base: 0x200000, size: 0x100000 },
    });
    const pages: number[] = [];
    const model = new BalloonModel({ onInflate: (pfns) => void pages.push(...pfns) });
    const device = new VirtioDevice(core, model);
    const allocator = new GuestAllocator(core, { gpa: 0, size: 0x80000 });
    const driver = new VirtioDriver({ port: new Loopback(device), core, allocator, supports: ["VERSION_1"] });
    await driver.initialize();
    const address = allocator.allocate(12);
    core.view(address, 12).set(pfnList(0x100, 0x200, 0xff));
    driver.queues[INFLATEQ]?.add([{ address, length: 12 }]);
    await driver.kick(INFLATEQ);
    device.process();
    expect(pages).toEqual([0xff]);
    expect(model.ignoredPages).toBe(2);
  });

  it("a list of 16 MiB in one MiB of memory: read in turns, and to its end", async () => {
    let pages = 0;
    const { rig } = await openBalloon({ onInflate: (pfns) => (pages += pfns.length) });
    const big = { address: rig.allocator.allocate(1 << 20), length: 1 << 20 };
    rig.queueAt(INFLATEQ).add(new Array(16).fill(big));
    await rig.driver.kick(INFLATEQ);
    expect(rig.device.process()).toBe("more");
    for (let before = pages; rig.device.process() === "more"; before = pages) {
      expect(pages - before).toBeLessThanOrEqual(1 << 18);
    }
    expect(pages).toBe(1 << 22);
    expect(rig.used(INFLATEQ)).toHaveLength(1);
  });

  it.each([
    ["a buffer of 15 bytes", [new Uint8Array([...statList([4, 7n]), 1, 2, 3, 4, 5])], [], 1],
    ["an empty buffer", [], [8], 0],
    ["a writable buffer beside it", [statList([4, 7n])], [8], 1],
    ["more entries than there are tags", [statList(...new Array(1500).fill([4, 7n] as const))], [], 1000],
  ])("statistics in %s: survived and counted", async (_, readable, writable, count) => {
    const { rig, model, heard } = await openBalloon();
    rig.send([statList([4, 1n])], [], STATSQ);
    model.requestStats();
    rig.device.process();
    rig.send(readable, writable, STATSQ);
    rig.device.process();
    expect(heard.stats).toEqual([new Array(count).fill({ tag: 4, value: 7n })]);
    expect(model.breaches).toBe(1);
  });

  it("two statistics buffers at once: the second one is taken for the new one", async () => {
    const { rig, model, heard } = await openBalloon();
    rig.send([statList([4, 1n])], [], STATSQ);
    rig.send([statList([4, 2n])], [], STATSQ);
    model.requestStats();
    expect(rig.device.process()).toBe("done");
    expect(rig.used(STATSQ)).toHaveLength(1);
    expect(heard.stats).toEqual([[{ tag: 4, value: 2n }]]);
  });
});
