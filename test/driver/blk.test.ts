// The block driver against the block model: bytes, batches in flight, wrong ranges (§5.2.6).
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import { configFields } from "../../src/device/model";
import { BLK_DRIVER_FEATURES, BlkDriver, type BlkDriverOptions } from "../../src/driver/blk";
import { VirtioDriver } from "../../src/driver/driver";
import { BlkModel, type BlkOptions } from "../../src/models/blk";
import { DeferredBackend } from "../../src/models/deferred-backend";
import { MemoryBackend } from "../../src/models/memory-backend";
import { VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP } from "../../src/spec/blk";
import { Loopback } from "../../src/transport/loopback";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { makeRig, started } from "../control-rig";

const RINGS = [
  ["split", ["VERSION_1"]],
  ["packed", ["VERSION_1", "RING_PACKED", "EVENT_IDX"]],
  ["packed in order", ["VERSION_1", "RING_PACKED", "IN_ORDER"]],
  ["split, indirect", ["VERSION_1", "INDIRECT_DESC"]],
] as const;

async function blkRig(ring: readonly string[], model: BlkOptions = {}, options: BlkDriverOptions = {}) {
  const core = loadCoreSync({ guestBytes: 1 << 20 });
  const disk = Uint8Array.from({ length: 128 * 512 }, (_, i) => (i * 31) >>> 3);
  const device = new VirtioDevice(core, new BlkModel(new MemoryBackend(disk), { queueSize: 16, ...model }));
  const allocator = new GuestAllocator(core);
  const supports = [...BLK_DRIVER_FEATURES, ...ring];
  const driver = new VirtioDriver({ port: new Loopback(device), core, allocator, supports, indirect: 3 });
  expect(await driver.initialize()).toMatchObject({ ok: true });
  const blk = await BlkDriver.start(driver, core, allocator, options);
  const finish = () => {
    const done: [token: number, status: number, bytes: number][] = [];
    void blk.submit();
    while (device.process() === "more");
    blk.poll((...result) => done.push(result));
    return done;
  };
  return { core, disk, device, allocator, driver, blk, finish };
}

describe.each(RINGS)("a block driver over %s", (name, ring) => {
  const indirect = name.includes("indirect");

  it("reads, writes, flushes and asks for the name", async () => {
    const { core, disk, allocator, blk, finish } = await blkRig(ring, { id: "seventh" }, { indirect });
    const buffer = allocator.allocate(4096);
    expect(blk.capacity).toBe(128);
    const read = blk.read(8, buffer, 4096);
    expect(finish()).toEqual([[read, VIRTIO_BLK_S_OK, 4096]]);
    expect(core.view(buffer, 4096)).toEqual(disk.slice(8 * 512, 16 * 512));
    core.view(buffer, 512).fill(0xa5);
    const write = blk.write(127, buffer, 512);
    expect(finish()).toEqual([[write, VIRTIO_BLK_S_OK, 0]]);
    expect(disk.slice(127 * 512).every((byte) => byte === 0xa5)).toBe(true);
    const flush = blk.flush();
    expect(finish()).toEqual([[flush, VIRTIO_BLK_S_OK, 0]]);
    const id = blk.getId(buffer);
    expect(finish()).toEqual([[id, VIRTIO_BLK_S_OK, 20]]);
    expect(new TextDecoder().decode(core.view(buffer, 8))).toBe("seventh\0");
  });

  it("has many requests in flight, is full without an exception, and goes on", async () => {
    const { core, disk, allocator, blk, finish } = await blkRig(ring, {}, { indirect });
    const buffer = allocator.allocate(128 * 512);
    let next = 0;
    let most = 0;
    while (next < 128) {
      while (next < 128 && blk.read(next, buffer + next * 512, 512) !== 0) next++;
      most = Math.max(most, blk.inFlight);
      expect(finish().every(([, status]) => status === VIRTIO_BLK_S_OK)).toBe(true);
      expect(blk.inFlight).toBe(0);
    }
    expect(most).toBe(indirect ? 16 : 5);
    expect(core.view(buffer, disk.length)).toEqual(disk);
  });

  it("may add requests while it takes finished ones", async () => {
    const { allocator, blk, finish, device } = await blkRig(ring, {}, { indirect, slots: 3 });
    const buffer = allocator.allocate(512);
    for (let i = 0; i < 4; i++) expect(blk.read(i, buffer, 512) > 0).toBe(i < 3);
    void blk.submit();
    device.process();
    const added: number[] = [];
    expect(blk.poll(() => added.push(blk.read(9, buffer, 512)))).toBe(3);
    expect(added.every((token) => token > 0)).toBe(true);
    expect(finish().map(([token]) => token)).toEqual(added);
  });
});

