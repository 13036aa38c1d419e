// The hostile-input cases of the control plane and the configuration space, each by its id. An "error" on a register
// is an event and a report through onViolation: registers never throw. Afterwards three good round trips follow, with
// a reset first where the case breaks the device.
import { describe, expect, it, vi } from "vitest";
import { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { addChains, driveTo, makeRig, type Rig, type RigOptions, roundTrips, started } from "../control-rig";
import { forged, HoldingModel, ImageRig, type Plain, refusalOf, testRig } from "../device/image-rig";

const ALL = [
  "VERSION_1",
  "RING_PACKED",
  "INDIRECT_DESC",
  "EVENT_IDX",
  "IN_ORDER",
  "NOTIFICATION_DATA",
  "RING_RESET",
];

/** Set-up NEG: status 0, everything offered. */
const neg = (options: RigOptions = {}) => makeRig({ offer: ALL, supports: ["VERSION_1"], ...options });

/** Set-up NEG at a status, with these features accepted. */
function at(status: number, accepted: readonly string[] = ["VERSION_1"], options: RigOptions = {}): Rig {
  const rig = neg(options);
  driveTo(rig.device, status, FeatureSet.from(accepted));
  return rig;
}

async function fineAfterReset(rig: Rig): Promise<void> {
  await started(rig);
  roundTrips(rig);
}

describe("control plane", () => {
  it("C206 status 0x0f in one go from 0", async () => {
    const rig = neg();
    rig.device.writeStatus(0x0f);
    expect([rig.device.status, rig.codes(), rig.model.starts]).toEqual([0, ["STATUS_SEQUENCE"], 0]);
    await fineAfterReset(rig);
  });

  it("C207 DRIVER_OK without FEATURES_OK", async () => {
    const rig = at(0x03);
    rig.device.writeStatus(0x07);
    expect([rig.device.status, rig.codes(), rig.model.starts]).toEqual([0x03, ["STATUS_SEQUENCE"], 0]);
    await fineAfterReset(rig);
  });

  it("C208 a write that clears DRIVER", async () => {
    const rig = at(0x0b);
    rig.device.writeStatus(0x09);
    expect([rig.device.status, rig.codes()]).toEqual([0x0b, ["STATUS_CLEARED_BIT"]]);
    rig.device.writeStatus(0x0f);
    expect(rig.device.status).toBe(0x0f);
    await fineAfterReset(rig);
  });

  it("C209 FEATURES_OK with VERSION_1 not accepted", async () => {
    const rig = at(0x03, []);
    rig.device.writeFeatures(1, 4);
    rig.device.writeStatus(0x0b);
    expect([rig.device.readStatus(), rig.codes()]).toEqual([0x03, []]);
    await fineAfterReset(rig);
  });

  it("C210 an accepted bit that was not offered", async () => {
    const rig = neg({ offer: ALL.filter((name) => name !== "RING_PACKED") });
    driveTo(rig.device, 0x03);
    rig.device.writeFeatures(1, 5);
    rig.device.writeStatus(0x0b);
    expect([rig.device.readStatus(), rig.device.ring, rig.codes()]).toEqual([0x03, undefined, []]);
    await fineAfterReset(rig);
  });

  it("C211 an accepted bit without its prerequisite", async () => {
    const rig = neg({ model: { deviceType: "net", offers: ["CTRL_VQ", "MQ"] } });
    driveTo(rig.device, 0x03);
    rig.device.writeFeatures(0, 1 << 22);
    rig.device.writeFeatures(1, 1);
    rig.device.writeStatus(0x0b);
    expect([rig.device.readStatus(), rig.codes()]).toEqual([0x03, []]);
    await fineAfterReset(rig);
  });

  it("C212 features written after FEATURES_OK", async () => {
    const rig = await started(neg(), ["VERSION_1", "RING_PACKED"]);
    rig.device.writeFeatures(1, 1);
    expect(rig.codes()).toEqual(["FEATURES_FROZEN"]);
    expect([rig.device.ring?.layout, rig.device.negotiated?.has("RING_PACKED")]).toEqual(["packed", true]);
    rig.device.writeFeatures(1, 5);
    expect(rig.codes()).toEqual(["FEATURES_FROZEN"]);
    expect(rig.transcript.findings.map(({ code }) => code)).toEqual(["FEATURES_FROZEN"]);
    roundTrips(rig);
  });

  it("C214 packed, reset, split: nothing of the previous life is left", async () => {
    const rig = neg();
    for (let i = 0; i < 2; i++) {
      await started(rig, ["VERSION_1", "RING_PACKED", "EVENT_IDX"]);
      expect(rig.device.ring).toMatchObject({ layout: "packed", eventIdx: true });
      roundTrips(rig, 20);
      await started(rig, ["VERSION_1"]);
      expect(rig.device.ring).toMatchObject({ layout: "split", eventIdx: false });
      roundTrips(rig, 20);
    }
    expect(rig.codes()).toEqual([]);
  });

  it("C217 DRIVER_OK with no queue ready", async () => {
    const rig = at(0x0f);
    expect([rig.device.status, rig.device.process(), rig.model.starts]).toEqual([0x0f, "done", 1]);
    rig.device.notify(0);
    expect(rig.codes()).toEqual(["QUEUE_NOT_READY"]);
    await fineAfterReset(rig);
  });

  it("C218 DRIVER_OK with queue 1 refused", async () => {
    for (const accepted of [["VERSION_1"], ["VERSION_1", "RING_PACKED"]]) {
      const queues = ["a", "b"].map((name) => ({ name, maxSize: 8 }));
      const rig = at(0x0b, accepted, { model: { queues } });
      rig.device.enableQueue(0, { size: 8, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } });
      rig.device.enableQueue(1, { size: 8, areas: { descriptor: 0x1008, driver: 0x2000, device: 0x3000 } });
      rig.device.writeStatus(0x0f);
      rig.device.notify(1);
      expect([rig.device.queueReady(0), rig.device.queueReady(1)]).toEqual([true, false]);
      expect(rig.codes()).toEqual(["RING_ALIGN", "QUEUE_NOT_READY"]);
      expect([rig.device.process(), rig.device.status]).toEqual(["done", 0x0f]);
      await fineAfterReset(rig);
    }
  });

  it("C219 DRIVER_OK after FAILED", async () => {
    const rig = at(0x0b);
    rig.device.writeStatus(0x8b);
    rig.device.writeStatus(0x8f);
    expect([rig.device.status, rig.codes(), rig.model.starts]).toEqual([0x8b, ["STATUS_SEQUENCE"], 0]);
    await fineAfterReset(rig);
  });

  it("C221 DEVICE_NEEDS_RESET is not written away", async () => {
    const rig = await started(neg());
    rig.device.needsReset(new VirtioError("DESC_INDEX_RANGE", "queue 0: head 8"));
    rig.device.writeStatus(0x0f);
    expect([rig.device.status, rig.codes()]).toEqual([0x4f, ["DESC_INDEX_RANGE", "STATUS_CLEARED_BIT"]]);
    rig.device.writeStatus(0x4f);
    expect(rig.codes()).toHaveLength(2);
    await fineAfterReset(rig);
  });

  it("C225 a notification handler that notifies and processes the same queue", async () => {
    for (const supports of [["VERSION_1"], ["VERSION_1", "RING_PACKED"]]) {
      const rig = await started(neg(), supports);
      const [queue] = rig.driver.queues;
      const { process } = rig.model;
      let depth = 0;
      let deepest = 0;
      rig.model.process = (...chain) => {
        deepest = Math.max(deepest, ++depth);
        const served = process.apply(rig.model, chain);
        depth--;
        return served;
      };
      let left = 50;
      rig.device.connect(() => {
        deepest = Math.max(deepest, ++depth);
        queue?.takeUsed();
        if (left-- > 0) addChains(rig, 1);
        void rig.driver.kick(0);
        rig.device.notify(0);
        rig.device.process();
        depth--;
      });
      addChains(rig, 1);
      void rig.driver.kick(0);
      while (rig.device.process() === "more");
      const tokens = rig.model.taken.map(({ token }) => token);
      expect([deepest, tokens.length, new Set(tokens).size, rig.codes()]).toEqual([1, 51, 51, []]);
      rig.device.connect(() => {});
      roundTrips(rig);
    }
  });

  it("C227 a status with bits above 8", async () => {
    for (const status of [0x00, 0x0b]) {
      const rig = at(status);
      rig.device.writeStatus(0x10f);
      expect([rig.device.status, rig.codes()]).toEqual([status, ["BAD_ARGUMENT"]]);
      await fineAfterReset(rig);
    }
  });

  it("T190 a notification before DRIVER_OK with a full ring", async () => {
    const rig = neg({
      driver: {
        fill: (queues) => {
          addChains(rig, 16);
          queues[0]?.publish();
          rig.device.notify(0);
          expect([rig.device.process(), rig.model.taken, rig.codes()]).toEqual(["done", [], []]);
        },
      },
    });
    await started(rig);
    rig.device.process();
    expect(rig.driver.queues[0]?.takeUsed()).toBe(16);
    roundTrips(rig);
  });
});

