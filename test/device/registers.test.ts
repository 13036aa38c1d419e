// What a transport reaches of the queues: set-up, reset of one queue, notifications (§2.6, §2.6.1, §2.9).
import { describe, expect, it } from "vitest";
import type { QueueSetup } from "../../src/device/queues";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, makeRig, roundTrips, started } from "../control-rig";

const SPLIT = FeatureSet.of("VERSION_1");
const PACKED = FeatureSet.of("VERSION_1", "RING_PACKED");
const AREAS = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
const setup = (size: number, areas: Partial<QueueSetup["areas"]> = {}) => ({
  size,
  areas: { ...AREAS, ...areas },
});

/** A device with two queues, taken by hand to `status`. */
function at(status: number, accepted = SPLIT) {
  const rig = makeRig({
    model: {
      queues: [
        { name: "large", maxSize: 256 },
        { name: "odd", maxSize: 100 },
      ],
    },
  });
  driveTo(rig.device, status, accepted);
  return rig;
}

describe("queue set-up", () => {
  it.each([
    ["T163", 0, "QUEUE_SIZE_INVALID"],
    ["T164", 0x10000, "QUEUE_SIZE_INVALID"],
    ["T166", 6, "QUEUE_SIZE_INVALID"],
    ["T168", 257, "QUEUE_SIZE_INVALID"],
    ["T168", 512, "QUEUE_SIZE_INVALID"],
    ["not a number", Number.NaN, "QUEUE_SIZE_INVALID"],
    ["not whole", 1.5, "QUEUE_SIZE_INVALID"],
    ["negative", -8, "QUEUE_SIZE_INVALID"],
  ])("%s split: size %d is refused", (_, size, code) => {
    const { device, codes } = at(0x0b);
    device.enableQueue(0, setup(size));
    expect(codes()).toEqual([code]);
    expect(device.queueReady(0)).toBe(false);
    device.enableQueue(0, setup(8));
    expect(device.queueReady(0)).toBe(true);
  });

  it("T167 packed: size 6 is fine, and an odd maximum shows", () => {
    const { device, codes } = at(0x0b, PACKED);
    expect(device.queueMaxSize(1)).toBe(100);
    device.enableQueue(0, setup(6));
    device.enableQueue(1, setup(100, { descriptor: 0x5000, driver: 0x6000, device: 0x6010 }));
    expect([device.queueReady(0), device.queueReady(1), codes()]).toEqual([true, true, []]);
  });

  it("shows a power of two until packed is negotiated, offered and accepted or not", () => {
    const { device } = at(0x03);
    expect(device.queueMaxSize(1)).toBe(64);
    device.writeFeatures(1, PACKED.word(1));
    expect(device.queueMaxSize(1)).toBe(64);
    device.writeStatus(0x0b);
    expect(device.queueMaxSize(1)).toBe(100);
  });

  it.each([
    ["T175", { descriptor: 0x1008 }, "RING_ALIGN"],
    ["T176", { driver: 0x2001 }, "RING_ALIGN"],
    ["T177", { device: 0x3002 }, "RING_ALIGN"],
    ["T181", { descriptor: 0x1_0000_1000n }, "RING_OUT_OF_GUEST"],
    ["T182", { descriptor: 0xffff_ffff_ffff_fff0n }, "RING_ADDR_OVERFLOW"],
    ["T183", { device: 0x1040 }, "RING_OVERLAP"],
    ["not an address", { device: -1 }, "BAD_ARGUMENT"],
  ])("%s a wrong area is refused with a typed error and the queue stays disabled", (_, areas, code) => {
    const { device, codes, violations } = at(0x0b);
    device.enableQueue(0, setup(8, areas));
    expect(codes()).toEqual([code]);
    expect(violations[0]?.message).toContain("0");
    expect(device.queueReady(0)).toBe(false);
    expect(device.status).toBe(0x0b);
  });

  it("T178 a table that ends exactly where guest memory ends is fine", () => {
    const { device, codes } = at(0x0b);
    device.enableQueue(0, setup(8, { descriptor: (1 << 20) - 128 }));
    expect([device.queueReady(0), codes()]).toEqual([true, []]);
  });

  it("T170 T171 an enabled queue is locked", () => {
    const { device, codes } = at(0x0b);
    device.enableQueue(0, setup(8));
    device.enableQueue(0, setup(16));
    expect(codes()).toEqual(["QUEUE_LOCKED"]);
    device.writeStatus(0x0f);
    device.enableQueue(0, setup(16));
    expect(codes()).toEqual(["QUEUE_LOCKED", "QUEUE_LOCKED"]);
    expect(device.queueReady(0)).toBe(true);
  });

  it.each([0x00, 0x01, 0x03, 0x0f])("has its time: not at status %d", (status) => {
    const { device, codes } = at(status);
    device.enableQueue(0, setup(8));
    expect(codes()).toEqual(["STATUS_SEQUENCE"]);
    expect(device.queueReady(0)).toBe(false);
  });

  it("T186 a queue that doesn't exist reads as 0", () => {
    const { device, codes } = at(0x0b);
    for (const index of [2, 5, 0xffff, -1, Number.NaN]) {
      expect(device.queueMaxSize(index)).toBe(0);
      expect(device.queueReady(index)).toBe(false);
      device.disableQueue(index);
    }
    device.enableQueue(5, setup(8));
    expect(codes()).toEqual(["QUEUE_INDEX_RANGE"]);
  });
});

