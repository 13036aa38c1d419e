// Area "queue-reset" (§2.6.1): one queue starts anew while the device lives on.
import { describe, expect, it } from "vitest";
import { judge } from "../../src/conformance/judge";
import { VirtioError } from "../../src/errors";
import { addChains, makeRig, type Rig, type RigOptions, roundTrips, started } from "../control-rig";

const LAYOUTS = [
  ["split", ["VERSION_1", "RING_RESET"]],
  ["packed", ["VERSION_1", "RING_RESET", "RING_PACKED"]],
] as const;
const fails = (code: string) => expect.objectContaining({ code });

/** A live device with two queues of up to 16. */
function live(supports: readonly string[] = LAYOUTS[0][1], options: RigOptions = {}): Promise<Rig> {
  const queues = ["a", "b"].map((name) => ({ name, maxSize: 16 }));
  return started(makeRig({ supports, ...options, model: { queues } }));
}

/** Chains in the device's hands, of queue 0: their tokens as the driver has them. */
function held(rig: Rig, count: number): number[] {
  rig.model.holds = true;
  const tokens = addChains(rig, count);
  void rig.driver.kick(0);
  while (rig.device.process() === "more");
  rig.model.holds = false;
  return tokens;
}

/** No finding at all in what was recorded. */
function expectClean(rig: Rig): void {
  expect(judge(rig.transcript.events).filter(({ level }) => level.startsWith("MUST"))).toEqual([]);
  expect(rig.codes()).toEqual([]);
}

describe.each(LAYOUTS)("%s, device", (_, supports) => {
  it("QUEUE-RESET-001 §2.6.1 device: executes nothing of the queue, and sends no notification for it", async () => {
    const rig = await live(supports);
    const [first] = held(rig, 3);
    addChains(rig, 2);
    rig.driver.queues[0]?.publish();
    rig.device.notify(0);
    const [taken] = rig.model.taken;
    const before = rig.core.view(0, 1 << 20).slice();
    rig.notifications.length = 0;
    rig.device.resetQueue(0);
    expect(rig.device.process()).toBe("done");
    rig.model.context?.finish(0);
    expect([first, taken?.queue, rig.model.taken.length]).toEqual([expect.any(Number), 0, 3]);
    expect(Buffer.compare(rig.core.view(0, 1 << 20), before)).toBe(0);
    expect([rig.notifications, rig.device.queueReady(0), rig.device.status]).toEqual([[], false, 0x0f]);
  });

  it("QUEUE-RESET-002 §2.6.1 device: brings positions and wrap counters back to default", async () => {
    const rig = await live(supports);
    // 21 chains through 16 descriptors: beyond the wrap.
    roundTrips(rig, 21);
    await rig.driver.resetQueue(0);
    const start = rig.driver.queues[0]?.vringBase;
    expect(start).toBe(rig.driver.ring?.layout === "packed" ? 0x80008000 : 0);
    roundTrips(rig, 21);
    expectClean(rig);
  });

  it("QUEUE-RESET-002 §2.6.1 device: leaves the other queues and what was negotiated alone", async () => {
    const rig = await live(supports);
    roundTrips(rig, 5, 1);
    const { negotiated } = rig.driver;
    await rig.driver.resetQueue(0);
    roundTrips(rig, 20, 1);
    expect([rig.device.negotiated?.bits(), rig.model.resets]).toEqual([negotiated?.bits(), 1]);
    expectClean(rig);
  });

  it("QUEUE-RESET-005 §2.6.1 device: honours another size and other addresses", async () => {
    const rig = await live(supports);
    const sizes: (number | undefined)[] = [];
    for (const queueSize of [4, 16, 1, 8]) {
      await rig.driver.resetQueue(0, { queueSize });
      roundTrips(rig, 2 * queueSize + 1);
      sizes.push(rig.driver.queues[0]?.size);
      expect(addChains(rig, queueSize + 1).filter((token) => token === 0)).toHaveLength(1);
    }
    expect(sizes).toEqual([4, 16, 1, 8]);
    expectClean(rig);
  });
});