describe("configuration", () => {
  /** Set-up CFG: 24 bytes, u64 at 0, read-only u32 at 8, u16 at 12, bytes at 14…23. */
  const values = { wide: 0x1111_1111_2222_2222n };
  const config = [
    { name: "wide", offset: 0, bytes: 8, anyOf: [], writable: true, value: () => values.wide },
    { name: "fixed", offset: 8, bytes: 4, anyOf: [], value: 7 },
    { name: "short", offset: 12, bytes: 2, anyOf: [], writable: true, value: 3 },
    ...Array.from({ length: 10 }, (_, i) => ({
      name: `byte${i}`,
      offset: 14 + i,
      bytes: 1,
      anyOf: [],
      writable: true as const,
      value: 0xff,
    })),
  ];
  const cfg = (status = 0x0b) => at(status, ["VERSION_1"], { model: { config } });

  it("F230 a read across the end", async () => {
    const rig = cfg();
    expect(rig.device.readConfig(22, 4)).toBe(0);
    expect(rig.device.readConfig(20, 4)).toBe(0xffffffff);
    expect(rig.codes()).toEqual(["CONFIG_RANGE"]);
    rig.device.writeConfig(22, 4, 0);
    expect(rig.device.readConfig(22, 2)).toBe(0xffff);
    expect(rig.codes()).toEqual(["CONFIG_RANGE", "CONFIG_RANGE"]);
    await fineAfterReset(rig);
  });

  it("F232 a write to a read-only field", () => {
    const { device, codes } = cfg();
    const generation = device.configGeneration();
    device.writeConfig(8, 4, 1);
    expect([device.readConfig(8, 4), device.configGeneration()]).toEqual([7, generation]);
    expect(codes()).toEqual(["CONFIG_READONLY"]);
  });

  it("F233 a 64-bit field read in halves, with a change in between", () => {
    const { device } = cfg();
    const before = device.configGeneration();
    device.readConfig(0, 4);
    values.wide = 0x3333_3333_4444_4444n;
    device.configChanged();
    device.readConfig(4, 4);
    expect(device.configGeneration()).not.toBe(before);
  });

  it("F234 256 changes between two generation reads", () => {
    const { device } = cfg();
    const before = device.configGeneration();
    for (let i = 0; i < 256; i++) {
      values.wide++;
      device.configChanged();
    }
    device.readConfig(0, 4);
    const after = device.configGeneration();
    expect(after).not.toBe(before);
    expect(after & 0xff).not.toBe(before & 0xff);
  });

  it("F236 a write before FEATURES_OK", async () => {
    for (const status of [0x00, 0x01, 0x03]) {
      const rig = cfg(status);
      rig.device.writeConfig(12, 2, 9);
      expect([rig.device.readConfig(12, 2), rig.codes(), rig.model.written]).toEqual([
        3,
        ["STATUS_SEQUENCE"],
        [],
      ]);
      await fineAfterReset(rig);
      rig.device.writeConfig(12, 2, 9);
      expect([rig.device.readConfig(12, 2), rig.model.written]).toEqual([9, [{ name: "short", value: 9 }]]);
    }
  });
});

