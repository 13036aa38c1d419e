import { describe, expect, it } from "vitest";
import { NET_DRIVER_OFFLOADS } from "../../src/driver/net-features";
import { frame, netDevice, netHeader, packet } from "./net-rig";
import { cut } from "./rig";

const NEEDS_CSUM = 1;
const TCPV4 = 1;
const UDP = 3;
const ECN = 0x80;

describe("a transmitted chain", () => {
  const whole = packet({}, frame(100, 7));

  it.each([[[]], [[1]], [[11]], [[12]], [[13]], [[6, 6, 1, 1, 50]], [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]])(
    "may be cut anywhere: %j (§2.7.4.2)",
    async (lengths) => {
      const rig = await netDevice();
      rig.add(1, cut(whole, lengths));
      rig.run();
      expect(rig.sent.map(({ bytes }) => bytes)).toEqual([frame(100, 7)]);
    },
  );

  it.each([
    ["no byte", [], [16]],
    ["half a header", [whole.subarray(0, 6)], []],
    ["a header alone", [whole.subarray(0, 12)], []],
    ["13 bytes of a frame", [whole.subarray(0, 25)], []],
    ["65,590 bytes", [packet({}, frame(65590))], []],
    ["a length of several MiB", [new Uint8Array(1 << 20), new Uint8Array(1 << 20)], []],
  ])("with %s is used and counted, nothing is sent", async (_, readable, writable) => {
    const rig = await netDevice({ guestBytes: 0x1000000 });
    const bad = rig.add(1, readable, writable);
    const good = rig.add(1, [whole]);
    rig.run();
    expect(rig.used(1)).toEqual([bad, good].map(({ token }) => ({ token, length: 0 })));
    expect(rig.model.counters).toMatchObject({ malformed: 1, transmitted: 1 });
    expect(bad.bytes().every((byte) => byte === 0xee)).toBe(true);
    expect(rig.violations).toEqual([]);
  });

  it("may have writable buffers, which stay as they are", async () => {
    const rig = await netDevice();
    const chain = rig.add(1, [whole], [64]);
    rig.run();
    expect(rig.used(1)).toEqual([{ token: chain.token, length: 0 }]);
    expect(rig.sent).toHaveLength(1);
    expect(chain.bytes().every((byte) => byte === 0xee)).toBe(true);
  });

  it("of 65,589 bytes is the longest", async () => {
    const rig = await netDevice();
    rig.add(1, [packet({}, frame(65589))]);
    rig.run();
    expect(rig.sent[0]?.bytes.length).toBe(65589);
  });

  it.each([
    ["1,514 bytes and an mtu of 1500", 1514, {}, 0],
    ["1,515 bytes and an mtu of 1500", 1515, {}, 1],
    ["1,515 bytes that are to be segmented", 1515, { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 1448 }, 0],
  ])("of %s", async (_, length, fields, malformed) => {
    const offers = ["MTU", ...NET_DRIVER_OFFLOADS];
    const rig = await netDevice({ model: { mtu: 1500, offers }, features: offers });
    rig.add(1, [packet(fields, frame(length))]);
    rig.run();
    expect(rig.model.counters).toMatchObject({ malformed, transmitted: 1 - malformed });
  });

  it("belongs to the wire: the driver can't change it any more", async () => {
    const rig = await netDevice();
    rig.add(1, [whole]);
    rig.run();
    rig.core.view(0, 0x10000).fill(0);
    expect(rig.sent[0]?.bytes).toEqual(frame(100, 7));
  });
});

describe("offloads of a transmitted frame", () => {
  const open = (features: readonly string[] = NET_DRIVER_OFFLOADS) =>
    netDevice({ model: { offers: NET_DRIVER_OFFLOADS }, features });

  it.each([
    ["a checksum", { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16, hdrLen: 54 }],
    [
      "segments",
      { flags: NEEDS_CSUM, gsoType: TCPV4, gsoSize: 1448, csumStart: 34, csumOffset: 16, hdrLen: 54 },
    ],
    [
      "segments with ECN",
      { flags: NEEDS_CSUM, gsoType: TCPV4 | ECN, gsoSize: 9, csumStart: 34, csumOffset: 16 },
    ],
  ])("%s: handed on as the driver asked", async (_, fields) => {
    const rig = await open();
    rig.add(1, [packet(fields, frame(3000))]);
    rig.run();
    expect(rig.sent).toEqual([{ bytes: frame(3000), header: netHeader(fields) }]);
  });

  it.each([
    ["flags that nobody knows", { flags: 0xfe }, {}],
    ["a checksum's place without NEEDS_CSUM", { csumStart: 0xffff, csumOffset: 0xffff, hdrLen: 3 }, {}],
    ["ECN without a type", { gsoType: ECN, gsoSize: 5 }, {}],
  ])("%s: ignored (§5.1.6.2.2)", async (_, fields, header) => {
    const rig = await open();
    rig.add(1, [packet(fields, frame(100))]);
    rig.run();
    expect(rig.sent).toEqual([{ bytes: frame(100), header: netHeader(header) }]);
  });

  it.each([
    ["a checksum behind the end", { flags: NEEDS_CSUM, csumStart: 90, csumOffset: 9 }],
    ["segments without NEEDS_CSUM", { gsoType: TCPV4, gsoSize: 10 }],
    ["segments of no size", { flags: NEEDS_CSUM, gsoType: TCPV4 }],
    ["a type that nobody knows", { flags: NEEDS_CSUM, gsoType: 7, gsoSize: 10 }],
    [
      "all bits set",
      { flags: 0xff, gsoType: 0xff, hdrLen: 0xffff, gsoSize: 0xffff, csumStart: 0xffff, csumOffset: 0xffff },
    ],
  ])("%s: dropped and counted", async (_, fields) => {
    const rig = await open();
    rig.add(1, [packet(fields, frame(100))]);
    rig.run();
    expect(rig.used(1)).toHaveLength(1);
    expect(rig.sent).toEqual([]);
    expect(rig.model.counters.malformed).toBe(1);
  });

  it("that were not negotiated: segments are dropped, a checksum is not looked at", async () => {
    const rig = await open([]);
    rig.add(1, [packet({ flags: NEEDS_CSUM, gsoType: UDP, gsoSize: 10 }, frame(100))]);
    rig.add(1, [packet({ flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16 }, frame(100))]);
    rig.run();
    expect(rig.sent).toEqual([{ bytes: frame(100), header: netHeader({}) }]);
  });
});
