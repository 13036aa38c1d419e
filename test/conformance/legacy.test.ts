// The legacy interface (§2.2.3, §2.5.3, §2.5.4, §2.7.2, §3.1.2, §6.3, patch for issue 241): how a transitional device finds
// a legacy driver out, what a wrong answer does, and how the two work with each other.
import { describe, expect, it } from "vitest";
import { LEGACY_DETECTIONS } from "../../src/device/legacy";
import { configFields } from "../../src/device/model";
import { DEVICE_PROFILES, type DeviceProfile } from "../../src/device/profiles";
import { CONFIG_LAYOUTS } from "../../src/negotiation/config-table";
import { driveTo, makeRig, type RigOptions, roundTrips, started } from "../control-rig";

const { transitional } = DEVICE_PROFILES;
const MTU = 3;
const MODERN = ["VERSION_1", "MTU", "EVENT_IDX", "RING_PACKED"];
const LEGACY_ONLY = ["ANY_LAYOUT", "NOTIFY_ON_EMPTY", "UNUSED"];

type Detection = keyof typeof LEGACY_DETECTIONS;
type Order = "little" | "big";

/** A net device with mtu 1500, and a driver that notes what it reads of it in `validate`. */
function net(detection: Detection, profile: string, order: Order, more: RigOptions = {}) {
  const read: unknown[] = [];
  const isLegacyDriver = profile === "legacy";
  const rig = makeRig({
    ...more,
    model: {
      deviceType: "net",
      deviceId: 1,
      offers: ["MTU"],
      config: configFields("net", { mtu: 1500, mac: Uint8Array.of(1, 2, 3, 4, 5, 6) }),
      ...more.model,
    },
    device: {
      profile: { ...transitional, legacy: LEGACY_DETECTIONS[detection] },
      byteOrder: order,
      ...more.device,
    },
    supports: [...MODERN, ...LEGACY_ONLY],
    driver: {
      profile,
      byteOrder: order,
      validate: async ({ readConfigField }) => {
        read.push(await readConfigField("mtu"));
        return undefined;
      },
      probe: async ({ readConfigField }) => {
        read.push(await readConfigField("mtu"));
      },
      ...more.driver,
    },
    // A legacy driver comes through the legacy window, or finds version 1 in the register.
    loopback: { window: isLegacyDriver ? "legacy" : "modern", versionRegister: isLegacyDriver ? 1 : 2 },
  });
  return { rig, read };
}

/** What the driver reads in `validate` and in `probe`, and how it ends. By hand, from the texts named at the top. */
const OUTCOMES: readonly [
  Detection,
  string,
  little: readonly number[],
  big: readonly number[],
  end: string,
][] = [
  ["by-version1-accepted", "legacy", [1500, 1500], [1500, 1500], "split, legacy"],
  ["by-version1-accepted", "linux-current", [1500, 1500], [1500, 1500], "packed"],
  ["by-version1-accepted", "linux-validate-first", [1500, 1500], [56325, 1500], "packed"],
  ["by-version1-accepted", "linux-version1-only", [1500, 1500], [1500, 1500], "packed"],
  ["by-version1-accepted", "seed-241", [1500, 1500], [1500, 1500], "packed"],
  ["by-window", "legacy", [1500, 1500], [1500, 1500], "split, legacy"],
  ["by-window", "linux-current", [1500, 1500], [1500, 1500], "packed"],
  ["by-window", "linux-validate-first", [1500, 1500], [1500, 1500], "packed"],
  ["by-window", "linux-version1-only", [1500, 1500], [1500, 1500], "packed"],
  ["by-window", "seed-241", [1500, 1500], [1500, 1500], "packed"],
  ["by-version-register", "legacy", [1500, 1500], [1500, 1500], "split, legacy"],
  ["by-version-register", "linux-current", [1500, 1500], [1500, 1500], "packed"],
  ["by-version-register", "linux-validate-first", [1500, 1500], [1500, 1500], "packed"],
  ["by-version-register", "linux-version1-only", [1500, 1500], [1500, 1500], "packed"],
  ["by-version-register", "seed-241", [1500, 1500], [1500, 1500], "packed"],
  ["by-first-access", "legacy", [1500, 1500], [1500, 1500], "split, legacy"],
  ["by-first-access", "linux-current", [1500, 1500], [1500, 1500], "packed"],
  ["by-first-access", "linux-validate-first", [1500, 1500], [56325, 1500], "packed"],
  ["by-first-access", "linux-version1-only", [1500, 1500], [1500, 1500], "packed"],
  ["by-first-access", "seed-241", [1500, 1500], [1500, 1500], "packed"],
];

