// Area "config" (§2.5): what may be read when, in what order of bytes, and how a torn read shows.
import { describe, expect, it } from "vitest";
import { type ConfigField, configFields } from "../../src/device/model";
import type { ConfigLayout } from "../../src/negotiation/config-table";
import { driveTo, makeRig, started } from "../control-rig";

/** A block device whose capacity the test can change. */
function blk(offers: readonly string[] = [], size = { sectors: 0x1_0000_0002n }) {
  const config = configFields("blk", { capacity: () => size.sectors, seg_max: 7, blk_size: 4096 });
  return {
    size,
    rig: makeRig({ model: { deviceType: "blk", deviceId: 2, offers, config }, offer: ["VERSION_1"] }),
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
