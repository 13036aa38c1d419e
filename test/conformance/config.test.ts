// Area "config" (§2.5): what may be read when, in what order of bytes, and how a torn read shows.
import { describe, expect, it } from "vitest";
import { type ConfigField, configFields } from "../../src/device/model";
import type { ConfigLayout } from "../../src/negotiation/config-table";
import { driveTo, makeRig, started } from "../control-rig";

/** A block device whose capacity the test can change. */
function blk(offers: readonly string[] = [], size = { sectors: 0x1_0000_0002n }, offer = ["VERSION_1"]) {
  const config = configFields("blk", { capacity: () => size.sectors, seg_max: 7, blk_size: 4096 });
  return {
    size,
    rig: makeRig({ model: { deviceType: "blk", deviceId: 2, offers, config }, offer }),
  };
}

describe("driver", () => {
  it("CONFIG-001 CONFIG-002 §2.5.1 driver: brackets a wide field by two generation reads and repeats on a difference", async () => {
    const { rig, size } = blk();
    await started(rig);
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigField("capacity")).toBe(0x1_0000_0002n);
    expect(rig.port.log.map(([name]) => name)).toEqual([
      "configGeneration",
      "readConfig",
      "readConfig",
      "configGeneration",
    ]);
    let torn = 1;
    const { port } = rig;
    const driver = makeRig({
      driver: {
        deviceType: "blk",
        port: {
          ...port,
          readConfig: (offset, bytes) => {
            if (offset === 4 && torn-- > 0) size.sectors = 0x2_0000_0003n;
            return port.readConfig(offset, bytes);
          },
        },
      },
    }).driver;
    expect(await driver.readConfigField("capacity")).toBe(0x2_0000_0003n);
  });

  it("CONFIG-003 §2.5.1 driver: reads no optional field whose bit is not offered", async () => {
    const { rig } = blk(["SEG_MAX"]);
    await started(rig);
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigFields(["seg_max", "blk_size", "num_queues"])).toEqual([
      7,
      undefined,
      undefined,
    ]);
    expect(rig.port.calls("readConfig").map(([, offset]) => offset)).toEqual([12]);
    expect(rig.codes()).toEqual([]);
  });

  it("CONFIG-004 CONFIG-005 §2.5.1 driver: minds no configuration that is longer than it knows", async () => {
    const long: ConfigField[] = [
      { name: "far", offset: 5000, bytes: 4, anyOf: [], value: 12345 },
      { name: "near", offset: 0, bytes: 4, anyOf: [], value: 1 },
    ];
    const layout: ConfigLayout[] = long.map((field) => ({ ...field, writable: false }));
    const knowsLittle = await started(
      makeRig({ model: { config: long }, driver: { configLayout: layout.slice(1) } }),
    );
    expect(await knowsLittle.driver.readConfigField("near")).toBe(1);
    const knowsAll = await started(makeRig({ model: { config: long }, driver: { configLayout: layout } }));
    expect(await knowsAll.driver.readConfigField("far")).toBe(12345);
  });
});

describe("device", () => {
  it("CONFIG-006 §2.5.2 device: answers reads of every field before FEATURES_OK, accepted or not", () => {
    for (const at of [0x00, 0x01, 0x03, 0x0b, 0x0f]) {
      const { rig } = blk(["SEG_MAX", "BLK_SIZE"]);
      driveTo(rig.device, at, rig.device.offered.without(2, 6));
      const { device } = rig;
      expect([device.readConfig(0, 4), device.readConfig(4, 4)]).toEqual([2, 1]);
      expect([device.readConfig(12, 4), device.readConfig(20, 4)]).toEqual([7, 4096]);
      expect(rig.codes()).toEqual([]);
    }
  });

  it("CONFIG-007 §2.5.3 device: multi-byte fields are little-endian", () => {
    const { rig } = blk(["BLK_SIZE"]);
    expect([0, 1, 2, 3, 4].map((offset) => rig.device.readConfig(offset, 1))).toEqual([2, 0, 0, 0, 1]);
    expect([20, 21].map((offset) => rig.device.readConfig(offset, 1))).toEqual([0x00, 0x10]);
  });

  it("CONFIG-008 §2.5 device: the generation differs whenever two accesses may have seen different versions", async () => {
    const { rig, size } = blk();
    await started(rig);
    const { device } = rig;
    const generations = [device.configGeneration()];
    device.readConfig(0, 4);
    size.sectors = 5n;
    device.configChanged();
    device.readConfig(4, 4);
    generations.push(device.configGeneration());
    size.sectors = 6n;
    generations.push(device.configGeneration(), device.configGeneration());
    expect(generations[1]).not.toBe(generations[0]);
    expect(generations[2]).not.toBe(generations[1]);
    expect(generations[3]).toBe(generations[2]);
  });
});

