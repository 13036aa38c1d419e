// Area "operation" (§3.2): what the device tells the driver of itself.
import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import { makeRig, started } from "../control-rig";

describe("device", () => {
  it("OPERATION-001 §3.2 device: notifies the driver of every change of its configuration", async () => {
    let told = 0;
    const rig = await started(makeRig({ driver: { onConfigChange: () => told++ } }));
    rig.model.context?.configChanged();
    rig.device.configChanged();
    expect(told).toBe(2);
    expect(rig.notifications.map(({ kind }) => kind)).toEqual(["config", "config"]);
  });

  it("OPERATION-001 §3.2 device: a change while the driver initialises is not lost, and told once", async () => {
    const rig = makeRig({
      driver: {
        validate: () => {
          rig.device.configChanged();
          rig.device.configChanged();
          return undefined;
        },
      },
    });
    await started(rig);
    expect(rig.notifications).toEqual([{ kind: "config", queue: undefined, status: 0x0f }]);
  });

  it("OPERATION-002 §3.2 device: DEVICE_NEEDS_RESET comes with a configuration change notification", async () => {
    const rig = await started(makeRig());
    rig.device.needsReset(new VirtioError("INTERNAL", "broken"));
    rig.device.needsReset(new VirtioError("INTERNAL", "broken again"));
    expect(rig.notifications).toEqual([{ kind: "config", queue: undefined, status: 0x4f }]);
  });
});
