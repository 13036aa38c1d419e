// The network driver against the network model: every byte of many frames over all rings (§5.1.6).
import { describe, expect, it, vi } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import { configFields, type DeviceModel } from "../../src/device/model";
import { VirtioDriver } from "../../src/driver/driver";
import { NetDriver } from "../../src/driver/net";
import { NET_DRIVER_FEATURES, NET_DRIVER_OFFLOADS } from "../../src/driver/net-features";
import type { NetDriverOptions } from "../../src/driver/net-sizes";
import { VirtioError } from "../../src/errors";
import { loopWire } from "../../src/models/net-wire";
import { Loopback } from "../../src/transport/loopback";
import type { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { frame, type NetRigOptions, netDevice, netHeader, netPair, packet } from "../models/net-rig";

const RINGS = [
  ["split", []],
  ["split, EVENT_IDX", ["EVENT_IDX"]],
  ["split, INDIRECT_DESC", ["INDIRECT_DESC"]],
  ["split, IN_ORDER", ["IN_ORDER"]],
  ["packed", ["RING_PACKED"]],
  ["packed, EVENT_IDX", ["RING_PACKED", "EVENT_IDX"]],
  ["packed, INDIRECT_DESC", ["RING_PACKED", "INDIRECT_DESC"]],
  ["packed, IN_ORDER, EVENT_IDX, INDIRECT_DESC", ["RING_PACKED", "IN_ORDER", "EVENT_IDX", "INDIRECT_DESC"]],
] as const;

const FRAMES = 1000;
const LARGEST = 65535 + 14;

/** Sizes from 60 to the largest, small ones most often. */
function sizeOf(i: number): number {
  if (i % 50 === 0) return LARGEST - i;
  if (i % 10 === 0) return 1515 + i * 8;
  return 60 + ((i * 193) % 1455);
}

describe.each(RINGS)("over %s", (name, ring) => {
  const indirect = name.includes("INDIRECT");

  it.each([
    ["merged buffers of 1526 bytes", NET_DRIVER_FEATURES, {}],
    ["one buffer of 65601 bytes each", [], { bufferBytes: 65601, receiveBuffers: 8 }],
  ])("1,000 frames of 60 to 65,549 bytes come back in %s", async (_, features, options) => {
    const rig = await netPair(
      { ring: ["VERSION_1", ...ring], features, driver: { queueSize: 64, indirect: indirect ? 2 : 0 } },
      { ...options, indirect, frameBytes: LARGEST, transmitSlots: 8 },
    );
    loopWire(rig.model);
    const tokens = new Set<number>();
    let sent = 0;
    let got = 0;
    let wrong = 0;
    while (got < FRAMES) {
      while (sent < FRAMES) {
        const token = rig.nic.send(frame(sizeOf(sent), sent));
        if (token === 0) break;
        tokens.add(token);
        sent++;
      }
      void rig.nic.submit();
      rig.run();
      const before = got;
      rig.nic.poll(
        (bytes) => {
          if (Buffer.compare(bytes, frame(sizeOf(got), got)) !== 0) wrong++;
          got++;
        },
        (token) => tokens.delete(token),
      );
      if (got === before) break;
    }
    expect({ sent, got, wrong, left: tokens.size }).toEqual({ sent: FRAMES, got: FRAMES, wrong: 0, left: 0 });
    expect(rig.model.counters).toEqual({
      transmitted: FRAMES,
      lost: 0,
      malformed: 0,
      received: FRAMES,
      unfit: 0,
      missed: 0,
      tooShort: 0,
    });
    expect(rig.violations).toEqual([]);
  });
});

describe("a network driver", () => {
  it("uses buffers of what the largest frame needs", async () => {
    const lengths = async (options: NetRigOptions, net: NetDriverOptions = {}) => {
      const rig = await netPair({ guestBytes: 0x800000, ...options }, net);
      const added = vi.spyOn(DriverQueue.prototype, "add");
      rig.model.receive(frame(60));
      rig.run();
      rig.poll();
      const length = added.mock.calls[0]?.[1]?.[0]?.length;
      added.mockRestore();
      return [length, rig.driver.queues[0]?.inFlight];
    };
    const gso = ["GUEST_CSUM", "GUEST_TSO4"];
    expect(await lengths({})).toEqual([1526, 256]);
    expect(await lengths({ model: { mtu: 9000 } })).toEqual([9026, 116]);
    expect(await lengths({ model: { mtu: 1280 } })).toEqual([1526, 256]);
    expect(await lengths({ model: { offers: gso }, features: gso })).toEqual([65601, 15]);
    const merging = [...gso, "MRG_RXBUF"];
    expect(await lengths({ model: { offers: merging }, features: merging })).toEqual([1526, 256]);
    expect(await lengths({}, { bufferBytes: 12, receiveBuffers: 300 })).toEqual([12, 256]);
  });

  it.each<[NetRigOptions, NetDriverOptions, string]>([
    [{}, { bufferBytes: 11 }, "256 receive buffers of 11 bytes can't hold 12 + 0"],
    [{ model: { mtu: 1500 } }, { bufferBytes: 100, receiveBuffers: 15 }, "can't hold 12 + 1514"],
    [{ model: { mtu: 1500 }, features: ["MTU"] }, { bufferBytes: 1525 }, "can't hold 12 + 1514"],
    [{}, { receiveBuffers: 0 }, "0 buffers, a network driver needs at least one"],
    [{}, { transmitSlots: 1.5 }, "1.5 buffers, a network driver needs at least one"],
  ])("with %j and %j does not start: %s", async (rig, net, message) => {
    await expect(netPair(rig, net)).rejects.toThrow(message);
  });

  it("does not start on a device that is not initialised", async () => {
    const { driver, core, allocator } = await netDevice();
    await driver.reset();
    await expect(NetDriver.start(driver, core, allocator)).rejects.toThrow("not initialised");
  });

  it("takes no frame of guest memory when it is full, and tells who was sent", async () => {
    const rig = await netPair({}, { transmitSlots: 2 });
    const tokens = [rig.nic.send(frame(60, 1)), rig.nic.send(frame(60, 2))];
    expect(rig.nic.send(frame(60, 3))).toBe(0);
    expect(rig.nic.inFlight).toBe(2);
    void rig.nic.submit();
    rig.run();
    const sent: number[] = [];
    const again: number[] = [];
    rig.nic.poll(
      () => {},
      (token) => {
        sent.push(token);
        again.push(rig.nic.send(frame(60, 3)));
      },
    );
    expect(sent).toEqual(tokens);
    expect(again.every((token) => token > 0)).toBe(true);
    expect(rig.nic.inFlight).toBe(2);
    void rig.nic.submit();
    rig.run();
    expect(rig.sent.map(({ bytes }) => bytes[0])).toEqual([1, 2, 3, 3].map((seed) => frame(60, seed)[0]));
    rig.poll();
    expect(rig.nic.inFlight).toBe(0);
  });

  it("gives its guest memory back", async () => {
    const rig = await netDevice();
    const before = rig.allocator.available;
    const nic = await NetDriver.start(rig.driver, rig.core, rig.allocator);
    expect(rig.allocator.available).toBeLessThan(before);
    await rig.driver.reset();
    nic.dispose();
    expect(rig.allocator.available).toBeGreaterThanOrEqual(before);
  });

  it("keeps none of it when there is too little", async () => {
    const rig = await netDevice();
    const before = rig.allocator.available;
    const options = { frameBytes: 65549, transmitSlots: 100 };
    await expect(NetDriver.start(rig.driver, rig.core, rig.allocator, options)).rejects.toThrow("are free");
    expect(rig.allocator.available).toBe(before);
  });

  it("throws once the device needs a reset", async () => {
    const rig = await netPair();
    rig.device.needsReset(new VirtioError("INTERNAL", "gone"));
    expect(() => rig.poll()).toThrow(expect.objectContaining({ code: "DEVICE_NEEDS_RESET" }));
  });

  it("sends with offloads that it negotiated, and hears of those it gets", async () => {
    const offers = [...NET_DRIVER_OFFLOADS, "MRG_RXBUF"];
    const rig = await netPair({ model: { offers }, features: offers, guestBytes: 0x1000000 });
    loopWire(rig.model);
    const header = netHeader({
      flags: 1,
      gsoType: 4,
      gsoSize: 1400,
      hdrLen: 74,
      csumStart: 54,
      csumOffset: 16,
    });
    expect(rig.nic.send(frame(65589), header)).not.toBe(0);
    void rig.nic.submit();
    rig.run();
    expect(rig.poll()).toBe(1);
    expect(rig.received[0]?.header).toEqual(header);
    expect(Buffer.compare(rig.received[0]?.bytes ?? new Uint8Array(), frame(65589))).toBe(0);
  });
});

/** A device that answers a receive buffer with what a test says. */
class LyingModel implements DeviceModel {
  readonly name = "liar";
  readonly deviceId = 1;
  readonly queues = [
    { name: "receiveq1", maxSize: 256 },
    { name: "transmitq1", maxSize: 256 },
  ];
  readonly offers = ["MRG_RXBUF"];
  readonly config = configFields("net", {});
  /** Bytes of the next used buffers. */
  answers: Uint8Array[] = [];

  process(index: number, queue: DeviceQueue, budget: number): number {
    const taken = queue.take(Math.min(budget, index === 0 ? this.answers.length : 0));
    for (let i = 0; i < taken; i++) {
      const writer = queue.chain(i).writer();
      writer.write(this.answers.shift() ?? new Uint8Array());
      queue.complete(queue.chain(i).token, writer.written);
    }
    return taken;
  }
}

describe("a driver against a lying device", () => {
  async function open(bufferBytes = 1526) {
    const core = loadCoreSync({ guestBytes: 0x400000 });
    const model = new LyingModel();
    const device = new VirtioDevice(core, model);
    const allocator = new GuestAllocator(core);
    const supports = ["VERSION_1", "MRG_RXBUF"];
    const driver = new VirtioDriver({ port: new Loopback(device), core, allocator, supports });
    await driver.initialize();
    const nic = await NetDriver.start(driver, core, allocator, { bufferBytes });
    const hear = (...answers: Uint8Array[]) => {
      model.answers = answers;
      device.notify(0);
      while (device.process() === "more");
      const got: number[] = [];
      nic.poll((bytes) => got.push(bytes.length));
      return got;
    };
    return { nic, hear, driver };
  }

  const first = (buffers: number, length = 100) => {
    const bytes = packet({}, frame(length));
    bytes[10] = buffers & 0xff;
    bytes[11] = buffers >>> 8;
    return bytes;
  };

  it("drops what is shorter than a header", async () => {
    const { nic, hear } = await open();
    expect(hear(new Uint8Array(), new Uint8Array(11), first(1))).toEqual([100]);
    expect(nic.malformed).toBe(2);
  });

  it("takes num_buffers 0 for 1, and waits for buffers that come later", async () => {
    const { hear } = await open();
    expect(hear(first(0), first(1, 60))).toEqual([100, 60]);
    expect(hear(first(3), frame(50))).toEqual([]);
    expect(hear(frame(7), first(1))).toEqual([157, 100]);
  });

  it("drops a frame that is longer than any, and goes on behind it", async () => {
    const { nic, hear } = await open();
    const parts = Array.from({ length: 44 }, () => frame(1526));
    expect(hear(first(45), ...parts, first(1, 60))).toEqual([60]);
    expect(nic.malformed).toBe(1);
  });

  it("gives every buffer back, whatever was in it", async () => {
    const { hear, driver } = await open();
    for (let i = 0; i < 40; i++)
      hear(new Uint8Array(i), first(9), first(200), new Uint8Array(1526).fill(0xff));
    expect(driver.queues[0]?.inFlight).toBe(256);
  });
});