describe("a block driver", () => {
  it("keeps requests apart that are added while others of the same batch wait", async () => {
    const { allocator, blk, finish, device } = await blkRig(["VERSION_1"], {}, { slots: 4 });
    const buffer = allocator.allocate(512);
    const tokens = [0, 1, 2].map((sector) => blk.read(sector, buffer, 512));
    void blk.submit();
    device.process();
    const done: number[][] = [];
    const added: number[] = [];
    blk.poll((token, status) => {
      done.push([token, status]);
      added.push(blk.read(9, buffer, 512));
    });
    expect(done).toEqual(tokens.map((token) => [token, VIRTIO_BLK_S_OK]));
    expect(finish()).toEqual(added.map((token) => [token, VIRTIO_BLK_S_OK, 512]));
    expect(blk.inFlight).toBe(0);
  });

  it.each([
    [-1, 512],
    [128, 512],
    [127, 1024],
    [0, 511],
    [0, 0],
    [0.5, 512],
    [Number.NaN, 512],
    [2 ** 53, 512],
  ])("refuses sector %d with %d bytes before it reaches the device", async (sector, length) => {
    const { blk } = await blkRig(["VERSION_1"]);
    expect(() => blk.read(sector, 0, length)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    expect(blk.inFlight).toBe(0);
  });

  it("passes on what the device says", async () => {
    const readOnly = await blkRig(["VERSION_1"], { offers: ["RO"] });
    const buffer = readOnly.allocator.allocate(512);
    const write = readOnly.blk.write(0, buffer, 512);
    expect(readOnly.finish()).toEqual([[write, VIRTIO_BLK_S_IOERR, 0]]);
    const flush = readOnly.blk.flush();
    expect(readOnly.finish()).toEqual([[flush, VIRTIO_BLK_S_UNSUPP, 0]]);
  });

  it("writes sectors above 2^32 in two words", async () => {
    const backend = { sectors: 2 ** 40, read: () => {}, write: () => {}, flush: () => {} };
    const core = loadCoreSync({ guestBytes: 1 << 20 });
    const seen: number[] = [];
    const model = new BlkModel({ ...backend, read: (sector: number) => void seen.push(sector) });
    const device = new VirtioDevice(core, model);
    const allocator = new GuestAllocator(core);
    const driver = new VirtioDriver({ port: new Loopback(device), core, allocator, supports: ["VERSION_1"] });
    await driver.initialize();
    const blk = await BlkDriver.start(driver, core, allocator);
    blk.read(2 ** 40 - 1, allocator.allocate(512), 512);
    void blk.submit();
    device.process();
    expect(seen).toEqual([2 ** 40 - 1]);
  });

  it("keeps requests apart that finish in another order", async () => {
    const backend = new DeferredBackend(new MemoryBackend(new Uint8Array(512 * 8)));
    const core = loadCoreSync({ guestBytes: 1 << 20 });
    const device = new VirtioDevice(core, new BlkModel(backend, { queueSize: 16 }));
    const allocator = new GuestAllocator(core);
    const driver = new VirtioDriver({ port: new Loopback(device), core, allocator, supports: ["VERSION_1"] });
    await driver.initialize();
    const blk = await BlkDriver.start(driver, core, allocator, { slots: 3 });
    const buffer = allocator.allocate(512);
    const statuses = new Map<number, number>();
    const take = () => blk.poll((token, status) => statuses.set(token, status));
    const start = () => {
      const token = blk.read(0, buffer, 512);
      void blk.submit();
      device.process();
      return token;
    };
    const [first, second, third] = [start(), start(), start()];
    await backend.settle(1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(take()).toBe(1);
    const fourth = start();
    expect(start()).toBe(0);
    await backend.settle(0, new Error("disk"));
    await backend.settleAll();
    await device.idle();
    expect(take()).toBe(3);
    expect([first, second, third, fourth].map((token) => statuses.get(token))).toEqual([1, 0, 0, 0]);
    expect(blk.inFlight).toBe(0);
  });

  it("sees when a device wrote no status", async () => {
    const rig = await started(
      makeRig({ model: { deviceId: 2, config: configFields("blk", { capacity: 8 }) } }),
    );
    const blk = await BlkDriver.start(rig.driver, rig.core, rig.allocator);
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) {
      blk.read(0, 0, 512);
      void blk.submit();
      rig.device.process();
      blk.poll((_, status) => statuses.push(status));
    }
    expect(statuses).toEqual([0xff, 0xff, 0xff]);
  });

  it("gives its guest memory back, and needs an initialised device", async () => {
    const { allocator, blk, driver, core } = await blkRig(["VERSION_1"]);
    const before = allocator.available;
    await driver.reset();
    blk.dispose();
    expect(allocator.available).toBeGreaterThan(before);
    await expect(BlkDriver.start(driver, core, allocator)).rejects.toThrow(
      expect.objectContaining({ code: "QUEUE_NOT_READY" }),
    );
  });
});
