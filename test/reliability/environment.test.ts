/**
 * Hazards of the environment and of the JavaScript side: memory that grows under live views, regions that don't fit, disposed
 * queues, a trapping core, chains used against their direction, misaligned areas, and a long soak.
 */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi";
import { type Core, loadCoreSync } from "../../src/core/core";
import { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import type { Chain } from "../../src/virtqueue/chain";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { ringLayout } from "../../src/virtqueue/layout";
import { addChains, makeRig, roundTrips, started } from "../control-rig";
import { BACKENDS, openWorld } from "../rings";
import { titleOf } from "./corpus";
import { profileOptions } from "./stage";

const SPLIT = ringLayout(FeatureSet.of("VERSION_1", "INDIRECT_DESC"));
const PACKED = ringLayout(FeatureSet.of("VERSION_1", "RING_PACKED", "INDIRECT_DESC"));
const RINGS = [SPLIT, PACKED] as const;
const AREAS = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };

const code = (name: string) => expect.objectContaining({ code: name });
const segment = (address: number, length: number) => ({ address, length });

/** Both halves of a queue of 8 in guest RAM of 256 KiB at 1 MiB of a memory of 64 pages. */
function open(ring: (typeof RINGS)[number], memory = new WebAssembly.Memory({ initial: 64, maximum: 128 })) {
  const core = loadCoreSync({
    memory,
    regions: [{ gpa: 0, base: 0x100000, size: 0x40000 }],
    state: { base: 0x200000, size: 0x40000 },
  });
  return { core, memory, ...openQueue(core, ring, AREAS, 0) };
}

function openQueue(core: Core, ring: (typeof RINGS)[number], areas: typeof AREAS, index: number) {
  const options = { index, ring, size: 8, areas };
  return { driver: new DriverQueue(core, options), device: new DeviceQueue(core, options) };
}

function roundTrip(driver: DriverQueue, device: DeviceQueue, fill: number): void {
  const token = driver.add([segment(0x8000, 4)], [segment(0x9000, 8)]);
  driver.publish();
  expect(device.take()).toBe(1);
  const chain = device.chain(0);
  const writer = chain.writer();
  writer.write(new Uint8Array(8).fill(fill));
  device.complete(chain.token, writer.written);
  device.publish();
  expect([driver.takeUsed(), driver.used.token(0), driver.used.length(0)]).toEqual([1, token, 8]);
}

describe(titleOf("D250"), () => {
  test.each(RINGS)("D250 $layout", (ring) => {
    const { core, memory, driver, device } = open(ring);
    roundTrip(driver, device, 1);
    core.view(0x8000, 4).set([1, 2, 3, 4]);
    const tokens = [0, 1, 2].map((i) => driver.add([segment(0x8000, 4)], [segment(0x9000 + 16 * i, 8)]));
    driver.publish();
    expect(device.take()).toBe(3);
    const kept = [0, 1, 2].map((i) => device.chain(i).keep());
    const stale = core.bytes();
    const reader = device.chain(0).reader();
    expect(reader.readU8()).toBe(1);

    memory.grow(1);
    expect(stale.length).toBe(0); // detached
    expect([reader.readU8(), reader.remaining]).toEqual([2, 2]);
    kept.forEach((chain, i) => {
      expect([...chain.view(0)]).toEqual([1, 2, 3, 4]);
      const writer = chain.writer();
      writer.write(new Uint8Array(5).fill(i + 1));
      memory.grow(1);
      writer.write(new Uint8Array(3).fill(i + 1));
      device.complete(chain.token, writer.written);
    });
    device.publish();
    memory.grow(1);
    expect(driver.takeUsed()).toBe(3);
    expect([0, 1, 2].map((i) => [driver.used.token(i), driver.used.length(i)])).toEqual(
      tokens.map((t) => [t, 8]),
    );
    for (const i of [0, 1, 2]) {
      expect([...new Set(new Uint8Array(memory.buffer, 0x109000 + 16 * i, 8))]).toEqual([i + 1]);
    }
    roundTrip(driver, device, 9);
  });
});

describe(titleOf("D251"), () => {
  test.each([
    ["guest RAM behind the memory's end", { regions: [{ gpa: 0, base: 0x100000, size: 0x40000 }] }],
    ["guest RAM that only begins inside", { regions: [{ gpa: 0, base: 0xf0000, size: 0x10010 }] }],
    ["state behind the memory's end", { state: { base: 0x100000, size: 0x10000 } }],
    ["a base near 2^32", { regions: [{ gpa: 0, base: 0xffff_fff0, size: 0x20 }] }],
    ["a size near 2^32", { regions: [{ gpa: 0, base: 0x10, size: 0xffff_fff0 }] }],
    ["no memory at all", { regions: [] }],
  ])("D251 %s", (_, wrong) => {
    const memory = new WebAssembly.Memory({ initial: 16 });
    const right = { regions: [{ gpa: 0, base: 0, size: 0x40000 }], state: { base: 0x80000, size: 0x40000 } };
    expect(() => {
      const core = loadCoreSync({ memory, ...right, ...wrong });
      openQueue(core, SPLIT, AREAS, 0);
    }).toThrow(expect.objectContaining({ code: expect.stringMatching(/BAD_ARGUMENT|RING_OUT_OF_GUEST/) }));
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
    const core = loadCoreSync({ memory, ...right });
    const { driver, device } = openQueue(core, SPLIT, AREAS, 0);
    for (let i = 0; i < 3; i++) roundTrip(driver, device, i);
  });
});

