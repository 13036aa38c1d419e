// Area "seed241": the patch for issue 241. Accepted is not negotiated; the driver may look, accept another subset,
// and repeat; the device judges at FEATURES_OK; only a reset opens the negotiation again.
import { describe, expect, it } from "vitest";
import type { ConfigField } from "../../src/device/model";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, makeRig, type RigOptions, refusal, roundTrips, started } from "../control-rig";

const mtu: ConfigField = { name: "mtu", offset: 10, bytes: 2, anyOf: ["MTU"], value: 60 };
const net: RigOptions = {
  model: { deviceType: "net", deviceId: 1, offers: ["MTU", "MAC"], config: [mtu] },
  supports: ["VERSION_1", "RING_PACKED", "MTU", "MAC"],
};
/** Drops MTU below 68, as a net driver does. */
const dropsSmallMtu: RigOptions["driver"] = {
  validate: async ({ readConfigField }) => (Number(await readConfigField("mtu")) < 68 ? ["MTU"] : []),
};

describe("terms", () => {
  it("SEED241-001 both: at FEATURES_OK the driver has accepted all that it understands", async () => {
    const rig = await started(makeRig(net));
    const understood = FeatureSet.from(net.supports ?? [], "net").intersect(rig.device.offered);
    expect(rig.device.accepted.equals(understood)).toBe(true);
    expect(rig.transcript.toText({ width: Number.POSITIVE_INFINITY })).not.toMatch(/acknowledged/i);
  });

  it("SEED241-002 device: completes the negotiation, or fails it and leaves it incomplete", () => {
    const { device } = makeRig();
    driveTo(device, 0x03);
    device.writeFeatures(1, 4);
    device.writeStatus(0x0b);
    expect([device.status, device.phase, device.negotiated]).toEqual([0x03, "negotiating", undefined]);
    device.writeFeatures(1, 5);
    device.writeStatus(0x0b);
    expect([device.status, device.phase, device.negotiated?.names()]).toEqual([
      0x0b,
      "setup",
      ["VERSION_1", "RING_PACKED"],
    ]);
  });

  it("SEED241-003 both: negotiated is the last subset that was accepted before FEATURES_OK, on both sides", async () => {
    const rig = await started(makeRig({ ...net, driver: dropsSmallMtu }));
    const names = ["MAC", "VERSION_1", "RING_PACKED"];
    expect([rig.driver.negotiated?.names("net"), rig.device.negotiated?.names("net")]).toEqual([
      names,
      names,
    ]);
    const { device } = makeRig();
    driveTo(device, 0x03);
    for (const word of [5, 0xd, 1]) device.writeFeatures(1, word);
    device.writeStatus(0x0b);
    expect(device.negotiated?.names()).toEqual(["VERSION_1"]);
  });

  it("SEED241-004 driver: once complete, only a reset opens the negotiation again", async () => {
    const rig = await started(makeRig(net));
    rig.device.writeFeatures(1, 1);
    expect(rig.device.negotiated?.has("RING_PACKED")).toBe(true);
    expect(rig.codes()).toEqual(["FEATURES_FROZEN"]);
    rig.port.log.length = 0;
    await started(rig, ["VERSION_1"]);
    const names = rig.port.log.map(([name, value]) => `${name} ${value}`);
    expect(names.indexOf("writeStatus 0")).toBeLessThan(names.indexOf("writeDriverFeatures 0"));
    expect(rig.device.negotiated?.names()).toEqual(["VERSION_1"]);
  });

  it("SEED241-005 both: nothing that hangs on a negotiated bit is in force before completion", async () => {
    const before: unknown[] = [];
    const rig = makeRig({
      ...net,
      model: { ...net.model, queues: [{ name: "odd", maxSize: 100 }] },
      driver: {
        validate: () => {
          const { device, driver } = rig;
          before.push(device.accepted.has("RING_PACKED"), device.ring, driver.ring, device.queueMaxSize(0));
          before.push(driver.hasFeature("RING_PACKED"), driver.queues.length, device.queueReady(0));
          return undefined;
        },
      },
    });
    await started(rig);
    expect(before).toEqual([true, undefined, undefined, 64, false, 0, false]);
    expect([rig.device.queueMaxSize(0), rig.driver.ring?.layout]).toEqual([100, "packed"]);
  });
});

