/**
 * Clauses of the network device's frames and headers (§5.1.6), the legacy interface of a little-endian guest included.
 */
import { describe, expect, it } from "vitest";
import { DEVICE_PROFILES, type DeviceProfile } from "../../src/device/profiles";
import { NET_DRIVER_OFFLOADS } from "../../src/driver/net-features";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { netHeaderBytes } from "../../src/negotiation/net-header";
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

/** A device with the legacy interface alone. */
/** From before virtio 1.0: no VERSION_1, and what was there then. */
const LEGACY = {
  profile: { ...DEVICE_PROFILES.transitional, name: "old", mustOffer: [] } as DeviceProfile,
  offer: ["ANY_LAYOUT"],
};

describe("net: transmission", () => {
  it.each(LAYOUTS)(
    "NET-021 NET-022 §5.1.4.2 driver: buffers for mtu bytes, and no longer packet, on %s",
    async (_, ring) => {
      const rig = await netPair({ ring, model: { mtu: 9000 } }, { bufferBytes: 600 });
      expect(() => rig.nic.send(frame(9015))).toThrow("a frame of 9015 bytes, the mtu is 9000 + 14");
      rig.model.receive(frame(9014));
      rig.run();
      expect(rig.poll()).toBe(1);
      expect(Buffer.compare(rig.received[0]?.bytes ?? new Uint8Array(), frame(9014))).toBe(0);
      expect(rig.nic.send(frame(9014))).not.toBe(0);
    },
  );

  it("NET-022 §5.1.4.2 driver: what is to be segmented may be longer", async () => {
    const offers = ["MTU", ...NET_DRIVER_OFFLOADS];
    const rig = await netPair({ model: { mtu: 1500, offers }, features: offers, guestBytes: 0x1000000 });
    const header = netHeader({ flags: NEEDS_CSUM, gsoType: GSO.TCPV6, gsoSize: 1428, csumStart: 54 });
    expect(rig.nic.send(frame(4000), header)).not.toBe(0);
    expect(() => rig.nic.send(frame(4000), netHeader({ gsoType: ECN }))).toThrow("the mtu is 1500");
  });

  it.each(LAYOUTS)(
    "NET-033 NET-034 NET-035 §5.1.6.2.1 driver: a header of 12 zeros, on %s",
    async (_, ring) => {
      const rig = await netPair({ ring });
      // The slot is dirty from the frame before.
      for (const seed of [1, 2]) {
        rig.nic.send(frame(60, seed));
        const view = rig.core.bytes();
        const at = Buffer.from(view.buffer, view.byteOffset, view.length).indexOf(
          Buffer.from(frame(60, seed)),
        );
        expect([...view.subarray(at - 12, at)]).toEqual(new Array(12).fill(0));
        void rig.nic.submit();
        rig.run();
        rig.poll();
      }
      expect(rig.sent).toHaveLength(2);
    },
  );

  it.each([
    ["NET-035 §5.1.6.2.1 driver: flags", { flags: NEEDS_CSUM }, [], "NEEDS_CSUM was not negotiated"],
    ["§5.1.6.2.1 driver: DATA_VALID", { flags: 2 }, ["CSUM"], "flags 2 are the device's to set"],
    ["§5.1.6.2.1 driver: RSC_INFO", { flags: 5 }, ["CSUM"], "flags 4 are the device's to set"],
    [
      "NET-036 §5.1.6.2.1 driver: TCPV4",
      { flags: 1, gsoType: GSO.TCPV4, gsoSize: 1 },
      ["HOST_TSO6", "HOST_UFO"],
      "gso_type 1",
    ],
    [
      "NET-036 §5.1.6.2.1 driver: TCPV6",
      { flags: 1, gsoType: GSO.TCPV6, gsoSize: 1 },
      ["HOST_TSO4", "HOST_UFO"],
      "gso_type 4",
    ],
    [
      "NET-036 §5.1.6.2.1 driver: UDP",
      { flags: 1, gsoType: GSO.UDP, gsoSize: 1 },
      ["HOST_TSO4", "HOST_TSO6"],
      "gso_type 3",
    ],
    [
      "NET-036 §5.1.6.2.1 driver: ECN",
      { flags: 1, gsoType: GSO.TCPV4 | ECN, gsoSize: 1 },
      ["HOST_TSO4"],
      "gso_type 129",
    ],
    [
      "§5.1.6.2.1 driver: segments without NEEDS_CSUM",
      { gsoType: GSO.TCPV4, gsoSize: 1 },
      ["HOST_TSO4"],
      "without NEEDS_CSUM",
    ],
    [
      "§5.1.6.2.1 driver: segments without a size",
      { flags: 1, gsoType: GSO.TCPV4 },
      ["HOST_TSO4"],
      "with gso_size 0",
    ],
  ])("%s: refused where it is not allowed", async (_, fields, accepted, message) => {
    const features = accepted.length === 0 ? [] : ["CSUM", ...accepted];
    const rig = await netPair({ model: { offers: NET_DRIVER_OFFLOADS }, features, guestBytes: 0x1000000 });
    expect(() => rig.nic.send(frame(100), netHeader(fields))).toThrow(message);
    expect(rig.nic.inFlight).toBe(0);
  });

  it("NET-053 §5.1.6.1 driver: a used length on the transmit queue is not looked at", async () => {
    const rig = await netPair({ ring: [], device: LEGACY, driver: { clampUsedLength: true } });
    const token = rig.nic.send(frame(60));
    void rig.nic.submit();
    rig.run();
    // The first entry of the used ring: an old device puts the chain's whole length there.
    const used = rig.core.view(Number(rig.driver.queues[1]?.areas.device) + 4, 8);
    expect(used[4]).toBe(0);
    used[4] = 72;
    const sent: number[] = [];
    rig.nic.poll(
      () => {},
      (back) => sent.push(back),
    );
    expect(sent).toEqual([token]);
    expect(rig.nic.inFlight).toBe(0);
  });
});

