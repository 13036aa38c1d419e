/** What a device queue counts: chains used, their bytes, and notifications that were due or not. */
import { describe, expect, it } from "vitest";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { QueueTally } from "../../src/virtqueue/queue-tally";
import { rig } from "./queue-rig";

const FEATURES = [{}, { eventIdx: true }, { inOrder: true }, { eventIdx: true, indirect: true }];

describe.each(["split", "packed"] as const)("a %s queue", (layout) => {
  it.each(FEATURES)("counts what is used, in any order: %o", (features) => {
    const { driver, device, buffer } = rig(layout, { features });
    for (const [out, back] of [
      [16, 0],
      [100, 32],
      [0, 64],
    ] as const) {
      const some = (bytes: number) => (bytes > 0 ? [buffer(bytes)] : []);
      driver.add(some(out), some(back), { indirect: features.indirect ?? false });
    }
    driver.publish();
    expect(device.take()).toBe(3);
    const tokens = [0, 1, 2].map((i) => device.chain(i).token);
    expect(device.tally).toMatchObject({ chains: 0, bytesToDevice: 0, bytesFromDevice: 0 });
    device.complete(tokens[2] ?? 0, 64);
    // With IN_ORDER the last one waits for the others.
    const isHeld = "inOrder" in features;
    expect(device.tally.chains).toBe(isHeld ? 0 : 1);
    device.complete(tokens[0] ?? 0, 0);
    device.complete(tokens[1] ?? 0, 7);
    expect(device.tally).toMatchObject({ chains: 3, bytesToDevice: 116, bytesFromDevice: 71 });
  });

  it.each(FEATURES)("counts the chains of a flat list as those that are used one by one: %o", (features) => {
    const { core, driver, device, buffer } = rig(layout, { features });
    const offer = () => {
      for (let i = 0; i < 2; i++) driver.add([buffer(16), buffer(4)], [buffer(32)]);
      driver.publish();
    };
    const wrote = (...lengths: number[]) => {
      for (const [i, length] of lengths.entries()) core.words()[device.flat + 12 * i + 3] = length;
    };
    offer();
    expect(device.takeBatch()).toBe(2);
    wrote(7, 32);
    device.completeBatch(2);
    device.publish();
    const first = { chains: 2, bytesToDevice: 40, bytesFromDevice: 39 };
    expect(device.tally).toMatchObject({ ...first, usedNotifications: 1 });
    expect(driver.takeUsed()).toBe(2);
    offer();
    expect(device.exchange(0)).toBe(2);
    expect(device.tally).toMatchObject({ ...first, usedNotifications: 1, usedSuppressed: 0 });
    wrote(5, 33); // the second one is more than there is room for: it alone is refused
    expect(() => device.exchange(2)).toThrow(expect.objectContaining({ code: "COMPLETE_LEN_OVERFLOW" }));
    expect(device.tally).toMatchObject({ chains: 3, bytesToDevice: 60, bytesFromDevice: 44 });
  });

  it.each(FEATURES)("counts nothing of an exchange whose first completion is refused: %o", (features) => {
    const { core, driver, device, buffer } = rig(layout, { features });
    driver.add([buffer(16)], [buffer(4)]);
    driver.publish();
    expect(device.exchange(0)).toBe(1);
    core.words()[device.flat + 3] = 5;
    expect(() => device.exchange(1)).toThrow(expect.objectContaining({ code: "COMPLETE_LEN_OVERFLOW" }));
    expect(device.tally).toMatchObject({ chains: 0, bytesToDevice: 0, bytesFromDevice: 0 });
    core.words()[device.flat + 3] = 4;
    expect(device.exchange(1)).toBe(0);
    expect(device.tally).toMatchObject({ chains: 1, bytesToDevice: 16, bytesFromDevice: 4 });
  });

  it.each(["takeBatch", "exchange", "take"] as const)(
    "counts chains of a flat list that are used one by one, after the %s that ends the list",
    (next) => {
      const { core, driver, device, buffer } = rig(layout);
      for (const bytes of [16, 24, 40]) driver.add([buffer(bytes)], [buffer(4)]);
      driver.publish();
      expect(device.takeBatch()).toBe(3);
      const tokens = [0, 2, 4].map((entry) => core.words()[device.flat + 4 * entry + 2] ?? 0);
      driver.add([buffer(100)], []);
      driver.publish();
      if (next === "exchange") {
        expect(device.exchange(1)).toBe(1);
        expect(device.tally).toMatchObject({ chains: 1, bytesToDevice: 16 });
      } else {
        expect(device[next]()).toBe(1);
        device.complete(tokens[0] ?? 0, 0);
      }
      device.complete(tokens[1] ?? 0, 3);
      device.complete(tokens[2] ?? 0, 0);
      expect(device.tally).toMatchObject({ chains: 3, bytesToDevice: 80, bytesFromDevice: 3 });
    },
  );

  it("counts a publish that notifies, one that needn't, and none that shows nothing", () => {
    const { driver, device, buffer } = rig(layout);
    const serve = () => {
      driver.add([buffer(8)], []);
      driver.publish();
      device.take();
      device.complete(device.chain(0).token, 0);
      device.publish();
    };
    device.publish();
    expect(device.tally).toMatchObject({ usedNotifications: 0, usedSuppressed: 0 });
    serve();
    driver.disarm();
    serve();
    serve();
    device.publish();
    expect(device.tally).toEqual({
      chains: 3,
      bytesToDevice: 24,
      bytesFromDevice: 0,
      usedNotifications: 1,
      usedSuppressed: 2,
    });
  });

  it("counts no chain that was given back, and a refused completion neither", () => {
    const { driver, device, buffer } = rig(layout);
    driver.add([buffer(8)], []);
    driver.publish();
    device.take();
    device.undo(device.chain(0).token);
    expect(device.take()).toBe(1);
    const { token } = device.chain(0);
    expect(() => device.complete(token, 1)).toThrow();
    expect(device.tally.chains).toBe(0);
    device.complete(token, 0);
    expect(() => device.complete(token, 0)).toThrow();
    expect(device.tally).toMatchObject({ chains: 1, bytesToDevice: 8 });
  });

  it("counts the chains of a device inside WASM", () => {
    const { driver, device, buffer } = rig(layout);
    for (let i = 0; i < 3; i++) driver.add([buffer(8)], []);
    driver.publish();
    expect(device.run("sink", 8)).toBe(3);
    device.publish();
    expect(device.tally).toMatchObject({ chains: 3, usedNotifications: 1 });
  });

  it("shares a tally, which outlives it", () => {
    const tally = new QueueTally();
    const { core, driver, device, deviceOptions, buffer } = rig(layout, { device: { tally } });
    driver.add([buffer(8)], []);
    driver.publish();
    device.take();
    device.complete(device.chain(0).token, 0);
    device.dispose();
    const next = new DeviceQueue(core, deviceOptions);
    expect(next.tally).toBe(tally);
    expect(tally.chains).toBe(1);
  });
});