describe("detection", () => {
  it("the table has every combination", () => {
    const detections = Object.keys(LEGACY_DETECTIONS);
    expect(OUTCOMES.length).toBe(detections.length * 5);
    expect(new Set(OUTCOMES.map(([detection]) => detection))).toEqual(new Set(detections));
  });

  it.each(OUTCOMES)(
    "SEED241-006 FEATURES-017 CONFIG-010 device: %s, driver %s",
    async (detection, profile, little, big, end) => {
      for (const [order, values] of [
        ["little", little],
        ["big", big],
      ] as const) {
        const { rig, read } = net(detection, profile, order);
        const result = await rig.driver.initialize();
        expect([order, ...read]).toEqual([order, ...values]);
        expect(result).toMatchObject({ ok: true });
        const isLegacy = end.endsWith("legacy");
        expect([rig.device.isLegacy, rig.device.ring?.layout]).toEqual([isLegacy, end.split(",")[0]]);
        expect(rig.device.negotiated?.has(MTU)).toBe(true);
        if (isLegacy && order === "big") {
          // §2.7.3: its rings would be big-endian.
          expect([rig.device.status, rig.codes()]).toEqual([0x47, ["BYTE_ORDER"]]);
          expect(() => rig.driver.poll()).toThrow(expect.objectContaining({ code: "DEVICE_NEEDS_RESET" }));
        } else {
          expect([rig.device.status, rig.codes()]).toEqual([isLegacy ? 0x07 : 0x0f, []]);
          roundTrips(rig);
        }
      }
    },
  );

  it("FEATURES-017 §2.2.3 device: VERSION_1 not accepted is a legacy driver, until it is accepted", () => {
    const { device } = net("by-version1-accepted", "linux-current", "little").rig;
    expect(device.isLegacy).toBe(true);
    device.writeStatus(1);
    device.writeStatus(3);
    device.writeFeatures(0, 8);
    expect(device.isLegacy).toBe(true);
    device.writeFeatures(1, 1);
    expect(device.isLegacy).toBe(false);
    device.writeFeatures(1, 0);
    expect(device.isLegacy).toBe(true);
    device.writeFeatures(1, 1);
    device.writeStatus(0x0b);
    expect([device.status, device.isLegacy]).toEqual([0x0b, false]);
    device.writeStatus(0);
    expect(device.isLegacy).toBe(true);
  });

  it("SEED241-006 device: what the transport doesn't say is no evidence of a legacy driver", async () => {
    for (const name of ["by-window", "by-version-register"] as const) {
      const rig = makeRig({ device: { profile: { ...transitional, legacy: LEGACY_DETECTIONS[name] } } });
      expect(rig.device.isLegacy).toBe(false);
      await started(rig);
      roundTrips(rig);
      rig.device.writeStatus(0);
      rig.device.useWindow("legacy");
      rig.device.connect(() => {}, { versionRegister: 1 });
      expect(rig.device.isLegacy).toBe(true);
    }
  });

  it("SEED241-006 device: a user's own way of detection", async () => {
    const legacy = { name: "never", summary: "no driver is a legacy one", isLegacy: () => false };
    const rig = makeRig({
      device: { profile: { ...transitional, name: "mine", legacy } },
      driver: { profile: "legacy" },
    });
    await rig.driver.initialize();
    expect([rig.device.isLegacy, rig.device.queueReady(0)]).toEqual([false, false]);
    expect(rig.codes()).toContain("STATUS_SEQUENCE");
  });

  it("FEATURES-016 §2.2.3 driver: a device without VERSION_1 is a legacy one", async () => {
    const profile: DeviceProfile = {
      ...transitional,
      name: "before 1.0",
      mustOffer: [],
      offers: ["ANY_LAYOUT", "EVENT_IDX"],
    };
    for (const driver of [
      "linux-current",
      "linux-validate-first",
      "linux-version1-only",
      "linux-pre-validate",
      "legacy",
    ]) {
      const { rig } = net("by-version1-accepted", driver, "little", { device: { profile } });
      await started(rig);
      expect(rig.port.calls("writeStatus").map(([, value]) => value)).toEqual([0, 1, 3, 7]);
      expect(rig.driver.negotiated?.names("net")).toEqual(["MTU", "ANY_LAYOUT", "EVENT_IDX"]);
      roundTrips(rig);
    }
  });

  it("FEATURES-018 both: on the legacy interface nothing of the modern one is in force", () => {
    const { device } = net("by-version1-accepted", "legacy", "little", {
      model: { queues: [{ name: "q", maxSize: 16 }] },
    }).rig;
    device.writeStatus(1);
    device.writeStatus(3);
    device.writeFeatures(0, (1 << 24) | (1 << 29) | (1 << 3)); // NOTIFY_ON_EMPTY was not offered
    device.writeFeatures(1, 4); // RING_PACKED without VERSION_1
    device.enableQueue(0, { size: 16, areas: { descriptor: 0x1000, driver: 0x1100, device: 0x2000 } });
    device.writeStatus(7);
    expect(device.negotiated?.names("net")).toEqual(["MTU", "EVENT_IDX"]);
    expect([device.ring?.layout, device.ring?.notifyOnEmpty, device.queueReady(0)]).toEqual([
      "split",
      false,
      true,
    ]);
  });
});