describe.each(LAYOUTS)("%s, driver", (_, supports) => {
  it("QUEUE-RESET-003 §2.6.1 driver: goes on only when the transport shows that the reset is over", async () => {
    const rig = await live(supports, { later: true });
    const tokens = held(rig, 3);
    const { port } = rig;
    let reads = 0;
    const inner = rig.driver as unknown as { port: { queueInReset: (index: number) => Promise<boolean> } };
    const free = rig.allocator.available;
    inner.port.queueInReset = async () => {
      expect([rig.allocator.available, rig.driver.queues[0]?.inFlight]).toEqual([free, 3]);
      expect(() => rig.driver.kick(0)).toThrow(fails("STATUS_SEQUENCE"));
      await expect(rig.driver.resetQueue(0)).rejects.toThrow(fails("STATUS_SEQUENCE"));
      return ++reads < 4;
    };
    port.log.length = 0;
    const aborted = await rig.driver.resetQueue(0);
    expect([reads, aborted]).toEqual([4, tokens.map((token) => ({ queue: 0, token }))]);
    expect(
      port.calls("resetQueue", "queueReady", "queueMaxSize", "enableQueue").map(([name]) => name),
    ).toEqual(["resetQueue", "queueReady", "queueMaxSize", "enableQueue", "queueReady"]);
    expectClean(rig);
  });

  it("QUEUE-RESET-003 §2.6.1 driver: gives up a reset that never ends, and keeps the buffers", async () => {
    const rig = await live(supports, { driver: { statusReads: 3 } });
    held(rig, 2);
    const inner = rig.driver as unknown as {
      port: { queueInReset?: () => boolean; queueReady?: () => boolean };
    };
    inner.port.queueInReset = () => true;
    await expect(rig.driver.resetQueue(0)).rejects.toThrow("under way after 3 reads");
    expect(rig.driver.queues[0]?.inFlight).toBe(2);
  });

  it("QUEUE-RESET-003 §2.6.1 driver: notices a device that offers RING_RESET and does nothing", async () => {
    const rig = await live(supports);
    held(rig, 2);
    const inner = rig.driver as unknown as { port: { resetQueue: () => void } };
    inner.port.resetQueue = () => {};
    await expect(rig.driver.resetQueue(0)).rejects.toThrow(fails("DEVICE_NEEDS_RESET"));
    expect(rig.driver.queues[0]?.inFlight).toBe(2);
  });

  it("QUEUE-RESET-004 §2.6.1 driver: gets rings, tables and buffers back", async () => {
    const rig = await live([...supports, "INDIRECT_DESC"], { driver: { indirect: 4 } });
    const before = rig.allocator.available;
    const old = rig.driver.queues[0];
    held(rig, 3);
    const bytes = rig.allocator.available;
    await rig.driver.resetQueue(0, { enable: false });
    expect(rig.allocator.available).toBeGreaterThan(bytes);
    expect([old?.alive, rig.device.queueReady(0), rig.driver.poll()]).toEqual([false, false, false]);
    await rig.driver.resetQueue(0);
    expect([rig.allocator.available <= before, rig.driver.queues[0]?.alive]).toEqual([true, true]);
    for (let i = 0; i < 50; i++) await rig.driver.resetQueue(0);
    expect(rig.allocator.available).toBe(bytes);
    await rig.driver.reset();
    expect(rig.driver.queues).toEqual([]);
    expectClean(rig);
  });

  it("QUEUE-RESET-006 §2.6.1 driver: sets the queue up as at first", async () => {
    const rig = await live(supports);
    const [, first] = rig.port.calls("enableQueue").find(([, index]) => index === 0) ?? [];
    rig.port.log.length = 0;
    await rig.driver.resetQueue(0);
    expect(rig.port.log.map(([name]) => name)).toEqual([
      "resetQueue",
      "queueInReset",
      "queueReady",
      "queueMaxSize",
      "enableQueue",
      "queueReady",
    ]);
    expect([first, rig.driver.queues[0]?.size, rig.driver.lastStatus]).toEqual([0, 16, 0x0f]);
    const { size, areas } = rig.driver.queues[0] ?? {};
    expect(rig.port.calls("enableQueue")).toEqual([["enableQueue", 0, { size, areas }]]);
    roundTrips(rig);
    expectClean(rig);
  });

  it("QUEUE-RESET-007 §2.6.1 driver: may leave the queue disabled, and enable it later", async () => {
    const rig = await live(supports);
    const tokens = held(rig, 2);
    expect(await rig.driver.resetQueue(0, { enable: false })).toHaveLength(tokens.length);
    expect(() => rig.driver.kick(0)).toThrow(fails("QUEUE_NOT_READY"));
    roundTrips(rig, 3, 1);
    rig.port.log.length = 0;
    expect(await rig.driver.resetQueue(0, { queueSize: 8 })).toEqual([]);
    expect(rig.port.calls("resetQueue")).toEqual([]);
    roundTrips(rig, 20);
    expectClean(rig);
  });

  it("QUEUE-RESET-007 §2.6.1 driver: a device reset takes disabled queues along", async () => {
    const rig = await live(supports);
    const before = rig.allocator.available;
    await rig.driver.resetQueue(0, { enable: false });
    expect(await rig.driver.reset()).toEqual([]);
    await started(rig);
    expect(rig.allocator.available).toBe(before);
    roundTrips(rig);
    expectClean(rig);
  });
});

