// The driver: one loop over a profile's steps, over ports that answer at once and by Promise (§3.1.1).
import { describe, expect, it } from "vitest";
import { type DriverOptions, VirtioDriver } from "../../src/driver/driver";
import type { TransportPort } from "../../src/driver/port";
import { driverProfile } from "../../src/driver/profiles";
import { VirtioError } from "../../src/errors";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { addChains, makeRig, refusal, roundTrips, started } from "../control-rig";

const RING = ["VERSION_1", "RING_PACKED", "EVENT_IDX", "INDIRECT_DESC", "IN_ORDER"];

describe.each([
  ["at once", false],
  ["by Promise", true],
])("a port that answers %s", (_, later) => {
  it("sees the steps in order", async () => {
    const rig = await started(makeRig({ supports: RING, later }));
    const calls = rig.port.log.map(([name, ...values]) =>
      `${name} ${name === "enableQueue" ? values[0] : values.join(" ")}`.trim(),
    );
    expect(calls).toEqual([
      "writeStatus 0",
      "readStatus",
      "readStatus",
      "writeStatus 1",
      "readStatus",
      "writeStatus 3",
      ...[0, 1, 2, 3].map((word) => `readDeviceFeatures ${word}`),
      `writeDriverFeatures 0 ${2 ** 28 + 2 ** 29}`,
      `writeDriverFeatures 1 ${1 + 4 + 8}`,
      "readStatus",
      "writeStatus 11",
      "readStatus",
      "queueMaxSize 0",
      "enableQueue 0",
      "queueReady 0",
      "queueMaxSize 1",
      "readStatus",
      "writeStatus 15",
    ]);
    expect(rig.driver.ring).toMatchObject({ layout: "packed", inOrder: true });
    roundTripsLater(rig);
  });

  it("renegotiates into the other layout on the same objects, and back, and leaks nothing", async () => {
    const rig = makeRig({ supports: RING, later });
    const free = rig.allocator.available;
    for (const [supports, layout] of [
      [RING, "packed"],
      [["VERSION_1"], "split"],
      [["VERSION_1", "EVENT_IDX"], "split"],
      [RING, "packed"],
    ] as const) {
      await started(rig, supports);
      expect([rig.driver.ring?.layout, rig.device.ring?.layout]).toEqual([layout, layout]);
      expect(rig.driver.hasFeature("RING_PACKED")).toBe(layout === "packed");
      roundTripsLater(rig);
    }
    await rig.driver.reset();
    expect([rig.driver.ring, rig.driver.negotiated, rig.driver.queues]).toEqual([undefined, undefined, []]);
    expect(rig.allocator.available).toBe(free);
    expect(rig.codes()).toEqual([]);
  });

  it("gets FAILED and a reason after a refusal, not an exception", async () => {
    const rig = makeRig({ model: { validate: () => "a matter of taste" }, later });
    const { code, reason } = refusal(await rig.driver.initialize());
    expect(code).toBe("FEATURES_REFUSED");
    expect(reason).toBe("the device refused FEATURES_OK: status 0x03, accepted VERSION_1: a matter of taste");
    expect(rig.device.status).toBe(0x83);
    expect(rig.port.calls("enableQueue")).toEqual([]);
    expect(rig.driver.queues).toEqual([]);
  });

  function roundTripsLater(rig: ReturnType<typeof makeRig>): void {
    if (!later) roundTrips(rig);
  }
});