describe("initialisation", () => {
  it("INIT-010 §3.1.2 driver: neither writes FEATURES_OK nor reads it back", async () => {
    const { rig } = net("by-version1-accepted", "legacy", "little");
    await started(rig);
    expect(rig.port.calls("writeStatus").map(([, value]) => value)).toEqual([0, 1, 3, 7]);
    expect(rig.port.calls("readDeviceFeatures").map(([, word]) => word)).toEqual([0]);
    expect(new Set(rig.port.calls("writeDriverFeatures").map(([, word]) => word))).toEqual(new Set([0]));
    expect([
      rig.device.status,
      rig.device.negotiated?.equals(rig.driver.negotiated ?? rig.device.offered),
    ]).toEqual([7, true]);
  });

  it("INIT-011 §3.1.2 device: tolerates configuration writes before the negotiation, of a legacy driver alone", () => {
    const config = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }] as const;
    for (const at of [[], [1], [1, 3]]) {
      const { device, codes, model } = makeRig({ model: { config }, device: { profile: transitional } });
      for (const status of at) device.writeStatus(status);
      device.writeConfig(0, 4, 9);
      expect([device.readConfig(0, 4), model.written, codes()]).toEqual([
        9,
        [{ name: "mode", value: 9 }],
        [],
      ]);
      device.writeFeatures(1, 1);
      device.writeConfig(0, 4, 8);
      expect(device.readConfig(0, 4)).toBe(9);
      expect(codes()).toContain("STATUS_SEQUENCE");
    }
  });

  it("INIT-012 §3.1.2 device: tolerates being used before DRIVER_OK", async () => {
    const { rig } = net("by-version1-accepted", "legacy", "little", {
      driver: {
        fill: (queues) => {
          const address = rig.allocator.allocate(64);
          queues[0]?.add([{ address, length: 64 }]);
          queues[0]?.publish();
          rig.device.notify(0);
          while (rig.device.process() === "more");
          expect([queues[0]?.takeUsed(), rig.device.status, rig.model.starts]).toEqual([1, 3, 1]);
        },
      },
    });
    await started(rig);
    expect([rig.device.status, rig.model.starts, rig.codes()]).toEqual([7, 1, []]);
    roundTrips(rig);
    expect(rig.transcript.toText({ width: 160 })).toContain("in use before DRIVER_OK, by a legacy driver");
  });

  it("INIT-013 §3.1.2 device: features are final at the first use, and only a reset opens them again", () => {
    const { device, codes } = net("by-version1-accepted", "legacy", "little").rig;
    device.writeStatus(1);
    device.writeStatus(3);
    device.writeFeatures(0, 8);
    device.writeFeatures(0, 0);
    device.writeFeatures(0, 8);
    expect([device.negotiated, codes()]).toEqual([undefined, []]);
    device.enableQueue(0, { size: 16, areas: { descriptor: 0x1000, driver: 0x1100, device: 0x2000 } });
    device.writeFeatures(0, 0);
    expect([device.negotiated?.names("net"), codes()]).toEqual([["MTU"], ["FEATURES_FROZEN"]]);
    device.writeFeatures(1, 1);
    expect(device.isLegacy).toBe(true);
    device.writeStatus(0);
    device.writeStatus(1);
    device.writeStatus(3);
    device.writeFeatures(1, 1);
    expect(device.isLegacy).toBe(false);
  });

  it("a legacy driver's split ring lies in one run of pages (§2.7.2), and chains go through", async () => {
    for (const size of [16, 64, 256]) {
      const { rig } = net("by-version1-accepted", "legacy", "little", {
        model: { queues: [{ name: "q", maxSize: size }] },
      });
      await started(rig);
      const [, , setup] = rig.port.calls("enableQueue")[0] as [
        string,
        number,
        { size: number; areas: Record<string, number> },
      ];
      const { descriptor = 0, driver, device } = setup.areas;
      const available = descriptor + 16 * size;
      expect([setup.size, descriptor % 4096, driver]).toEqual([size, 0, available]);
      expect(device).toBe((available + 6 + 2 * size + 4095) & ~4095);
      roundTrips(rig, 3 * size);
      expect(rig.codes()).toEqual([]);
    }
  });
});

