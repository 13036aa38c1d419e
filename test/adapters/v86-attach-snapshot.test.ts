/** v86's snapshots with our devices in them: in place, in another emulator, in mid-work, and such as are no good. */
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { BlkModel } from "../../src/models/blk";
import { ConsoleModel } from "../../src/models/console";
import { DeferredBackend } from "../../src/models/deferred-backend";
import { MemoryBackend } from "../../src/models/memory-backend";
import { RngModel } from "../../src/models/rng";
import { VIRTIO_BLK_S_OK as OK } from "../../src/spec/blk";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { Attached, type Disk } from "./v86-attached";
import { V86Machine } from "./v86-machine";

const SECTORS = 64;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const blk = (bytes: Uint8Array) => new BlkModel(new MemoryBackend(bytes));

const rigs: Attached[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.stop();
});

async function start(...parameters: Parameters<typeof Attached.start>): Promise<Attached> {
  const rig = await Attached.start(...parameters);
  rigs.push(rig);
  return rig;
}

/** The driver half of another emulator's guest, which its RAM alone doesn't hold. */
function continued(driven: Disk, core: Attached["core"]): DriverQueue {
  const [queue] = driven.driving.driver.queues;
  if (queue === undefined) throw new Error("no queue");
  const { index, ring, size, areas } = queue;
  return DriverQueue.restore(core, { index, ring, size, areas, keepRings: true }, queue.save());
}

describe.each([["VERSION_1"], ["VERSION_1", "RING_PACKED", "EVENT_IDX"]])("a snapshot, %s", (...ring) => {
  it("goes on in another emulator, with what was available and not served", async () => {
    const bytes = new Uint8Array(randomBytes(512 * SECTORS));
    const one = await start([blk(bytes)]);
    const driven = await one.disk(0, ring);
    driven.add("read", 8);
    expect(await driven.served()).toEqual([OK]);
    driven.add("read", 16, 1);
    const [state, queue] = await one.attachment.quietly(async () => {
      await driven.blk.submit();
      return [await one.machine.emulator.save_state(), driven] as const;
    });

    const two = await start([blk(bytes)]);
    const half = continued(queue, two.core);
    await two.machine.emulator.restore_state(state);
    expect(two.device(0).device.ring?.layout).toBe(ring.includes("RING_PACKED") ? "packed" : "split");
    await two.attachment.idle();
    expect(half.takeUsed()).toBe(1);
    expect(two.core.view(driven.address(1), 4096)).toEqual(bytes.subarray(8192, 8192 + 4096));
    expect(two.core.view(driven.address(0), 4096)).toEqual(bytes.subarray(4096, 8192));
    expect(two.device(0).counters).toMatchObject({ chains: 1, interrupts: 1, violations: 0 });
  });

  it("goes back in place", async () => {
    const bytes = new Uint8Array(randomBytes(512 * SECTORS));
    const rig = await start([blk(bytes)]);
    const driven = await rig.disk(0, ring);
    rig.bus(0).writeConfig(0x20, 4, 0xd000);
    const before = driven.driving.driver.queues[0]?.save();
    const state = await rig.machine.emulator.save_state();
    driven.add("read", 8);
    expect(await driven.served()).toEqual([OK]);
    rig.bus(0).writeConfig(0x20, 4, 0xe000);
    await rig.machine.emulator.restore_state(state);
    expect([rig.device(0).device.phase, rig.bus(0).base(4)]).toEqual(["live", 0xd000]);
    expect([...driven.bytes()].every((byte) => byte === 0)).toBe(true);
    expect(driven.driving.driver.queues[0]?.save()).not.toEqual(before);
  });
});

