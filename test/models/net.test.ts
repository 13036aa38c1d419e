import { describe, expect, it, vi } from "vitest";
import { NET_DRIVER_OFFLOADS } from "../../src/driver/net-features";
import { loopWire } from "../../src/models/net-wire";
import { frame, netDevice, packet } from "./net-rig";

const LAYOUTS = [
  ["split", ["VERSION_1"]],
  ["split, IN_ORDER", ["VERSION_1", "IN_ORDER"]],
  ["packed", ["VERSION_1", "RING_PACKED"]],
  ["packed, IN_ORDER", ["VERSION_1", "RING_PACKED", "IN_ORDER"]],
] as const;

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
      model: { offers: [...NET_DRIVER_OFFLOADS, "MRG_RXBUF"], backlog: 4 },
      features: [...NET_DRIVER_OFFLOADS, "MRG_RXBUF"],
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
