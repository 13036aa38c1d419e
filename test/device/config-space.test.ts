// The configuration space by itself: what exists, what a read gives, when the generation moves (§2.5).
import { describe, expect, it } from "vitest";
import { ConfigRegisters } from "../../src/device/config-registers";
import { ConfigSpace } from "../../src/device/config-space";
import { DeviceFeatures } from "../../src/device/device-features";
import { DeviceReporter, DeviceState } from "../../src/device/device-state";
import { type ConfigField, configFields } from "../../src/device/model";
import { deviceProfile } from "../../src/device/profiles";
import { FeatureSet } from "../../src/negotiation/feature-set";

const NONE = FeatureSet.empty;
const field = (
  name: string,
  offset: number,
  bytes: number,
  more: Partial<ConfigField> = {},
): ConfigField => ({
  name,
  offset,
  bytes,
  anyOf: [],
  value: 0,
  ...more,
});

const net = (offer: string[]) => {
  const values = { mac: 0x0605_0403_0201n, mtu: 1400, status: 1, speed: 10_000, duplex: 1 };
  return new ConfigSpace(configFields("net", values), FeatureSet.from(offer, "net"), "net");
};

describe("fields", () => {
  it("stay at their offsets when others are missing, and absent bytes read 0", () => {
    const space = net(["MTU"]);
    expect(space.length).toBe(12);
    expect(space.read(10, 2, NONE).value).toBe(1400);
    expect(space.read(6, 2, NONE)).toEqual({ value: 0, fields: [] });
    expect(space.read(4, 4, NONE).value).toBe(0x0605);
    expect(net([]).length).toBe(6);
    expect(net(["SPEED_DUPLEX"]).read(12, 4, NONE).value).toBe(10_000);
  });

  it("are little-endian, at any width", () => {
    const space = new ConfigSpace([field("wide", 0, 8, { value: 0x1122_3344_5566_7788n })], NONE);
    expect(space.read(0, 4, NONE).value).toBe(0x5566_7788);
    expect(space.read(4, 4, NONE).value).toBe(0x1122_3344);
    expect(space.read(1, 2, NONE).value).toBe(0x6677);
    expect(space.read(7, 1, NONE).value).toBe(0x11);
  });

  it("can hold bytes, and values that depend on what is accepted", () => {
    const accepted = FeatureSet.of(17);
    const fields = [
      field("tag", 0, 6, { value: new TextEncoder().encode("root") }),
      field("zones", 8, 4, { value: (set) => (set.has(17) ? 7 : 0) }),
    ];
    const space = new ConfigSpace(fields, NONE);
    expect(space.read(0, 4, NONE).value).toBe(0x746f6f72);
    expect(space.read(4, 2, NONE).value).toBe(0);
    expect(space.read(8, 4, NONE).value).toBe(0);
    expect(space.read(8, 4, accepted).value).toBe(7);
  });

  it.each([
    [-1, 4],
    [3, 4],
    [6, 1],
    [0.5, 1],
    [Number.NaN, 1],
    [2 ** 32, 4],
  ])("at offset %d, %d bytes: outside", (offset, bytes) => {
    expect(net([]).read(offset, bytes, NONE)).toMatchObject({ value: 0, breach: { code: "CONFIG_RANGE" } });
  });

  it.each([0, 3, 8, -1])("takes no access of %d bytes", (bytes) => {
    expect(net([]).read(0, bytes, NONE)).toMatchObject({ value: 0, breach: { code: "BAD_ARGUMENT" } });
  });

  it("knows which reads come before their feature was accepted", () => {
    const space = net(["MTU"]);
    expect(space.readsUnaccepted(["mtu"], NONE)).toBe(true);
    expect(space.readsUnaccepted(["mtu"], FeatureSet.of(3))).toBe(false);
    expect(space.readsUnaccepted(["mac"], NONE)).toBe(false);
  });

  it("refuses a value for a field that the device type doesn't have", () => {
    expect(() => configFields("net", { mtuu: 1 })).toThrow(
      expect.objectContaining({
        code: "UNKNOWN_NAME",
        message: expect.stringContaining("did you mean mtu?"),
      }),
    );
  });
});

