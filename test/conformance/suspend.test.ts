// Area "suspend" (§3.4): SUSPEND and DRIVER_OK take turns, nothing moves in between, and nothing is lost by it.
import { describe, expect, it } from "vitest";
import { judge } from "../../src/conformance/judge";
import type { Phase } from "../../src/device/status";
import { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import type { DeviceQueue } from "../../src/virtqueue/device-queue";
import {
  addChains,
  driveTo,
  makeRig,
  type Rig,
  type RigOptions,
  roundTrips,
  started,
  type TestModel,
} from "../control-rig";
import { Random } from "../property/random";

const SUPPORTS = ["VERSION_1", "SUSPEND", "RING_RESET"];
const config = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }] as const;
const layout = [{ ...config[0], writable: "after-features-ok" }] as const;
const oneTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
const fails = (code: string) => expect.objectContaining({ code });

/** A live device whose host is the test: nothing is processed unless it says so. */
function byHand(options: RigOptions = {}): Promise<Rig> {
  return started(
    makeRig({
      supports: SUPPORTS,
      ...options,
      model: { config, queues: ["a", "b"].map((name) => ({ name, maxSize: 16 })), ...options.model },
      driver: { configLayout: layout, queues: 1, ...options.driver },
    }),
  );
}

/** A live device with a host that processes whenever there is work. */
async function hosted(options: RigOptions = {}): Promise<Rig> {
  let rig: Rig | undefined;
  const work = () => rig && pump(rig);
  rig = await byHand({ ...options, device: { onWork: () => queueMicrotask(work) } });
  return rig;
}

function pump(rig: Rig): void {
  while (rig.device.process() === "more");
}

/** Gives the model of a rig a `suspend` or `resume`, and counts its calls. */
function hook(rig: Rig, name: "suspend" | "resume", deed: () => void | Promise<void> = () => {}) {
  const calls = { count: 0 };
  const counted = () => {
    calls.count++;
    return deed();
  };
  Object.assign(rig.model, { [name]: counted });
  return calls;
}

