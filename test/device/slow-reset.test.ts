// A reset that takes its time (§2.4): the model answers by Promise, and the status shows 0 no earlier than it is quiet.
import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import {
  addChains,
  driveTo,
  makeRig,
  type Rig,
  type RigOptions,
  refusal,
  roundTrips,
  started,
} from "../control-rig";

const config = [
  { name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 },
  { name: "free", offset: 4, bytes: 4, anyOf: [], writable: "any-time", value: 5 },
] as const;
const oneTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A rig whose model's next resets wait for `quiet` or `broken`. */
async function slowRig(options: RigOptions = {}) {
  const rig = makeRig({ ...options, model: { config, ...options.model } });
  await started(rig);
  let quiet: () => void = () => {};
  let broken: (reason: unknown) => void = () => {};
  const calls = { count: 0 };
  const pace = { isSlow: true };
  Object.assign(rig.model, {
    reset: () => {
      calls.count++;
      rig.model.context = undefined;
      if (!pace.isSlow) return undefined;
      return new Promise<void>((resolve, reject) => {
        quiet = resolve;
        broken = reject;
      });
    },
  });
  return { ...rig, calls, pace, quiet: () => quiet(), broken: (reason: unknown) => broken(reason) };
}

describe("a reset that takes its time", () => {
  it("shows a status other than 0 until the model is quiet, from every status", async () => {
    for (const at of [0x00, 0x01, 0x03, 0x0b, 0x0f]) {
      const { device, quiet, codes, pace } = await slowRig();
      pace.isSlow = false;
      driveTo(device, at, device.offered);
      pace.isSlow = true;
      device.writeStatus(0);
      for (let i = 0; i < 3; i++) {
        expect(device.readStatus(), `from ${at}`).not.toBe(0);
        expect([device.phase, device.process()]).toEqual(["resetting", "done"]);
        await oneTurn();
      }
      quiet();
      await device.idle();
      expect([device.readStatus(), device.phase, codes()]).toEqual([0, "reset", []]);
    }
  });

  it("has forgotten sets, ring and queues at once", async () => {
    const { device } = await slowRig();
    device.writeStatus(0);
    const { accepted, negotiated, ring } = device;
    expect([accepted.isEmpty, negotiated, ring, device.queueReady(0)]).toEqual([
      true,
      undefined,
      undefined,
      false,
    ]);
  });

  it("ignores every other write, and says so", async () => {
    const { device, codes, quiet, model } = await slowRig();
    device.writeStatus(0);
    const status = device.readStatus();
    const areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
    const writes: (() => void)[] = [
      () => device.writeStatus(1),
      () => device.writeStatus(0x0f),
      () => device.writeStatus(0x8f),
      () => device.writeFeatures(1, 1),
      () => device.writeConfig(0, 4, 9),
      () => device.writeConfig(4, 4, 9),
      () => device.enableQueue(0, { size: 8, areas }),
      () => device.resetQueue(0),
    ];
    for (const [i, write] of writes.entries()) {
      write();
      expect(codes(), `write ${i}`).toHaveLength(i + 1);
      expect([device.readStatus(), device.phase]).toEqual([status, "resetting"]);
    }
    expect(new Set(codes())).toEqual(new Set(["STATUS_SEQUENCE"]));
    device.disableQueue(0);
    device.notify(0);
    expect([device.accepted.isEmpty, device.queueReady(0), model.written]).toEqual([true, false, []]);
    quiet();
    await device.idle();
    expect([device.readStatus(), device.readConfig(0, 4), device.readConfig(4, 4)]).toEqual([0, 3, 5]);
  });

  it("is not begun anew by a second 0", async () => {
    const { device, calls, codes, quiet } = await slowRig();
    for (let i = 0; i < 3; i++) device.writeStatus(0);
    expect([calls.count, codes()]).toEqual([1, []]);
    device.needsReset(new VirtioError("INTERNAL", "broken while it resets"));
    device.writeStatus(0);
    expect([calls.count, device.phase]).toEqual([1, "resetting"]);
    quiet();
    await device.idle();
    expect([device.status, device.phase]).toEqual([0, "reset"]);
  });

  it.each(["split", "packed"])(
    "leaves %s queues and the driver alone meanwhile, and drops late answers",
    async (ring) => {
      const rig = await slowRig({ supports: ["VERSION_1", ...(ring === "packed" ? ["RING_PACKED"] : [])] });
      const { device, model } = rig;
      model.holds = true;
      addChains(rig, 3);
      rig.driver.queues[0]?.publish();
      device.notify(0);
      device.process();
      const { context } = model;
      let answered = 0;
      let answer: () => void = () => {};
      context?.later(
        new Promise<void>((resolve) => (answer = resolve)),
        () => answered++,
        () => answered++,
      );
      device.writeStatus(0);
      rig.notifications.length = 0;
      const before = rig.core.view(0, 1 << 20).slice();
      answer();
      await oneTurn();
      context?.finish(0);
      context?.configChanged();
      context?.needsReset(new VirtioError("INTERNAL", "late"));
      device.notify(0);
      expect([device.process(), device.hasWork, context?.alive, answered]).toEqual(["done", false, false, 0]);
      rig.quiet();
      await device.idle();
      expect([device.status, answered, rig.notifications, rig.codes()]).toEqual([0, 0, [], []]);
      expect(Buffer.compare(rig.core.view(0, 1 << 20), before)).toBe(0);
    },
  );

  it("is over when the model fails at it, too: the violation says so", async () => {
    const { device, broken, codes } = await slowRig();
    device.writeStatus(0);
    broken(new VirtioError("INTERNAL", "the backend is stuck"));
    await device.idle();
    expect([device.status, device.phase, codes()]).toEqual([0, "reset", ["INTERNAL"]]);
    driveTo(device, 0);
    expect(device.phase).toBe("resetting");
  });

  it("is waited for by the driver, which then works", async () => {
    const rig = await slowRig();
    addChains(rig, 2);
    let isDone = false;
    const again = rig.driver.initialize().then((result) => {
      isDone = true;
      return result;
    });
    const reads = () => rig.port.calls("readStatus").length;
    for (const before = reads(); reads() < before + 5; ) await oneTurn();
    expect([isDone, rig.device.phase]).toEqual([false, "resetting"]);
    const written = rig.port.calls("writeStatus").length;
    rig.quiet();
    expect(await again).toMatchObject({ ok: true });
    expect(rig.port.calls("writeStatus").slice(written)).toEqual(
      [1, 3, 11, 15].map((value) => ["writeStatus", value]),
    );
    expect(rig.codes()).toEqual([]);
    roundTrips(rig as Rig);
  });

  it("ends the driver's patience after `statusReads`", async () => {
    const rig = await slowRig({ driver: { statusReads: 5 } });
    rig.port.log.length = 0;
    const { code, reason } = refusal(await rig.driver.initialize());
    expect([code, reason]).toEqual([
      "DEVICE_NEEDS_RESET",
      "the device did not finish its reset: status 0x0f after 5 reads",
    ]);
    // Nothing but the status was touched, and the buffers are not the driver's yet (§3.3.1).
    expect(new Set(rig.port.log.map(([name]) => name))).toEqual(new Set(["writeStatus", "readStatus"]));
    expect([rig.driver.queues.length, rig.device.phase]).toEqual([1, "resetting"]);
    rig.quiet();
    await rig.device.idle();
    Object.assign(rig.model, { reset: undefined });
    await started(rig);
    roundTrips(rig as Rig);
  });
});