describe("feature words", () => {
  it("2 and 3 are written only when a bit there is or was accepted, and first", async () => {
    const offers = [70, 100];
    const rig = makeRig({ model: { offers }, offer: ["VERSION_1"], supports: ["VERSION_1", ...offers] });
    await started(rig);
    expect(rig.port.calls("writeDriverFeatures").map(([, word]) => word)).toEqual([2, 3, 0, 1]);
    expect(rig.device.negotiated?.bits()).toEqual([32, 70, 100]);
    rig.port.log.length = 0;
    await started(rig, ["VERSION_1"]);
    expect(rig.port.calls("writeDriverFeatures").map(([, word]) => word)).toEqual([0, 1]);
  });

  it("a bit dropped from word 2 is written as dropped", async () => {
    const rig = makeRig({
      model: { offers: [70] },
      offer: ["VERSION_1"],
      supports: ["VERSION_1", 70],
      driver: { validate: () => [70] },
    });
    await started(rig);
    expect(rig.port.calls("writeDriverFeatures")).toEqual([
      ["writeDriverFeatures", 2, 64],
      ["writeDriverFeatures", 0, 0],
      ["writeDriverFeatures", 1, 1],
      ["writeDriverFeatures", 2, 0],
      ["writeDriverFeatures", 0, 0],
      ["writeDriverFeatures", 1, 1],
    ]);
    expect(rig.device.negotiated?.bits()).toEqual([32]);
  });

  it("that repeat word 1 are not taken for an offer", async () => {
    const rig = makeRig({ supports: ["VERSION_1", 64] });
    const { port } = rig;
    const driver = driverOn(rig, {
      ...port,
      readDeviceFeatures: (word) => port.readDeviceFeatures(Math.min(word, 1)),
    });
    expect(await driver.initialize()).toMatchObject({ ok: true });
    expect(driver.offered.words.slice(2)).toEqual([0, 0]);
    expect(rig.transcript.toText({ width: Number.POSITIVE_INFINITY })).toContain(
      "words 2 and 3 repeat word 1",
    );
  });

  it("are written in the transport's order where it has one", async () => {
    const rig = makeRig();
    const driver = driverOn(rig, { ...rig.port, transport: "mmio" });
    await driver.initialize();
    expect(rig.port.calls("writeDriverFeatures").map(([, word]) => word)).toEqual([1, 0]);
  });
});

describe("validate", () => {
  const mtu = { deviceType: "net", deviceId: 1, offers: ["MTU", "MAC"] } as const;
  const config = [{ name: "mtu", offset: 10, bytes: 2, anyOf: ["MTU"], writable: false, value: 60 }] as const;

  it("reads the configuration after accepting, drops, and accepts again", async () => {
    const rig = makeRig({
      model: { ...mtu, config },
      supports: ["VERSION_1", "MTU", "MAC"],
      driver: {
        validate: async ({ readConfigField }) => (Number(await readConfigField("mtu")) < 68 ? ["MTU"] : []),
      },
    });
    await started(rig);
    expect(rig.driver.accepted.names("net")).toEqual(["MAC", "VERSION_1"]);
    expect(rig.driver.hasFeature("MTU")).toBe(false);
    const names = rig.port.log.map(([name]) => name);
    const firstWrite = names.indexOf("writeDriverFeatures");
    expect(names.indexOf("readConfig")).toBeGreaterThan(firstWrite);
    expect(names.lastIndexOf("writeDriverFeatures")).toBeGreaterThan(names.indexOf("readConfig"));
    expect(rig.transcript.toText({ width: Number.POSITIVE_INFINITY })).toContain("drops MTU");
  });

  it("accepts once if nothing is dropped", async () => {
    const rig = await started(makeRig({ driver: { validate: () => undefined } }));
    expect(rig.port.calls("writeDriverFeatures")).toHaveLength(2);
  });

  it("gives up with a VirtioError, and lets a defect through after FAILED", async () => {
    const giveUp = new VirtioError("FEATURES_REFUSED", "no use without a MAC");
    const rig = makeRig({
      driver: {
        validate: () => {
          throw giveUp;
        },
      },
    });
    expect(await rig.driver.initialize()).toEqual({
      ok: false,
      code: "FEATURES_REFUSED",
      reason: "no use without a MAC",
    });
    expect(rig.device.status).toBe(0x83);
    const other = makeRig({
      driver: {
        validate: () => {
          throw new TypeError("defect");
        },
      },
    });
    await expect(other.driver.initialize()).rejects.toThrow(TypeError);
    expect(other.device.status).toBe(0x83);
  });
});

describe("what a driver asks of its features", () => {
  it("is negotiated, not offered or accepted", async () => {
    const asked: boolean[] = [];
    const rig = makeRig({
      supports: RING,
      driver: {
        validate: () => {
          asked.push(rig.driver.hasFeature("RING_PACKED"));
          return undefined;
        },
      },
    });
    await started(rig);
    asked.push(rig.driver.hasFeature("RING_PACKED"));
    await rig.driver.reset();
    asked.push(rig.driver.hasFeature("RING_PACKED"));
    expect(asked).toEqual([false, true, false]);
  });

  it("is within its table", async () => {
    const rig = makeRig({ model: { deviceType: "net", deviceId: 1, offers: ["MTU"] } });
    expect(() => rig.driver.hasFeature("MTU")).toThrow(
      expect.objectContaining({ code: "FEATURE_NOT_IN_TABLE", message: expect.stringContaining("MTU (3)") }),
    );
    expect(rig.driver.hasFeature("RING_PACKED")).toBe(false);
    expect(() => rig.driver.hasFeature("RING_PACKD")).toThrow(
      expect.objectContaining({ code: "UNKNOWN_NAME" }),
    );
  });

  it("may be indispensable", async () => {
    const rig = makeRig({ offer: ["VERSION_1"], driver: { requires: ["RING_PACKED"] }, supports: RING });
    const { code, reason } = refusal(await rig.driver.initialize());
    expect([code, reason]).toEqual(["FEATURES_REFUSED", "the driver can't do without RING_PACKED"]);
    expect(rig.device.status).toBe(0x83);
    expect(rig.port.calls("writeDriverFeatures")).toEqual([]);
  });
});