describe(titleOf("D257"), () => {
  test.each(RINGS)("D257 $layout", (ring) => {
    const { core, memory, driver, device } = open(ring);
    roundTrip(driver, device, 1);
    driver.add([segment(0x8000, 4)]);
    driver.publish();
    device.take();
    const { token } = device.chain(0);
    driver.dispose();
    device.dispose();
    const before = Buffer.from(new Uint8Array(memory.buffer));
    for (const use of [
      () => driver.add([segment(0x8000, 4)]),
      () => driver.addBatch(1),
      () => driver.publish(),
      () => driver.takeUsed(),
      () => driver.arm(),
      () => driver.disarm(),
      () => driver.hasUsed(),
      () => driver.reset(),
      () => driver.save(),
      () => driver.touched(),
      () => [...driver.usedBuffers()],
      () => device.take(),
      () => [...device.chains()],
      () => device.complete(token, 0),
      () => device.undo(token),
      () => device.publish(),
      () => device.arm(),
      () => device.disarm(),
      () => device.hasAvailable(),
      () => device.run("sink", 1),
      () => device.reset(),
      () => device.save(),
      () => device.touched(),
    ]) {
      expect(use).toThrow(code("QUEUE_NOT_READY"));
    }
    driver.dispose(); // twice is once
    expect(before.equals(new Uint8Array(memory.buffer))).toBe(true);
    const next = openQueue(core, ring, AREAS, 0);
    for (let i = 0; i < 3; i++) roundTrip(next.driver, next.device, i);
  });
});

// The release core has no assertion that a test could trip: a queue struct whose ring pointer was destroyed makes it trap.
describe(titleOf("D258"), () => {
  test.each(RINGS)("D258 $layout", (ring) => {
    const { core, driver, device } = open(ring);
    const other = openQueue(core, ring, { descriptor: 0x11000, driver: 0x12000, device: 0x13000 }, 1);
    driver.add([segment(0x8000, 4)]);
    driver.publish();
    core.words()[(device.q + abi.QUEUE_DESC) >>> 2] = 0xffff_fff0;
    core.words()[(device.q + abi.QUEUE_DRIVER_AREA) >>> 2] = 0xffff_fff0;
    expect(() => device.take()).toThrow(code("INTERNAL"));
    expect(device.error).toBe("INTERNAL");
    expect(device.take()).toBe(0);
    for (let i = 0; i < 3; i++) roundTrip(other.driver, other.device, i);

    core.words()[(driver.q + abi.QUEUE_DESC) >>> 2] = 0xffff_fff0;
    core.words()[(driver.q + abi.QUEUE_DEVICE_AREA) >>> 2] = 0xffff_fff0;
    expect(() => driver.takeUsed()).toThrow(code("INTERNAL"));
    expect([driver.takeUsed(), driver.error]).toEqual([0, "INTERNAL"]);
    for (let i = 0; i < 3; i++) roundTrip(other.driver, other.device, i);
  });
});

function chainOf(ring: (typeof RINGS)[number], writables: readonly number[]) {
  const { core, driver, device } = open(ring);
  driver.add(
    [segment(0x8000, 16)],
    writables.map((length, i) => segment(0x9000 + 0x100 * i, length)),
  );
  driver.publish();
  device.take();
  const chain: Chain = device.chain(0);
  const finish = (written: number): void => {
    device.complete(chain.token, written);
    device.publish();
    expect([driver.takeUsed(), driver.used.length(0)]).toEqual([1, written]);
    for (let i = 0; i < 3; i++) roundTrip(driver, device, i);
  };
  return { core, chain, finish };
}

describe(titleOf("D260"), () => {
  test.each(RINGS)("D260 $layout", (ring) => {
    const { core, chain, finish } = chainOf(ring, [8]);
    expect(() => chain.writableView(0)).toThrow(code("BAD_ARGUMENT"));
    expect(chain.writableView(1).length).toBe(8);
    for (const segmentIndex of [2, -1, 0.5, Number.NaN]) {
      expect(() => chain.writableView(segmentIndex)).toThrow(code("BAD_ARGUMENT"));
      expect(() => chain.segment(segmentIndex)).toThrow(code("BAD_ARGUMENT"));
    }
    const writer = chain.writer();
    writer.write(new Uint8Array(8).fill(7));
    expect([...new Set(core.view(0x8000, 16))]).toEqual([0]);
    finish(8);
  });

  test("D260 a chain without a writable segment takes nothing", () => {
    const { chain, finish } = chainOf(SPLIT, []);
    expect(chain.writer().remaining).toBe(0);
    expect(() => chain.writer().write(Uint8Array.of(1))).toThrow(code("BUFFER_TOO_SHORT"));
    finish(0);
  });
});

