/** Loading, foreign memories, regions, growth, several cores side by side, and the end of life. */
import { describe, expect, it } from "vitest";
import { loadCore, loadCoreSync } from "../../src/core/core";
import { mergeRegions } from "../../src/core/regions";
import { stateBytes } from "../../src/core/state-area";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { areasOf, rig, ringOf } from "../virtqueue/queue-rig";

const bad = expect.objectContaining({ code: "BAD_ARGUMENT" }) as Error;
const MIB = 1 << 20;

/** A memory of an emulator: guest RAM at an odd multiple of 16, state behind it, everything else a canary. */
function foreign(pages = 64) {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 256 });
  new Uint8Array(memory.buffer).fill(0xa5);
  const guest = { gpa: 0, base: 0x12350, size: 0x40000 };
  const needed = stateBytes({ queues: 1, maxQueueSize: 16, batch: 16 });
  const state = { base: 0x100000, size: needed };
  return { memory, guest, state };
}

describe("loadCore", () => {
  it("works on its own memory, at once or later", async () => {
    for (const core of [loadCoreSync({ guestBytes: MIB }), await loadCore({ guestBytes: MIB })]) {
      expect(core.regions).toEqual([{ gpa: 0, base: 65536, size: MIB }]);
      expect(core.shared).toBe(false);
    }
    expect(loadCoreSync({ guestBytes: MIB, shared: true }).shared).toBe(true);
  });

  it.each([
    [{ guestBytes: 15 }, /guestBytes 15/],
    [{ guestBytes: Number.NaN }, /guestBytes NaN/],
    [{ memory: new WebAssembly.Memory({ initial: 1 }) }, /regions/],
  ])("refuses %j", (options, message) => {
    expect(() => loadCoreSync(options)).toThrow(bad);
    expect(() => loadCoreSync(options)).toThrow(message);
  });

  it("stateBytes says exactly enough, and one byte less is too little", () => {
    for (const short of [0, 64]) {
      const { memory, guest, state } = foreign();
      const core = loadCoreSync({ memory, regions: [guest], state: { ...state, size: state.size - short } });
      const allocator = new GuestAllocator(core);
      const options = () => ({
        index: 0,
        ring: ringOf("split"),
        size: 16,
        batch: 16,
        areas: areasOf(allocator, "split", 16),
      });
      const make = () => [new DriverQueue(core, options()), new DeviceQueue(core, options())];
      if (short) expect(make).toThrow(bad);
      else expect(make()).toHaveLength(2);
    }
  });

  it("leaves every byte outside guest RAM and state alone, also over growth by others", () => {
    const { memory, guest, state } = foreign();
    const core = loadCoreSync({ memory, regions: [guest], state });
    const { driver, device, buffer } = rig("packed", {
      core,
      size: 16,
      driver: { batch: 16 },
      device: { batch: 16 },
    });
    const segment = buffer(64);
    for (let i = 0; i < 100; i++) {
      driver.add([segment], [segment]);
      driver.publish();
      if (i % 25 === 24) memory.grow(1);
      expect(device.run("echo", 4)).toBe(1);
      device.publish();
      expect(driver.takeUsed()).toBe(1);
    }
    const bytes = new Uint8Array(memory.buffer, 0, 64 * 65536);
    const own = [guest, state];
    let changed = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== 0xa5 && !own.some(({ base, size }) => at >= base && at < base + size)) changed++;
    }
    expect(changed).toBe(0);
    expect(memory.buffer.byteLength).toBe(68 * 65536);
  });

  it("refuses state that overlaps guest RAM or ends behind the memory", () => {
    const { memory, guest, state } = foreign();
    expect(() =>
      loadCoreSync({ memory, regions: [guest], state: { base: 0x20000, size: state.size } }),
    ).toThrow(bad);
    expect(() =>
      loadCoreSync({ memory, regions: [guest], state: { base: 63 * 65536, size: 65537 } }),
    ).toThrow(bad);
    expect(() =>
      loadCoreSync({ memory, regions: [guest], state: { base: 0x100010, size: state.size } }),
    ).toThrow(bad);
  });

  it("several cores and queues live side by side on one memory", () => {
    const memory = new WebAssembly.Memory({ initial: 64 });
    const rigs = [0, 1, 2].map((i) => {
      const regions = [{ gpa: 0x10000000 * i, base: i * 0x100000, size: 0x40000 }];
      const state = { base: i * 0x100000 + 0x80000, size: 0x80000 };
      const core = loadCoreSync({ memory, regions, state });
      return [
        rig("split", { core }),
        rig("packed", {
          core,
          allocator: new GuestAllocator(core, { gpa: 0x10000000 * i + 0x20000, size: 0x20000 }),
        }),
      ];
    });
    for (let round = 0; round < 8; round++) {
      for (const { driver, device, buffer, core } of rigs.flat()) {
        const segment = buffer(32);
        core.view(segment.address, 32).fill(round);
        expect(driver.add([segment])).toBeGreaterThan(0);
        driver.publish();
        expect(device.take()).toBe(1);
        expect(device.chain(0).view(0)[31]).toBe(round);
        device.complete(device.chain(0).token, 0);
        device.publish();
        expect(driver.takeUsed()).toBe(1);
      }
    }
  });

  it("state of a disposed queue is used again; a disposed core makes no queues", () => {
    const { memory, guest, state } = foreign();
    const core = loadCoreSync({ memory, regions: [guest], state });
    for (let i = 0; i < 100; i++) {
      const allocator = new GuestAllocator(core);
      const options = {
        index: 0,
        ring: ringOf("split"),
        size: 16,
        batch: 16,
        areas: areasOf(allocator, "split", 16),
      };
      const queue = new DriverQueue(core, options);
      queue.dispose();
      queue.dispose();
      expect(() => queue.publish()).toThrow(expect.objectContaining({ code: "QUEUE_NOT_READY" }) as Error);
    }
    core.dispose();
    expect(() => rig("split", { core })).toThrow(
      expect.objectContaining({ code: "QUEUE_NOT_READY" }) as Error,
    );
  });
});

