/** Touched ranges: applying them in order to a copy of guest memory keeps the copy a working ring. */
import { describe, expect, it } from "vitest";
import type { TouchedRange } from "../../src/virtqueue/ring-half";
import { rig } from "./queue-rig";

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([{}, { eventIdx: true }, { indirect: true }, { inOrder: true }])("%j", (features) => {
    it("name every byte that changed, the index or the head flags last", () => {
      const { core, driver, device, buffer } = rig(layout, {
        features,
        driver: { touched: true },
        device: { touched: true },
      });
      const guest = () => core.view(0, 1 << 20);
      const mirror = guest().slice();
      const apply = (ranges: TouchedRange[]) => {
        for (const { address, length } of ranges)
          mirror.set(guest().subarray(address, address + length), address);
      };
      const [out, back, other] = [buffer(16), buffer(48), buffer(8)];
      guest().fill(7, out.address, out.address + 16);
      mirror.fill(7, out.address, out.address + 16);
      for (let round = 0; round < 40; round++) {
        driver.add([out, other], [back], { indirect: features.indirect === true && round % 2 === 0 });
        driver.add([other]);
        driver.publish();
        driver.arm();
        const ranges = driver.touched();
        expect(ranges.length).toBeGreaterThan(2);
        apply(ranges);
        expect(Buffer.compare(guest(), mirror)).toBe(0);
        expect(device.take(1)).toBe(1);
        const chain = device.chain(0);
        const writer = chain.writer();
        writer.write(Uint8Array.of(round, 1, 2, 3));
        device.complete(chain.token, writer.written);
        device.run("echo", 8);
        device.publish();
        device.disarm();
        device.arm();
        apply(device.touched());
        expect(Buffer.compare(guest(), mirror)).toBe(0);
        expect(driver.takeUsed()).toBe(2);
      }
    });
  });

  it("are told at once to an observer, after publish, arm and disarm, with the payload before the ring", () => {
    const told: (readonly TouchedRange[])[] = [];
    const { driver, device, buffer } = rig(layout, { device: { onTouched: (ranges) => told.push(ranges) } });
    const back = buffer(16);
    driver.add([], [back]);
    driver.publish();
    device.take();
    const chain = device.chain(0);
    chain.writer().write(Uint8Array.of(1, 2, 3));
    device.complete(chain.token, 3);
    expect(told).toEqual([]);
    device.publish();
    expect(told).toHaveLength(1);
    expect(told[0]?.[0]).toEqual({ address: back.address, length: 3 });
    expect(told[0]?.length).toBeGreaterThan(1);
    device.disarm();
    device.arm();
    expect(told).toHaveLength(3);
    expect(device.touched()).toEqual([]);
    device.publish();
    expect(told).toHaveLength(3);
  });

  it("end a batch with the word that publishes it", () => {
    const { driver, buffer } = rig(layout, { driver: { touched: true } });
    driver.add([buffer(16)]);
    driver.add([buffer(16)]);
    expect(driver.touched().length).toBeGreaterThan(0);
    driver.publish();
    const descriptor = Number(driver.areas.descriptor);
    const last =
      layout === "split"
        ? { address: Number(driver.areas.driver) + 2, length: 2 }
        : { address: descriptor + 14, length: 2 };
    expect(driver.touched()).toEqual([last]);
  });

  it("are BUFFER_TOO_SHORT before anything is consumed when nobody reads the log", () => {
    const { driver, device, buffer } = rig(layout, { driver: { touched: true }, device: { touched: true } });
    const [a, b] = [buffer(16), buffer(16)];
    const pushed = () => {
      for (let i = 0; i < 1000; i++) {
        driver.add([a, b]);
        driver.publish();
        device.run("sink", 8);
        device.publish();
        driver.takeUsed();
      }
    };
    expect(pushed).toThrow(expect.objectContaining({ code: "BUFFER_TOO_SHORT" }) as Error);
    driver.touched();
    device.touched();
    for (let i = 0; i < 4; i++) device.run("sink", 8);
    device.publish();
    driver.takeUsed();
    expect(driver.inFlight).toBe(0);
    expect(driver.error).toBeUndefined();
    expect(device.error).toBeUndefined();
  });
});
