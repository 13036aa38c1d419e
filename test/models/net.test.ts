import { describe, expect, it, vi } from "vitest";
import { NetModel } from "../../src/models/net";
import { withChecksum } from "../../src/models/net-checksum";
import type { NetOptions } from "../../src/models/net-options";
import { joinWires, loopWire } from "../../src/models/net-wire";
import { frame, netDevice, netHeader, netPair, packet } from "./net-rig";
import { cut } from "./rig";

const NEEDS_CSUM = 1;
const DATA_VALID = 2;
const TCPV4 = 1;
const UDP = 3;
const ECN = 0x80;

const LAYOUTS = [
  ["split", ["VERSION_1"]],
  ["split, IN_ORDER", ["VERSION_1", "IN_ORDER"]],
  ["packed", ["VERSION_1", "RING_PACKED"]],
  ["packed, IN_ORDER", ["VERSION_1", "RING_PACKED", "IN_ORDER"]],
] as const;

const OFFLOADS = [
  ["CSUM", "GUEST_CSUM"],
  ["HOST_TSO4", "HOST_TSO6", "HOST_ECN", "HOST_UFO"],
  ["GUEST_TSO4", "GUEST_TSO6", "GUEST_ECN", "GUEST_UFO"],
].flat();

describe.each(LAYOUTS)("a network device on %s", (_, ring) => {
  it("hands each frame to its wire, and uses its buffers with length 0", async () => {
    const rig = await netDevice({ ring });
    const chains = [60, 1514, 14].map((length, i) => rig.add(1, [packet({}, frame(length, i))]));
    rig.run();
    expect(rig.sent.map(({ bytes }) => bytes)).toEqual([frame(60, 0), frame(1514, 1), frame(14, 2)]);
    expect(rig.used(1)).toEqual(chains.map(({ token }) => ({ token, length: 0 })));
    expect(rig.interrupts).toBe(1);
  });

  it("puts each frame into one buffer that holds it, in order, with one notification", async () => {
    const rig = await netDevice({ ring });
    const buffers = [1526, 1526, 1526].map((length) => rig.add(0, [], [length]));
    rig.run();
    expect(rig.used(0)).toEqual([]);
    expect(rig.model.receive(frame(60, 1))).toBe(true);
    expect(rig.model.receive(frame(1514, 2))).toBe(true);
    expect(rig.device.hasWork).toBe(true);
    rig.run();
    expect(rig.used(0)).toEqual([
      { token: buffers[0]?.token, length: 72 },
      { token: buffers[1]?.token, length: 1526 },
    ]);
    const [first, second] = buffers.map(({ bytes }) => bytes());
    expect([...(first?.subarray(0, 12) ?? [])]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect(first?.subarray(12, 72)).toEqual(frame(60, 1));
    expect(first?.subarray(72).every((byte) => byte === 0xee)).toBe(true);
    expect(second?.subarray(12)).toEqual(frame(1514, 2));
    expect(rig.interrupts).toBe(1);
  });

  it("spreads a frame over buffers of any shape, and keeps back what is not enough", async () => {
    const rig = await netDevice({ ring });
    const chains = [[100], [5, 20, 3], [64]].map((lengths) => rig.add(0, [], lengths));
    rig.run();
    rig.model.receive(frame(300));
    rig.run();
    expect(rig.used(0)).toEqual([]);
    expect(rig.model.counters.received).toBe(0);
    chains.push(rig.add(0, [], [200]));
    rig.run();
    expect(rig.used(0)).toEqual(
      chains.map(({ token }, i) => ({ token, length: [100, 28, 64, 312 - 192][i] })),
    );
    const whole = Buffer.concat(chains.map(({ bytes }) => bytes())).subarray(0, 312);
    expect(whole.readUInt16LE(10)).toBe(4);
    expect(whole.subarray(12).equals(frame(300))).toBe(true);
  });

  it("takes no receive buffer while no frame is there, or not enough of them", async () => {
    const taken: (number | undefined)[] = [];
    const rig = await netDevice({ ring });
    const context = vi.spyOn(rig.model, "start");
    await rig.driver.initialize();
    const inFlight = () => taken.push(context.mock.calls[0]?.[0].queue(0).inFlight);
    rig.add(0, [], [40]);
    rig.add(0, [], [40]);
    rig.run();
    inFlight();
    rig.model.receive(frame(200));
    rig.run();
    inFlight();
    rig.add(0, [], [200]);
    rig.run();
    inFlight();
    expect(taken).toEqual([0, 0, 0]);
    expect(rig.used(0)).toHaveLength(3);
  });
});

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

  it("belongs to the wire: the driver can't change it any more", async () => {
    const rig = await netDevice();
    rig.add(1, [whole]);
    rig.run();
    rig.core.view(0, 0x10000).fill(0);
    expect(rig.sent[0]?.bytes).toEqual(frame(100, 7));
  });
});