describe("snapshots", () => {
  const LAYOUTS = { split: ["VERSION_1"], packed: ["VERSION_1", "RING_PACKED"] } as const;
  const FOR_ALL = Object.keys(LAYOUTS) as (keyof typeof LAYOUTS)[];

  /** Set-up SNAP: 3 of 8 chains in flight, with a model that answers for them. */
  async function snap(supports: readonly string[]) {
    const queues = [{ name: "requests", maxSize: 8 }];
    const rig = await new ImageRig({
      offer: ALL,
      supports,
      model: () => new HoldingModel({ queues }),
    }).start();
    rig.add(3);
    rig.serve();
    expect(rig.model.tokens).toHaveLength(3);
    return rig;
  }

  /** Everything held is completed and comes back; then `count` chains more. */
  function finish(rig: ImageRig<HoldingModel>, count = 3): void {
    const back = [complete(rig)];
    for (let i = 0; i < count; i++) {
      rig.add(1);
      rig.serve();
      back.push(complete(rig));
    }
    expect([back.slice(1), rig.queue.inFlight, rig.violations]).toEqual([Array(count).fill(1), 0, []]);
  }

  function complete(rig: ImageRig<HoldingModel>): number {
    for (const token of rig.model.tokens) rig.model.complete(token);
    rig.model.context?.finish(0);
    return rig.used().length;
  }

  /** The image is refused by a device that nobody uses, which makes no queue for it; both devices go on. */
  async function refusedBy(rig: ImageRig<HoldingModel>, image: unknown, message: RegExp): Promise<void> {
    const core = rig.anotherCore();
    const made = vi.spyOn(core, "allocateQueue");
    const [device] = rig.another(core);
    expect(refusalOf(device, image)).toMatch(message);
    expect([device.status, device.phase, device.queueReady(0), device.ring]).toEqual([
      0,
      "reset",
      false,
      undefined,
    ]);
    expect(made).not.toHaveBeenCalled();
    expect(rig.device.status).toBe(0x0f);
  }

  const resize = (size: number) => (plain: Plain) => {
    plain.queues[0].setup.size = size;
    plain.queues[0].setup.image.size = size;
  };

  it("C238 restore with size 6 (split)", async () => {
    const rig = await snap(LAYOUTS.split);
    await refusedBy(
      rig,
      forged(rig.device.save(), resize(6)),
      /size 6 is no power of two, the next one is 8/,
    );
    finish(rig);
  });

  it("C239 restore with a size above the largest", async () => {
    const rig = await snap(LAYOUTS.split);
    await refusedBy(rig, forged(rig.device.save(), resize(16)), /size 16 is not within 1…8/);
    finish(rig);
  });

  it("C242 work is pending and its kick was consumed: no new kick, and no stall", async () => {
    for (const layout of FOR_ALL) {
      const rig = await snap([...LAYOUTS[layout], "EVENT_IDX"]);
      rig.add(3); // the kick for these marks the queue, a mark that no image holds
      rig.move();
      expect(rig.notifications).toEqual(["used 0"]);
      rig.serve();
      expect(rig.model.tokens).toHaveLength(6);
      finish(rig);
      const idle = await testRig({ supports: [...LAYOUTS[layout], "EVENT_IDX"] }).start();
      idle.model.refuses = true;
      const tokens = idle.add(2);
      idle.serve(); // looked at, and left alone
      expect(idle.device.hasWork).toBe(false);
      idle.move();
      idle.serve();
      expect(idle.used()).toEqual(tokens);
    }
  });

  it("C244 packed: available at 1 with wrap counter 0, used at 6 with 1, slots 6, 7 and 0 in flight", async () => {
    const queues = [{ name: "requests", maxSize: 8 }];
    const supports = LAYOUTS.packed;
    const rig = await new ImageRig({
      offer: ALL,
      supports,
      model: () => new HoldingModel({ queues }),
    }).start();
    finish(rig, 6);
    rig.add(3);
    rig.serve();
    expect(rig.device.vringBase(0)).toBe(0x8006_0001);
    const image = rig.device.save();
    const [avail, , used] = [1, 2, 3]; // words of a device half's line, and their wrap counters behind them
    const apart = forged(image, ({ queues: [{ setup }] }) => {
      setup.image.line.splice(avail, 2, 5, 0);
      setup.image.line.splice(used, 2, 2, 1);
    });
    const [device] = rig.another();
    expect(refusalOf(device, apart)).toMatch(/11 between the positions, the line counts 3/);
    expect([device.status, device.queueReady(0)]).toEqual([0, false]);
    // vhost's base alone doesn't say which chains are in flight, and is refused whatever the distance.
    driveTo(device, 0x0b, FeatureSet.from(supports));
    device.enableQueue(0, rig.queue);
    const bases = { 2147876865: /3 descriptors in flight/, 2147614725: /11 apart in a packed ring of 8/ };
    for (const [base, message] of Object.entries(bases))
      expect(() => device.startQueueAt(0, Number(base))).toThrow(message);
    rig.move(image);
    expect(rig.device.vringBase(0)).toBe(0x8006_0001);
    finish(rig, 8); // once round: the slot of before, the wrap counters turned
    expect(rig.device.vringBase(0)).toBe(0x8001_8001);
  });

  it("C246 features that were not offered, RING_PACKED above all", async () => {
    for (const layout of FOR_ALL) {
      const rig = await snap(LAYOUTS[layout]);
      const alien = forged(rig.device.save(), ({ features }) => {
        features.accepted[2] = 1;
        features.negotiated[2] = 1;
      });
      await refusedBy(rig, alien, /bit 64 .*is negotiated, offered is/);
      const splitOnly = ALL.filter((name) => name !== "RING_PACKED");
      const other = new ImageRig({
        offer: splitOnly,
        model: () => new HoldingModel({ queues: rig.model.queues }),
      });
      const packed = forged(rig.device.save(), ({ features }) => {
        features.offered = other.device.offered.words;
        for (const set of [features.accepted, features.negotiated]) set[1] |= 4;
      });
      expect(refusalOf(other.device, packed)).toMatch(/RING_PACKED.* is negotiated, offered is/);
      expect([other.device.ring, other.device.status]).toEqual([undefined, 0]);
      finish(rig);
    }
  });

  it("C247 version + 1, a byte less, a byte more, a bit of the checksum", async () => {
    for (const layout of FOR_ALL) {
      const rig = await snap(LAYOUTS[layout]);
      const image = rig.device.save();
      const text = JSON.stringify(image);
      const later = forged(image, (plain) => (plain.schema = "virtq.device/2"));
      await refusedBy(rig, later, /"virtq.device\/2", known is virtq.device\/1/);
      await refusedBy(rig, text.slice(0, -1), new RegExp(`${text.length - 1} characters`));
      for (const more of [" ", "\n", "\0", "}"])
        await refusedBy(rig, text + more, new RegExp(`${text.length + 1} characters`));
      for (let bit = 0; bit < 32; bit++) {
        const checksum = (image.checksum ^ (1 << bit)) >>> 0;
        await refusedBy(
          rig,
          { ...image, checksum },
          new RegExp(`${checksum}, the data has ${image.checksum}`),
        );
      }
      finish(rig);
    }
  });
});