describe("writes", () => {
  const fields = [
    field("ro", 0, 4, { value: 5 }),
    field("rw", 4, 4, { value: 0x0a0b0c0d, writable: true }),
    field("early", 8, 4, { writable: "any-time" }),
    field("gap", 16, 2, { writable: true }),
  ];
  const write = (space: ConfigSpace, offset: number, bytes: number, value: number, featuresOk = true) => {
    const heard: [string, number | bigint][] = [];
    const answer = space.write({ offset, bytes, value, accepted: NONE, featuresOk }, (...told) =>
      heard.push(told),
    );
    return { code: answer.breach?.code, heard };
  };

  it("change writable fields and tell the whole value", () => {
    const space = new ConfigSpace(fields, NONE);
    expect(write(space, 5, 1, 0xff)).toEqual({ code: undefined, heard: [["rw", 0x0a0bff0d]] });
    expect(space.read(4, 4, NONE).value).toBe(0x0a0bff0d);
    space.reset();
    expect(space.read(4, 4, NONE).value).toBe(0x0a0b0c0d);
  });

  it("are refused as a whole", () => {
    const space = new ConfigSpace(fields, NONE);
    expect(write(space, 0, 4, 1)).toEqual({ code: "CONFIG_READONLY", heard: [] });
    expect(write(space, 2, 4, 1)).toEqual({ code: "CONFIG_READONLY", heard: [] });
    expect(write(space, 12, 4, 1)).toEqual({ code: "CONFIG_READONLY", heard: [] });
    expect(write(space, 14, 4, 1)).toEqual({ code: "CONFIG_READONLY", heard: [] });
    expect(write(space, 16, 4, 1)).toEqual({ code: "CONFIG_RANGE", heard: [] });
    expect(write(space, 4, 4, 1, false)).toEqual({ code: "STATUS_SEQUENCE", heard: [] });
    expect(space.read(0, 4, NONE).value).toBe(5);
    expect(space.read(4, 4, NONE).value).toBe(0x0a0b0c0d);
  });

  it("may come at any time where the field says so (emerg_wr)", () => {
    expect(write(new ConfigSpace(fields, NONE), 8, 4, 65, false)).toEqual({
      code: undefined,
      heard: [["early", 65]],
    });
  });

  it("come too late from DRIVER_OK on where the field says so (poison_val)", () => {
    const space = new ConfigSpace(configFields("balloon", { poison_val: 7 }), FeatureSet.of(4), "balloon");
    const at = (featuresOk: boolean, driverOk: boolean) => {
      const access = { offset: 12, bytes: 4, value: 9, accepted: NONE, featuresOk, driverOk };
      return space.write(access, () => {}).breach;
    };
    expect(at(false, false)).toMatchObject({ reason: "poison_val written before FEATURES_OK" });
    expect(at(true, true)).toMatchObject({
      code: "STATUS_SEQUENCE",
      reason: "poison_val written after DRIVER_OK",
    });
    expect(space.read(12, 4, NONE).value).toBe(7);
    expect(at(true, false)).toBeUndefined();
    expect(space.read(12, 4, NONE).value).toBe(9);
    expect(
      space.write(
        { offset: 4, bytes: 4, value: 9, accepted: NONE, featuresOk: true, driverOk: true },
        () => {},
      ).breach,
    ).toBeUndefined();
  });

  it("are judged by the status, where the registers know it", () => {
    const fields = configFields("balloon", { poison_val: 7 });
    const model = {
      name: "m",
      deviceId: 5,
      queues: [],
      offers: ["PAGE_POISON"],
      config: fields,
      process: () => 0,
    };
    const features = new DeviceFeatures(model, deviceProfile("strict"), ["VERSION_1"]);
    features.writeWord(1, 1);
    expect(features.confirm()).toBe(true);
    const space = new ConfigSpace(fields, features.offered, "balloon");
    const codes: string[] = [];
    const state = new DeviceState();
    const report = new DeviceReporter(undefined, ({ code }) => codes.push(code));
    const profile = deviceProfile("strict");
    const parts = { space, features, model, profile, state, report, byteOrder: "little" } as const;
    const registers = new ConfigRegisters({ ...parts, needsReset: () => {} });
    state.status = 0x0b;
    registers.write(12, 4, 8);
    state.status = 0x0f;
    registers.write(12, 4, 9);
    expect(registers.read(12, 4)).toBe(8);
    expect(codes).toEqual(["STATUS_SEQUENCE"]);
  });

  it("reach a model that keeps the value itself", () => {
    let kept = 0x0102;
    const space = new ConfigSpace([field("x", 0, 2, { writable: true, value: () => kept })], NONE);
    space.write({ offset: 1, bytes: 1, value: 9, accepted: NONE, featuresOk: true }, (_, value) => {
      kept = Number(value);
    });
    expect(kept).toBe(0x0902);
    expect(space.read(0, 2, NONE).value).toBe(0x0902);
  });
});

describe("the generation", () => {
  const changing = () => {
    const state = { value: 1 };
    const space = new ConfigSpace([field("x", 0, 8, { value: () => state.value })], NONE);
    return { state, space };
  };

  it("stays while nothing changes, and moves at its own read, not at a field's", () => {
    const { state, space } = changing();
    const first = space.readGeneration(NONE);
    expect(space.readGeneration(NONE)).toBe(first);
    state.value = 2;
    space.read(0, 4, NONE);
    expect(space.readGeneration(NONE)).toBe(first + 1);
    expect(space.readGeneration(NONE)).toBe(first + 1);
  });

  it("moves although the value came back to what it was, if anybody saw it or said so", () => {
    const { state, space } = changing();
    const first = space.readGeneration(NONE);
    state.value = 2;
    space.read(0, 4, NONE);
    state.value = 1;
    expect(space.readGeneration(NONE)).not.toBe(first);
    const second = space.readGeneration(NONE);
    space.markChanged();
    expect(space.readGeneration(NONE)).not.toBe(second);
  });

  it("moves once for any number of changes, so that an 8-bit view can't come round", () => {
    const { state, space } = changing();
    const first = space.readGeneration(NONE);
    for (let i = 0; i < 256; i++) {
      state.value++;
      space.markChanged();
    }
    space.read(0, 4, NONE);
    expect((space.readGeneration(NONE) - first) & 0xff).toBe(1);
  });
});
