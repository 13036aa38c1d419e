// Area "cleanup" (§3.3): buffers are the device's until it is reset.
import { describe, expect, it } from "vitest";
import { addChains, makeRig, roundTrips, started } from "../control-rig";

describe("driver", () => {
  it.each(["split", "packed"])(
    "CLEANUP-001 §3.3.1 driver: leaves the %s ring entries of exposed buffers alone",
    async (layout) => {
      const rig = await started(
        makeRig({ supports: ["VERSION_1", ...(layout === "packed" ? ["RING_PACKED"] : [])] }),
      );
      const [queue] = rig.driver.queues;
      rig.model.holds = true;
      addChains(rig, 4);
      void rig.driver.kick(0);
      rig.device.process();
      const table = rig.core.view(Number(queue?.areas.descriptor), 4 * 16);
      const before = table.slice();
      addChains(rig, 4);
      void rig.driver.kick(0);
      rig.driver.poll();
      expect(rig.core.view(Number(queue?.areas.descriptor), 4 * 16)).toEqual(before);
    },
  );

  it("CLEANUP-002 §3.3.1 driver: takes exposed buffers back only after the reset was read back", async () => {
    const rig = await started(makeRig({ later: true }));
    addChains(rig, 2);
    const [queue] = rig.driver.queues;
    rig.port.log.length = 0;
    const resetting = rig.driver.reset();
    expect(queue?.alive).toBe(true);
    expect(rig.driver.queues).toHaveLength(1);
    expect(await resetting).toHaveLength(2);
    expect(rig.port.log).toEqual([["writeStatus", 0], ["readStatus"]]);
    expect(queue?.alive).toBe(false);
    expect(() => queue?.add([], [])).toThrow(expect.objectContaining({ code: "QUEUE_NOT_READY" }));
  });
});

describe("both", () => {
  it("CLEANUP-003 §3.3 both: all configured queues are live from DRIVER_OK on, and none after a reset", async () => {
    const queues = ["a", "b", "c"].map((name) => ({ name, maxSize: 8 }));
    const rig = await started(makeRig({ model: { queues } }));
    for (const index of [0, 1, 2]) roundTrips(rig, 3, index);
    await rig.driver.reset();
    expect([0, 1, 2].map((index) => rig.device.queueReady(index))).toEqual([false, false, false]);
    expect([rig.device.hasWork, rig.driver.queues.length]).toEqual([false, 0]);
  });
});
