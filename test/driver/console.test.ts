// The console driver against the console model (§5.3.6).
import { describe, expect, it } from "vitest";
import { CONSOLE_DRIVER_FEATURES, ConsoleDriver, type ConsoleDriverOptions } from "../../src/driver/console";
import { ConsoleModel, type ConsoleOptions } from "../../src/models/console";
import { LAYOUTS, openRig } from "../models/rig";

const text = (value: string) => new TextEncoder().encode(value);

async function open(
  ring: readonly string[] = ["VERSION_1"],
  model: ConsoleOptions = {},
  options: ConsoleDriverOptions = {},
) {
  let said = "";
  const device = new ConsoleModel({
    onOutput: (bytes) => (said += new TextDecoder().decode(bytes)),
    ...model,
  });
  const rig = await openRig(device, [...ring, ...CONSOLE_DRIVER_FEATURES]);
  const before = rig.allocator.available;
  const console = await ConsoleDriver.start(rig.driver, rig.core, rig.allocator, options);
  const heard = () => {
    let all = "";
    console.poll((bytes) => (all += new TextDecoder().decode(bytes)));
    return all;
  };
  return { ...rig, rig, model: device, console, heard, said: () => said, before };
}

describe.each(LAYOUTS)("a console driver on %s", (_, ring) => {
  it("writes and reads, more than its buffers hold", async () => {
    const { model, console, device, heard, said } = await open(ring, {}, { buffers: 2, bufferBytes: 4 });
    const letters = text("the quick brown fox");
    for (let done = 0; done < letters.length; ) {
      const count = console.write(letters.subarray(done));
      expect(count).toBeLessThanOrEqual(8);
      done += count;
      await console.submit();
      device.process();
      heard();
    }
    expect(said()).toBe("the quick brown fox");
    expect(console.inFlight).toBe(0);
    expect(model.input(text("jumps over"))).toBe(10);
    let all = "";
    for (let lap = 0; lap < 9 && all.length < 10; lap++) {
      device.process();
      all += heard();
      await console.submit();
    }
    expect(all).toBe("jumps over");
    expect(model.breaches).toBe(0);
  });
});

describe("a console driver", () => {
  it("is full without an exception", async () => {
    const { console } = await open(undefined, {}, { buffers: 1, bufferBytes: 3 });
    expect(console.write(text("abcdef"))).toBe(3);
    expect(console.write(text("def"))).toBe(0);
  });

  it("has no more buffers than its queues hold", async () => {
    const { console, rig } = await open(undefined, { queueSize: 2 }, { buffers: 9 });
    expect(rig.queueAt(0).inFlight).toBe(2);
    expect(console.write(new Uint8Array(1000))).toBe(512);
  });

  it("knows the size only where SIZE was negotiated", async () => {
    const { console, model } = await open(undefined, { cols: 100, rows: 40 });
    expect(await console.size()).toEqual({ cols: 100, rows: 40 });
    model.resize(101, 41);
    expect(await console.size()).toEqual({ cols: 101, rows: 41 });
    expect(await (await open(undefined, { offers: [] })).console.size()).toBeUndefined();
  });

  it("can shout when nothing else works", async () => {
    const { console, driver, said } = await open();
    await driver.fail();
    await console.emergencyWrite(33);
    expect(said()).toBe("!");
    const silent = await open(undefined, { offers: ["SIZE"] });
    await expect(silent.console.emergencyWrite(33)).rejects.toThrow("not the driver's to write");
  });

  it("gives its guest memory back, and needs an initialised device", async () => {
    const { allocator, console, driver, core, before } = await open();
    expect(allocator.available).toBeLessThan(before);
    await driver.reset();
    console.dispose();
    expect(allocator.available).toBeGreaterThanOrEqual(before);
    await expect(ConsoleDriver.start(driver, core, allocator)).rejects.toThrow("not initialised");
  });
});
