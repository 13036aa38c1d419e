// Serving the queues: bounded, fair, deferred, and what becomes of work that finishes late (§2.3, §2.4.1).
import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import type { TouchedRange } from "../../src/virtqueue/ring-half";
import { addChains, driveTo, makeRig, type Rig, roundTrips, started } from "../control-rig";

const TWO = {
  model: { queues: ["a", "b"].map((name) => ({ name, maxSize: 64 })) },
  device: { share: 4 },
};

async function two(): Promise<Rig> {
  const rig = await started(makeRig(TWO));
  rig.device.process(); // the look at the rings that DRIVER_OK asks for
  return rig;
}

/** Adds chains and has the device look at them. */
function send(rig: Rig, count: number, index = 0): number[] {
  const tokens = addChains(rig, count, index);
  rig.driver.queues[index]?.publish();
  rig.device.notify(index);
  return tokens;
}

/** Lets all pending Promises settle. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("process", () => {
  it("takes no more chains than its budget and says whether there are more", async () => {
    const rig = await two();
    send(rig, 10);
    expect(rig.device.process(3)).toBe("more");
    expect(rig.model.taken).toHaveLength(3);
    expect(rig.device.process(6)).toBe("more");
    expect(rig.model.taken).toHaveLength(9);
    expect(rig.device.process(6)).toBe("done");
    expect(rig.model.taken).toHaveLength(10);
    expect(rig.device.hasWork).toBe(false);
  });

  it("tells an observer of memory what it wrote, before it returns", async () => {
    const told: number[] = [];
    const onTouched = (ranges: readonly TouchedRange[]) =>
      void told.push(...ranges.map(({ address }) => address));
    const rig = await started(makeRig({ device: { onTouched } }));
    rig.device.process();
    told.length = 0;
    send(rig, 3);
    expect(told).toEqual([]);
    rig.device.process();
    expect(told).toContain(Number(rig.driver.queues[0]?.areas.device));
    expect(told).toContain(Number(rig.driver.queues[0]?.areas.device) + 2);
  });

  it("gives each queue its share in turn", async () => {
    const rig = await two();
    send(rig, 12, 0);
    send(rig, 12, 1);
    rig.device.process(16);
    expect(rig.model.taken.map(({ queue }) => queue).join("")).toBe("0000111100001111");
    rig.device.process();
    expect(rig.model.taken).toHaveLength(24);
  });

  it("is not starved by a queue that is always full", async () => {
    const rig = await two();
    const [first, second] = rig.driver.queues;
    if (first === undefined || second === undefined) throw new Error("no queues");
    send(rig, 4, 1);
    for (let i = 0; i < 4; i++) {
      send(rig, 8, 0);
      rig.device.process(8);
      for (const _ of first.usedBuffers());
    }
    expect(second.takeUsed()).toBe(4);
  });

  it("notifies once for what it has served, after serving", async () => {
    const rig = await two();
    send(rig, 3);
    expect(rig.notifications).toEqual([]);
    rig.device.process();
    expect(rig.notifications.map(({ kind, queue }) => `${kind} ${queue}`)).toEqual(["used 0"]);
  });

  it("does nothing within a notification handler, and loses nothing by it", async () => {
    const rig = await two();
    const [queue] = rig.driver.queues;
    let again = 3;
    rig.device.connect(() => {
      queue?.takeUsed();
      if (again-- > 0) send(rig, 1);
      expect(rig.device.process()).toBe("done");
    });
    send(rig, 1);
    let calls = 1;
    while (rig.device.process() === "more") calls++;
    expect(calls).toBe(4);
    expect(rig.model.taken).toHaveLength(4);
  });

  it("wants no notification while it serves, and misses nothing that is added meanwhile", async () => {
    for (const supports of [["VERSION_1"], ["VERSION_1", "RING_PACKED"]]) {
      const rig = await started(makeRig(TWO), supports);
      const [queue] = rig.driver.queues;
      const { process } = rig.model;
      const wanted: (boolean | undefined)[] = [];
      rig.model.process = (...call) => {
        const served = process.apply(rig.model, call);
        if (wanted.length === 0 && served > 0) {
          addChains(rig, 1);
          wanted.push(queue?.publish());
        }
        return served;
      };
      send(rig, 1);
      while (rig.device.process() === "more");
      expect([wanted, rig.model.taken.length]).toEqual([[false], 2]);
    }
  });

  it("leaves alone what the model doesn't want until the next notification or finish", async () => {
    const rig = await two();
    rig.model.refuses = true;
    send(rig, 2);
    expect(rig.device.process()).toBe("done");
    rig.model.refuses = false;
    rig.model.context?.finish(0);
    expect(rig.device.process()).toBe("done");
    expect(rig.model.taken).toHaveLength(2);
    rig.model.refuses = true;
    const tokens = addChains(rig, 1);
    void rig.driver.kick(0);
    rig.device.process();
    rig.model.refuses = false;
    rig.device.notify(0);
    rig.device.process();
    expect(rig.model.taken.at(-1)?.token).toBe(tokens[0]);
  });

  it("looks at the rings itself when DRIVER_OK arrives", async () => {
    const rig = makeRig({
      driver: {
        fill: (queues) => {
          addChains(rig, 2);
          queues[0]?.publish();
        },
      },
    });
    let works = 0;
    const other = makeRig({ device: { onWork: () => works++ } });
    await started(other);
    expect(works).toBe(1);
    await started(rig);
    expect(rig.port.calls("notify")).toEqual([]);
    expect(rig.model.taken).toHaveLength(0);
    rig.device.process();
    expect(rig.model.taken).toHaveLength(2);
  });
});

describe("a model that fails", () => {
  it("needs a reset, with its error where it is typed and INTERNAL where not", async () => {
    for (const [thrown, code] of [
      [new VirtioError("CHAIN_TOO_SHORT", "no header"), "CHAIN_TOO_SHORT"],
      [new TypeError("defect"), "INTERNAL"],
    ] as const) {
      const rig = await two();
      rig.model.process = () => {
        throw thrown;
      };
      send(rig, 1);
      expect(rig.device.process()).toBe("done");
      expect(rig.codes()).toEqual([code]);
      expect(rig.device.status).toBe(0x4f);
      expect(rig.notifications.at(-1)).toEqual({ kind: "config", queue: undefined, status: 0x4f });
    }
  });

  it("may say so itself, or fail at the start", async () => {
    const rig = await two();
    rig.model.context?.needsReset(new VirtioError("INTERNAL", "backend gone"));
    expect(rig.device.status).toBe(0x4f);
    const other = makeRig(TWO);
    other.model.start = () => {
      throw new Error("no backend");
    };
    await other.driver.initialize();
    expect(other.device.status).toBe(0x4f);
    expect(other.codes()).toEqual(["INTERNAL"]);
  });
});

describe("a model whose parts throw", () => {
  const fails = () => {
    throw new Error("defect");
  };

  it("in `validate` refuses", () => {
    const { device } = makeRig({ model: { validate: fails } });
    driveTo(device, 0x03);
    device.writeFeatures(1, 1);
    device.writeStatus(0x0b);
    expect([device.status, device.refusal]).toEqual([0x03, "defect"]);
  });

  it("in a configuration value or in `configWritten` needs a reset, and the register answers 0", async () => {
    let broken = false;
    const value = () => (broken ? fails() : 5);
    const config = [{ name: "x", offset: 0, bytes: 4, anyOf: [], writable: true as const, value }];
    for (const access of ["readConfig", "configGeneration", "writeConfig"] as const) {
      broken = false;
      const { device, codes } = await started(makeRig({ model: { config } }));
      broken = true;
      expect(device[access](0, 4, 1) ?? 0).toBe(0);
      expect([device.status, codes()[0]]).toEqual([0x4f, "INTERNAL"]);
    }
    broken = false;
    const rig = await started(makeRig({ model: { config } }));
    rig.model.configWritten = fails;
    rig.device.writeConfig(0, 4, 1);
    expect(rig.device.status).toBe(0x4f);
  });

  it("in a late answer needs a reset, in `reset` is reported, and nothing escapes", async () => {
    const rig = await two();
    rig.model.context?.later(Promise.resolve(1), fails, fails);
    await rig.device.idle();
    expect([rig.device.status, rig.codes()]).toEqual([0x4f, ["INTERNAL"]]);
    rig.model.reset = fails;
    rig.device.writeStatus(0);
    expect([rig.device.status, rig.codes()]).toEqual([0, ["INTERNAL", "INTERNAL"]]);
  });
});

describe("with `recover`", () => {
  it("a bad chain is given back and reported; the device lives on until a queue really breaks", async () => {
    const rig = await started(makeRig({ ...TWO, device: { recover: true } }));
    const [queue] = rig.driver.queues;
    if (queue === undefined) throw new Error("no queue");
    rig.device.process();
    const [token] = addChains(rig, 1);
    queue.publish();
    rig.core.view(Number(queue.areas.descriptor), 8).fill(0xff);
    rig.device.notify(0);
    rig.device.process();
    expect([rig.device.status, rig.codes()]).toEqual([0x0f, ["DESC_ADDR_OVERFLOW"]]);
    expect([queue.takeUsed(), queue.used.token(0)]).toEqual([1, token]);
    roundTrips(rig);
    new DataView(rig.core.memory.buffer).setUint16(
      rig.core.translate(Number(queue.areas.driver) + 2, 2),
      30_000,
      true,
    );
    rig.device.notify(0);
    rig.device.process();
    expect([rig.device.status, rig.codes()]).toEqual([0x4f, ["DESC_ADDR_OVERFLOW", "RING_INDEX_JUMP"]]);
  });
});

describe("work that finishes late", () => {
  async function late() {
    const rig = await two();
    rig.model.holds = true;
    send(rig, 2);
    rig.device.process();
    const { context } = rig.model;
    const queue = context?.queue(0);
    const answers: string[] = [];
    let resolve = (_: string) => {};
    let reject = (_: unknown) => {};
    const work = new Promise<string>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    context?.later(
      work,
      (text) => {
        answers.push(text);
        queue?.complete(rig.model.taken[0]?.token ?? 0, 0);
        context.finish(0);
      },
      (reason) => answers.push(`failed: ${String(reason)}`),
    );
    return { rig, answers, resolve, reject, context };
  }

  it("is published and notified when it comes", async () => {
    const { rig, answers, resolve } = await late();
    rig.notifications.length = 0;
    resolve("here");
    await rig.device.idle();
    expect(answers).toEqual(["here"]);
    expect(rig.driver.queues[0]?.takeUsed()).toBe(1);
    expect(rig.notifications).toHaveLength(1);
  });

  it("may fail", async () => {
    const { rig, answers, reject } = await late();
    reject("disk");
    await rig.device.idle();
    expect(answers).toEqual(["failed: disk"]);
  });

  it("is dropped after a reset, its memory untouched; idle still waits for it", async () => {
    const { rig, answers, resolve, context } = await late();
    await rig.driver.reset();
    expect(context?.alive).toBe(false);
    expect(() => context?.queue(0)).toThrow(expect.objectContaining({ code: "QUEUE_NOT_READY" }));
    let idle = false;
    const waiting = rig.device.idle().then(() => {
      idle = true;
    });
    await settle();
    expect(idle).toBe(false);
    await started(rig);
    rig.notifications.length = 0;
    resolve("too late");
    await waiting;
    send(rig, 1);
    rig.device.process();
    rig.model.context?.queue(0).complete(rig.model.taken.at(-1)?.token ?? 0, 0);
    context?.finish(0);
    expect(answers).toEqual([]);
    expect(rig.notifications).toEqual([]);
    expect(rig.driver.queues[0]?.hasUsed()).toBe(false);
    rig.model.context?.finish(0);
    expect(rig.driver.queues[0]?.takeUsed()).toBe(1);
    rig.model.holds = false;
    roundTrips(rig);
  });
});