describe("configuration", () => {
  const blk = (order: Order, size: { sectors: bigint }, more: Partial<RigOptions["model"]> = {}) =>
    makeRig({
      model: {
        deviceType: "blk",
        deviceId: 2,
        offers: [],
        config: configFields("blk", { capacity: () => size.sectors }),
        ...more,
      },
      device: { profile: transitional, byteOrder: order },
      driver: { profile: "legacy", byteOrder: order },
    });

  it("CONFIG-009 §2.5.4 driver: reads a wide field until two reads agree, and no generation", async () => {
    const size = { sectors: 0x1_0000_0002n };
    const rig = await started(blk("little", size));
    rig.port.log.length = 0;
    expect(await rig.driver.readConfigField("capacity")).toBe(0x1_0000_0002n);
    expect(rig.port.log.map(([name, offset]) => `${name} ${offset}`)).toEqual([
      "readConfig 0",
      "readConfig 4",
      "readConfig 0",
      "readConfig 4",
    ]);
    // A value that changes between the halves is read once more.
    let reads = 0;
    const { port } = rig;
    const torn = {
      ...port,
      readConfig: (offset: number, bytes: 1 | 2 | 4) => {
        if (++reads === 2) size.sectors = 0x5_0000_0006n;
        return port.readConfig(offset, bytes);
      },
    };
    const driver = makeRig({ driver: { port: torn, deviceType: "blk", profile: "legacy" } }).driver;
    await driver.initialize();
    reads = 0;
    expect(await driver.readConfigField("capacity")).toBe(0x5_0000_0006n);
    expect(reads).toBe(6);
  });

  it("CONFIG-010 §2.5.3 both: fields are in the guest's byte order, read and written", async () => {
    const config = [
      { name: "byte", offset: 0, bytes: 1, anyOf: [], writable: true, value: 0x12 },
      { name: "half", offset: 2, bytes: 2, anyOf: [], writable: true, value: 0x1234 },
      { name: "word", offset: 4, bytes: 4, anyOf: [], writable: true, value: 0x12345678 },
      { name: "wide", offset: 8, bytes: 8, anyOf: [], value: 0x0102030405060708n },
      { name: "text", offset: 16, bytes: 4, anyOf: [], value: Uint8Array.of(1, 2, 3, 4) },
    ] as const;
    const layout = config.map(({ name, offset, bytes }) => ({
      name,
      offset,
      bytes,
      anyOf: [],
      writable: "after-features-ok" as const,
    }));
    const bytesOf = (rig: ReturnType<typeof makeRig>) =>
      Array.from({ length: 20 }, (_, i) => rig.device.readConfig(i, 1));
    for (const order of ["little", "big"] as const) {
      const rig = makeRig({
        model: { config },
        device: { profile: transitional, byteOrder: order },
        driver: { profile: "legacy", byteOrder: order, configLayout: layout, queues: 0 },
      });
      const turn = (bytes: number[]) => (order === "big" ? [...bytes].reverse() : bytes);
      expect(bytesOf(rig)).toEqual([
        0x12,
        0,
        ...turn([0x34, 0x12]),
        ...turn([0x78, 0x56, 0x34, 0x12]),
        ...turn([8, 7, 6, 5, 4, 3, 2, 1]),
        ...[1, 2, 3, 4],
      ]);
      await rig.driver.initialize();
      expect(await rig.driver.readConfigFields(["byte", "half", "word", "wide"])).toEqual([
        0x12,
        0x1234,
        0x12345678,
        0x0102030405060708n,
      ]);
      await rig.driver.writeConfigField("half", 0xabcd);
      await rig.driver.writeConfigField("word", 0xdeadbeef);
      expect(rig.model.written).toEqual([
        { name: "half", value: 0xabcd },
        { name: "word", value: 0xdeadbeef },
      ]);
      expect(bytesOf(rig).slice(2, 8)).toEqual([...turn([0xcd, 0xab]), ...turn([0xef, 0xbe, 0xad, 0xde])]);
    }
  });

  it("CONFIG-010 §2.5.3 device: the exception of §5.5.4 stays little-endian", () => {
    const rig = makeRig({
      model: { config: [{ name: "num_pages", offset: 0, bytes: 4, anyOf: [], value: 1 }] },
      device: { profile: transitional, byteOrder: "big" },
    });
    expect(rig.device.readConfig(0, 4)).toBe(0x01000000);
    Object.assign(rig.model, { littleEndianConfig: true });
    expect(rig.device.readConfig(0, 4)).toBe(1);
    expect(CONFIG_LAYOUTS.balloon[0]?.name).toBe("num_pages");
  });
});