describe("notifications", () => {
  it.each([
    ["T188", 2],
    ["T189", 0x80000000],
    ["T189", 0xffffffff],
  ])("%s value %d is out of range without NOTIFICATION_DATA", (_, value) => {
    const { device, codes } = at(0x0f);
    device.notify(value);
    expect(codes()).toEqual(["QUEUE_INDEX_RANGE"]);
    expect(device.hasWork).toBe(false);
  });

  it("with NOTIFICATION_DATA the low half is the index", async () => {
    const rig = await started(makeRig({ supports: ["VERSION_1", "NOTIFICATION_DATA"] }));
    rig.device.process();
    rig.device.notify(0x8003_0000);
    expect(rig.device.hasWork).toBe(true);
    rig.device.notify(0x0000_0001);
    expect(rig.codes()).toEqual(["QUEUE_INDEX_RANGE"]);
    roundTrips(rig);
    expect(rig.port.calls("notify").map(([, value]) => value)).toEqual([
      0x0001_0000, 0x0002_0000, 0x0003_0000,
    ]);
  });

  it("T191 of a queue that is not enabled are reported, nothing else", () => {
    const { device, codes } = at(0x0f);
    device.notify(1);
    expect(codes()).toEqual(["QUEUE_NOT_READY"]);
    expect(device.process()).toBe("done");
  });
});

describe("notifications before DRIVER_OK", () => {
  it.each([0x00, 0x03, 0x0b])("are ignored at status %d, whatever their value", (status) => {
    const { device, codes, transcript } = at(status);
    for (const value of [0, 5, 0xffffffff]) device.notify(value);
    expect(codes()).toEqual([]);
    expect(transcript.events.filter(({ step }) => step === "notify")).toHaveLength(3);
  });
});

describe("a writable configuration field", () => {
  it("has its first value again after a reset", () => {
    const config = [{ name: "x", offset: 0, bytes: 4, anyOf: [], writable: true as const, value: 5 }];
    const { device } = makeRig({ model: { config } });
    driveTo(device, 0x0b, SPLIT);
    device.writeConfig(0, 4, 6);
    expect(device.readConfig(0, 4)).toBe(6);
    device.writeStatus(0);
    expect(device.readConfig(0, 4)).toBe(5);
  });
});

describe("reset of one queue", () => {
  it("needs RING_RESET", () => {
    const { device, codes } = at(0x0f);
    device.resetQueue(0);
    device.resetQueue(9);
    expect(codes()).toEqual(["STATUS_SEQUENCE", "QUEUE_INDEX_RANGE"]);
  });

  it("lets the queue be enabled again with other parameters, while the device lives", () => {
    const { device, codes } = at(0x0b, SPLIT.with("RING_RESET"));
    device.enableQueue(0, setup(8));
    device.enableQueue(1, setup(8, { descriptor: 0x5000, driver: 0x6000, device: 0x7000 }));
    device.writeStatus(0x0f);
    device.resetQueue(0);
    expect([device.queueReady(0), device.queueReady(1)]).toEqual([false, true]);
    device.enableQueue(0, setup(4, { descriptor: 0x8000 }));
    expect([device.queueReady(0), codes()]).toEqual([true, []]);
    device.enableQueue(0, setup(4));
    expect(codes()).toEqual(["QUEUE_LOCKED"]);
  });

  it("disableQueue stops a queue for good", () => {
    const { device, codes } = at(0x0b);
    device.enableQueue(0, setup(8));
    device.writeStatus(0x0f);
    device.disableQueue(0);
    expect([device.queueReady(0), device.process()]).toEqual([false, "done"]);
    device.enableQueue(0, setup(8));
    expect(codes()).toEqual(["STATUS_SEQUENCE"]);
  });
});

describe("a queue that hangs on a feature", () => {
  const queues = [
    { name: "inflateq", maxSize: 16 },
    { name: "statsq", maxSize: 16, needs: "STATS_VQ" },
  ];
  const balloon = { deviceType: "balloon", deviceId: 5, offers: ["STATS_VQ"], queues } as const;
  const setup = { size: 4, areas: { descriptor: 0, driver: 0x100, device: 0x200 } };

  it("shows its size until the features are negotiated, and is there if its feature was", () => {
    const { device, codes } = makeRig({ model: balloon, offer: ["VERSION_1"] });
    expect(device.queueMaxSize(1)).toBe(16);
    driveTo(device, 0x0b, device.offered);
    expect(device.queueMaxSize(1)).toBe(16);
    device.enableQueue(1, setup);
    expect([device.queueReady(1), codes()]).toEqual([true, []]);
  });

  it("is gone if its feature was not (§5.5.2)", () => {
    const { device, codes } = makeRig({ model: balloon, offer: ["VERSION_1"] });
    driveTo(device, 0x0b, FeatureSet.of("VERSION_1"));
    expect([device.queueMaxSize(0), device.queueMaxSize(1)]).toEqual([16, 0]);
    device.enableQueue(1, setup);
    expect([device.queueReady(1), codes()]).toEqual([false, ["QUEUE_INDEX_RANGE"]]);
  });
});