describe("VirtioDriver.resetQueue", () => {
  it("needs RING_RESET, a queue, a running driver and a transport that can; nothing is written else", async () => {
    const rig = await live(["VERSION_1"]);
    rig.port.log.length = 0;
    await expect(rig.driver.resetQueue(0)).rejects.toThrow("RING_RESET is not negotiated");
    await expect(rig.driver.resetQueue(2)).rejects.toThrow(fails("QUEUE_INDEX_RANGE"));
    expect(rig.port.log).toEqual([]);
    await rig.driver.reset();
    await expect(rig.driver.resetQueue(0)).rejects.toThrow(fails("STATUS_SEQUENCE"));
    const other = await live();
    for (const queueSize of [0, 32769, 1.5, Number.NaN]) {
      await expect(other.driver.resetQueue(0, { queueSize })).rejects.toThrow(fails("BAD_ARGUMENT"));
    }
    delete (other.driver as unknown as { port: { resetQueue?: unknown } }).port.resetQueue;
    await expect(other.driver.resetQueue(0)).rejects.toThrow("has no queue reset");
    expectClean(other);
  });

  it("isn't for a suspended device, and a suspend not for a queue in reset", async () => {
    let rig: Rig | undefined;
    const onWork = () => queueMicrotask(() => rig?.device.process());
    rig = await live(["VERSION_1", "RING_RESET", "SUSPEND"], { later: true, device: { onWork } });
    const reset = rig.driver.resetQueue(1);
    await expect(rig.driver.suspend()).rejects.toThrow("the reset of queue 1 is not over");
    await reset;
    await rig.driver.suspend();
    await expect(rig.driver.resetQueue(0)).rejects.toThrow("the device is suspended");
    await rig.driver.resume();
    await rig.driver.resetQueue(0);
    expect(rig.device.queueReady(0)).toBe(true);
    expectClean(rig);
  });

  it("ends when the whole device is reset meanwhile, and leaves the new queues alone", async () => {
    const rig = await live(undefined, { later: true });
    const before = rig.allocator.available;
    const reset = rig.driver.resetQueue(0).catch((error: unknown) => error);
    await started(rig);
    expect(await reset).toEqual(fails("STATUS_SEQUENCE"));
    expect([rig.allocator.available, rig.driver.queues.map(({ alive }) => alive)]).toEqual([
      before,
      [true, true],
    ]);
    expect([rig.device.queueReady(0), rig.device.status]).toEqual([true, 0x0f]);
    // RESET-003: nothing more was done to queues between the reset of the device and its end.
    expectClean(rig);
    await rig.driver.resetQueue(0);
  });

  /** `resetQueue(0)`, held up behind the `at`th of its accesses until `meanwhile` is over. */
  async function heldUp(at: number, meanwhile: (rig: Rig) => Promise<unknown>) {
    const rig = await live();
    const { port } = rig.driver as unknown as { port: Record<string, (...values: unknown[]) => unknown> };
    const made: string[] = [];
    let resume = 0;
    for (const name of new Set(ACCESSES.map(([access]) => access))) {
      const access = port[name];
      port[name] = async (...values) => {
        const answer = await access?.(...values);
        const count = made.push(name);
        if (count === at + 1) await meanwhile(rig);
        if (count === at + 1) resume = made.length;
        return name === "queueInReset" ? count === 2 : answer; // the reset takes one more look
      };
    }
    const outcome = await rig.driver.resetQueue(0).then(
      () => "done",
      ({ code }: VirtioError) => code,
    );
    return { rig, outcome, made, afterwards: made.slice(resume) };
  }

  /** The accesses of a reset, and what is still asked if the device was reset behind one: nothing that changes anything. */
  const ACCESSES: readonly (readonly [access: string, afterwards?: string])[] = [
    ["resetQueue", "queueInReset"],
    ["queueInReset"],
    ["queueInReset"],
    ["queueReady"],
    ["queueMaxSize"],
    ["enableQueue", "queueReady"],
    ["queueReady"],
  ];

  it("makes its accesses in this order", async () => {
    const { made, outcome } = await heldUp(-1, async () => {});
    expect([made, outcome]).toEqual([ACCESSES.map(([access]) => access), "done"]);
  });

  it.each(ACCESSES.map(([access, afterwards], at) => ({ at, access, afterwards })))(
    "ends where the device was reset: behind access $at, $access",
    async ({ at, afterwards }) => {
      const held = await heldUp(at, (rig) => started(rig));
      expect([held.outcome, held.afterwards]).toEqual([
        "STATUS_SEQUENCE",
        afterwards === undefined ? [] : [afterwards],
      ]);
      const { driver, allocator } = held.rig;
      const free = allocator.available;
      expect(driver.queues.map(({ alive, size }) => [alive, size])).toEqual([
        [true, 16],
        [true, 16],
      ]);
      await started(held.rig);
      expect(allocator.available).toBe(free);
      roundTrips(held.rig);
    },
  );

  it("leaves the reset of the queue in the device's next life alone, too", async () => {
    let next: Promise<unknown> | undefined;
    const { rig, outcome } = await heldUp(0, async (held) => {
      await started(held);
      next = held.driver.resetQueue(0);
    });
    expect(outcome).toBe("STATUS_SEQUENCE");
    expect(() => rig.driver.kick(0)).toThrow("the reset of queue 0 is not over");
    await next;
    roundTrips(rig);
  });

  it("keeps memory until a device reset that comes in between is read back", async () => {
    let ended: Promise<unknown> | undefined;
    const { rig, outcome } = await heldUp(5, async (held) => {
      const { available } = held.allocator;
      const { readStatus } = held.port;
      held.port.readStatus = async () => {
        expect(held.allocator.available).toBe(available);
        return readStatus();
      };
      ended = held.driver.reset();
    });
    expect([outcome, await ended]).toEqual(["STATUS_SEQUENCE", []]);
    await started(rig);
    roundTrips(rig);
  });

  it("says so if the queue is gone after its reset", async () => {
    const rig = await live();
    (rig.driver as unknown as { port: { queueMaxSize: () => number } }).port.queueMaxSize = () => 0;
    await expect(rig.driver.resetQueue(0)).rejects.toThrow("queue 0 is gone after its reset: it may have 0");
  });

  it("leaves a queue disabled that the device doesn't enable again, and can try once more", async () => {
    const rig = await live();
    const inner = rig.driver as unknown as { port: { queueReady: (index: number) => boolean } };
    const { queueReady } = inner.port;
    inner.port.queueReady = () => false;
    const free = rig.allocator.available;
    await expect(rig.driver.resetQueue(0)).rejects.toThrow(fails("QUEUE_NOT_READY"));
    expect([rig.driver.queues[0]?.alive, rig.allocator.available > free]).toEqual([false, true]);
    rig.device.resetQueue(0);
    inner.port.queueReady = queueReady;
    await rig.driver.resetQueue(0);
    roundTrips(rig);
  });

  it("is refused once the device needs a reset as a whole", async () => {
    const rig = await live();
    rig.device.needsReset(new VirtioError("INTERNAL", "broken"));
    await expect(rig.driver.resetQueue(0)).rejects.toThrow(fails("DEVICE_NEEDS_RESET"));
  });
});