describe("what a backend still works on", () => {
  it("is waited for, and what is notified meanwhile waits", async () => {
    const backend = new DeferredBackend(new MemoryBackend(new Uint8Array(512 * SECTORS)));
    const rig = await start([new BlkModel(backend)]);
    const driven = await rig.disk(0, ["VERSION_1"]);
    driven.add("read", 0);
    await driven.blk.submit();
    await turn();
    expect(backend.pending).toBe(1);
    let isSaved = false;
    const saving = rig.machine.emulator.save_state().then(() => {
      isSaved = true;
    });
    driven.add("read", 8, 1);
    await driven.blk.submit();
    for (let i = 0; i < 5; i++) await turn();
    expect([isSaved, backend.pending]).toEqual([false, 1]);
    await backend.settleAll();
    await saving;
    await turn();
    expect([isSaved, backend.pending, driven.finished()]).toEqual([true, 1, [OK]]);
    await backend.settleAll();
    await rig.attachment.idle();
    expect(driven.finished()).toEqual([OK]);
  });

  it("a chain that a model is in the middle of is read to its end", async () => {
    const heard: Uint8Array[] = [];
    const rig = await start([new ConsoleModel({ onOutput: (bytes) => heard.push(bytes) })]);
    const { driver, core, allocator } = await rig.drive(0, ["VERSION_1"], { indirect: 16 });
    const piece = { address: allocator.allocate(0x4000), length: 0x4000 };
    core.view(piece.address, piece.length).fill(7);
    const [, transmit] = driver.queues;
    transmit?.add(new Array(15).fill(piece), []);
    await driver.kick(1);
    await Promise.resolve();
    expect([heard.length, rig.device(0).device.canSave]).toEqual([4, false]);
    await rig.machine.emulator.save_state();
    expect([heard.length, rig.device(0).device.canSave]).toEqual([15, true]);
    expect(transmit?.takeUsed()).toBe(1);
  });

  it("is dropped by a restore", async () => {
    const backend = new DeferredBackend(new MemoryBackend(new Uint8Array(512 * SECTORS).fill(7)));
    const rig = await start([new BlkModel(backend)]);
    const state = await rig.machine.emulator.save_state();
    const driven = await rig.disk(0, ["VERSION_1"]);
    driven.add("read", 0);
    await driven.blk.submit();
    await turn();
    const restoring = rig.machine.emulator.restore_state(state);
    await backend.settleAll();
    await restoring;
    expect(rig.device(0).device.phase).toBe("reset");
    expect(rig.core.view(driven.address(), 4096).every((byte) => byte === 0)).toBe(true);
  });
});

describe("a snapshot that is no good", () => {
  const disk = () => blk(new Uint8Array(512 * SECTORS));

  /** Saves an emulator with these devices and restores it into another one with those. */
  async function moved(from: Parameters<typeof Attached.start>[0], to: Parameters<typeof Attached.start>[0]) {
    const one = await start(from);
    if (one.device(0).device.model.name === "blk") await one.disk(0, ["VERSION_1"]);
    const state = await one.machine.emulator.save_state();
    const two = await start(to);
    if (two.device(0).name === "blk0") await two.disk(0, ["VERSION_1"]);
    return { two, restored: two.machine.emulator.restore_state(state) };
  }

  it("made without our devices", async () => {
    const plain = await V86Machine.start({});
    const state = await plain.emulator.save_state();
    await plain.stop();
    const rig = await start([disk()]);
    await rig.disk(0, ["VERSION_1"]);
    await expect(rig.machine.emulator.restore_state(state)).rejects.toMatchObject({
      code: "SNAPSHOT_INVALID",
      message: "the snapshot was made without blk0",
    });
    await usable(rig);
  });

  it.each([
    [
      "with fewer devices",
      () => [disk()],
      () => [disk(), new RngModel()],
      "the snapshot was made without rng0",
    ],
    [
      "with more devices",
      () => [disk(), new RngModel()],
      () => [disk()],
      "the snapshot has rng0, attached are blk0",
    ],
    [
      "with a device elsewhere",
      () => [new RngModel(), disk()],
      () => [disk(), new RngModel()],
      /^blk0: PCI device number \d+ in the snapshot, here \d+$/,
    ],
    ["of another offer", () => [{ model: disk(), offer: ["VERSION_1"] }], () => [disk()], /^blk0: /],
    [
      "of another offer in its second device",
      () => [disk(), { model: new RngModel(), offer: ["VERSION_1"] }],
      () => [disk(), new RngModel()],
      /^rng0: /,
    ],
    [
      "of a transitional device",
      () => [{ model: disk(), transitional: true }],
      () => [disk()],
      /^blk0: configuration space is another one/,
    ],
    [
      "of another device type under the same name",
      () => [{ model: new RngModel(), name: "blk0" }],
      () => [disk()],
      /^blk0: /,
    ],
  ] as const)(
    "%s: refused by name, the devices are reset, and the emulator goes on",
    async (_, from, to, message) => {
      const { two, restored } = await moved(from(), to());
      await expect(restored).rejects.toMatchObject({
        code: "SNAPSHOT_INVALID",
        message: typeof message === "string" ? message : expect.stringMatching(message),
      });
      await usable(two);
    },
  );

  it("damaged by a byte", async () => {
    const rig = await start([disk()]);
    await rig.disk(0, ["VERSION_1"]);
    const state = await rig.machine.emulator.save_state();
    const text = Buffer.from(state);
    const at = text.indexOf("virtq.device/1");
    expect(at).toBeGreaterThan(0);
    const digit = text.indexOf("status", at) + 'status\\":'.length;
    text[digit] = (text[digit] ?? 0) ^ 1;
    await expect(rig.machine.emulator.restore_state(state)).rejects.toMatchObject({
      code: "SNAPSHOT_INVALID",
    });
    await usable(rig);
  });

  async function usable(rig: Attached): Promise<void> {
    expect(rig.attachment.devices.map(({ device }) => device.phase)).toEqual(
      rig.attachment.devices.map(() => "reset"),
    );
    const again = await rig.disk(0, ["VERSION_1"]);
    again.add("read", 0);
    expect(await again.served()).toEqual([OK]);
  }
});
