// The entropy driver against the entropy model (§5.4.6).
import { describe, expect, it } from "vitest";
import { RngDriver } from "../../src/driver/rng";
import { RngModel, type RngOptions } from "../../src/models/rng";
import { LAYOUTS, openRig } from "../models/rig";

async function rngRig(ring: readonly string[], options: RngOptions = {}) {
  let next = 1;
  const rig = await openRig(new RngModel((bytes) => void bytes.fill(next++), options), ring);
  const rng = new RngDriver(rig.driver, rig.core, rig.allocator);
  const finish = () => {
    const done: [token: number, bytes: number[]][] = [];
    void rng.submit();
    while (rig.device.process() === "more");
    rng.poll((token, bytes) => done.push([token, [...bytes]]));
    return done;
  };
  return { ...rig, rng, finish };
}

describe.each(LAYOUTS)("an entropy driver on %s", (_, ring) => {
  it("gets what it asked for, request by request", async () => {
    const { rng, finish } = await rngRig(ring);
    const tokens = [rng.request(2), rng.request(3)];
    expect(rng.inFlight).toBe(2);
    expect(finish()).toEqual([
      [tokens[0], [1, 1]],
      [tokens[1], [2, 2, 2]],
    ]);
    expect(rng.inFlight).toBe(0);
  });

  it("is full without an exception, goes on, and gives all memory back", async () => {
    const { rng, finish, queue, allocator } = await rngRig(ring);
    const before = allocator.available;
    for (let lap = 0; lap < 3; lap++) {
      let count = 0;
      while (rng.request(8) !== 0) count++;
      expect(count).toBe(queue.size);
      expect(finish()).toHaveLength(count);
    }
    expect(allocator.available).toBe(before);
  });
});

describe("an entropy driver", () => {
  it("may ask for more while it takes what came", async () => {
    const { rng, device } = await rngRig(["VERSION_1"]);
    rng.request(1);
    void rng.submit();
    device.process();
    expect(rng.poll(() => rng.request(1))).toBe(1);
    expect(rng.inFlight).toBe(1);
  });

  it("gives memory of unfinished requests back after a reset", async () => {
    const { rng, driver, allocator } = await rngRig(["VERSION_1"]);
    const before = allocator.available;
    rng.request(64);
    await driver.reset();
    rng.dispose();
    expect(allocator.available).toBeGreaterThan(before);
    expect(() => new RngDriver(driver, {} as never, allocator)).toThrow("not initialised");
  });
});
