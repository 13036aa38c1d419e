// How a driver reads and writes configuration fields (§2.5.1).
import { describe, expect, it } from "vitest";
import type { TransportPort } from "../../src/driver/port";
import { makeRig, type RigOptions, started } from "../control-rig";

const CONFIG = [
  { name: "wide", offset: 0, bytes: 8, anyOf: [], writable: false, value: 0x1122_3344_5566_7788n },
  { name: "mac", offset: 8, bytes: 6, anyOf: [], writable: false, value: 0x0605_0403_0201n },
  { name: "small", offset: 14, bytes: 2, anyOf: ["bit 3"], writable: false, value: 99 },
  { name: "gone", offset: 16, bytes: 4, anyOf: ["bit 4"], writable: false, value: 5 },
  { name: "mode", offset: 20, bytes: 1, anyOf: [], writable: "after-features-ok", value: 1 },
  { name: "askew", offset: 30, bytes: 4, anyOf: [], writable: false, value: 0x01020304 },
  { name: "shout", offset: 24, bytes: 4, anyOf: [], writable: "any-time", value: 0 },
] as const;

const options: RigOptions = {
  model: { config: CONFIG, offers: [3] },
  offer: ["VERSION_1"],
  supports: ["VERSION_1", 3],
  driver: { configLayout: CONFIG },
};

describe("fields", () => {
  it("MMIO-017 PCI-011 PCI-012 are read in their own width: 64 bits as two words, an array byte by byte", async () => {
    const rig = await started(makeRig(options));
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigField("mac")).toBe(0x0605_0403_0201n);
    expect(rig.port.calls("readConfig")).toEqual([8, 9, 10, 11, 12, 13].map((at) => ["readConfig", at, 1]));
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigField("wide")).toBe(0x1122_3344_5566_7788n);
    expect(rig.port.calls("readConfig")).toEqual([0, 4].map((at) => ["readConfig", at, 4]));
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigField("mode")).toBe(1);
    expect(rig.port.log).toEqual([["readConfig", 20, 1]]);
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigField("askew")).toBe(0x01020304);
    expect(rig.port.calls("readConfig")).toEqual([30, 31, 32, 33].map((at) => ["readConfig", at, 1]));
  });

  it("are undefined and not read when their feature is not offered", async () => {
    const rig = await started(makeRig(options));
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigFields(["gone", "small"])).toEqual([undefined, 99]);
    expect(rig.port.calls("readConfig")).toEqual([["readConfig", 14, 2]]);
    expect(rig.codes()).toEqual([]);
  });

  it("of an unknown name are answered with the nearest", async () => {
    const rig = await started(makeRig(options));
    await expect(rig.driver.readConfigField("wid")).rejects.toThrow(/did you mean wide\?/);
  });

  it("are written after FEATURES_OK, except where they may be at any time", async () => {
    const rig = makeRig(options);
    await expect(rig.driver.writeConfigField("mode", 0)).rejects.toThrow(
      expect.objectContaining({ code: "STATUS_SEQUENCE" }),
    );
    await rig.driver.writeConfigField("shout", 65);
    await started(rig);
    await rig.driver.writeConfigField("mode", 0);
    expect(rig.model.written).toEqual([
      { name: "shout", value: 65 },
      { name: "mode", value: 0 },
    ]);
    for (const [name, value, code] of [
      ["wide", 1, "CONFIG_READONLY"],
      ["gone", 1, "CONFIG_READONLY"],
      ["mode", 256, "BAD_ARGUMENT"],
      ["mode", -1, "BAD_ARGUMENT"],
      ["mode", 0.5, "BAD_ARGUMENT"],
    ] as const) {
      await expect(rig.driver.writeConfigField(name, value)).rejects.toThrow(
        expect.objectContaining({ code }),
      );
    }
    expect(rig.codes()).toEqual([]);
  });
});

describe("what is wide or belongs together", () => {
  /** A port whose configuration changes in the middle of the first `times` reads of the second half. */
  const torn = (rig: ReturnType<typeof makeRig>, times: number): TransportPort => {
    let left = times;
    return {
      ...rig.port,
      readConfig: (offset, bytes) => {
        if (offset === 4 && left-- > 0) rig.device.configChanged();
        return rig.port.readConfig(offset, bytes);
      },
    };
  };

  async function onTorn(times: number) {
    const rig = makeRig(options);
    const other = makeRig({ ...options, driver: { ...options.driver, port: torn(rig, times) } });
    await other.driver.initialize();
    rig.port.log.length = 0;
    return { rig, driver: other.driver };
  }

  it("is read again when the generation moved meanwhile", async () => {
    const { rig, driver } = await onTorn(2);
    expect(await driver.readConfigField("wide")).toBe(0x1122_3344_5566_7788n);
    expect(rig.port.calls("configGeneration")).toHaveLength(6);
  });

  it("is given up when it never holds still", async () => {
    const { driver } = await onTorn(Number.POSITIVE_INFINITY);
    await expect(driver.readConfigFields(["wide", "mode"])).rejects.toThrow(
      expect.objectContaining({ code: "CONFIG_UNSTABLE", message: expect.stringContaining("wide, mode") }),
    );
  });

  it("a single narrow field needs no generation", async () => {
    const rig = await started(makeRig(options));
    rig.port.log.length = 0;
    await rig.driver.readConfigField("small");
    expect(rig.port.calls("configGeneration")).toEqual([]);
  });
});