describe("offloads of a transmitted frame", () => {
  const open = (features: readonly string[] = OFFLOADS) =>
    netDevice({ model: { offers: OFFLOADS }, features });

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

describe("a frame for the driver", () => {
  const segmented = netHeader({
    flags: NEEDS_CSUM,
    gsoType: TCPV4,
    gsoSize: 100,
    csumStart: 34,
    csumOffset: 16,
  });

  async function receive(features: readonly string[], header = segmented, bytes = frame(200)) {
    const rig = await netDevice({ model: { offers: OFFLOADS }, features });
    const buffer = rig.add(0, [], [1526]);
    const taken = rig.model.receive(bytes, header);
    rig.run();
    return { rig, taken, answer: Buffer.from(buffer.bytes()) };
  }

  it("is handed on with its offloads if the driver accepted them", async () => {
    const { answer } = await receive(OFFLOADS);
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
    ["segments without a checksum's place", OFFLOADS, netHeader({ gsoType: TCPV4, gsoSize: 10 }), 200],
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

describe("the backlog", () => {
  it("keeps the newest frames, in order", async () => {
    const rig = await netDevice({ model: { backlog: 3 } });
    for (let i = 0; i < 5; i++) expect(rig.model.receive(frame(60, i))).toBe(true);
    const buffers = Array.from({ length: 5 }, () => rig.add(0, [], [72]));
    rig.run();
    expect(rig.used(0)).toHaveLength(3);
    const got = buffers.slice(0, 3).map(({ bytes }) => bytes().subarray(12));
    expect(got).toEqual([frame(60, 2), frame(60, 3), frame(60, 4)]);
    expect(rig.model.counters).toMatchObject({ received: 3, missed: 2 });
  });

  it("lets a frame go that never gets its buffers", async () => {
    const rig = await netDevice({ model: { backlog: 2 } });
    rig.add(0, [], [100]);
    rig.model.receive(frame(1514));
    rig.run();
    rig.model.receive(frame(60, 1));
    rig.run();
    expect(rig.used(0)).toEqual([]);
    rig.model.receive(frame(60, 2));
    rig.run();
    expect(rig.used(0)).toMatchObject([{ length: 72 }]);
  });

  it("is empty after a reset; before DRIVER_OK nothing is taken", async () => {
    const rig = await netDevice();
    rig.model.receive(frame(60));
    rig.device.writeStatus(0);
    expect(rig.model.counters.missed).toBe(1);
    expect(rig.model.receive(frame(60))).toBe(false);
    expect(rig.model.counters.missed).toBe(2);
    await rig.driver.initialize();
    rig.add(0, [], [1526]);
    rig.run();
    expect(rig.used(0)).toEqual([]);
  });
});

describe("a queue reset", () => {
  it.each([
    ["split", []],
    ["packed", ["RING_PACKED"]],
  ])("keeps what waits for the driver, on %s (§2.6.1)", async (_, ring) => {
    const rig = await netDevice({ ring: ["VERSION_1", "RING_RESET", ...ring] });
    const [queue] = rig.driver.queues;
    if (queue === undefined) throw new Error("no receive queue");
    rig.model.receive(frame(60, 1));
    rig.device.resetQueue(0);
    rig.model.receive(frame(60, 2));
    rig.run();
    queue.reset();
    rig.device.enableQueue(0, { size: queue.size, areas: queue.areas });
    const buffers = [rig.add(0, [], [72]), rig.add(0, [], [72])];
    rig.run();
    expect(rig.used(0)).toHaveLength(2);
    expect(buffers.map(({ bytes }) => bytes().subarray(12))).toEqual([frame(60, 1), frame(60, 2)]);
    expect(rig.violations).toEqual([]);
  });

  it("lets go of a frame that the wire has not answered", async () => {
    let answer = () => {};
    const wire = { send: () => new Promise<void>((resolve) => (answer = resolve)) };
    const rig = await netDevice({ ring: ["VERSION_1", "RING_RESET"], model: { wire } });
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    rig.device.resetQueue(1);
    answer();
    await rig.device.idle();
    expect(rig.violations).toEqual([]);
    expect(rig.model.counters.transmitted).toBe(1);
  });
});

describe("a driver that sends anything", () => {
  it.each([
    ["split", []],
    ["split, IN_ORDER", ["IN_ORDER"]],
    ["packed", ["RING_PACKED"]],
    ["packed, IN_ORDER", ["RING_PACKED", "IN_ORDER"]],
  ])("gets every chain back and harms nobody, on %s", async (_, ring) => {
    const rig = await netDevice({
      ring: ["VERSION_1", ...ring],
      model: { offers: [...OFFLOADS, "MRG_RXBUF"], backlog: 4 },
      features: [...OFFLOADS, "MRG_RXBUF"],
    });
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    loopWire(rig.model);
    const chains = { sent: 0, back: 0, used: 0 };
    for (let i = 0; i < 400; i++) {
      const readable = Array.from({ length: random(4) }, () => {
        const bytes = Uint8Array.from({ length: 1 + random(40) }, () => random(256));
        // Headers of few bits are the ones that get through.
        return random(2) ? bytes : bytes.map((byte, at) => (at < 12 ? byte & random(4) : byte));
      });
      rig.add(1, readable, readable.length === 0 ? [8] : random(3) ? [] : [1 + random(9)]);
      const given = random(8) ? [] : [new Uint8Array(3)];
      if ((rig.driver.queues[0]?.free ?? 0) > 2) rig.add(0, given, [1 + random(30), 1 + random(60)]);
      chains.sent++;
      rig.run();
      chains.back += rig.used(1).length;
      chains.used += rig.used(0).length;
    }
    const { transmitted, malformed, received } = rig.model.counters;
    expect(chains.back).toBe(chains.sent);
    expect(transmitted + malformed).toBe(chains.sent);
    expect(Math.min(transmitted, malformed, received, chains.used)).toBeGreaterThan(20);
    expect(rig.violations).toEqual([]);
  });
});

describe("the wire", () => {
  it("may take its time: the chain is used when its Promise settles", async () => {
    const answers: (() => void)[] = [];
    const wire = { send: () => new Promise<void>((resolve) => answers.push(resolve)) };
    const rig = await netDevice({ model: { wire } });
    const chains = [0, 1].map((i) => rig.add(1, [packet({}, frame(60, i))]));
    rig.run();
    expect(rig.used(1)).toEqual([]);
    for (const answer of answers) answer();
    await rig.device.idle();
    expect(rig.used(1)).toEqual(chains.map(({ token }) => ({ token, length: 0 })));
    expect(rig.model.counters.transmitted).toBe(2);
  });

  it("is too late after a reset", async () => {
    let answer = () => {};
    const wire = { send: () => new Promise<void>((resolve) => (answer = resolve)) };
    const rig = await netDevice({ model: { wire } });
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    rig.device.writeStatus(0);
    answer();
    await rig.device.idle();
    expect(rig.model.counters.transmitted).toBe(0);
    expect(rig.violations).toEqual([]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("cut");
      },
    ],
    ["rejects", () => Promise.reject(new Error("cut"))],
  ])("that %s loses the frame, and the host hears why", async (_, send) => {
    const errors: unknown[] = [];
    const rig = await netDevice({ model: { wire: { send }, onWireError: (error) => errors.push(error) } });
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    await rig.device.idle();
    expect(rig.used(1)).toHaveLength(1);
    expect(errors).toEqual([new Error("cut")]);
    expect(rig.model.counters).toMatchObject({ lost: 1, transmitted: 0 });
  });

  it("may reset the device while it takes a frame", async () => {
    const rig = await netDevice();
    rig.model.wire = { send: () => rig.device.writeStatus(0) };
    rig.add(1, [packet({}, frame(60))]);
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    expect(rig.violations).toEqual([]);
    expect(await rig.driver.initialize()).toMatchObject({ ok: true });
  });

  it("may be missing: frames are lost and chains used", async () => {
    const rig = await netDevice();
    rig.model.wire = undefined;
    rig.add(1, [packet({}, frame(60))]);
    rig.run();
    expect(rig.used(1)).toHaveLength(1);
    expect(rig.model.counters.lost).toBe(1);
  });

  it("carries nothing while the link is down", async () => {
    const rig = await netDevice();
    rig.model.linkUp = false;
    rig.add(1, [packet({}, frame(60))]);
    rig.add(0, [], [1526]);
    expect(rig.model.receive(frame(60))).toBe(false);
    rig.run();
    expect(rig.sent).toEqual([]);
    expect(rig.model.counters).toMatchObject({ lost: 1, missed: 1 });
    rig.model.linkUp = true;
    expect(rig.model.linkUp).toBe(true);
    expect(rig.model.receive(frame(60))).toBe(true);
  });

  it("joins two devices, or one with itself", async () => {
    const [a, b] = [await netPair(), await netPair({ ring: ["VERSION_1", "RING_PACKED"] })];
    joinWires(a.model, b.model);
    a.nic.send(frame(100, 1));
    b.nic.send(frame(100, 2));
    for (const { nic } of [a, b]) void nic.submit();
    for (const { run } of [a, b, a]) run();
    expect([a.poll(), b.poll()]).toEqual([1, 1]);
    expect([a, b].map(({ received }) => received[0]?.bytes)).toEqual([frame(100, 2), frame(100, 1)]);
    loopWire(a.model);
    a.nic.send(frame(100, 3));
    void a.nic.submit();
    a.run();
    expect(a.poll()).toBe(1);
    expect(a.received[1]?.bytes).toEqual(frame(100, 3));
  });
});

describe("options", () => {
  it.each<[NetOptions, readonly string[]]>([
    [{}, ["MRG_RXBUF", "STATUS"]],
    [{ mac: "52:54:00:12:34:56", mtu: 1500 }, ["MTU", "MAC", "MRG_RXBUF", "STATUS"]],
    [{ duplex: "full" }, ["MRG_RXBUF", "STATUS", "SPEED_DUPLEX"]],
    [{ offers: [] }, []],
  ])("%j offer what they give", (options, offers) => {
    expect(new NetModel(options).offers).toEqual(offers);
  });

  it.each<[NetOptions, string]>([
    [{ offers: ["CTRL_VQ"] }, "the net model cannot offer CTRL_VQ, only CSUM, GUEST_CSUM, MTU, MAC"],
    [{ offers: ["MRG_RXBUFF"] }, "did you mean MRG_RXBUF?"],
    [{ offers: ["MAC"] }, "MAC is offered without a value for it"],
    [{ offers: ["SPEED_DUPLEX"] }, "SPEED_DUPLEX is offered without a value for it"],
    [{ mac: "52:54:00:12:34" }, '"52:54:00:12:34" is no address like 52:54:00:12:34:56'],
    [{ speed: -1 }, "speed -1 is not within 0…2147483647"],
  ])("%j are refused", (options, message) => {
    expect(() => new NetModel(options)).toThrow(message);
  });
});

describe("withChecksum", () => {
  it("gives the checksum of RFC 1071's example", () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0, 0);
    const whole = withChecksum(bytes, netHeader({ csumOffset: 8 }));
    expect([...whole.subarray(8)]).toEqual([0x22, 0x0d]);
    expect(bytes[8]).toBe(0);
  });

  it("never gives zero, which would say that there is none", () => {
    const whole = withChecksum(Uint8Array.of(0xff, 0xff, 0, 0), netHeader({ csumOffset: 2 }));
    expect([...whole.subarray(2)]).toEqual([0xff, 0xff]);
  });
});
