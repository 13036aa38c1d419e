// Area "features" (§2.2): what is offered, accepted and agreed, and by whom it is checked.
import { describe, expect, it } from "vitest";
import { CONFIG_LAYOUTS } from "../../src/negotiation/config-table";
import { featureBit, isDeviceTypeBit } from "../../src/negotiation/feature-names";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { type DeviceType, FEATURES, RESERVED_FEATURES } from "../../src/negotiation/feature-table";
import { dropUnmet } from "../../src/negotiation/prerequisites";
import { driveTo, makeRig, type Rig, type RigOptions, refusal, roundTrips, started } from "../control-rig";

/** Lets the device's port lie: its offer has these words, whatever the device itself offers. */
function offering(words: readonly number[], options: RigOptions): Rig {
  const inner = makeRig(options);
  const port = { ...inner.port, readDeviceFeatures: (word: number) => words[word] ?? 0 };
  return { ...inner, driver: makeRig({ ...options, driver: { ...options.driver, port } }).driver };
}

const everything = FeatureSet.fromWords([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff]);

describe("driver", () => {
  it("FEATURES-001 §2.2.1 driver: accepts no bit that was not offered", async () => {
    const rig = await started(makeRig({ offer: ["VERSION_1", "EVENT_IDX"], supports: everything.bits() }));
    expect(rig.device.accepted.isSubsetOf(rig.device.offered)).toBe(true);
    expect(rig.driver.negotiated?.names()).toEqual(["EVENT_IDX", "VERSION_1"]);
  });

  it("FEATURES-002 §2.2.1 driver: accepts no bit without its prerequisites, though they are not offered", async () => {
    const wanted = FeatureSet.from(["MQ", "GUEST_ECN", "MTU", "VERSION_1"], "net");
    const rig = offering(wanted.words, {
      model: { deviceType: "net", deviceId: 1 },
      supports: wanted.bits(),
    });
    await rig.driver.initialize();
    expect(rig.driver.accepted.names("net")).toEqual(["MTU", "VERSION_1"]);
  });

  it("FEATURES-003 §2.2.1 driver: checks the offer: contradictions and repeated words don't get through", async () => {
    const rig = offering([0, 5, 5, 5], { supports: everything.bits() });
    await rig.driver.initialize();
    expect(rig.driver.offered.bits()).toEqual([32, 34]);
    expect(rig.driver.accepted.bits()).toEqual([32, 34]);
  });

  it("FEATURES-004 FEATURES-005 FEATURES-008 §2.2.1 driver: ignores undocumented, reserved and foreign bits and goes on", async () => {
    for (const type of ["net", "blk", "balloon"] as const) {
      const model = { deviceType: type, deviceId: FEATURES[type].id };
      const rig = offering(everything.words.slice(0, 2).concat(0xffffffff, 0xfffffffe), {
        model,
        supports: everything.bits(),
      });
      await rig.driver.initialize();
      const unusable = [24, 25, 26, 27, 30, 31, 37, 39, 41, 42, 44, 45, 46, 47, 48, 49, 100, 127];
      expect(rig.driver.accepted.bits().filter((bit) => unusable.includes(bit))).toEqual([]);
      expect(rig.driver.accepted.has("VERSION_1")).toBe(true);
      for (const bit of rig.driver.accepted.bits()) {
        const known = [...RESERVED_FEATURES, ...FEATURES[type].rows].map(([number]) => number);
        expect(known).toContain(bit);
      }
    }
  });

  it("FEATURES-006 §2.2.1 driver: falls back where an understood bit is missing", async () => {
    const rig = await started(makeRig({ offer: ["VERSION_1"], supports: ["VERSION_1", "RING_PACKED"] }));
    expect(rig.driver.ring?.layout).toBe("split");
    roundTrips(rig);
  });

  it("FEATURES-007 §2.2.1 driver: without a fallback sets FAILED and stops", async () => {
    const rig = makeRig({ offer: ["VERSION_1"], driver: { requires: ["EVENT_IDX"] } });
    expect(refusal(await rig.driver.initialize()).reason).toContain("EVENT_IDX");
    expect(rig.port.calls("writeStatus").map(([, value]) => value)).toEqual([0, 1, 3, 0x83]);
    expect(rig.port.calls("writeDriverFeatures", "queueMaxSize")).toEqual([]);
  });
});