describe("net: reception", () => {
  it.each([
    ["NET-037 §5.1.6.3.1 driver: 1526 bytes", [], [], 1526],
    ["NET-037 §5.1.6.3.1 driver: 1526 bytes with a small mtu", ["MTU"], ["MTU"], 1526],
    [
      "NET-037 §5.1.6.3.1 driver: 65601 bytes with GUEST_TSO6",
      ["GUEST_CSUM", "GUEST_TSO6"],
      ["GUEST_CSUM", "GUEST_TSO6"],
      65601,
    ],
    [
      "NET-037 §5.1.6.3.1 driver: 65601 bytes with GUEST_UFO",
      ["GUEST_CSUM", "GUEST_UFO"],
      ["GUEST_CSUM", "GUEST_UFO"],
      65601,
    ],
  ])("%s at least", async (_, offers, features, bytes) => {
    const rig = await netPair({ model: { offers, mtu: 1280 }, features, guestBytes: 0x800000 });
    const given: number[] = [];
    const { process } = rig.model;
    rig.model.process = (index, queue, budget) => {
      if (index === 1) return process.call(rig.model, index, queue, budget);
      const taken = queue.take(1);
      if (taken === 1) given.push(queue.chain(0).writableBytes);
      return taken;
    };
    rig.device.notify(0);
    rig.device.process(1);
    expect(given).toEqual([bytes]);
  });

  it("NET-038 §5.1.6.3.1 driver: no buffer is smaller than the header", async () => {
    await expect(netPair({}, { bufferBytes: 11 })).rejects.toThrow("buffers of 11 bytes");
    const rig = await netPair({}, { bufferBytes: 12 });
    rig.model.receive(frame(60));
    rig.run();
    expect(rig.poll()).toBe(1);
    expect(rig.received[0]?.bytes).toEqual(frame(60));
  });

  it("NET-039 §5.1.6.3.1 driver: the header has 12 bytes", () => {
    for (const names of [["VERSION_1"], ["VERSION_1", "MRG_RXBUF"], ["VERSION_1", ...NET_DRIVER_OFFLOADS]]) {
      expect(netHeaderBytes(FeatureSet.from(names, "net"))).toBe(12);
    }
  });

  describe.each(LAYOUTS)("on %s", (_, ring) => {
    it("NET-042 NET-043 §5.1.6.3.2 device: one buffer and num_buffers 1 without MRG_RXBUF", async () => {
      const rig = await netDevice({ ring, features: [] });
      const buffers = [rig.add(0, [], [100]), rig.add(0, [], [60, 40])];
      for (const [seed, length] of [88, 89, 88].entries()) rig.model.receive(frame(length, seed));
      rig.run();
      expect(rig.used(0)).toMatchObject([{ length: 100 }, { length: 100 }]);
      for (const [i, { bytes }] of buffers.entries()) {
        expect([...bytes().subarray(10, 12)]).toEqual([1, 0]);
        expect(bytes().subarray(12)).toEqual(frame(88, 2 * i));
      }
    });

    it("NET-041 NET-043 NET-044 §5.1.6.4.1 device: num_buffers counts, all but the last are full", async () => {
      const rig = await netDevice({ ring });
      const buffers = [300, 50, 12, 700, 900].map((length) => rig.add(0, [], [length]));
      rig.model.receive(frame(1000));
      rig.run();
      expect(rig.used(0).map(({ length }) => length)).toEqual([300, 50, 12, 650]);
      const whole = Buffer.concat(buffers.map(({ bytes }) => bytes()));
      expect(whole.readUInt16LE(10)).toBe(4);
      expect(whole.subarray(12, 1012).equals(frame(1000))).toBe(true);
      expect(whole.subarray(1012).every((byte) => byte === 0xee)).toBe(true);
    });

    it("NET-045 §5.1.6.4.1 device: all buffers of a packet become used together", async () => {
      const rig = await netDevice({ ring });
      for (let i = 0; i < 5; i++) rig.add(0, [], [300]);
      rig.model.receive(frame(1000));
      // However small the share, the packet is whole or not there.
      rig.device.process(1);
      expect(rig.used(0)).toHaveLength(4);
      rig.model.receive(frame(1000));
      rig.run();
      expect(rig.used(0)).toHaveLength(0);
      for (let i = 0; i < 3; i++) {
        rig.add(0, [], [300]);
        rig.run();
        expect(rig.used(0)).toHaveLength(i < 2 ? 0 : 4);
      }
    });
  });

  it.each([NEEDS_CSUM, 2, 3, 4, 0xff])(
    "NET-046 §5.1.6.4.1 device: flags %i are zero without GUEST_CSUM",
    async (flags) => {
      const rig = await netDevice();
      const buffer = rig.add(0, [], [1526]);
      rig.model.receive(frame(100), netHeader({ flags, csumStart: 34, csumOffset: 16 }));
      rig.run();
      expect([...buffer.bytes().subarray(0, 12)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    },
  );

  it.each([
    ["TCPV4", GSO.TCPV4, ["GUEST_TSO6", "GUEST_UFO"]],
    ["TCPV6", GSO.TCPV6, ["GUEST_TSO4", "GUEST_UFO"]],
    ["UDP", GSO.UDP, ["GUEST_TSO4", "GUEST_TSO6"]],
    ["UDP_L4", 5, ["GUEST_TSO4", "GUEST_TSO6", "GUEST_UFO"]],
    ["ECN", GSO.TCPV4 | ECN, ["GUEST_TSO4"]],
    ["anything", GSO.TCPV4, []],
  ])("NET-047 §5.1.6.4.1 device: no gso_type %s that was not negotiated", async (_, gsoType, accepted) => {
    const features = ["GUEST_CSUM", ...accepted];
    const rig = await netDevice({ model: { offers: NET_DRIVER_OFFLOADS }, features });
    rig.add(0, [], [1526]);
    const header = netHeader({ flags: NEEDS_CSUM, gsoType, gsoSize: 100, csumStart: 34, csumOffset: 16 });
    expect(rig.model.receive(frame(400), header)).toBe(false);
    rig.run();
    expect(rig.used(0)).toEqual([]);
  });
});

describe("net: the legacy interface, on a little-endian guest", () => {
  it.each([
    ["10 bytes", [], 10],
    ["12 bytes with MRG_RXBUF", ["MRG_RXBUF"], 12],
  ])("NET-054 §5.1.6.1 both: a header of %s", async (_, features, headerBytes) => {
    const rig = await netPair({ ring: [], features, device: LEGACY });
    rig.nic.send(frame(60, 1));
    void rig.nic.submit();
    rig.run();
    expect(rig.sent).toEqual([{ bytes: frame(60, 1), header: netHeader({}) }]);
    rig.model.receive(frame(1514, 2));
    rig.run();
    expect(rig.poll()).toBe(1);
    expect(rig.received[0]?.bytes).toEqual(frame(1514, 2));

    const bare = await netDevice({ ring: [], features, device: LEGACY });
    const buffer = bare.add(0, [], [200]);
    bare.add(1, [packet({}, frame(60), headerBytes)]);
    bare.model.receive(frame(100));
    bare.run();
    expect(bare.sent[0]?.bytes).toEqual(frame(60));
    expect(bare.used(0)).toMatchObject([{ length: 100 + headerBytes }]);
    expect(buffer.bytes().subarray(headerBytes, 100 + headerBytes)).toEqual(frame(100));
  });

  it("NET-028 §5.1.4.3 both: status is read in the guest's byte order", async () => {
    const rig = await netDevice({ ring: [], device: LEGACY });
    expect(await rig.driver.readConfigField("status")).toBe(1);
  });
});
