/**
 * Clauses of the network device (§5.1) for what is built: one pair of queues, no control queue, no hash reports, no
 * standby. Frames and their headers are in net-frames.test.ts.
 */
import { describe, expect, it, vi } from "vitest";
import { NET_DRIVER_FEATURES, NET_DRIVER_OFFLOADS, netValidate } from "../../src/driver/net-features";
import { NetModel } from "../../src/models/net";
import { CONFIG_LAYOUTS } from "../../src/negotiation/config-table";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { frame, netDevice, netHeader, netPair, packet } from "../models/net-rig";

const NEEDS_CSUM = 1;
const GSO = { TCPV4: 1, UDP: 3, TCPV6: 4 } as const;
const ECN = 0x80;

const LAYOUTS = [
  ["split", ["VERSION_1"]],
  ["split, IN_ORDER", ["VERSION_1", "IN_ORDER"]],
  ["packed", ["VERSION_1", "RING_PACKED"]],
  ["packed, IN_ORDER", ["VERSION_1", "RING_PACKED", "IN_ORDER"]],
] as const;

describe("net: configuration of the device", () => {
  it.each([67, 65536, 0, 1.5])("NET-002 §5.1.4.1 device: an mtu of %d can't be set", (mtu) => {
    expect(() => new NetModel({ mtu })).toThrow(`mtu ${mtu} is not within 68…65535`);
  });

  it("NET-002 NET-003 §5.1.4.1 device: the bounds can be, and nothing is offered unasked", () => {
    for (const mtu of [68, 1280, 65535]) expect(new NetModel({ mtu }).offers).toContain("MTU");
    expect(new NetModel().offers).not.toContain("MTU");
  });

  it("NET-004 §5.1.4.1 device: mtu stays, whatever the driver and the link do", async () => {
    const { model, device, driver } = await netDevice({ model: { mtu: 1500 } });
    const generation = device.configGeneration();
    device.writeConfig(10, 2, 9000);
    model.linkUp = false;
    expect(await driver.readConfigField("mtu")).toBe(1500);
    expect(device.configGeneration()).not.toBe(generation);
    await driver.initialize();
    expect(await driver.readConfigField("mtu")).toBe(1500);
  });

  it.each(LAYOUTS)("NET-005 §5.1.4.1 device: no received packet above mtu, on %s", async (_, ring) => {
    const rig = await netDevice({ ring, model: { mtu: 1500 } });
    rig.add(0, [], [4096]);
    expect(rig.model.receive(frame(1515))).toBe(false);
    expect(rig.model.receive(frame(1515), netHeader({ gsoType: ECN }))).toBe(false);
    rig.run();
    expect(rig.used(0)).toEqual([]);
    expect(rig.model.receive(frame(1514))).toBe(true);
    rig.run();
    expect(rig.used(0)).toMatchObject([{ length: 1526 }]);
  });

  it("NET-005 §5.1.4.1 device: without MTU negotiated, and to be segmented, a packet may be longer", async () => {
    const offers = ["MTU", ...NET_DRIVER_OFFLOADS];
    const without = await netDevice({ model: { mtu: 1500, offers }, features: [] });
    expect(without.model.receive(frame(1515))).toBe(true);
    const header = netHeader({ flags: NEEDS_CSUM, gsoType: GSO.TCPV4, gsoSize: 1448, csumStart: 34 });
    const segmented = await netDevice({ model: { mtu: 1500, offers }, features: offers });
    expect(segmented.model.receive(frame(1515), header)).toBe(true);
  });

  it.each(LAYOUTS)("NET-006 §5.1.4.1 device: packets of mtu bytes are sent whole, on %s", async (_, ring) => {
    const rig = await netDevice({ ring, model: { mtu: 9000 } });
    rig.add(1, [packet({}, frame(9014))]);
    rig.add(1, [packet({ gsoType: ECN }, frame(9014))]);
    rig.run();
    expect(rig.sent.map(({ bytes }) => bytes.length)).toEqual([9014, 9014]);
    expect(rig.sent.every(({ bytes }) => Buffer.compare(bytes, frame(9014)) === 0)).toBe(true);
  });

  it.each([
    ["unknown", { duplex: "half" }, 0xffffffff, 0],
    ["10 GBit/s", { speed: 10_000 }, 10_000, 0xff],
    ["0 and full duplex", { speed: 0, duplex: "full" }, 0, 1],
  ] as const)("NET-010 NET-011 §5.1.4.1 device: speed and duplex, %s", async (_, model, speed, duplex) => {
    const { driver } = await netDevice({ model });
    expect(await driver.readConfigFields(["speed", "duplex"])).toEqual([speed, duplex]);
  });

  it("NET-010 §5.1.4.1 device: no other speed can be set", () => {
    for (const speed of [-1, 0x80000000, 0xffffffff, 0.5]) {
      expect(() => new NetModel({ speed })).toThrow(`speed ${speed} is not within 0…2147483647`);
    }
  });

  it("NET-012 §5.1.4.1 device: speed and duplex don't change, the link up or down", async () => {
    const { model, driver } = await netDevice({ model: { speed: 100, duplex: "full" } });
    for (const up of [true, false, true]) {
      model.linkUp = up;
      expect(await driver.readConfigFields(["status", "speed", "duplex"])).toEqual([Number(up), 100, 1]);
    }
  });

  it("NET-013 NET-014 §5.1.4.1 device: HASH_REPORT and CTRL_RX_EXTRA can't be offered, CTRL_VQ neither", () => {
    for (const name of ["HASH_REPORT", "CTRL_RX_EXTRA", "CTRL_VQ"]) {
      expect(() => new NetModel({ offers: [name] })).toThrow(`cannot offer ${name}`);
    }
  });

  it("NET-032 §5.1.4 both: a field exists by the offered bit, and mac always", async () => {
    const bare = await netDevice({ model: { offers: [] } });
    expect(bare.device.readConfig(0, 4)).toBe(0);
    const names = CONFIG_LAYOUTS.net.map(({ name }) => name);
    const existing = async (fields: typeof bare) => {
      const values = await fields.driver.readConfigFields(names);
      return names.filter((_, i) => values[i] !== undefined);
    };
    expect(await existing(bare)).toEqual(["mac"]);
    const whole = await netDevice({ model: { mac: "52:54:00:12:34:56", mtu: 1500, speed: 1 } });
    expect(await existing(whole)).toEqual(["mac", "status", "mtu", "speed", "duplex"]);
    expect(whole.device.readConfig(8, 2)).toBe(0);
    expect(await whole.driver.readConfigField("mac")).toBe(0x563412005452n);
  });
});

