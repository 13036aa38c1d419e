/** DriverQueue as its callers use it: bad arguments, full, policies, messages with both numbers, no allocation. */
import { describe, expect, it } from "vitest";
import { type ErrorCode, VirtioError } from "../../src/errors";
import { rig } from "./queue-rig";

const code = (name: ErrorCode) => expect.objectContaining({ code: name }) as Error;

describe.each(["split", "packed"] as const)("%s", (layout) => {
  it.each([
    ["no element", [], "BAD_ARGUMENT"],
    ["a length of 2^32", [{ address: 0, length: 2 ** 32 }], "BAD_ARGUMENT"],
    ["a length of -1", [{ address: 0, length: -1 }], "BAD_ARGUMENT"],
    ["a length of NaN", [{ address: 0, length: Number.NaN }], "BAD_ARGUMENT"],
    ["an address of 2^53", [{ address: 2 ** 53, length: 1 }], "BAD_ARGUMENT"],
    ["an address outside guest RAM", [{ address: 1 << 20, length: 1 }], "BAD_ARGUMENT"],
    [
      "nine elements in a queue of 8",
      Array.from({ length: 9 }, () => ({ address: 0, length: 1 })),
      "CHAIN_TOO_LONG",
    ],
  ] as const)("add refuses %s and takes nothing", (_, segments, name) => {
    const { driver } = rig(layout);
    expect(() => driver.add(segments)).toThrow(code(name));
    expect([driver.free, driver.inFlight]).toEqual([8, 0]);
    expect(driver.publish()).toBe(false);
  });

  it("full is a result, and nothing leaks", () => {
    const { driver, device, buffer } = rig(layout);
    const segment = buffer(8);
    const three = [segment, segment, segment];
    expect([driver.add(three), driver.add(three)].every((token) => token > 0)).toBe(true);
    expect(driver.add(three)).toBe(0);
    expect(driver.free).toBe(2);
    expect(driver.add([segment, segment])).toBeGreaterThan(0);
    expect(driver.add([segment])).toBe(0);
    driver.publish();
    expect(device.run("sink", 9)).toBe(3);
    device.publish();
    expect(driver.takeUsed()).toBe(3);
    expect(driver.free).toBe(8);
  });

  it("a table needs the feature and room in its slab entry", () => {
    const { driver, buffer } = rig(layout);
    expect(() => driver.add([buffer(8)], [], { indirect: true })).toThrow(code("INDIRECT_NOT_NEGOTIATED"));
    const withTables = rig(layout, { size: 16, features: { indirect: true } });
    const nine = Array.from({ length: 9 }, () => withTables.buffer(8));
    expect(() => withTables.driver.add(nine, [], { indirect: true })).toThrow(code("BAD_ARGUMENT"));
    expect(withTables.driver.add(nine)).toBeGreaterThan(0);
  });

  it("a used length over the writable bytes breaks the queue once, or is cut with clampUsedLength", () => {
    for (const clampUsedLength of [false, true]) {
      const reports: VirtioError[] = [];
      const options = { clampUsedLength, onViolation: (error: VirtioError) => void reports.push(error) };
      const { core, driver, device, buffer } = rig(layout, { driver: options });
      driver.add([], [buffer(64)]);
      driver.publish();
      device.take();
      device.complete(device.chain(0).token, 64);
      device.publish();
      const lengthAt =
        layout === "split" ? Number(driver.areas.device) + 8 : Number(driver.areas.descriptor) + 8;
      core.view(lengthAt, 1)[0] = 100;
      expect(driver.takeUsed()).toBe(clampUsedLength ? 1 : 0);
      if (clampUsedLength) {
        expect(driver.used.length(0)).toBe(64);
        continue;
      }
      expect(driver.error).toBe("USED_LEN_OVERFLOW");
      expect(driver.takeUsed()).toBe(0);
      expect(() => driver.add([buffer(1)])).toThrow(code("QUEUE_BROKEN"));
      expect(reports.map((error) => error.message)).toEqual([
        "queue 0: used length 100 of 64 writable bytes",
      ]);
      driver.reset();
      device.reset();
      expect(driver.error).toBeUndefined();
      expect(driver.add([buffer(1)])).toBeGreaterThan(0);
    }
  });

  it("tokens in flight are listed, and stale after a reset", () => {
    const { driver, device, buffer } = rig(layout);
    const tokens = [driver.add([buffer(1)]), driver.add([buffer(1)])];
    expect(driver.inFlightTokens()).toEqual(tokens);
    driver.publish();
    expect(device.take()).toBe(2);
    const token = device.chain(0).token;
    driver.reset();
    device.reset();
    expect(() => device.complete(token, 0)).toThrow(code("COMPLETE_UNKNOWN"));
    expect(driver.inFlightTokens()).toEqual([]);
    expect(driver.add([buffer(1)])).not.toBe(tokens[0]);
  });

  it("batched calls allocate nothing", () => {
    const gc = (globalThis as { gc?: () => void }).gc;
    const { driver, device, buffer } = rig(layout, {
      size: 64,
      driver: { batch: 32 },
      device: { batch: 32 },
    });
    const [readable, writable] = [[buffer(16)], [buffer(16)]];
    const round = () => {
      for (let i = 0; i < 32; i++) driver.add(readable, writable);
      driver.publish();
      const taken = device.take(32);
      for (let i = 0; i < taken; i++) device.complete(device.chain(i).token, 0);
      device.publish();
      const used = driver.takeUsed(32);
      let lengths = 0;
      for (let i = 0; i < used; i++) lengths += driver.used.length(i);
      return lengths;
    };
    for (let i = 0; i < 3000; i++) round();
    gc?.();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 3000; i++) round();
    const perChain = (process.memoryUsage().heapUsed - before) / (3000 * 32);
    expect(perChain).toBeLessThan(gc ? 4 : 24);
  });
});

describe.each(["split", "packed"] as const)("%s with IN_ORDER", (layout) => {
  it("a device inside WASM waits until the host has used what it took", () => {
    const { driver, device, buffer } = rig(layout, { features: { inOrder: true } });
    const tokens = [driver.add([buffer(8)]), driver.add([buffer(8)])];
    driver.publish();
    expect(device.take(1)).toBe(1);
    expect(() => device.run("sink", 8)).toThrow(code("IN_ORDER_VIOLATION"));
    device.complete(device.chain(0).token, 0);
    expect(device.run("sink", 8)).toBe(1);
    device.publish();
    expect([...driver.usedBuffers()].map((used) => used.token)).toEqual(tokens);
  });
});

describe("messages hold both numbers", () => {
  it("an index that jumped", () => {
    const reports: string[] = [];
    const { core, device } = rig("split", {
      device: { index: 2, onViolation: (error) => void reports.push(error.message) },
    });
    core.view(Number(device.areas.driver) + 2, 1)[0] = 9;
    expect(device.take()).toBe(0);
    expect(device.error).toBe("RING_INDEX_JUMP");
    expect(reports).toEqual(["queue 2: avail.idx 9 is 9 ahead of 0, more than queue size 8"]);
  });

  it("an area that is not aligned", () => {
    const { driverOptions } = rig("split");
    const areas = { ...driverOptions.areas, device: Number(driverOptions.areas.device) + 2 };
    try {
      rig("split", { driver: { areas } });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(VirtioError);
      expect(error).toMatchObject({ code: "RING_ALIGN", section: "2.7" });
      expect((error as Error).message).toContain("alignment 4");
    }
  });
});
