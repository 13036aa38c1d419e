/** Clauses of the console device (§5.3) for what is built: one port, no MULTIPORT, no legacy interface. */
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import { ConsoleDriver } from "../../src/driver/console";
import { ConsoleModel, type ConsoleOptions } from "../../src/models/console";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo } from "../control-rig";
import { LAYOUTS, openRig } from "../models/rig";

const EMERG_WR = 8;

function shouting(options: ConsoleOptions = {}) {
  const output: number[] = [];
  const model = new ConsoleModel({ onOutput: (bytes) => output.push(...bytes), ...options });
  const violations: string[] = [];
  const device = new VirtioDevice(loadCoreSync({ guestBytes: 1 << 20 }), model, {
    onViolation: ({ code }) => violations.push(code),
  });
  return { device, output, violations };
}

describe("console: emergency write", () => {
  it.each([0x00, 0x01, 0x03, 0x0b, 0x0f])(
    "CONSOLE-002 §5.3.5.1 device: emerg_wr may be written at status %i, accepted or not",
    (status) => {
      for (const accepted of [["VERSION_1"], ["VERSION_1", "EMERG_WRITE"]]) {
        const { device, output, violations } = shouting();
        if (status > 0) driveTo(device, status, FeatureSet.from(accepted, "console"));
        device.writeConfig(EMERG_WR, 4, 0x41);
        expect(output).toEqual([0x41]);
        expect(violations).toEqual([]);
      }
    },
  );

  it("CONSOLE-002 §5.3.5.1 device: and after FAILED or DEVICE_NEEDS_RESET", () => {
    const { device, output } = shouting();
    driveTo(device, 0x0f, FeatureSet.from(["VERSION_1"]));
    device.writeStatus(0x8f);
    device.writeConfig(EMERG_WR, 4, 0x42);
    expect(output).toEqual([0x42]);
  });

  it("CONSOLE-003 §5.3.5.1 device: the low byte is shown, and the field keeps nothing", () => {
    const { device, output } = shouting();
    device.writeConfig(EMERG_WR, 4, 0x1234_5643);
    device.writeConfig(EMERG_WR, 1, 0x44);
    expect(output).toEqual([0x43, 0x44]);
    expect(device.readConfig(EMERG_WR, 4)).toBe(0);
  });
});

describe.each(LAYOUTS)("console, %s", (_, ring) => {
  it("CONSOLE-001 §5.3 device: one port, which is two queues and no more", async () => {
    const { device } = await openRig(new ConsoleModel(), ring);
    expect([0, 1, 2, 3].map((index) => device.queueMaxSize(index) > 0)).toEqual([true, true, false, false]);
    expect(() => new ConsoleModel({ offers: ["MULTIPORT"] })).toThrow("cannot offer MULTIPORT");
  });

  it("CONSOLE-004 CONSOLE-005 §5.3.6.1 driver: buffers for receiving are writable, for sending readable", async () => {
    const model = new ConsoleModel();
    const rig = await openRig(model, ring);
    const console = await ConsoleDriver.start(rig.driver, rig.core, rig.allocator, { buffers: 3 });
    for (let lap = 0; lap < 3; lap++) {
      console.write(new Uint8Array(600));
      model.input(new Uint8Array(600));
      await console.submit();
      rig.device.process();
      expect(console.poll(() => {})).toBe(3);
    }
    expect(model.breaches).toBe(0);
  });

  it("CONSOLE-004 §5.3.6.1 device: counts a readable buffer in the receiveq and uses the writable ones", async () => {
    const model = new ConsoleModel();
    const rig = await openRig(model, ring);
    model.input(Uint8Array.of(7));
    expect(rig.ask([Uint8Array.of(1)], [1], 0)).toEqual({ length: 1, answer: [7] });
    expect(model.breaches).toBe(1);
  });

  it("CONSOLE-005 §5.3.6.1 device: counts a writable buffer in the transmitq and writes nothing there", async () => {
    const model = new ConsoleModel();
    const rig = await openRig(model, ring);
    const { length, answer } = rig.ask([Uint8Array.of(1)], [2], 1);
    expect({ length, isWritten: answer.some((byte) => byte !== 0xee) }).toEqual({
      length: 0,
      isWritten: false,
    });
    expect(model.breaches).toBe(1);
  });

  it.each([
    [
      ["SIZE", "EMERG_WRITE"],
      [100, undefined, 0],
    ],
    [["SIZE"], [100, undefined, undefined]],
    [["EMERG_WRITE"], [undefined, undefined, 0]],
    [[], [undefined, undefined, undefined]],
  ])("CONSOLE-016 §5.3.4 both: with %j offered the fields of those exist", async (offers, values) => {
    const { driver, device } = await openRig(new ConsoleModel({ offers, cols: 100 }), [...ring]);
    expect(await driver.readConfigFields(["cols", "max_nr_ports", "emerg_wr"])).toEqual(values);
    expect(device.readConfig(0, 2)).toBe(offers.includes("SIZE") ? 100 : 0);
  });
});