describe("net: features and queues", () => {
  it("NET-030 §5.1.2 both: one receive queue and one transmit queue, no control queue", async () => {
    const { device, driver } = await netDevice();
    expect(device.model.queues.map(({ name }) => name)).toEqual(["receiveq1", "transmitq1"]);
    expect(driver.queues).toHaveLength(2);
    expect(device.queueMaxSize(2)).toBe(0);
  });

  it.each([
    ["GUEST_TSO4", "GUEST_CSUM"],
    ["GUEST_TSO6", "GUEST_CSUM"],
    ["GUEST_UFO", "GUEST_CSUM"],
    ["GUEST_ECN", "GUEST_TSO4"],
    ["HOST_TSO4", "CSUM"],
    ["HOST_TSO6", "CSUM"],
    ["HOST_UFO", "CSUM"],
    ["HOST_ECN", "HOST_TSO4"],
  ])("NET-031 §5.1.3.1 both: %s needs %s, offered and accepted", async (name, needed) => {
    await expect(netDevice({ model: { offers: [name] } })).rejects.toThrow(`${name} (`);
    const { driver } = await netDevice({ model: { offers: NET_DRIVER_OFFLOADS }, features: [name] });
    expect(driver.hasFeature(name)).toBe(false);
    const both = await netDevice({
      model: { offers: NET_DRIVER_OFFLOADS },
      features: [name, needed, "CSUM", "GUEST_CSUM"],
    });
    expect(both.driver.hasFeature(name)).toBe(true);
  });

  it("NET-016 NET-020 §5.1.4.2 driver: MAC and MTU are negotiated where they are offered", async () => {
    const { driver } = await netDevice({ model: { mac: "52:54:00:12:34:56", mtu: 1500 } });
    expect([driver.hasFeature("MAC"), driver.hasFeature("MTU")]).toEqual([true, true]);
  });

  it("NET-026 NET-027 §5.1.4.2 driver: neither HASH_REPORT nor CTRL_RX_EXTRA without CTRL_VQ", async () => {
    const known = FeatureSet.from([...NET_DRIVER_FEATURES, ...NET_DRIVER_OFFLOADS], "net");
    expect([known.has("HASH_REPORT", "net"), known.has("CTRL_RX_EXTRA", "net")]).toEqual([false, false]);
    const accepted = FeatureSet.from(["HASH_REPORT"], "net");
    const nothing = { readConfigField: async () => 0, readConfigFields: async () => [] };
    await expect(netValidate({ offered: accepted, accepted, ...nothing })).rejects.toThrow("without CTRL_VQ");
  });
});

