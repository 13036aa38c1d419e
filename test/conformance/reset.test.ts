// Area "reset" (§2.4): what a reset leaves, and when it is over.
import { describe, expect, it } from "vitest";
import { addChains, makeRig, roundTrips, started } from "../control-rig";

describe("device", () => {
  it("RESET-001 §2.4.1 device: shows 0 after a reset, from every status", async () => {
    for (const written of [[], [1], [1, 3], [1, 3, 0x83]]) {
      const { device } = makeRig();
      for (const value of [...written, 0]) device.writeStatus(value);
      expect(device.readStatus()).toBe(0);
    }
    const rig = await started(makeRig());
    rig.device.writeStatus(0);
    expect(rig.device.readStatus()).toBe(0);
  });

  it("RESET-001 §2.4.1 device: forgets accepted and negotiated sets, ring, queues and the refusal", async () => {
    const rig = await started(makeRig({ supports: ["VERSION_1", "RING_PACKED"] }));
    rig.device.writeStatus(0);
    const { accepted, negotiated, ring, refusal, phase, hasWork } = rig.device;
    expect([accepted.isEmpty, negotiated, ring, refusal, phase, hasWork]).toEqual([
      true,
      undefined,
      undefined,
      undefined,
      "reset",
      false,
    ]);
    expect([rig.device.queueReady(0), rig.model.resets]).toEqual([false, 2]);
  });

  it.each(["split", "packed"])(
    "RESET-002 §2.4.1 device: sends nothing and leaves %s queues alone after a reset",
    async (layout) => {
      const rig = await started(
        makeRig({ supports: ["VERSION_1", ...(layout === "packed" ? ["RING_PACKED"] : [])] }),
      );
      const [queue] = rig.driver.queues;
      rig.model.holds = true;
      addChains(rig, 3);
      queue?.publish();
      rig.device.notify(0);
      rig.device.process(1);
      const { context } = rig.model;
      rig.device.configChanged();
      rig.notifications.length = 0;
      const before = rig.core.view(0, 1 << 20).slice();
      rig.device.writeStatus(0);
      rig.device.notify(0);
      rig.device.configChanged();
      context?.finish(0);
      context?.needsReset(new Error("late") as never);
      expect(rig.device.process()).toBe("done");
      expect(rig.notifications).toEqual([]);
      expect(Buffer.compare(rig.core.view(0, 1 << 20), before)).toBe(0);
      expect(rig.device.status).toBe(0);
    },
  );

  it("RESET-002 §2.4.1 device: a reset by a notification handler stops what is under way", async () => {
    const rig = await started(makeRig({ device: { share: 2 } }));
    rig.device.connect(() => rig.device.writeStatus(0));
    addChains(rig, 8);
    void rig.driver.kick(0);
    expect(rig.device.process(4)).toBe("done");
    expect([rig.device.status, rig.model.taken.length]).toEqual([0, 4]);
    rig.device.connect(() => {});
    await started(rig);
    roundTrips(rig);
  });
});

describe("driver", () => {
  it("RESET-003 §2.4.2 driver: takes a reset for finished only when the status reads 0", async () => {
    const rig = makeRig();
    let reads = 0;
    const slow = { ...rig.port, readStatus: () => (reads++ < 4 ? 0x0f : rig.port.readStatus()) };
    const { driver } = makeRig({ driver: { port: slow, statusReads: 10 } });
    await driver.reset();
    expect(reads).toBe(5);
    expect(rig.port.calls("writeStatus")).toEqual([["writeStatus", 0]]);
  });
});
