// What each device profile is known for (state-machine.md and the table of QEMU's differences), one property a test.
import { describe, expect, it } from "vitest";
import { DEVICE_PROFILES, type DeviceProfile, deviceProfile } from "../../src/device/profiles";
import { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, makeRig, type RigOptions, roundTrips, started } from "../control-rig";

const config = [
  { name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 },
  {
    name: "zones",
    offset: 4,
    bytes: 4,
    anyOf: [],
    value: (accepted: FeatureSet) => (accepted.has("EVENT_IDX") ? 7 : 0),
  },
] as const;
const on = (profile: string | DeviceProfile, more: RigOptions = {}) =>
  makeRig({ ...more, model: { config, ...more.model }, device: { profile, ...more.device } });
const areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };

describe("every profile", () => {
  it.each(Object.keys(DEVICE_PROFILES))(
    "%s offers what it honours, and a current driver works with it",
    async (name) => {
      const rig = on(name, { supports: ["VERSION_1", "EVENT_IDX", "RING_PACKED"] });
      expect(rig.device.profile.name).toBe(name);
      await started(rig);
      expect(rig.driver.ring).toMatchObject({ layout: "packed", eventIdx: true });
      roundTrips(rig, 20);
      expect(rig.codes()).toEqual([]);
    },
  );

  it("is found by its name, and a wrong one is answered with the nearest", () => {
    expect(() => deviceProfile("vhost-baked")).toThrow(/did you mean vhost-backed\?/);
    expect(() => on("qemmu")).toThrow(expect.objectContaining({ code: "UNKNOWN_NAME" }));
  });
});