describe("net: configuration as the driver reads it", () => {
  it("NET-015 §5.1.4.2 driver: no field is written, none can be", async () => {
    const rig = await netDevice({ model: { mac: "52:54:00:12:34:56", mtu: 1500, speed: 1 } });
    const write = vi.spyOn(rig.device, "writeConfig");
    const pair = await netPair({ model: { mac: "52:54:00:12:34:56", mtu: 1500, speed: 1 } });
    await pair.nic.link();
    for (const { name } of CONFIG_LAYOUTS.net) {
      await expect(rig.driver.writeConfigField(name, 1)).rejects.toMatchObject({ code: "CONFIG_READONLY" });
    }
    expect(write).not.toHaveBeenCalled();
    expect(pair.violations).toEqual([]);
  });

  it("NET-017 §5.1.4.2 driver: with MAC the address is the device's", async () => {
    const { nic } = await netPair({ model: { mac: "52:54:00:12:34:f6" } });
    expect([...nic.mac]).toEqual([0x52, 0x54, 0x00, 0x12, 0x34, 0xf6]);
  });

  it("NET-018 §5.1.4.2 driver: without MAC it is locally administered and no group's", async () => {
    const macs = [];
    for (let i = 0; i < 8; i++) {
      const { nic } = await netPair({ model: { mac: "ff:ff:ff:ff:ff:ff" }, features: [] });
      macs.push(nic.mac);
    }
    expect(macs.every(([first = 0]) => (first & 3) === 2)).toBe(true);
    expect(new Set(macs.map(String)).size).toBeGreaterThan(1);
  });

  it("NET-019 §5.1.4.2 driver: the link is the bottom bit of status, and up without STATUS", async () => {
    const { model, nic } = await netPair();
    expect((await nic.link()).up).toBe(true);
    model.linkUp = false;
    expect((await nic.link()).up).toBe(false);
    const without = await netPair({ features: [] });
    without.model.linkUp = false;
    expect((await without.nic.link()).up).toBe(true);
  });

  it("NET-019 §3.2 device: a change of the link is notified, with STATUS alone", async () => {
    let changes = 0;
    const driver = { onConfigChange: () => changes++ };
    const { model } = await netDevice({ driver });
    model.linkUp = false;
    model.linkUp = false;
    expect(changes).toBe(1);
    const without = await netDevice({ driver, model: { offers: [] } });
    without.model.linkUp = false;
    expect(changes).toBe(1);
  });

  it.each([
    [0x7fffffff, 1, 0x7fffffff, "full"],
    [0x80000000, 0, undefined, "half"],
    [0xffffffff, 2, undefined, undefined],
    [1000, 0xff, 1000, undefined],
  ])("NET-024 §5.1.4.2 driver: speed %d and duplex %d", async (speed, duplex, seen, mode) => {
    const { nic, driver } = await netPair({ model: { speed: 1 } });
    vi.spyOn(driver, "readConfigFields").mockResolvedValue([speed, duplex, 1]);
    expect(await nic.link()).toEqual({ up: true, speed: seen, duplex: mode });
  });

  it("NET-025 §5.1.4.2 driver: speed and duplex are read anew each time, and unknown without the feature", async () => {
    const { nic, driver } = await netPair({ model: { speed: 1 } });
    const read = vi.spyOn(driver, "readConfigFields");
    await nic.link();
    await nic.link();
    expect(read.mock.calls).toEqual([[["speed", "duplex", "status"]], [["speed", "duplex", "status"]]]);
    const without = await netPair({ model: { speed: 1 }, features: [] });
    expect(await without.nic.link()).toEqual({ up: true, speed: undefined, duplex: undefined });
  });
});