describe("queues", () => {
  it("take the wanted size within the device's, for split a power of two", async () => {
    for (const [maxSize, queueSize, supports, size] of [
      [16, 256, ["VERSION_1"], 16],
      [100, 256, ["VERSION_1"], 64],
      [100, 256, RING, 100],
      [256, 7, ["VERSION_1"], 4],
      [256, 7, RING, 7],
      [1, 256, ["VERSION_1"], 1],
    ] as const) {
      const rig = makeRig({ model: { queues: [{ name: "q", maxSize }] }, supports, driver: { queueSize } });
      await started(rig);
      expect(rig.driver.queues.map((queue) => queue.size)).toEqual([size]);
      roundTrips(rig);
    }
  });

  it("may be fewer than the device has, and may have tables", async () => {
    const queues = ["a", "b", "c"].map((name) => ({ name, maxSize: 16 }));
    const rig = makeRig({ model: { queues }, supports: RING, driver: { queues: 2, indirect: 4 } });
    await started(rig);
    expect(rig.driver.queues).toHaveLength(2);
    expect(rig.device.queueReady(2)).toBe(false);
    const [, second] = rig.driver.queues;
    const address = rig.allocator.allocate(64);
    expect(
      second?.add([{ address, length: 8 }], [{ address, length: 8 }], { indirect: true }),
    ).toBeGreaterThan(0);
  });

  it("that the device doesn't enable, or that guest memory can't hold, end in FAILED", async () => {
    const rig = makeRig();
    const driver = driverOn(rig, { ...rig.port, queueReady: () => false });
    expect(refusal(await driver.initialize()).code).toBe("QUEUE_NOT_READY");
    expect(rig.device.status).toBe(0x8b);
    const allocator = new GuestAllocator(rig.core, { gpa: 0, size: 64 });
    expect(refusal(await driverOn(rig, rig.port, { allocator }).initialize()).reason).toContain(
      "bytes of guest memory wanted",
    );
    expect(rig.device.status).toBe(0x8b);
  });

  it("are notified from DRIVER_OK on, not before", async () => {
    const rig = makeRig({
      driver: {
        fill: () => {
          expect(() => rig.driver.kick(0)).toThrow(expect.objectContaining({ code: "STATUS_SEQUENCE" }));
        },
      },
    });
    await started(rig);
    expect(() => rig.driver.kick(1)).toThrow(expect.objectContaining({ code: "QUEUE_INDEX_RANGE" }));
  });
});

describe("trouble", () => {
  it("a reset that never ends is reported", async () => {
    const rig = makeRig({ driver: { statusReads: 3 } });
    const driver = driverOn(rig, { ...rig.port, readStatus: () => 1 }, { statusReads: 3 });
    const { code, reason } = refusal(await driver.initialize());
    expect([code, reason]).toEqual([
      "DEVICE_NEEDS_RESET",
      "the device did not finish its reset: status 0x01 after 3 reads",
    ]);
  });

  it("DEVICE_NEEDS_RESET in the middle of the steps ends them", async () => {
    const rig = makeRig({
      driver: {
        validate: () => {
          rig.device.needsReset(new VirtioError("INTERNAL", "broken"));
          return undefined;
        },
      },
    });
    expect(refusal(await rig.driver.initialize()).code).toBe("DEVICE_NEEDS_RESET");
    expect(rig.device.status).toBe(0xc3);
    expect(rig.notifications).toEqual([]);
  });

  it("check() sees what no notification told", async () => {
    const rig = await started(makeRig());
    await rig.driver.check();
    rig.device.connect(() => {});
    rig.device.needsReset(new VirtioError("INTERNAL", "broken"));
    expect(rig.driver.poll()).toBe(false);
    await expect(rig.driver.check()).rejects.toThrow(expect.objectContaining({ code: "DEVICE_NEEDS_RESET" }));
    expect(() => rig.driver.poll()).toThrow();
  });

  it("R161 poll() raises DEVICE_NEEDS_RESET; after the reset what was in flight is reported as aborted", async () => {
    for (const supports of [["VERSION_1"], RING]) {
      const rig = await started(makeRig({ supports }));
      const tokens = addChains(rig, 5);
      void rig.driver.kick(0);
      rig.device.needsReset(new VirtioError("INTERNAL", "broken"));
      expect(() => rig.driver.poll()).toThrow(
        expect.objectContaining({
          code: "DEVICE_NEEDS_RESET",
          message: "the device needs a reset: status 0x4f, 5 buffers in flight",
        }),
      );
      const aborted = await rig.driver.reset();
      expect(aborted.map(({ token }) => token).sort()).toEqual([...tokens].sort());
      expect(rig.transcript.toText({ width: Number.POSITIVE_INFINITY })).toContain(
        "5 buffers in flight were aborted",
      );
      expect(rig.driver.poll()).toBe(false);
      await started(rig, supports);
      roundTrips(rig);
    }
  });

  it("an unknown profile is answered with the nearest", () => {
    expect(() => driverProfile("linux-curent")).toThrow(/did you mean linux-current\?/);
    expect(() => makeRig({ driver: { profile: "linux" } })).toThrow(
      expect.objectContaining({ code: "UNKNOWN_NAME" }),
    );
  });
});

