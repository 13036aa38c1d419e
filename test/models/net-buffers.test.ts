import { describe, expect, it } from "vitest";
import { NET_DRIVER_OFFLOADS } from "../../src/driver/net-features";
import { frame, netDevice, netHeader } from "./net-rig";

const NEEDS_CSUM = 1;
const DATA_VALID = 2;
const TCPV4 = 1;
const ECN = 0x80;

describe("a frame for the driver", () => {
  const segmented = netHeader({
    flags: NEEDS_CSUM,
    gsoType: TCPV4,
    gsoSize: 100,
    csumStart: 34,
    csumOffset: 16,
  });

  async function receive(features: readonly string[], header = segmented, bytes = frame(200)) {
    const rig = await netDevice({ model: { offers: NET_DRIVER_OFFLOADS }, features });
    const buffer = rig.add(0, [], [1526]);
    const taken = rig.model.receive(bytes, header);
    rig.run();
    return { rig, taken, answer: Buffer.from(buffer.bytes()) };
  }

  it("is handed on with its offloads if the driver accepted them", async () => {
    const { answer } = await receive(NET_DRIVER_OFFLOADS);
    expect(answer.subarray(0, 12)).toEqual(Buffer.from([1, 1, 0, 0, 100, 0, 34, 0, 16, 0, 1, 0]));
    expect(answer.subarray(12, 212).equals(frame(200))).toBe(true);
  });

  it("has its checksum filled in if the driver can't; the wire's bytes stay", async () => {
    const bytes = frame(201).slice();
    const { answer } = await receive(
      [],
      netHeader({ flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16 }),
      bytes,
    );
    expect(answer.subarray(0, 12)).toEqual(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]));
    let sum = 0;
    const got = answer.subarray(12, 213);
    // The stored sum was part of the sum, so it is counted once more.
    for (let i = 34; i < 201; i += 2) sum += ((got[i] ?? 0) << 8) + (i + 1 < 201 ? (got[i + 1] ?? 0) : 0);
    sum += bytes.subarray(50, 52).reduce((word, byte) => word * 256 + byte, 0);
    expect(sum % 0xffff).toBe(0);
    expect(Buffer.compare(bytes, frame(201))).toBe(0);
  });

  it("says DATA_VALID only to a driver with GUEST_CSUM", async () => {
    expect((await receive(["GUEST_CSUM"], netHeader({ flags: DATA_VALID }))).answer[0]).toBe(DATA_VALID);
    expect((await receive([], netHeader({ flags: DATA_VALID }))).answer[0]).toBe(0);
    expect((await receive(["GUEST_CSUM"], netHeader({ flags: 0xfc }))).answer[0]).toBe(0);
  });

  it.each([
    ["segments that the driver did not accept", ["GUEST_CSUM"], segmented, 200],
    [
      "ECN that the driver did not accept",
      ["GUEST_CSUM", "GUEST_TSO4"],
      { ...segmented, gsoType: TCPV4 | ECN },
      200,
    ],
    [
      "segments without a checksum's place",
      NET_DRIVER_OFFLOADS,
      netHeader({ gsoType: TCPV4, gsoSize: 10 }),
      200,
    ],
    ["a checksum outside", [], netHeader({ flags: NEEDS_CSUM, csumStart: 199 }), 200],
    ["13 bytes", [], netHeader({}), 13],
    ["65,590 bytes", [], netHeader({}), 65590],
    ["more than the buffer", [], netHeader({}), 1515],
  ])(
    "with %s is dropped and counted; the buffer is for the next one",
    async (_, features, header, length) => {
      const { rig, answer } = await receive(features, header, frame(length));
      expect(answer.every((byte) => byte === 0xee)).toBe(true);
      expect(rig.model.counters).toMatchObject({ unfit: 1, received: 0 });
      expect(rig.used(0)).toEqual([]);
      rig.model.receive(frame(60));
      rig.run();
      expect(rig.used(0)).toMatchObject([{ length: 72 }]);
    },
  );

  it.each([
    ["split", []],
    ["packed", ["RING_PACKED"]],
    ["packed, IN_ORDER", ["RING_PACKED", "IN_ORDER"]],
  ])("passes over buffers that hold no header, on %s", async (_, ring) => {
    const rig = await netDevice({ ring: ["VERSION_1", ...ring] });
    const small = rig.add(0, [], [11]);
    const readable = rig.add(0, [new Uint8Array(64)]);
    const good = rig.add(0, [new Uint8Array(3)], [12, 60]);
    rig.model.receive(frame(60));
    rig.run();
    expect(rig.used(0)).toEqual([
      { token: small.token, length: 0 },
      { token: readable.token, length: 0 },
      { token: good.token, length: 72 },
    ]);
    expect(rig.model.counters).toMatchObject({ received: 1, tooShort: 2 });
    expect(good.bytes().subarray(12)).toEqual(frame(60));
  });

  it.each([
    ["split", []],
    ["split, IN_ORDER", ["IN_ORDER"]],
    ["packed", ["RING_PACKED"]],
    ["packed, IN_ORDER", ["RING_PACKED", "IN_ORDER"]],
  ])("meets a bad chain behind a good one, with recover, on %s", async (_, ring) => {
    const rig = await netDevice({ ring: ["VERSION_1", ...ring], device: { recover: true } });
    const good = rig.add(0, [], [50]);
    const [queue] = rig.driver.queues;
    const address = rig.allocator.allocate(64);
    queue?.add([], [{ address, length: 64 }]);
    const table = rig.core.view(Number(queue?.areas.descriptor), 16 * (queue?.size ?? 0));
    const words = new DataView(table.buffer, table.byteOffset, table.length);
    for (let at = 0; at < table.length; at += 16) {
      if (words.getUint32(at, true) === address) words.setUint32(at, 0x7fff0000, true);
    }
    void rig.driver.kick(0);
    rig.model.receive(frame(100));
    rig.run();
    expect(rig.violations).toEqual(["DESC_OUT_OF_GUEST"]);
    expect(rig.used(0).find(({ token }) => token === good.token)).toEqual({ token: good.token, length: 0 });
    rig.add(0, [], [200]);
    rig.run();
    expect(rig.used(0)).toMatchObject([{ length: 112 }]);
  });
});