describe("a change at an inconvenient time", () => {
  const oneTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

  it("CONFIG-008 §2.5 device: during the negotiation moves the generation, from every status on", () => {
    for (const at of [0x00, 0x01, 0x03, 0x0b]) {
      for (const isAnnounced of [true, false]) {
        const { rig, size } = blk();
        const { device } = rig;
        driveTo(device, at, device.offered);
        const before = device.configGeneration();
        const low = device.readConfig(0, 4);
        size.sectors = 0x7_0000_0008n;
        if (isAnnounced) device.configChanged();
        expect([low, device.readConfig(4, 4)]).toEqual([2, 7]);
        expect(device.configGeneration()).not.toBe(before);
        expect([rig.notifications, rig.codes()]).toEqual([[], []]);
      }
    }
  });

  it("CONFIG-002 §2.5.1 driver: during `validate` reads a whole value", async () => {
    const { rig, size } = blk();
    let torn = 2;
    const { port } = rig;
    const read: unknown[] = [];
    const changing = {
      ...port,
      readConfig: (offset: number, bytes: 1 | 2 | 4) => {
        if (offset === 4 && torn-- > 0) size.sectors += 0x1_0000_0001n;
        return port.readConfig(offset, bytes);
      },
    };
    const { driver } = makeRig({
      driver: {
        port: changing,
        deviceType: "blk",
        validate: async ({ readConfigField }) => {
          read.push(await readConfigField("capacity"));
          return undefined;
        },
      },
    });
    expect(await driver.initialize()).toMatchObject({ ok: true });
    expect(read).toEqual([0x3_0000_0004n]);
  });

  it("CONFIG-008 §2.5 device: the generation of an earlier life is no excuse: a reset in between hides no change", () => {
    const { rig, size } = blk();
    const { device } = rig;
    driveTo(device, 0x0f, device.offered);
    const before = device.configGeneration();
    device.readConfig(0, 4);
    size.sectors = 5n;
    device.writeStatus(0);
    device.readConfig(4, 4);
    expect(device.configGeneration()).not.toBe(before);
  });

  it("CONFIG-008 §2.4 §2.5 device: while a slow reset is under way it shows, too, and is told in the next life", async () => {
    const { rig, size } = blk();
    await started(rig);
    const { device, notifications } = rig;
    let quiet: () => void = () => {};
    Object.assign(rig.model, { reset: () => new Promise<void>((resolve) => (quiet = resolve)) });
    const before = device.configGeneration();
    device.writeStatus(0);
    size.sectors = 9n;
    device.configChanged();
    expect([device.readConfig(0, 4), notifications]).toEqual([9, []]);
    expect(device.configGeneration()).not.toBe(before);
    quiet();
    await oneTurn();
    Object.assign(rig.model, { reset: undefined });
    // No reset from here: it would be a new life, and the change known to it.
    for (const status of [0x01, 0x03]) device.writeStatus(status);
    device.writeFeatures(1, 1);
    device.writeStatus(0x0b);
    expect(notifications).toEqual([]);
    device.writeStatus(0x0f);
    expect(notifications).toEqual([{ kind: "config", queue: undefined, status: 0x0f }]);
  });

  it("CONFIG-008 §2.5 §3.4 device: a suspend does not hide what was read torn before it", async () => {
    const { rig, size } = blk([], { sectors: 1n }, ["VERSION_1", "SUSPEND"]);
    const { device } = rig;
    driveTo(device, 0x0f, device.offered);
    const before = device.configGeneration();
    device.readConfig(0, 4);
    size.sectors = 0x9_0000_0009n;
    expect(device.readConfig(4, 4)).toBe(9);
    device.writeStatus(0x1f);
    const suspended = device.configGeneration();
    expect(suspended).not.toBe(before);
    size.sectors = 1n;
    device.configChanged();
    device.process();
    expect([device.status, device.configGeneration(), device.readConfig(0, 4)]).toEqual([0x1b, suspended, 9]);
    device.writeStatus(0x1f);
    device.process();
    expect([device.readConfig(0, 4), device.configGeneration() === suspended]).toEqual([1, false]);
  });

  it("§3.2 device: changes before DRIVER_OK are told once, when they can be read, and not after a reset", async () => {
    const { rig, size } = blk();
    const { device, notifications } = rig;
    const read: number[] = [];
    for (const at of [0x00, 0x01, 0x03, 0x0b]) {
      driveTo(device, at, device.offered);
      size.sectors++;
      device.configChanged();
    }
    device.connect(() => read.push(device.readConfig(0, 4)));
    device.writeStatus(0x0f);
    expect(read).toEqual([6]);
    driveTo(device, 0x0b, device.offered);
    device.configChanged();
    driveTo(device, 0x0f, device.offered);
    expect([read, notifications]).toEqual([[6], []]);
  });
});

describe("both", () => {
  it("CONFIG-011 §2.5 both: a missing field moves no other one", () => {
    const { rig } = blk(["BLK_SIZE"]);
    const { device, codes } = rig;
    expect([device.readConfig(8, 4), device.readConfig(12, 4), device.readConfig(20, 4)]).toEqual([
      0, 0, 4096,
    ]);
    expect(codes()).toEqual([]);
    expect(device.readConfig(24, 4)).toBe(0);
    expect(codes()).toEqual(["CONFIG_RANGE"]);
  });
});