describe("a driver profile", () => {
  it("is an object literal: another order of the same steps", async () => {
    const seed = {
      name: "twice",
      summary: "looks twice",
      steps: [
        "reset",
        "acknowledge",
        "driver",
        "read-offer",
        "intersect",
        "accept",
        "validate",
        "accept-if-changed",
        "validate",
        "accept-if-changed",
        "features-ok",
        "confirm",
        "queues",
        "driver-ok",
      ],
      wordOrder: { default: [1, 0] },
      featureWords: 2,
      withoutVersion1: "modern",
    } as const;
    const drops = [["IN_ORDER"], ["RING_PACKED"]];
    const rig = makeRig({ supports: RING, driver: { profile: seed, validate: () => drops.shift() } });
    await started(rig);
    expect(rig.driver.ring).toMatchObject({ layout: "split", inOrder: false });
    expect(rig.port.calls("writeDriverFeatures").map(([, word]) => word)).toEqual([1, 0, 1, 0, 1, 0]);
  });

  it("that never confirms is a result too", async () => {
    const profile = {
      ...driverProfile("linux-current"),
      name: "hasty",
      steps: ["reset", "acknowledge"],
    } as const;
    const rig = makeRig({ driver: { profile } });
    expect(refusal(await rig.driver.initialize()).code).toBe("STATUS_SEQUENCE");
  });

  it("that skips confirm doesn't get queues", async () => {
    const { steps } = driverProfile("linux-current");
    const profile = {
      ...driverProfile("linux-current"),
      name: "blind",
      steps: steps.filter((s) => s !== "confirm"),
    };
    const rig = makeRig({ driver: { profile } });
    expect(refusal(await rig.driver.initialize())).toMatchObject({ code: "STATUS_SEQUENCE" });
  });
});

/** Another driver on the rig's device, behind a changed port. */
function driverOn(
  rig: ReturnType<typeof makeRig>,
  port: TransportPort,
  more: Partial<DriverOptions> = {},
): VirtioDriver {
  const { core, allocator, transcript } = rig;
  const supports = ["VERSION_1", 64];
  return new VirtioDriver({ port, core, allocator, supports, onEvent: transcript.sink, ...more });
}

it("a queue tells what it wrote where the port only copies guest memory, and not elsewhere", async () => {
  for (const copiesMemory of [true, undefined]) {
    const rig = makeRig();
    const driver = driverOn(rig, { ...rig.port, ...(copiesMemory ? { copiesMemory } : {}) });
    await driver.initialize();
    const [queue] = driver.queues;
    queue?.add([{ address: rig.allocator.allocate(16), length: 16 }], []);
    queue?.publish();
    expect((queue?.touched() ?? []).length > 0).toBe(copiesMemory === true);
  }
});

it("§4.1.5.1.3.1 a queue has the size of a port whose size is fixed, whatever is wanted", async () => {
  for (const [fixedQueueSize, size] of [
    [true, 16],
    [undefined, 4],
  ] as const) {
    const rig = makeRig();
    const port = { ...rig.port, ...(fixedQueueSize ? { fixedQueueSize } : {}) };
    const driver = driverOn(rig, port, { queueSize: 4 });
    expect(await driver.initialize()).toMatchObject({ ok: true });
    expect(driver.queues[0]?.size).toBe(size);
  }
});
