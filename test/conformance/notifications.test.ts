// Area "notifications" (§2.3): three kinds, any of which may be spurious.
import { describe, expect, it } from "vitest";
import { makeRig, roundTrips, started } from "../control-rig";

describe("both", () => {
  it("NOTIFICATIONS-001 §2.3 driver: bears spurious used and configuration change notifications", async () => {
    let used = 0;
    const rig = await started(makeRig({ driver: { onUsed: () => used++ } }));
    const finish = rig.model.context?.finish;
    for (let i = 0; i < 5; i++) {
      finish?.(0);
      rig.device.configChanged();
    }
    expect(rig.driver.poll()).toBe(false);
    roundTrips(rig);
    expect(used).toBe(3);
    expect(rig.notifications.filter(({ kind }) => kind === "config")).toHaveLength(5);
    expect(rig.notifications.filter(({ kind }) => kind === "used").every(({ queue }) => queue === 0)).toBe(
      true,
    );
  });

  it.each(["split", "packed"])(
    "NOTIFICATIONS-002 §2.3 device: bears spurious available notifications (%s)",
    async (layout) => {
      const rig = await started(
        makeRig({ supports: ["VERSION_1", ...(layout === "packed" ? ["RING_PACKED"] : [])] }),
      );
      for (let i = 0; i < 100; i++) {
        rig.device.notify(0);
        expect(rig.device.process()).toBe("done");
      }
      expect([rig.model.taken, rig.notifications, rig.codes()]).toEqual([[], [], []]);
      roundTrips(rig);
    },
  );
});