describe("qemu", () => {
  it("drops unoffered bits in silence, and FEATURES_OK stays", () => {
    const { device, codes } = on("qemu");
    driveTo(device, 0x03);
    device.writeFeatures(0, 0xffffffff);
    device.writeFeatures(1, 0xffffffff);
    device.writeStatus(0x0b);
    expect([device.status, device.negotiated?.equals(device.offered), codes()]).toEqual([0x0b, true, []]);
  });

  it("takes every word from 2 on for word 1, read and written", () => {
    const { device } = on("qemu");
    const [low, high] = [device.readFeatures(0), device.readFeatures(1)];
    expect([2, 3, 4, 9].map((word) => device.readFeatures(word))).toEqual([high, high, high, high]);
    expect(low).not.toBe(high);
    driveTo(device, 0x03);
    device.writeFeatures(7, 5);
    expect(device.accepted.words).toEqual([0, 5, 0, 0]);
  });

  it("words 0, 1, 2, 3 written in order take VERSION_1 and RING_PACKED back", () => {
    const { device } = on("qemu");
    driveTo(device, 0x03);
    for (const [word, value] of [0, 5, 0, 0].entries()) device.writeFeatures(word, value);
    expect(device.accepted.isEmpty).toBe(true);
    device.writeStatus(0x0b);
    expect([device.status, device.ring?.layout]).toEqual([0x0b, "split"]);
  });

  it("reads all ones beyond the configuration", () => {
    const { device, codes } = on("qemu");
    expect([1, 2, 4].map((bytes) => device.readConfig(8, bytes))).toEqual([0xff, 0xffff, 0xffffffff]);
    expect([device.readConfig(6, 4), device.readConfig(1000, 4)]).toEqual([0xffffffff, 0xffffffff]);
    expect(new Set(codes())).toEqual(new Set(["CONFIG_RANGE"]));
    expect(on("strict").device.readConfig(8, 4)).toBe(0);
  });

  it("stores the status as it is written, so that bits can be taken back", () => {
    const { device } = on("qemu");
    for (const status of [0x01, 0x03, 0x02, 0x22, 0x03]) {
      device.writeStatus(status);
      expect(device.readStatus()).toBe(status);
    }
    device.writeFeatures(1, 1);
    for (const status of [0x0b, 0x03, 0x0b, 0x0f, 0x0b, 0x0f]) {
      device.writeStatus(status);
      expect([device.readStatus(), device.negotiated !== undefined]).toEqual([status, status !== 0x03]);
    }
  });

  it("a SUSPEND that is written away leaves no frozen configuration behind", async () => {
    const { qemu } = DEVICE_PROFILES;
    const values = { size: 1 };
    const rig = on(
      { ...qemu, offers: [...qemu.offers, "SUSPEND"] },
      {
        model: { config: [{ name: "size", offset: 0, bytes: 4, anyOf: [], value: () => values.size }] },
        supports: ["VERSION_1", "SUSPEND"],
      },
    );
    await started(rig);
    rig.device.writeStatus(0x1f);
    rig.device.process();
    values.size = 2;
    expect([rig.device.status, rig.device.readConfig(0, 4)]).toEqual([0x1b, 1]);
    rig.device.writeStatus(0x0f);
    rig.device.process();
    expect([rig.device.status, rig.device.phase, rig.device.readConfig(0, 4)]).toEqual([0x0f, "live", 2]);
    roundTrips(rig);
  });

  it("judges nothing without VERSION_1: FEATURES_OK stays and the ring works", async () => {
    const rig = on("qemu", { supports: ["EVENT_IDX"] });
    await started(rig);
    expect([rig.device.status, rig.device.negotiated?.names()]).toEqual([0x0f, ["EVENT_IDX"]]);
    roundTrips(rig);
  });

  it("refuses a set without an offered ACCESS_PLATFORM, and drops the whole write", () => {
    const { device } = on("qemu", { offer: ["VERSION_1", "ACCESS_PLATFORM"] });
    driveTo(device, 0x01);
    device.writeFeatures(1, 1);
    device.writeStatus(0x0b);
    expect([device.status, device.refusal]).toEqual([0x01, "ACCESS_PLATFORM (33) must be accepted"]);
    device.writeStatus(0x03);
    device.writeFeatures(1, 3);
    device.writeStatus(0x0b);
    expect([device.status, device.negotiated?.names()]).toEqual([0x0b, ["VERSION_1", "ACCESS_PLATFORM"]]);
  });

  it("ignores features after FEATURES_OK", () => {
    const { device } = on("qemu");
    driveTo(device, 0x03);
    device.writeFeatures(1, 1);
    device.writeStatus(0x0b);
    device.writeFeatures(1, 5);
    expect([device.status, device.negotiated?.names()]).toEqual([0x0b, ["VERSION_1"]]);
  });

  it("takes a configuration write before FEATURES_OK", () => {
    const { device, codes } = on("qemu");
    driveTo(device, 0x03);
    device.writeFeatures(1, 1);
    device.writeConfig(0, 4, 9);
    expect([device.readConfig(0, 4), codes()]).toEqual([9, []]);
  });

  it("goes live with DRIVER_OK and no FEATURES_OK, with what was accepted; over MMIO with nothing", () => {
    for (const [name, features] of [
      ["qemu", ["EVENT_IDX"]],
      ["qemu-mmio", []],
    ] as const) {
      const { device, model } = on(name);
      device.writeStatus(0x03);
      device.writeFeatures(0, 1 << 29);
      device.enableQueue(0, { size: 16, areas });
      device.writeStatus(0x07);
      device.notify(0);
      device.process();
      expect([name, device.status, device.phase, model.starts]).toEqual([name, 0x07, "live", 1]);
      expect([device.queueReady(0), device.negotiated?.names()]).toEqual([true, features]);
    }
  });

  it("over MMIO VERSION_1 is not in force either without FEATURES_OK, and the ring works", () => {
    const { device, codes } = on("qemu-mmio");
    device.writeStatus(0x03);
    device.writeFeatures(0, 1 << 29);
    device.writeFeatures(1, 5);
    device.enableQueue(0, { size: 16, areas });
    device.writeStatus(0x07);
    expect([device.status, device.queueReady(0), device.negotiated?.names()]).toEqual([0x07, true, []]);
    expect([device.ring?.layout, device.process(), codes()]).toEqual(["split", "done", []]);
  });

  it("over MMIO a modern driver is one from FEATURES_OK on", async () => {
    const rig = on("qemu-mmio", { device: { profile: "qemu-mmio", byteOrder: "big" } });
    expect(rig.device.isLegacy).toBe(true);
    await started(rig);
    expect([rig.device.isLegacy, rig.device.readConfig(0, 4), rig.codes()]).toEqual([false, 3, []]);
    roundTrips(rig);
  });

  it("notifies of changes from DRIVER_OK on alone, and counts the generation by notifications, eight bits", async () => {
    const rig = on("qemu");
    rig.device.configChanged();
    expect(rig.device.configGeneration()).toBe(0);
    await started(rig);
    expect(rig.notifications).toEqual([]);
    for (let i = 1; i <= 256; i++) {
      rig.device.configChanged();
      expect(rig.device.configGeneration()).toBe(i & 0xff);
    }
    expect(rig.notifications).toHaveLength(256);
    rig.device.needsReset(new VirtioError("INTERNAL", "the model gave up"));
    expect(rig.device.configGeneration()).toBe(1); // DEVICE_NEEDS_RESET is notified of as a change
  });

  it("shows the model each word at once over PCI, and nothing before FEATURES_OK over MMIO", () => {
    for (const [name, seen] of [
      ["qemu", [0, 7, 7]],
      ["qemu-mmio", [0, 0, 7]],
    ] as const) {
      const { device } = on(name);
      driveTo(device, 0x03);
      const read = [device.readConfig(4, 4)];
      device.writeFeatures(0, 1 << 29);
      read.push(device.readConfig(4, 4));
      device.writeFeatures(1, 1);
      device.writeStatus(0x0b);
      read.push(device.readConfig(4, 4));
      expect([name, read]).toEqual([name, seen]);
    }
  });
});