describe("reserved bits", () => {
  it.each([true, false])(
    "RESERVED-027 RESERVED-028 §6.3 device: NOTIFY_ON_EMPTY (%s) notifies of an empty queue though it is suppressed",
    async (isOffered) => {
      const offer = [...transitional.offers, ...(isOffered ? ["NOTIFY_ON_EMPTY"] : [])];
      const rig = makeRig({
        offer,
        device: { profile: transitional },
        supports: ["NOTIFY_ON_EMPTY"],
        driver: { profile: "legacy" },
      });
      await started(rig);
      expect(rig.device.ring?.notifyOnEmpty).toBe(isOffered);
      rig.driver.queues[0]?.disarm();
      roundTrips(rig, 3);
      expect(rig.notifications.map(({ kind }) => kind)).toEqual(isOffered ? ["used", "used", "used"] : []);
    },
  );

  it("RESERVED-029 §6.3 device: a transitional one offers ANY_LAYOUT and bit 30, a strict one must not", () => {
    const { offered } = makeRig({ device: { profile: transitional } }).device;
    expect([offered.has(27), offered.has(30)]).toEqual([true, true]);
    const strict = makeRig().device.offered;
    expect([strict.has(24), strict.has(27), strict.has(30)]).toEqual([false, false, false]);
    expect(() => makeRig({ offer: ["VERSION_1", 27] })).toThrow("ANY_LAYOUT (27) could not be kept");
  });

  it("RESERVED-030 RESERVED-031 §6.3 driver: accepts ANY_LAYOUT on the legacy interface, and bit 30 nowhere", async () => {
    const everything = Array.from({ length: 44 }, (_, bit) => bit);
    for (const profile of ["legacy", "linux-current", "seed-241"]) {
      const rig = makeRig({ device: { profile: transitional }, supports: everything, driver: { profile } });
      await started(rig);
      const negotiated = rig.device.negotiated;
      expect([profile, negotiated?.has(27), negotiated?.has(30)]).toEqual([
        profile,
        profile === "legacy",
        false,
      ]);
      roundTrips(rig);
    }
  });
});

it("INIT-013 §3.1.2 device: a set that came too late is remembered by an image", () => {
  const rig = makeRig({ device: { profile: "transitional" } });
  driveTo(rig.device, 0x03);
  rig.device.enableQueue(0, { size: 4, areas: { descriptor: 0, driver: 0x100, device: 0x1000 } });
  rig.device.writeFeatures(1, 1);
  const { device } = makeRig({ device: { profile: "transitional" } });
  device.restore(rig.device.save());
  device.writeStatus(0x0b);
  expect(device.status).toBe(0x03);
  expect(device.refusal).toContain("after its first use made the features final");
});