describe("device", () => {
  it("FEATURES-009 §2.2.2 device: an offer without its prerequisites is refused at construction, the bit named", () => {
    for (const type of Object.keys(FEATURES) as DeviceType[]) {
      for (const [bit, name, rule] of FEATURES[type].rows as readonly (typeof RESERVED_FEATURES)[number][]) {
        const needs = [
          ...(rule?.requires ?? []),
          ...(rule?.offerRequires ?? []),
          ...(rule?.requiresAny ?? []).flat(),
        ];
        if (needs.length === 0) continue;
        const make = () => makeRig({ model: { deviceType: type, offers: [bit] } });
        expect(make).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
        expect(make).toThrow(`${name} (${bit}) needs`);
        expect(make).toThrow(`(${featureBit(needs[0] ?? "", type)})`);
      }
    }
  });

  it("FEATURES-010 §2.2.2 device: agrees to every valid subset", () => {
    const ring = ["INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "IN_ORDER", "NOTIFICATION_DATA", "RING_RESET"];
    const { device, codes } = makeRig();
    for (let subset = 0; subset < 1 << ring.length; subset++) {
      const accepted = FeatureSet.of("VERSION_1", ...ring.filter((_, i) => (subset >>> i) & 1));
      driveTo(device, 0x0b, accepted);
      expect(device.negotiated?.equals(accepted)).toBe(true);
      expect(device.ring?.layout).toBe(accepted.has("RING_PACKED") ? "packed" : "split");
    }
    expect(codes()).toEqual([]);
  });

  it("FEATURES-010 §2.2.2 device: agrees to every closed subset of a net device's offer", () => {
    const names = [
      "CSUM",
      "GUEST_CSUM",
      "GUEST_TSO4",
      "GUEST_ECN",
      "CTRL_VQ",
      "MQ",
      "HASH_REPORT",
      "HASH_TUNNEL",
    ];
    const { device } = makeRig({ model: { deviceType: "net", offers: [...names, "RSS"] } });
    for (let subset = 0; subset < 1 << names.length; subset++) {
      const wanted = FeatureSet.from(["VERSION_1", ...names.filter((_, i) => (subset >>> i) & 1)], "net");
      const closed = dropUnmet(wanted, "net");
      driveTo(device, 0x0b, closed);
      if (wanted.equals(closed)) continue;
      driveTo(device, 0x03);
      wanted.words.forEach((word, i) => {
        device.writeFeatures(i, word);
      });
      device.writeStatus(0x0b);
      expect(device.status).toBe(0x03);
    }
  });

  it("FEATURES-011 §2.2.2 device: leaves FEATURES_OK clear for a set that can't work, and says why", () => {
    const model = { deviceType: "net", offers: ["CTRL_VQ", "MQ"] } as const;
    for (const [accepted, why] of [
      [["RING_PACKED"], "VERSION_1 (32) must be accepted"],
      [["VERSION_1", "MTU"], "MTU (3) was not offered"],
      [["VERSION_1", "MQ"], "MQ (22) needs CTRL_VQ (17)"],
      [["MQ", "MAC"], "MAC (5) was not offered; VERSION_1 (32) must be accepted; MQ (22) needs CTRL_VQ (17)"],
    ] as const) {
      const { device, codes } = makeRig({ model });
      driveTo(device, 0x03);
      FeatureSet.from(accepted, "net").words.forEach((word, i) => {
        device.writeFeatures(i, word);
      });
      device.writeStatus(0x0b);
      expect([device.readStatus(), device.refusal, device.negotiated, device.ring]).toEqual([
        0x03,
        why,
        undefined,
        undefined,
      ]);
      expect(codes()).toEqual([]);
    }
    const { device } = makeRig({ model: { validate: () => "not with me" } });
    driveTo(device, 0x03);
    device.writeFeatures(1, 1);
    device.writeStatus(0x0b);
    expect([device.status, device.refusal]).toEqual([0x03, "not with me"]);
  });

  it("FEATURES-012 §2.2.2 device: offers nothing that it could not honour", () => {
    for (const bit of [24, 25, 26, 27, 30, 31, 37, 39, 41, 42, 44, 45, 46, 47, 48, 49]) {
      expect(() => makeRig({ offer: ["VERSION_1", bit] })).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT" }),
      );
    }
  });

  it("FEATURES-013 §2.2.2 device: agrees to the same set again after a reset, and refuses the same again", () => {
    const { device } = makeRig();
    const good = FeatureSet.of("VERSION_1", "RING_PACKED");
    for (let i = 0; i < 3; i++) {
      driveTo(device, 0x0f, good);
      expect(device.negotiated?.equals(good)).toBe(true);
      driveTo(device, 0x03);
      device.writeFeatures(1, 4);
      device.writeStatus(0x0b);
      expect(device.status).toBe(0x03);
    }
  });

  it("FEATURES-014 §2.2 device: the bit ranges", () => {
    const ofTypes = Array.from({ length: 128 }, (_, bit) => bit).filter(isDeviceTypeBit);
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    expect(ofTypes).toEqual([...range(0, 23), 41, 42, ...range(50, 127)]);
    for (const { rows } of Object.values(FEATURES))
      for (const [bit] of rows) expect(isDeviceTypeBit(bit)).toBe(true);
    for (const [bit, name] of RESERVED_FEATURES) expect(isDeviceTypeBit(bit)).toBe(name === "ADMIN_VQ");
  });

  it("FEATURES-015 §2.2 device: every field that a base device lacks hangs on a bit", () => {
    const always = Object.values(CONFIG_LAYOUTS).map((fields) =>
      fields.filter(({ anyOf }) => anyOf.length === 0).map(({ name }) => name),
    );
    expect(always).toEqual([
      ["mac"],
      ["capacity"],
      [],
      [],
      ["num_pages", "actual"],
      [],
      ["tag", "num_request_queues"],
    ]);
  });
});

describe("both", () => {
  it("FEATURES-019 §2.2.4 both: a pair without the legacy interface works", async () => {
    const rig = await started(makeRig({ supports: ["VERSION_1", "NOTIFY_ON_EMPTY", "ANY_LAYOUT"] }));
    expect(rig.driver.negotiated?.names()).toEqual(["VERSION_1"]);
    roundTrips(rig);
  });
});