describe("the others", () => {
  it("vdpa: a configuration read before any feature is taken for a legacy driver's, until one is written", () => {
    const { device, transcript } = on("vdpa", { device: { profile: "vdpa", byteOrder: "big" } });
    expect(device.isLegacy).toBe(false);
    expect(device.readConfig(0, 4)).toBe(0x03000000);
    expect(device.isLegacy).toBe(true);
    expect(transcript.events.flatMap(({ policy }) => policy ?? [])).toEqual([
      { name: "configReadFirst", choice: "accepts-nothing" },
    ]);
    driveTo(device, 0x03);
    expect(device.isLegacy).toBe(false); // a reset forgets it
    device.readConfig(0, 4);
    device.writeFeatures(1, 1);
    expect([device.isLegacy, device.readConfig(0, 4)]).toEqual([false, 3]);
  });

  it("vhost-backed: the backend answers without the features until FEATURES_OK", () => {
    const { device } = on("vhost-backed");
    driveTo(device, 0x03);
    device.writeFeatures(0, 1 << 29);
    device.writeFeatures(1, 1);
    expect([device.accepted.has("EVENT_IDX"), device.readConfig(4, 4)]).toEqual([true, 0]);
    device.writeStatus(0x0b);
    expect(device.readConfig(4, 4)).toBe(7);
  });

  it("cloud-hypervisor: the generation never moves, and there are two feature words", async () => {
    const rig = on("cloud-hypervisor");
    await started(rig);
    for (let i = 0; i < 5; i++) {
      rig.device.configChanged();
      expect(rig.device.configGeneration()).toBe(0);
    }
    expect([0, 1, 2, 3].map((word) => rig.device.readFeatures(word) !== 0)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    driveTo(rig.device, 0x03);
    rig.device.writeFeatures(2, 1);
    expect(rig.device.accepted.isEmpty).toBe(true);
    expect(() => on("cloud-hypervisor", { model: { offers: [70] } })).toThrow("beyond the 2 feature words");
  });

  it("propolis: another set after FEATURES_OK needs a reset, the same one is nothing", () => {
    const { device, notifications } = on("propolis");
    driveTo(device, 0x0f, device.offered);
    device.writeFeatures(1, device.offered.word(1));
    expect(device.status).toBe(0x0f);
    device.writeFeatures(1, 1);
    expect([device.status, notifications]).toEqual([
      0x4f,
      [{ kind: "config", queue: undefined, status: 0x4f }],
    ]);
  });

  it("transitional: VERSION_1 may be left out, but in the offer", () => {
    const { device } = on("transitional");
    driveTo(device, 0x0b, FeatureSet.of("EVENT_IDX"));
    expect([device.status, device.isLegacy]).toEqual([0x0b, true]);
    expect(() => on("transitional", { offer: ["EVENT_IDX"] })).toThrow("VERSION_1 (32) must be offered");
  });

  it("strict: words 2 and 3 are there, and what is behind them is nothing", () => {
    const { device } = on("strict", { model: { offers: [70] } });
    expect([2, 3, 4].map((word) => device.readFeatures(word))).toEqual([64, 0, 0]);
    driveTo(device, 0x03);
    device.writeFeatures(4, 1);
    expect(device.accepted.isEmpty).toBe(true);
  });
});

describe("a user's own profile", () => {
  it("is an object literal", async () => {
    const mine: DeviceProfile = {
      ...DEVICE_PROFILES.strict,
      name: "mine",
      summary: "split rings alone, and they must be indirect",
      offers: ["VERSION_1", "INDIRECT_DESC"],
      mustAccept: ["VERSION_1", "INDIRECT_DESC"],
      policies: { ...DEVICE_PROFILES.strict.policies, clearedStatusBit: "keep-bit" },
    };
    const rig = on(mine, { supports: ["VERSION_1", "RING_PACKED", "INDIRECT_DESC"] });
    expect(rig.device.offered.names()).toEqual(["INDIRECT_DESC", "VERSION_1"]);
    await started(rig);
    expect(rig.device.ring).toMatchObject({ layout: "split", indirect: true });
    roundTrips(rig);
    expect(await rig.driver.initialize({ supports: ["VERSION_1"] })).toMatchObject({
      ok: false,
      reason: expect.stringContaining("INDIRECT_DESC (28) must be accepted"),
    });
    driveTo(rig.device, 0x0b, rig.device.offered);
    rig.device.writeStatus(0x0d);
    expect(rig.device.status).toBe(0x0f);
  });
});