/** A Promise that the test settles. */
function deferred() {
  let resolve: () => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Takes a live device into a phase of the suspend, by hand, and keeps it there. */
async function into(phase: Phase, rig: Rig): Promise<void> {
  const { device, model } = rig;
  if (phase === "suspending") {
    model.holds = true;
    addChains(rig, 1);
    void rig.driver.kick(0);
    pump(rig);
  }
  device.writeStatus(0x1f);
  pump(rig);
  if (phase === "resuming") {
    hook(rig, "resume", () => new Promise(() => {}));
    device.writeStatus(0x1f);
    pump(rig);
  }
  expect(device.phase).toBe(phase);
}

const PHASES = ["suspending", "suspended", "resuming"] as const;
const STATUS_OF = { suspending: 0x1f, suspended: 0x1b, resuming: 0x1f } as const;

describe("driver", () => {
  it("SUSPEND-001 §3.4.1 driver: sets SUSPEND only if it was negotiated and DRIVER_OK is set", async () => {
    const without = await started(makeRig({ supports: ["VERSION_1"] }));
    await expect(without.driver.suspend()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    const early = makeRig({
      supports: SUPPORTS,
      driver: {
        fill: async () => {
          await expect(early.driver.suspend()).rejects.toThrow(fails("STATUS_SEQUENCE"));
        },
      },
    });
    await expect(early.driver.suspend()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    await started(early);
    await early.driver.reset();
    await expect(early.driver.suspend()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    for (const { port } of [without, early]) {
      expect(port.calls("writeStatus").some(([, value]) => (Number(value) & 0x10) !== 0)).toBe(false);
    }
  });

  it("SUSPEND-002 §3.4.1 driver: reads the status until SUSPEND is set and DRIVER_OK is not", async () => {
    const rig = await byHand();
    let isDone = false;
    const suspended = rig.driver.suspend().then(() => {
      isDone = true;
    });
    const reads = () => rig.port.calls("readStatus").length;
    for (const before = reads(); reads() < before + 5; ) await oneTurn();
    expect([isDone, rig.device.status, rig.driver.lastStatus]).toEqual([false, 0x1f, 0x1f]);
    pump(rig);
    await suspended;
    expect([rig.device.status, rig.driver.lastStatus]).toEqual([0x1b, 0x1b]);
    const after = rig.port.log.slice(rig.port.log.findIndex(([, value]) => value === 0x1f) + 1);
    expect(after.length).toBeGreaterThan(3);
    expect(after.every(([name]) => name === "readStatus")).toBe(true);
  });

  it("SUSPEND-002 §3.4.1 driver: gives up on a device that neither suspends nor needs a reset", async () => {
    const rig = await byHand({ driver: { statusReads: 4 } });
    await expect(rig.driver.suspend()).rejects.toThrow(
      "the device was not suspended: status 0x1f after 5 reads",
    );
    expect(await rig.driver.initialize()).toMatchObject({ ok: true });
    roundTrips(rig);
  });

  it.each(PHASES)(
    "SUSPEND-003 SUSPEND-004 §3.4.1 driver: makes nothing available and notifies nobody while %s",
    async (phase) => {
      const rig = await byHand();
      await into(phase, rig);
      await rig.driver.check();
      addChains(rig, 1);
      rig.port.log.length = 0;
      const before = rig.core.view(0, 1 << 20).slice();
      expect(() => rig.driver.kick(0)).toThrow(
        expect.objectContaining({ code: "STATUS_SEQUENCE", section: "3.4.1" }),
      );
      expect(Buffer.compare(rig.core.view(0, 1 << 20), before)).toBe(0);
      expect(rig.port.log).toEqual([]);
    },
  );

  it.each(PHASES)("SUSPEND-005 §3.4.1 driver: writes no configuration while %s", async (phase) => {
    const rig = await byHand();
    await into(phase, rig);
    await rig.driver.check();
    await expect(rig.driver.writeConfigField("mode", 4)).rejects.toThrow(fails("STATUS_SEQUENCE"));
    expect(rig.port.calls("writeConfig")).toEqual([]);
    expect(rig.codes()).toEqual([]);
  });

  it("SUSPEND-006 §3.4.1 driver: waits for SUSPEND to go before it uses the device again", async () => {
    const rig = await byHand();
    const done = deferred();
    hook(rig, "resume", () => done.promise);
    const suspended = rig.driver.suspend();
    await oneTurn();
    pump(rig);
    await suspended;
    let isDone = false;
    const resumed = rig.driver.resume().then(() => {
      isDone = true;
    });
    for (let turn = 0; turn < 3; turn++) {
      pump(rig);
      await oneTurn();
      expect(() => rig.driver.kick(0)).toThrow(fails("STATUS_SEQUENCE"));
    }
    expect([isDone, rig.device.status]).toEqual([false, 0x1f]);
    done.resolve();
    await resumed;
    expect([rig.device.status, rig.driver.lastStatus]).toEqual([0x0f, 0x0f]);
    roundTrips(rig);
  });

  it("SUSPEND-006 §3.4.1 driver: resumes nothing that is not suspended", async () => {
    const rig = await hosted();
    await expect(rig.driver.resume()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    await rig.driver.suspend();
    await rig.driver.resume();
    await expect(rig.driver.resume()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    expect(rig.codes()).toEqual([]);
  });
});

describe("device", () => {
  it("SUSPEND-007 §3.4.2 device: disregards SUSPEND until the initialisation is complete", () => {
    for (const at of [0x00, 0x01, 0x03, 0x0b]) {
      const { device, codes, model } = makeRig();
      driveTo(device, at, FeatureSet.of(...SUPPORTS));
      device.writeStatus(at | 0x10);
      expect([device.status, device.process(), codes(), model.starts]).toEqual([at, "done", [], 0]);
      if (at === 0x0b) {
        device.writeStatus(0x1f); // the other bit of such a write counts, SUSPEND still doesn't
        expect([device.status, device.phase]).toEqual([0x0f, "live"]);
      }
    }
  });

  it("C229 SUSPEND at status 0x0b", async () => {
    const rig = makeRig({ supports: SUPPORTS });
    driveTo(rig.device, 0x0b, FeatureSet.of(...SUPPORTS));
    rig.device.writeStatus(0x1b);
    expect([rig.device.status, rig.device.phase, rig.codes()]).toEqual([0x0b, "setup", []]);
    expect([rig.device.process(), rig.device.status]).toEqual(["done", 0x0b]);
    rig.device.writeStatus(0x0f);
    expect([rig.device.status, rig.device.phase]).toEqual([0x0f, "live"]);
    await started(rig);
    roundTrips(rig);
  });

  it("STATUS-009 §2.1 device: SUSPEND means nothing to a device that did not negotiate it", async () => {
    const rig = await started(makeRig({ supports: ["VERSION_1"] }));
    rig.device.writeStatus(0x1f);
    pump(rig);
    expect([rig.device.status, rig.device.phase, rig.codes()]).toEqual([0x0f, "live", []]);
    expect(rig.transcript.toText({ width: 160 })).toContain("SUSPEND is ignored: it was not negotiated");
    roundTrips(rig);
  });

  it.each(PHASES)(
    "SUSPEND-008 SUSPEND-009 §3.4.2 device: lets nothing but the status be changed while %s",
    async (phase) => {
      const rig = await byHand();
      const { device } = rig;
      await into(phase, rig);
      const { accepted, negotiated, ring } = device;
      const areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
      const attempts: [string, () => void][] = [
        ["STATUS_SEQUENCE", () => device.writeConfig(0, 4, 9)],
        ["FEATURES_FROZEN", () => device.writeFeatures(1, 1)],
        ["STATUS_SEQUENCE", () => device.enableQueue(1, { size: 8, areas })],
        ["QUEUE_LOCKED", () => device.enableQueue(0, { size: 8, areas })],
        ["STATUS_SEQUENCE", () => device.resetQueue(0)],
        ["STATUS_SEQUENCE", () => device.disableQueue(0)],
      ];
      const expected: string[] = [];
      for (const [code, attempt] of attempts) {
        attempt();
        expected.push(code);
        expect(rig.codes()).toEqual(expected);
      }
      device.notify(0);
      device.notify(1);
      device.notify(7);
      expect(rig.codes()).toEqual(expected);
      expect([device.status, device.phase, device.process()]).toEqual([STATUS_OF[phase], phase, "done"]);
      expect([device.readConfig(0, 4), rig.model.written]).toEqual([3, []]);
      expect([device.queueReady(0), device.queueReady(1)]).toEqual([true, false]);
      expect([device.accepted, device.negotiated, device.ring]).toEqual([accepted, negotiated, ring]);
    },
  );

  it.each(["split", "packed"])(
    "SUSPEND-009 §3.4.2 device: touches no %s queue and sends nothing while suspended",
    async (ring) => {
      const rig = await byHand({ supports: [...SUPPORTS, ...(ring === "packed" ? ["RING_PACKED"] : [])] });
      const { device, model } = rig;
      const { context } = model;
      addChains(rig, 3);
      rig.driver.queues[0]?.publish();
      device.writeStatus(0x1f);
      pump(rig);
      expect(device.status).toBe(0x1b);
      rig.notifications.length = 0;
      const before = rig.core.view(0, 1 << 20).slice();
      device.notify(0);
      device.configChanged();
      context?.finish(0);
      for (let i = 0; i < 3; i++) expect(device.process()).toBe("done");
      expect([rig.notifications, model.taken, device.hasWork]).toEqual([[], [], false]);
      expect(Buffer.compare(rig.core.view(0, 1 << 20), before)).toBe(0);
    },
  );

  it("SUSPEND-009 §3.4.2 device: no field changes while it is suspended, whatever the model says", async () => {
    const values = { size: 1n };
    const rig = await byHand({
      model: { config: [{ name: "size", offset: 0, bytes: 8, anyOf: [], value: () => values.size }] },
    });
    const { device } = rig;
    device.readConfig(0, 4);
    const generation = device.configGeneration();
    device.writeStatus(0x1f);
    values.size = 0x2_0000_0002n;
    device.configChanged();
    for (const written of [undefined, undefined, 0x1f]) {
      if (written !== undefined) device.writeStatus(written);
      const { status } = device;
      expect(
        [device.readConfig(0, 4), device.readConfig(4, 4), device.configGeneration()],
        `${status}`,
      ).toEqual([1, 0, generation]);
      if (written === undefined) pump(rig);
    }
    pump(rig);
    expect([device.status, device.readConfig(0, 4), device.readConfig(4, 4)]).toEqual([0x0f, 2, 2]);
    expect(device.configGeneration()).not.toBe(generation);
  });

  it.each(PHASES)(
    "SUSPEND-010 SUSPEND-011 §3.4.2 device: a change while %s is told once, at the resume, when it can be read",
    async (phase) => {
      const values = { size: 1 };
      const rig = await byHand({
        model: { config: [{ name: "size", offset: 0, bytes: 4, anyOf: [], value: () => values.size }] },
      });
      const { device, model } = rig;
      const heard: [status: number, size: number][] = [];
      device.connect((kind) => {
        if (kind === "config") heard.push([device.status, device.readConfig(0, 4)]);
      });
      const resumed = deferred();
      hook(rig, "resume", () => resumed.promise);
      model.holds = phase === "suspending";
      addChains(rig, 1);
      void rig.driver.kick(0);
      pump(rig);
      device.writeStatus(0x1f);
      const change = () => {
        for (let i = 0; i < 3; i++) {
          values.size++;
          device.configChanged();
        }
      };
      if (phase === "suspending") change();
      const queue = model.context?.queue(0);
      if (model.holds) for (const { token } of model.taken) queue?.complete(token, 0);
      model.context?.finish(0);
      pump(rig);
      expect(device.status).toBe(0x1b);
      if (phase === "suspended") change();
      device.writeStatus(0x1f);
      pump(rig);
      expect(device.phase).toBe("resuming");
      if (phase === "resuming") change();
      expect(heard).toEqual([]);
      resumed.resolve();
      await oneTurn();
      expect(heard).toEqual([[0x0f, 4]]);
      pump(rig);
      await oneTurn();
      expect(heard).toHaveLength(1);
    },
  );

  it.each([
    ["suspend", "throws", 0x5f],
    ["suspend", "rejects", 0x5f],
    ["resume", "throws", 0x5f],
    ["resume", "rejects", 0x5f],
  ] as const)(
    "SUSPEND-012 SUSPEND-013 §3.4.2 device: needs a reset if the model's %s %s, and says so",
    async (name, how, status) => {
      const rig = await hosted();
      hook(rig, name, () => {
        const error = new VirtioError("INTERNAL", "the backend is stuck");
        if (how === "rejects") return Promise.reject(error);
        throw error;
      });
      if (name === "resume") await rig.driver.suspend();
      rig.notifications.length = 0;
      await expect(rig.driver[name]()).rejects.toThrow(fails("DEVICE_NEEDS_RESET"));
      expect([rig.device.status, rig.device.phase, rig.codes()]).toEqual([
        status,
        "needs-reset",
        ["INTERNAL"],
      ]);
      // §2.1.2: DRIVER_OK is set at that time, so the driver is notified.
      expect(rig.notifications).toEqual([{ kind: "config", queue: undefined, status }]);
      expect(() => rig.driver.poll()).toThrow(fails("DEVICE_NEEDS_RESET"));
      Object.assign(rig.model, { suspend: undefined, resume: undefined });
      await started(rig);
      await rig.driver.suspend();
      await rig.driver.resume();
      roundTrips(rig);
    },
  );

  it("SUSPEND-012 §3.4.2 device: a broken ring ends a suspend in DEVICE_NEEDS_RESET", async () => {
    const rig = await byHand();
    const { device, model } = rig;
    model.holds = true;
    addChains(rig, 1);
    void rig.driver.kick(0);
    pump(rig);
    device.writeStatus(0x1f);
    addChains(rig, 1);
    const [queue] = rig.driver.queues;
    queue?.publish();
    for (let i = 0; i < 16; i++) rig.core.view(Number(queue?.areas.descriptor) + 16 * i, 8).fill(0xff);
    // A model that takes once more while it finishes breaks on the driver's descriptors.
    model.context?.queue(0).take();
    expect([device.status, device.phase, rig.codes()]).toEqual([0x5f, "needs-reset", ["DESC_ADDR_OVERFLOW"]]);
    model.context?.finish(0);
    pump(rig);
    expect([device.status, device.process()]).toEqual([0x5f, "done"]);
    await started(rig);
    model.holds = false;
    roundTrips(rig);
  });

  it("SUSPEND-014 §3.4.2 device: takes no more, finishes what is in progress, notifies, and only then shows it", async () => {
    const rig = await byHand();
    const { device, model } = rig;
    model.holds = true;
    const tokens = addChains(rig, 3);
    void rig.driver.kick(0);
    pump(rig);
    const { context } = model;
    const answers = tokens.map(() => deferred());
    const queue = context?.queue(0);
    model.taken.forEach(({ token }, i) => {
      context?.later(
        answers[i]?.promise ?? Promise.resolve(),
        () => {
          queue?.complete(token, 0);
          context?.finish(0);
        },
        () => {},
      );
    });
    const calls = hook(rig, "suspend");
    addChains(rig, 2); // available, and not to be taken any more
    rig.driver.queues[0]?.publish();
    device.writeStatus(0x1f);
    for (const [i, answer] of answers.entries()) {
      pump(rig);
      expect([device.status, device.phase, calls.count, model.taken.length]).toEqual([
        0x1f,
        "suspending",
        0,
        3,
      ]);
      expect(rig.notifications).toHaveLength(i);
      answer.resolve();
      await oneTurn();
    }
    pump(rig);
    expect([device.status, device.phase, calls.count, model.taken.length]).toEqual([0x1b, "suspended", 1, 3]);
    expect(rig.notifications.map(({ kind, status }) => [kind, status])).toEqual([
      ["used", 0x1f],
      ["used", 0x1f],
      ["used", 0x1f],
    ]);
    expect(rig.driver.queues[0]?.takeUsed()).toBe(3);
  });

  it("SUSPEND-014 §3.4.2 device: what the model gives back in `suspend` is notified before the status shows it", async () => {
    const rig = await byHand();
    const { device, model } = rig;
    model.holds = true;
    addChains(rig, 4);
    void rig.driver.kick(0);
    pump(rig);
    hook(rig, "suspend", () => {
      for (const { token } of model.taken.splice(0)) model.context?.queue(0).complete(token, 0);
    });
    device.writeStatus(0x1f);
    pump(rig);
    expect([device.status, device.phase]).toEqual([0x1b, "suspended"]);
    expect(rig.notifications).toEqual([{ kind: "used", queue: 0, status: 0x1f }]);
    expect(rig.driver.queues[0]?.takeUsed()).toBe(4);
  });

  it("SUSPEND-014 §3.4.2 device: waits for a model whose `suspend` answers by Promise", async () => {
    const rig = await byHand();
    const { device } = rig;
    const done = deferred();
    const calls = hook(rig, "suspend", () => done.promise);
    device.writeStatus(0x1f);
    for (let i = 0; i < 3; i++) {
      expect(device.process()).toBe("done");
      expect([device.status, calls.count]).toEqual([0x1f, 1]);
    }
    done.resolve();
    await rig.device.idle();
    expect([device.status, device.phase]).toEqual([0x1b, "suspended"]);
  });

  it("SUSPEND-015 §3.4.2 device: takes DRIVER_OK back itself, and SUSPEND at the resume", async () => {
    const rig = await byHand();
    const { device } = rig;
    const seen: number[] = [];
    const look = () => seen.push(device.readStatus());
    look();
    device.writeStatus(0x1f);
    look();
    pump(rig);
    look();
    device.writeStatus(0x1f);
    look();
    pump(rig);
    look();
    expect([seen[0], seen[2], seen[4]]).toEqual([0x0f, 0x1b, 0x0f]);
    expect(rig.codes()).toEqual([]);
    roundTrips(rig);
  });

  it("SUSPEND-015 §3.4.2 device: a driver that takes SUSPEND back itself is refused", async () => {
    const rig = await byHand();
    await into("suspended", rig);
    rig.device.writeStatus(0x0f);
    expect([rig.device.status, rig.device.phase, rig.codes()]).toEqual([
      0x1b,
      "suspended",
      ["STATUS_CLEARED_BIT"],
    ]);
    rig.device.writeStatus(0x0b);
    rig.device.writeStatus(0x1b);
    expect([rig.device.status, rig.codes().length]).toEqual([0x1b, 2]);
  });
});

describe("the ways out", () => {
  it.each(PHASES)("a reset while %s leads to 0 and to a device that works", async (phase) => {
    const rig = await byHand();
    await into(phase, rig);
    const late = rig.model.context;
    rig.device.writeStatus(0);
    expect([rig.device.status, rig.device.phase, rig.device.hasWork]).toEqual([0, "reset", false]);
    late?.finish(0);
    pump(rig);
    await oneTurn();
    expect([rig.device.status, rig.codes()]).toEqual([0, []]);
    rig.model.holds = false;
    Object.assign(rig.model, { resume: undefined });
    await started(rig);
    roundTrips(rig);
    rig.device.writeStatus(0x1f);
    pump(rig);
    rig.device.writeStatus(0x1f);
    pump(rig);
    expect([rig.device.status, rig.codes()]).toEqual([0x0f, []]);
  });

  it.each(["suspend", "resume"] as const)(
    "a late answer to %s of an earlier life changes nothing",
    async (name) => {
      const rig = await byHand();
      const { device } = rig;
      const first = deferred();
      hook(rig, name, () => first.promise);
      device.writeStatus(0x1f);
      pump(rig);
      device.writeStatus(0x1f);
      pump(rig);
      await started(rig);
      const second = deferred();
      hook(rig, name, () => second.promise);
      device.writeStatus(0x1f);
      pump(rig);
      if (name === "resume") device.writeStatus(0x1f);
      pump(rig);
      const { phase } = device;
      first.resolve();
      await oneTurn();
      expect([device.status, device.phase]).toEqual([0x1f, phase]);
      second.resolve();
      await oneTurn();
      expect(device.phase).toBe(name === "suspend" ? "suspended" : "live");
    },
  );

  it.each(PHASES)("FAILED while %s stops it for good", async (phase) => {
    const rig = await byHand();
    await into(phase, rig);
    rig.device.writeStatus(STATUS_OF[phase] | 0x80);
    pump(rig);
    await oneTurn();
    expect([rig.device.status, rig.device.phase]).toEqual([STATUS_OF[phase] | 0x80, "failed"]);
    rig.device.writeStatus(STATUS_OF[phase] | 0x80 | 4);
    expect(rig.device.phase).toBe("failed");
    rig.model.holds = false;
    await started(rig);
    roundTrips(rig);
  });

  it.each(PHASES)("the host's needsReset while %s is notified only if DRIVER_OK is set", async (phase) => {
    const rig = await byHand();
    await into(phase, rig);
    rig.notifications.length = 0;
    rig.device.needsReset(new VirtioError("INTERNAL", "broken on purpose"));
    const status = STATUS_OF[phase] | 0x40;
    expect(rig.device.status).toBe(status);
    expect(rig.notifications).toEqual(
      phase === "suspended" ? [] : [{ kind: "config", queue: undefined, status }],
    );
    await rig.driver.check().catch(() => {});
    rig.model.holds = false;
    await started(rig);
    roundTrips(rig);
  });

  it("a suspend that finds DEVICE_NEEDS_RESET set is not begun", async () => {
    const rig = await hosted();
    rig.device.needsReset(new VirtioError("INTERNAL", "broken on purpose"));
    await expect(rig.driver.suspend()).rejects.toThrow(fails("DEVICE_NEEDS_RESET"));
    expect(rig.device.status).toBe(0x4f);
  });
});

const RINGS = [[], ["RING_PACKED"]].flatMap((packed) =>
  [[], ["IN_ORDER"]].flatMap((order) =>
    [[], ["EVENT_IDX"]].map((event) => [...SUPPORTS, ...packed, ...order, ...event]),
  ),
);
const nameOf = (supports: readonly string[]) => supports.slice(SUPPORTS.length).join(" ") || "split";

/** Has the model answer each chain with its bytes turned round, at once or some turns later, in any order. */
function answersLate(model: TestModel, random: Random): void {
  model.process = (index: number, queue: DeviceQueue, budget: number) => {
    const taken = queue.take(Math.min(budget, random.between(1, 4)));
    for (let i = 0; i < taken; i++) {
      const chain = queue.chain(i).keep();
      model.taken.push({ queue: index, token: chain.token });
      const bytes = new Uint8Array(chain.readableBytes);
      chain.reader().read(bytes);
      const answer = () => {
        chain.writer().write(bytes.map((byte) => byte ^ 0xa5));
        queue.complete(chain.token, bytes.length);
      };
      if (random.oneIn(3)) answer();
      else {
        const late = () => {
          answer();
          model.context?.finish(index);
        };
        model.context?.later(turns(random.below(4)), late, () => {});
      }
    }
    return taken;
  };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await oneTurn();
}

/** A driver that keeps sending, and checks each byte of what comes back. */
class Load {
  sent = 0;
  received = 0;
  private readonly expected = new Map<number, { address: number; bytes: Uint8Array }>();
  private readonly free: number[];
  private readonly rig: Rig;
  private readonly random: Random;

  constructor(rig: Rig, random: Random) {
    this.rig = rig;
    this.random = random;
    const base = rig.allocator.allocate(16 * 128, 64);
    this.free = Array.from({ length: 16 }, (_, i) => base + 128 * i);
  }

  /** Adds up to `most` chains. */
  add(most: number): void {
    const { rig, random } = this;
    for (let i = 0; i < most; i++) {
      const address = this.free.pop();
      if (address === undefined) return;
      const bytes = Uint8Array.from({ length: random.between(1, 64) }, () => random.below(256));
      rig.core.view(address, bytes.length).set(bytes);
      const readable = [{ address, length: bytes.length }];
      const token =
        rig.driver.queues[0]?.add(readable, [{ address: address + 64, length: bytes.length }]) ?? 0;
      if (token === 0) {
        this.free.push(address);
        return;
      }
      this.sent++;
      this.expected.set(token, { address, bytes });
    }
  }

  kick(): void {
    void this.rig.driver.kick(0);
  }

  collect(): void {
    const { rig } = this;
    const [queue] = rig.driver.queues;
    for (let count = queue?.takeUsed() ?? 0; count > 0; count = queue?.takeUsed() ?? 0) {
      for (let i = 0; i < count; i++) {
        const token = queue?.used.token(i) ?? 0;
        const sent = this.expected.get(token);
        expect(sent, `token ${token}`).toBeDefined();
        if (sent === undefined) return;
        const { address, bytes } = sent;
        expect(queue?.used.length(i)).toBe(bytes.length);
        expect([...rig.core.view(address + 64, bytes.length)]).toEqual([...bytes.map((byte) => byte ^ 0xa5)]);
        this.expected.delete(token);
        this.free.push(address);
        this.received++;
      }
    }
  }
}

describe.each(RINGS.map((supports) => [nameOf(supports), supports] as const))(
  "nothing is lost, %s",
  (_, supports) => {
    it("of what is pending when the device suspends", async () => {
      const rig = await byHand({ supports });
      const load = new Load(rig, new Random(7));
      answersLate(rig.model, new Random(8));
      load.add(2);
      load.kick();
      pump(rig);
      load.add(3);
      load.kick(); // the device has not looked yet
      load.add(2);
      rig.driver.queues[0]?.publish(); // and knows nothing of these
      rig.device.writeStatus(0x1f);
      await rig.device.idle();
      pump(rig);
      const before = rig.model.taken.length;
      expect([rig.device.status, before]).toEqual([0x1b, 2]);
      load.collect();
      expect(load.received).toBe(2);
      await turns(3);
      expect(rig.model.taken.length).toBe(2);
      rig.device.writeStatus(0x1f);
      pump(rig);
      await rig.device.idle();
      pump(rig);
      await rig.device.idle();
      load.collect();
      expect([rig.device.status, load.sent, load.received]).toEqual([0x0f, 7, 7]);
    });

    it("in 50 suspends under load", async () => {
      const random = new Random(1, RINGS.indexOf(supports));
      const rig = await hosted({ supports, driver: { onUsed: () => load.collect() } });
      const load = new Load(rig, random);
      answersLate(rig.model, random);
      for (let cycle = 0; cycle < 50; cycle++) {
        for (let burst = random.below(4); burst > 0; burst--) {
          load.add(random.between(1, 6));
          if (!random.oneIn(3)) load.kick();
          await turns(random.below(3));
          load.collect();
        }
        await rig.driver.suspend();
        const { sent } = load;
        const taken = rig.model.taken.length;
        load.collect();
        expect(load.received).toBe(taken);
        await turns(random.below(2));
        expect([rig.device.status, rig.model.taken.length, load.sent]).toEqual([0x1b, taken, sent]);
        await rig.driver.resume();
        expect(rig.device.status).toBe(0x0f);
      }
      load.kick();
      for (let turn = 0; turn < 200 && load.received < load.sent; turn++) {
        await oneTurn();
        load.collect();
      }
      expect([load.received, rig.codes()]).toEqual([load.sent, []]);
      expect(load.sent).toBeGreaterThan(100);
      expect(rig.model.context?.queue(0).inFlight).toBe(0);
    });
  },
);

describe("the device looks at the resume", () => {
  const exposures = (rig: Rig) => rig.transcript.events.filter(({ step }) => step === "exposed");
  const clauses = (rig: Rig) =>
    judge(rig.transcript.events, { offered: rig.device.offered }).map(({ clause }) => clause);

  it.each(["split", "packed"])(
    "SUSPEND-003 §3.4.1 driver: what was made available meanwhile, %s",
    async (layout) => {
      const supports = ["VERSION_1", "SUSPEND", ...(layout === "packed" ? ["RING_PACKED"] : [])];
      const rig = await started(makeRig({ supports, offer: supports }));
      for (const when of ["before", "meanwhile", "after"]) {
        const count = exposures(rig).length;
        if (when === "before") {
          rig.model.refuses = true;
          addChains(rig, 1);
          rig.driver.queues[0]?.publish();
        }
        rig.device.writeStatus(0x1f);
        pump(rig);
        expect([when, rig.device.phase]).toEqual([when, "suspended"]);
        if (when === "meanwhile") {
          addChains(rig, 1);
          rig.driver.queues[0]?.publish();
        }
        rig.device.writeStatus(0x1f);
        rig.model.refuses = false;
        pump(rig);
        if (when === "after") addChains(rig, 1);
        expect([when, exposures(rig).length - count]).toEqual([when, when === "meanwhile" ? 1 : 0]);
        pump(rig);
        rig.driver.queues[0]?.takeUsed();
      }
      expect(clauses(rig).filter((clause) => clause === "SUSPEND-003")).toHaveLength(1);
    },
  );
});
