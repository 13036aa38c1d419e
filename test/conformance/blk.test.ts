/**
 * Clauses of the block device (§5.2) for what is built: one queue, no discard, no zones, no legacy interface.
 */
import { describe, expect, it } from "vitest";
import { BLK_DRIVER_FEATURES, BlkDriver } from "../../src/driver/blk";
import type { GuestBytes } from "../../src/models/backend";
import { BlkModel, type BlkOptions } from "../../src/models/blk";
import { MemoryBackend } from "../../src/models/memory-backend";
import { CONFIG_LAYOUTS } from "../../src/negotiation/config-table";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { header, openRig, pattern } from "../models/rig";

const OUT = 1;
const FLUSH = 4;
const OK = 0;
const IOERR = 1;
const UNSUPP = 2;

/** A disk that says in which order it was written and flushed. */
class LoggingDisk extends MemoryBackend {
  readonly log: string[] = [];

  override write(sector: number, source: GuestBytes): void {
    this.log.push("write");
    super.write(sector, source);
  }

  override flush(): void {
    this.log.push("flush");
  }
}

async function open(options: BlkOptions = {}, accept: readonly string[] = BLK_DRIVER_FEATURES) {
  const disk = new LoggingDisk(pattern(8 * 512));
  const model = new BlkModel(disk, options);
  const rig = await openRig(model, ["VERSION_1", ...accept]);
  const write = () => rig.ask([header(OUT, 0), pattern(512, 9)], [1]).answer[0];
  return { ...rig, rig, disk, model, write };
}

describe("blk: features", () => {
  it("BLK-011 §5.2.5 device: FLUSH is offered unless the user says otherwise", async () => {
    const { device } = await open();
    expect(device.offered.has("FLUSH", "blk")).toBe(true);
  });

  it("BLK-012 §5.2.5 device: CONFIG_WCE is not offered without FLUSH", async () => {
    await expect(open({ offers: ["CONFIG_WCE"] })).rejects.toThrow("CONFIG_WCE (11) needs FLUSH (9)");
    await expect(open({ offers: ["CONFIG_WCE", "FLUSH"] })).resolves.toBeDefined();
  });

  it("BLK-015 BLK-016 §5.2.5 device: ZONED is not offered, and can't be", async () => {
    const { device } = await open();
    expect(device.offered.has("ZONED", "blk")).toBe(false);
    expect(() => new BlkModel(new MemoryBackend(pattern(512)), { offers: ["ZONED"] })).toThrow(
      "cannot offer ZONED",
    );
  });

  it("BLK-028 §5.2.6.1 driver: RO is accepted where it is offered", async () => {
    const { driver } = await open({ offers: ["RO"] });
    expect(driver.hasFeature("RO")).toBe(true);
  });
});

describe("blk: configuration", () => {
  it("BLK-025 §5.2.4 both: capacity is always there, the rest by the offered bits", async () => {
    const { driver } = await open({ offers: [] });
    expect(await driver.readConfigField("capacity")).toBe(8n);
    expect(await driver.readConfigField("seg_max")).toBeUndefined();
    const offering = await open({ offers: ["SEG_MAX", "BLK_SIZE"], segMax: 30, blkSize: 4096 });
    expect(await offering.driver.readConfigFields(["capacity", "seg_max", "blk_size"])).toEqual([
      8n,
      30,
      4096,
    ]);
  });

  it("BLK-014 §5.2.5 device: padding and what is not offered read zero", async () => {
    const { device } = await open({ offers: ["FLUSH"] });
    const last = Math.max(...CONFIG_LAYOUTS.blk.map(({ offset, bytes }) => offset + bytes));
    for (let offset = 8; offset < last; offset++) expect(device.readConfig(offset, 1)).toBe(0);
  });

  it.each([
    ["BLK-003 §5.2.5: FLUSH without CONFIG_WCE is writeback", ["FLUSH"], ["FLUSH"], true],
    ["BLK-002 §5.2.5: neither of them is writethrough", [], [], false],
    [
      "BLK-013 §5.2.5 device: CONFIG_WCE without FLUSH starts at 0",
      ["FLUSH", "CONFIG_WCE"],
      ["CONFIG_WCE"],
      false,
    ],
    ["BLK-030 §5.2.5: with both it starts at 1", ["FLUSH", "CONFIG_WCE"], ["FLUSH", "CONFIG_WCE"], true],
  ])("%s", async (_, offers, accept, writeback) => {
    const { model, driver } = await open({ offers }, accept);
    expect(model.writeback).toBe(writeback);
    if (accept.includes("CONFIG_WCE"))
      expect(await driver.readConfigField("writeback")).toBe(Number(writeback));
  });

  it("BLK-030 §5.2.6.1 driver: with CONFIG_WCE the driver may switch writeback", async () => {
    const { model, driver, disk, write } = await open({ offers: ["FLUSH", "CONFIG_WCE"] }, [
      "FLUSH",
      "CONFIG_WCE",
    ]);
    await driver.writeConfigField("writeback", 0);
    expect(model.writeback).toBe(false);
    write();
    await driver.writeConfigField("writeback", 1);
    write();
    expect(disk.log).toEqual(["write", "flush", "write"]);
  });

  it("BLK-031 BLK-036 §5.2.6.2 device: capacity may change, and the driver is told", async () => {
    let sectors = 8;
    let changes = 0;
    const backend = new MemoryBackend(pattern(16 * 512));
    Object.defineProperty(backend, "sectors", { get: () => sectors });
    const model = new BlkModel(backend);
    const rig = await openRig(model, ["VERSION_1"]);
    rig.device.connect((kind) => {
      if (kind === "config") changes++;
    });
    const before = rig.device.configGeneration();
    sectors = 16;
    model.resized();
    expect(changes).toBe(1);
    expect(await rig.driver.readConfigField("capacity")).toBe(16n);
    expect(rig.device.configGeneration()).not.toBe(before);
    expect(rig.ask([header(0, 15)], [512, 1]).answer.at(-1)).toBe(OK);
  });
});

