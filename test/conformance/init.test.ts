// Area "init" (§3.1): the eight steps, what may come early and what must not.
import { describe, expect, it } from "vitest";
import { addChains, makeRig, refusal, roundTrips, started } from "../control-rig";

const config = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }] as const;
const layout = [{ ...config[0], writable: "after-features-ok" }] as const;

describe("driver", () => {
  it("INIT-001 §3.1.1 driver: runs the eight steps in order", async () => {
    const rig = await started(makeRig({ supports: ["VERSION_1", "RING_PACKED"] }));
    const steps = rig.transcript.events
      .filter(({ side }) => side === "driver")
      .map(({ step, after }) => (step === "status" || step === "reset" ? `${step} ${after}` : step));
    expect(steps).toEqual([
      "reset 0x00",
      "reset 0x00",
      "status 0x01",
      "status 0x03",
      "features",
      "features",
      "features",
      "validate",
      "status 0x0b",
      "status 0x0b",
      "layout",
      "queue",
      "status 0x0f",
    ]);
  });

  it("INIT-002 §3.1.1 driver: may read the configuration while it negotiates", async () => {
    const rig = makeRig({
      model: { config },
      driver: {
        configLayout: layout,
        validate: async ({ readConfigField }) => {
          expect(await readConfigField("mode")).toBe(3);
          return undefined;
        },
      },
    });
    await started(rig);
    expect(rig.codes()).toEqual([]);
  });

  it("INIT-003 §3.1.1 driver: writes no configuration while it negotiates; a device ignores one that does", async () => {
    const rig = makeRig({
      model: { config },
      driver: {
        configLayout: layout,
        validate: async () => {
          await expect(rig.driver.writeConfigField("mode", 4)).rejects.toThrow(
            expect.objectContaining({ code: "STATUS_SEQUENCE" }),
          );
          rig.device.writeConfig(0, 4, 4);
          return undefined;
        },
      },
    });
    await started(rig);
    expect(rig.codes()).toEqual(["STATUS_SEQUENCE"]);
    expect(await rig.driver.readConfigField("mode")).toBe(3);
    await rig.driver.writeConfigField("mode", 4);
    expect(await rig.driver.readConfigField("mode")).toBe(4);
  });

  it("INIT-004 §3.1.1 driver: accepts no further bits after FEATURES_OK", async () => {
    const rig = await started(makeRig());
    const names = rig.port.log.map(([name, value]) => `${name} ${value ?? ""}`);
    const ok = names.indexOf("writeStatus 11");
    expect(names.slice(ok).some((name) => name.startsWith("writeDriverFeatures"))).toBe(false);
  });

  it("INIT-005 §3.1.1 driver: reads FEATURES_OK back, and takes its absence for a refusal", async () => {
    const fine = await started(makeRig());
    const names = fine.port.log.map(([name, value]) => `${name} ${value ?? ""}`.trim());
    expect(names[names.indexOf("writeStatus 11") + 1]).toBe("readStatus");
    const rig = makeRig({ model: { validate: () => "no" } });
    expect(refusal(await rig.driver.initialize()).code).toBe("FEATURES_REFUSED");
  });

  it("INIT-006 INIT-007 §3.1.1 driver: sets FAILED after such an error and does not go on", async () => {
    const rig = makeRig({ model: { validate: () => "no" } });
    await rig.driver.initialize();
    expect(rig.device.status).toBe(0x83);
    const after = rig.port.log.slice(rig.port.log.findIndex(([, value]) => value === 0x0b) + 1);
    expect(after).toEqual([["readStatus"], ["readStatus"], ["writeStatus", 0x83]]);
  });

  it("INIT-008 §3.1.1 driver: notifies nobody before DRIVER_OK, though buffers are there", async () => {
    const rig = makeRig({
      driver: {
        fill: (queues) => {
          addChains(rig, 3);
          queues[0]?.publish();
        },
      },
    });
    await started(rig);
    expect(rig.port.calls("notify")).toEqual([]);
    rig.device.process();
    expect(rig.driver.queues[0]?.takeUsed()).toBe(3);
    roundTrips(rig);
  });

  it("INIT-009 §3.1.1 driver: looks for queues, and fills them, only after FEATURES_OK was confirmed", async () => {
    const rig = makeRig({ driver: { fill: () => expect(rig.device.status).toBe(0x0b) } });
    await started(rig);
    const names = rig.port.log.map(([name, value]) => `${name} ${value ?? ""}`.trim());
    const confirmed = names.indexOf("writeStatus 11") + 1;
    for (const name of ["queueMaxSize 0", "enableQueue 0", "queueReady 0"]) {
      expect(names.indexOf(name)).toBeGreaterThan(confirmed);
    }
  });
});
