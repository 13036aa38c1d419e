// Area "status" (§2.1): the order of the bits, what never happens to them, and DEVICE_NEEDS_RESET.
import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import { statusNames } from "../../src/negotiation/status-names";
import * as status from "../../src/spec/status";
import { addChains, driveTo, makeRig, type Rig, roundTrips, started } from "../control-rig";

const broken = () => new VirtioError("INTERNAL", "broken on purpose");

describe("driver", () => {
  it("STATUS-001 §2.1 driver: sets each bit after its step, in the order of the initialisation", async () => {
    const { port } = await started(makeRig());
    expect(port.calls("writeStatus").map(([, value]) => value)).toEqual([0, 1, 3, 11, 15]);
    const names = port.log.map(([name, value]) => `${name} ${value ?? ""}`.trim());
    expect(names.indexOf("writeDriverFeatures 1")).toBeLessThan(names.indexOf("writeStatus 11"));
    expect(names.indexOf("enableQueue 0")).toBeLessThan(names.indexOf("writeStatus 15"));
  });

  it("STATUS-002 §2.1.1 driver: writes no byte that lacks a bit of the register, a reset apart", async () => {
    const rig = await started(makeRig());
    await rig.driver.fail();
    await started(rig);
    rig.device.needsReset(broken());
    await rig.driver.fail();
    let register = 0;
    for (const event of rig.transcript.events) {
      if (event.side !== "device" || !["status", "reset"].includes(event.step)) continue;
      const next = Number(event.after);
      if (event.step === "status") expect(register & ~next).toBe(0);
      register = next;
    }
    expect(register).toBe(0xcf);
    expect(rig.codes()).toEqual(["INTERNAL"]);
  });

  it("STATUS-003 §2.1.1 driver: resets a FAILED device before it tries again", async () => {
    const rig = makeRig({ offer: ["VERSION_1"], driver: { requires: ["RING_PACKED"] } });
    expect(await rig.driver.initialize()).toMatchObject({ ok: false });
    expect(rig.device.status).toBe(0x83);
    rig.port.log.length = 0;
    await rig.driver.initialize();
    expect(rig.port.log[0]).toEqual(["writeStatus", 0]);
  });

  it("STATUS-004 §2.1.1 driver: counts on no outstanding operation once DEVICE_NEEDS_RESET is visible", async () => {
    const rig = await started(makeRig());
    const tokens = addChains(rig, 3);
    void rig.driver.kick(0);
    rig.device.needsReset(broken());
    expect(() => rig.driver.poll()).toThrow(expect.objectContaining({ code: "DEVICE_NEEDS_RESET" }));
    expect(await rig.driver.reset()).toEqual(tokens.map((token) => ({ queue: 0, token })));
  });
});

describe("device", () => {
  it("STATUS-005 §2.1.2 device: consumes nothing and sends no used notification before DRIVER_OK", async () => {
    const rig = makeRig({
      driver: {
        fill: (queues) => {
          addChains(rig, 4);
          queues[0]?.publish();
          rig.device.notify(0);
          expect(rig.device.process()).toBe("done");
          expect([rig.model.taken, rig.notifications, rig.model.starts]).toEqual([[], [], 0]);
        },
      },
    });
    await started(rig);
    rig.device.process();
    expect(rig.model.taken).toHaveLength(4);
    expect(rig.notifications).toEqual([{ kind: "used", queue: 0, status: 0x0f }]);
  });

  it.each(["split", "packed"])(
    "STATUS-006 §2.1.2 device: raises DEVICE_NEEDS_RESET for a broken %s ring",
    async (layout) => {
      const rig = await started(
        makeRig({ supports: ["VERSION_1", ...(layout === "packed" ? ["RING_PACKED"] : [])] }),
      );
      const [queue] = rig.driver.queues;
      addChains(rig, 1);
      queue?.publish();
      rig.core.view(Number(queue?.areas.descriptor), 8).fill(0xff);
      rig.device.notify(0);
      rig.device.process();
      expect(rig.device.status).toBe(0x4f);
      expect(rig.codes()).toEqual(["DESC_ADDR_OVERFLOW"]);
      rig.device.notify(0);
      expect(rig.device.process()).toBe("done");
      expect(rig.codes()).toHaveLength(1);
      await started(rig);
      roundTrips(rig);
    },
  );

  it("STATUS-007 §2.1.2 device: sets DEVICE_NEEDS_RESET, then notifies, if DRIVER_OK is set", async () => {
    const rig = await started(makeRig());
    rig.device.needsReset(broken());
    expect(rig.notifications).toEqual([{ kind: "config", queue: undefined, status: 0x4f }]);
    for (const before of [0x00, 0x01, 0x03, 0x0b]) {
      const early = makeRig();
      driveTo(early.device, before, early.device.offered);
      early.device.needsReset(broken());
      expect([early.device.status, early.notifications]).toEqual([before | 0x40, []]);
    }
  });

  it("STATUS-008 §2.1 device: starts at 0", () => {
    expect(makeRig().device.readStatus()).toBe(0);
  });
});