describe("blk: requests", () => {
  it("BLK-027 §5.2.6.1 driver: no request beyond the capacity is sent", async () => {
    const { rig, driver, core, allocator } = await open();
    const blk = await BlkDriver.start(driver, core, allocator);
    const address = allocator.allocate(1024);
    expect(() => blk.read(8, address, 512)).toThrow("not sectors of a disk of 8");
    expect(() => blk.write(7, address, 1024)).toThrow("not sectors of a disk of 8");
    expect(rig.queue.inFlight).toBe(0);
    expect(blk.read(7, address, 512)).not.toBe(0);
  });

  it("BLK-029 §5.2.6.1 driver: a flush has sector 0 and no data, data is whole sectors", async () => {
    const { driver, core, allocator, device } = await open();
    const blk = await BlkDriver.start(driver, core, allocator);
    expect(() => blk.read(0, 0, 100)).toThrow("100 bytes at sector 0 are not sectors");
    expect(blk.flush()).not.toBe(0);
    await blk.submit();
    device.process();
    const done: number[] = [];
    blk.poll((_, status) => done.push(status));
    expect(done).toEqual([OK]);
  });

  it.each([
    ["offered and accepted", BLK_DRIVER_FEATURES],
    ["offered and not accepted", []],
  ])("BLK-032 §5.2.6.2 device: RO %s: a write ends with IOERR and changes nothing", async (_, accept) => {
    const { disk, write } = await open({ offers: ["RO"] }, accept);
    expect(write()).toBe(IOERR);
    expect(disk.bytes).toEqual(pattern(8 * 512));
    expect(disk.log).toEqual([]);
  });

  it.each([
    ["BLK-033 §5.2.6.2 device: discard", 11],
    ["BLK-033 §5.2.6.2 device: write zeroes", 13],
    ["BLK-033 §5.2.6.2 device: secure erase", 14],
    ["BLK-035 §5.2.6.2 device: zone report", 16],
    ["BLK-035 §5.2.6.2 device: zone append", 15],
    ["BLK-035 §5.2.6.2 device: zone reset all", 26],
  ])("%s ends with UNSUPP where it is not negotiated", async (_, type) => {
    const { rig, disk } = await open();
    const range = new Uint8Array(16).fill(0xff);
    expect(rig.ask([header(type), range], [1])).toEqual({ length: 1, answer: [UNSUPP] });
    expect(disk.bytes).toEqual(pattern(8 * 512));
  });

  it("BLK-034 §5.2.6.2 device: written through, a write is durable before it is used", async () => {
    const { disk, write } = await open({ offers: [] });
    expect(write()).toBe(OK);
    expect(disk.log).toEqual(["write", "flush"]);
  });

  it("BLK-034 §5.2.6.2 device: written back, it is durable when a later flush is used", async () => {
    const { rig, disk, write } = await open();
    write();
    expect(disk.log).toEqual(["write"]);
    expect(rig.ask([header(FLUSH)], [1]).answer).toEqual([OK]);
    expect(disk.log).toEqual(["write", "flush"]);
  });

  it("BLK-034 §5.2.6.2 device: a flush that was not negotiated ends with UNSUPP", async () => {
    const { rig, disk } = await open({ offers: ["FLUSH"] }, []);
    expect(rig.ask([header(FLUSH)], [1]).answer).toEqual([UNSUPP]);
    expect(disk.log).toEqual([]);
  });

  it("§2.2.2 device: a set that was agreed is agreed again after a reset, and nothing of it is remembered", async () => {
    const { driver, model } = await open({ offers: ["FLUSH", "CONFIG_WCE"] }, ["FLUSH", "CONFIG_WCE"]);
    await driver.writeConfigField("writeback", 0);
    expect((await driver.initialize()).ok).toBe(true);
    expect(driver.negotiated?.equals(FeatureSet.from(["VERSION_1", "FLUSH", "CONFIG_WCE"], "blk"))).toBe(
      true,
    );
    expect(model.writeback).toBe(true);
  });
});
