// Loopback: each call reaches the device as it is, and notifications reach the last handler.
import { describe, expect, it } from "vitest";
import { Loopback } from "../../src/transport/loopback";
import { makeRig, started } from "../control-rig";

const config = [{ name: "mode", offset: 0, bytes: 4, anyOf: [], writable: true, value: 3 }] as const;

describe("Loopback", () => {
  it("passes every register on", async () => {
    const rig = await started(makeRig({ model: { deviceId: 42, config }, offer: ["VERSION_1"] }));
    const port = new Loopback(rig.device);
    expect([port.deviceId, port.transport]).toEqual([42, "loopback"]);
    expect([0, 1, 2, 3, 4].map((word) => port.readDeviceFeatures(word))).toEqual([0, 1, 0, 0, 0]);
    expect([port.readStatus(), port.readConfig(0, 4), port.queueMaxSize(0), port.queueReady(0)]).toEqual([
      0x0f,
      3,
      16,
      true,
    ]);
    const generation = port.configGeneration();
    port.writeConfig(0, 4, 4);
    expect([port.readConfig(0, 4), port.configGeneration()]).toEqual([4, generation + 1]);
    port.notify(0);
    expect(rig.device.hasWork).toBe(true);
    port.writeStatus(0);
    expect(port.readStatus()).toBe(0);
    for (const status of [1, 3]) port.writeStatus(status);
    port.writeDriverFeatures(1, 4);
    port.writeStatus(0x0b);
    expect(port.refusal()).toBe("RING_PACKED (34) was not offered; VERSION_1 (32) must be accepted");
    port.writeDriverFeatures(1, 1);
    port.writeStatus(0x0b);
    port.enableQueue(0, { size: 8, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } });
    expect([port.refusal(), port.queueReady(0)]).toEqual([undefined, true]);
  });

  it("stops and resets queues, which is done when the call returns", async () => {
    const rig = await started(makeRig({ supports: ["VERSION_1", "RING_RESET"] }));
    const port = new Loopback(rig.device);
    const enable = () =>
      port.enableQueue(0, { size: 8, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } });
    port.resetQueue(0);
    expect([port.queueInReset(0), port.queueReady(0)]).toEqual([false, false]);
    enable();
    expect([port.queueReady(0), rig.codes()]).toEqual([true, []]);
    port.disableQueue(0);
    expect(port.queueReady(0)).toBe(false);
  });

  it("gives notifications to the last handler, and to nobody without one", async () => {
    const rig = await started(makeRig());
    const port = new Loopback(rig.device);
    rig.device.configChanged();
    const heard: unknown[] = [];
    port.onInterrupt((...told) => heard.push(["first", ...told]));
    port.onInterrupt((...told) => heard.push(["second", ...told]));
    rig.device.configChanged();
    expect(heard).toEqual([["second", "config", undefined]]);
  });
});