describe(titleOf("D261"), () => {
  test.each(RINGS)("D261 $layout", (ring) => {
    const { core, chain, finish } = chainOf(ring, [10, 6, 1]);
    const writer = chain.writer();
    expect(() => writer.write(new Uint8Array(18).fill(1))).toThrow(/18 bytes.*17/);
    expect(() => writer.skip(18)).toThrow(code("BUFFER_TOO_SHORT"));
    expect([writer.written, writer.remaining]).toEqual([0, 17]);
    expect([...new Set(core.view(0x9000, 0x300))]).toEqual([0]); // nothing partial
    writer.write(new Uint8Array(16).fill(2));
    expect(() => writer.write(Uint8Array.of(3, 3))).toThrow(code("BUFFER_TOO_SHORT"));
    expect([writer.written, writer.remaining]).toEqual([16, 1]);
    writer.writeU8(4);
    expect(() => writer.writeU8(5)).toThrow(code("BUFFER_TOO_SHORT"));
    const written = [core.view(0x9000, 11), core.view(0x9100, 7), core.view(0x9200, 2)].map((view) => [
      ...view,
    ]);
    expect(written).toEqual([
      [...Array(10).fill(2), 0],
      [...Array(6).fill(2), 0],
      [4, 0],
    ]);
    finish(17);
  });
});

describe(titleOf("D106"), () => {
  test.each(BACKENDS)("D106 $name", (backend) => {
    const options = profileOptions("P8");
    for (const areas of [
      { descriptor: 0x1000, driver: 0x2001, device: 0x2010 },
      { descriptor: 0x1000, driver: 0x2002, device: 0x2010 },
      { descriptor: 0x1000, driver: 0x2000, device: 0x2013 },
      { descriptor: 0x1004, driver: 0x2000, device: 0x2010 },
    ]) {
      expect(() => openWorld(backend, { ...options, areas })).toThrow("RING_ALIGN");
    }
    openWorld(backend, { ...options, areas: { descriptor: 0x1010, driver: 0x2004, device: 0x2008 } });
  });
});

test(titleOf("R161"), async () => {
  const rig = await started(makeRig());
  rig.model.holds = true;
  const tokens = addChains(rig, 5);
  await rig.driver.kick(0);
  rig.device.process();
  expect(rig.driver.poll()).toBe(false);
  rig.device.needsReset(new VirtioError("INTERNAL", "the test says so"));
  for (let i = 0; i < 3; i++) expect(() => rig.driver.poll()).toThrow(code("DEVICE_NEEDS_RESET"));
  expect(rig.driver.queues[0]?.inFlight).toBe(5); // not reused before the reset
  const aborted = await rig.driver.reset();
  expect(aborted.map((buffer) => buffer.token).sort()).toEqual([...tokens].sort());
  rig.model.holds = false;
  await started(rig);
  roundTrips(rig);
});

test(titleOf("R148"), () => {
  const size = 32768;
  const batch = 4096;
  const core = loadCoreSync({ guestBytes: 0x200000 });
  const areas = { descriptor: 0x10000, driver: 0x90000, device: 0xa1000 };
  const options = { index: 0, ring: SPLIT, size, areas, batch, recordBytes: batch * 32 };
  const driver = new DriverQueue(core, options);
  const device = new DeviceQueue(core, options);
  const { word } = driver.submissions;
  for (let i = 0; i < batch; i++) {
    core.words().set([0, 1, 0, 0, 0x100000 + 16 * i, 0, 16, 0], word + 8 * i);
  }
  const heads = new Uint16Array(core.memory.buffer, core.translate(areas.driver + 4, 2 * size), size);
  const seen = new Uint8Array(size);
  let chains = 0;
  for (let lap = 1; chains < 4_000_000; lap++) {
    for (let added = 0; added < size; added += batch) expect(driver.addBatch(batch)).toBe(batch);
    driver.publish();
    seen.fill(0);
    for (const head of heads) seen[head] = 1;
    expect(seen.includes(0)).toBe(false); // the free list was a permutation
    expect(driver.addBatch(1)).toBe(0);
    if (lap % 8 === 0) completeBackwards(core, device);
    else expect(device.run("sink", size)).toBe(size);
    device.publish();
    for (let got = 0; got < size; got += batch) expect(driver.takeUsed(batch)).toBe(batch);
    expect([driver.free, driver.inFlight, device.inFlight]).toEqual([size, 0, 0]);
    chains += size;
  }
  expect(chains).toBeGreaterThanOrEqual(4_000_000);
});

/** Takes and completes batch after batch, each from its last chain to its first. */
function completeBackwards(core: Core, device: DeviceQueue): void {
  const completions = (device.q + device.state.deviceRecords) >>> 2;
  for (let taken = device.take(device.batch); taken > 0; taken = device.take(device.batch)) {
    for (let i = 0; i < taken; i++) {
      core.words().set([device.chain(taken - 1 - i).token, 16], completions + 2 * i);
    }
    expect(core.exports.splitDeviceCompleteBatch(device.q, taken)).toBe(taken);
  }
}