describe("regions", () => {
  const region = (gpa: number, base: number, size: number, readOnly = false) => ({
    gpa,
    base,
    size,
    readOnly,
  });

  it("that touch on both sides are merged, in guest order", () => {
    expect(mergeRegions([region(0x1000, 0x2000, 0x100), region(0, 0x1000, 0x1000)], MIB)).toEqual([
      region(0, 0x1000, 0x1100),
    ]);
  });

  it.each([
    ["touch but lie apart", [region(0, 0, 0x100), region(0x100, 0x200, 0x100)]],
    ["touch with another access", [region(0, 0, 0x100), region(0x100, 0x100, 0x100, true)]],
    ["overlap", [region(0, 0, 0x100), region(0x80, 0x200, 0x100)]],
    ["end behind the memory", [region(0, MIB - 16, 32)]],
    ["have base 8", [region(0, 8, 32)]],
    ["have no size", [region(0, 0, 0)]],
    ["have a size that is no number", [region(0, 0, Number.NaN)]],
    ["begin below 0", [region(-16, 0, 16)]],
    ["are none", []],
    ["are nine", Array.from({ length: 9 }, (_, i) => region(i * 64, i * 64, 16))],
  ])("that %s are refused", (_, regions) => {
    expect(() => mergeRegions(regions, MIB)).toThrow(bad);
  });

  it("translate both ways, and not into a hole", () => {
    const memory = new WebAssembly.Memory({ initial: 32 });
    const regions = [region(0, 0x10000, 0x10000), region(0x100000000, 0x40000, 0x10000)];
    const core = loadCoreSync({ memory, regions, state: { base: 0x100000, size: 0x10000 } });
    expect(core.translate(0x100000010, 16)).toBe(0x40010);
    expect(core.guestAddress(0x40010)).toBe(0x100000010);
    expect(() => core.translate(0xfff8, 16)).toThrow(bad);
    expect(() => core.guestAddress(0x30000)).toThrow(bad);
  });
});