describe("reading the configuration before FEATURES_OK", () => {
  it("SEED241-007 SEED241-010 driver: accepts a bit before it reads a field that hangs on it", async () => {
    const rig = await started(makeRig({ ...net, driver: dropsSmallMtu }));
    const read = rig.port.log.findIndex(([name]) => name === "readConfig");
    const firstWrite = rig.port.log.findIndex(([name]) => name === "writeDriverFeatures");
    expect(firstWrite).toBeGreaterThan(0);
    expect(firstWrite).toBeLessThan(read);
    expect(rig.transcript.toText({ width: Number.POSITIVE_INFINITY })).not.toContain(
      "its feature was not accepted first",
    );
  });

  it("SEED241-008 driver: may read it to decide whether to go ahead", async () => {
    const rig = makeRig({
      ...net,
      driver: {
        validate: async ({ readConfigFields }) => {
          const [small] = await readConfigFields(["mtu"]);
          expect([small, rig.device.status]).toEqual([60, 0x03]);
          return undefined;
        },
      },
    });
    await started(rig);
  });

  it("SEED241-009 driver: writes none", async () => {
    const writable: ConfigField = { ...mtu, writable: true };
    const rig = makeRig({
      ...net,
      model: { ...net.model, config: [writable] },
      driver: {
        configLayout: [{ ...mtu, writable: "after-features-ok" }],
        validate: async () => {
          await expect(rig.driver.writeConfigField("mtu", 1500)).rejects.toThrow(
            expect.objectContaining({ code: "STATUS_SEQUENCE" }),
          );
          return undefined;
        },
      },
    });
    await started(rig);
    expect(rig.port.calls("writeConfig")).toEqual([]);
    driveTo(rig.device, 0x03);
    rig.device.writeConfig(10, 2, 1500);
    expect(rig.codes()).toEqual(["STATUS_SEQUENCE"]);
    expect(rig.device.readConfig(10, 2)).toBe(60);
  });

  it("SEED241-012 device: answers drivers that read first and accept later", () => {
    for (const at of [0x00, 0x01, 0x03]) {
      const { device, codes, transcript } = makeRig(net);
      driveTo(device, at);
      expect(device.readConfig(10, 2)).toBe(60);
      expect(codes()).toEqual([]);
      expect(transcript.toText({ width: Number.POSITIVE_INFINITY })).toContain(
        "its feature was not accepted first",
      );
    }
  });
});

describe("accepting again", () => {
  it("SEED241-011 driver: accepts another subset after looking, as often as it likes", async () => {
    const drops = [["MTU"], ["RING_PACKED"], []];
    const looks = ["accept", "validate", "accept-if-changed", "validate", "accept-if-changed"] as const;
    const profile = {
      name: "loops",
      summary: "looks three times",
      steps: [
        "reset",
        "acknowledge",
        "driver",
        "read-offer",
        "intersect",
        ...looks,
        "validate",
        "accept-if-changed",
        "features-ok",
        "confirm",
        "queues",
        "driver-ok",
      ] as const,
      wordOrder: { default: [0, 1] },
      featureWords: 2,
      withoutVersion1: "modern",
    } as const;
    const rig = await started(makeRig({ ...net, driver: { profile, validate: () => drops.shift() } }));
    expect(rig.port.calls("writeDriverFeatures")).toHaveLength(6);
    expect(rig.device.negotiated?.names("net")).toEqual(["MAC", "VERSION_1"]);
    expect(rig.driver.ring?.layout).toBe("split");
    roundTrips(rig);
  });

  it("SEED241-011 device: each word that is written replaces the one before it, and half-new sets are seen", () => {
    const { device } = makeRig({ model: { offers: [0, 1] } });
    driveTo(device, 0x03);
    const seen: string[] = [];
    for (const [word, value] of [
      [0, 3],
      [1, 5],
      [0, 2],
      [1, 1],
    ] as const) {
      device.writeFeatures(word, value);
      seen.push(device.accepted.bits().join(" "));
    }
    expect(seen).toEqual(["0 1", "0 1 32 34", "1 32 34", "1 32"]);
  });

  it("SEED241-002 driver: stops at a refusal, and says why", async () => {
    const rig = makeRig({ ...net, model: { ...net.model, validate: () => "MAC alone is not enough" } });
    expect(refusal(await rig.driver.initialize()).reason).toContain("MAC alone is not enough");
    expect([rig.driver.negotiated, rig.device.status]).toEqual([undefined, 0x83]);
  });
});