describe("DEVICE_NEEDS_RESET and the way back", () => {
  it.each(["split", "packed"])(
    "STATUS-004 STATUS-006 both: ten times over, %s, with buffers in flight and each of them accounted for",
    async (layout) => {
      const supports = ["VERSION_1", ...(layout === "packed" ? ["RING_PACKED"] : [])];
      const rig = makeRig({ supports });
      const free = rig.allocator.available;
      for (let life = 0; life < 10; life++) {
        await started(rig);
        roundTrips(rig, life);
        rig.model.holds = life % 2 === 0;
        const tokens = addChains(rig, life);
        void rig.driver.kick(0);
        if (rig.model.holds) rig.device.process();
        rig.notifications.length = 0;
        rig.device.needsReset(broken());
        rig.device.needsReset(broken());
        expect(rig.notifications).toEqual([{ kind: "config", queue: undefined, status: 0x4f }]);
        expect(rig.device.process()).toBe("done");
        expect(() => rig.driver.poll()).toThrow(`${life} buffers in flight`);
        if (life % 3 === 0) await rig.driver.fail();
        rig.model.holds = false;
        expect(await rig.driver.reset()).toEqual(tokens.map((token) => ({ queue: 0, token })));
        expect([rig.device.status, rig.driver.poll()]).toEqual([0, false]);
      }
      expect(rig.allocator.available).toBeGreaterThan(free - 64 * 10 - 1); // the tests' own buffers alone
      await started(rig);
      roundTrips(rig, 20);
    },
  );

  it("STATUS-006 device: whoever breaks it, model, host or a field's value, one status change and one way back", async () => {
    const causes: ((rig: Rig) => void)[] = [
      ({ model }) => model.context?.needsReset(broken()),
      ({ device }) => device.needsReset(broken()),
      ({ model, device }) => {
        model.process = () => {
          throw new TypeError("a defect of the model");
        };
        device.notify(0);
        device.process();
      },
      ({ model }) => {
        model.context?.later(
          Promise.reject(new Error("the disk is gone")),
          () => {},
          (reason) => {
            throw reason;
          },
        );
      },
      (rig) => rig.device.readConfig(0, 4),
    ];
    for (const [i, cause] of causes.entries()) {
      let isWell = true;
      const value = () => {
        if (isWell) return 1;
        throw new Error("the value can't be had");
      };
      const config = [{ name: "field", offset: 0, bytes: 4, anyOf: [], value }] as const;
      const rig = await started(makeRig({ model: { config } }));
      const { process } = rig.model;
      isWell = i !== 4;
      cause(rig);
      await rig.device.idle();
      expect([i, rig.device.status, rig.codes()]).toEqual([i, 0x4f, ["INTERNAL"]]);
      expect(rig.notifications).toEqual([{ kind: "config", queue: undefined, status: 0x4f }]);
      isWell = true;
      rig.model.process = process;
      await started(rig);
      roundTrips(rig);
    }
  });

  it("STATUS-006 device: before DRIVER_OK the driver finds it by reading, stops, and the next try works", async () => {
    let isBroken = true;
    const rig = makeRig({
      driver: {
        fill: () => {
          if (isBroken) rig.device.needsReset(broken());
        },
      },
    });
    expect(await rig.driver.initialize()).toMatchObject({ ok: false, code: "DEVICE_NEEDS_RESET" });
    expect([rig.device.status, rig.notifications, rig.model.starts]).toEqual([0xcb, [], 0]);
    isBroken = false;
    await started(rig);
    roundTrips(rig);
  });
});

describe("both", () => {
  it("STATUS-009 §2.1 device: SUSPEND means nothing while VIRTIO_F_SUSPEND is not negotiated", async () => {
    for (const at of [0x01, 0x03, 0x0b, 0x0f]) {
      const { device, codes } = makeRig();
      driveTo(device, at, device.offered.without("SUSPEND"));
      device.writeStatus(at | 0x10);
      expect([device.status, codes()]).toEqual([at, []]);
    }
    const { port } = await started(makeRig());
    expect(port.calls("writeStatus").every(([, value]) => (Number(value) & 0x10) === 0)).toBe(true);
  });

  it("STATUS-010 §2.1 both: the bits have their values and names", () => {
    expect(Object.values(status)).toEqual([1, 2, 4, 8, 16, 64, 128]);
    expect([1, 2, 4, 8, 16, 64, 128].map(statusNames)).toEqual([
      "ACKNOWLEDGE",
      "DRIVER",
      "DRIVER_OK",
      "FEATURES_OK",
      "SUSPEND",
      "DEVICE_NEEDS_RESET",
      "FAILED",
    ]);
    expect([statusNames(0), statusNames(0x2b)]).toEqual(["0", "ACKNOWLEDGE | DRIVER | FEATURES_OK | bit 5"]);
  });
});
