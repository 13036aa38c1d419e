/**
 * Area "virtqueue" of the clause catalogue (§2.6): what holds for every queue of either layout, the layout gate, and what a
 * driver queue does to the memory of its rings when it is made (§2.7.10.1, §2.8.13).
 */
import { describe, expect, test } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import { ringAreas, ringLayout } from "../../src/virtqueue/layout";
import { finish, offer, readable, roundTrip, take, takeUsed, writable } from "../ring-steps";
import { BACKENDS, openWorld } from "../rings";
import { type Bench, eachPacked, eachSplit } from "./bench";

const AREAS = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
const SPLIT = ringLayout(FeatureSet.of("VERSION_1"));
const PACKED = ringLayout(FeatureSet.of("VERSION_1", "RING_PACKED"));

describe("queue index", () => {
  test.each([0, 1, 65535])("VIRTQUEUE-001 §2.6 both: queue %d is a queue", (index) => {
    const core = loadCoreSync({ guestBytes: 65536 });
    const queue = new DriverQueue(core, { index, ring: SPLIT, size: 8, areas: AREAS });
    queue.add([{ address: 0x8000, length: 16 }]);
    expect([queue.publish(), queue.kickValue]).toEqual([true, index]);
  });

  test.each([-1, 65536, 0.5, Number.NaN])("VIRTQUEUE-001 §2.6 both: queue %d is none", (index) => {
    const core = loadCoreSync({ guestBytes: 65536 });
    for (const Queue of [DriverQueue, DeviceQueue]) {
      expect(() => new Queue(core, { index, ring: SPLIT, size: 8, areas: AREAS })).toThrow(
        expect.objectContaining({ code: "BAD_ARGUMENT" }),
      );
    }
  });
});

describe("layout gate", () => {
  test("VIRTQUEUE-002 §2.6 both: split and packed, as RING_PACKED was negotiated", () => {
    expect([SPLIT.layout, PACKED.layout]).toEqual(["split", "packed"]);
    expect(ringLayout(FeatureSet.of("VERSION_1", "RING_PACKED", "IN_ORDER"))).toMatchObject({
      layout: "packed",
      inOrder: true,
      eventIdx: false,
    });
  });

  test("SPLIT-003 §2.7 both: area sizes and alignments of the split layout", () => {
    expect(ringAreas("split", 256)).toEqual({
      descriptor: { bytes: 4096, align: 16 },
      driver: { bytes: 518, align: 2 },
      device: { bytes: 2054, align: 4 },
    });
  });

  test("PACKED-001 §2.8.10.1 driver: area sizes and alignments of the packed layout", () => {
    expect(ringAreas("packed", 5)).toEqual({
      descriptor: { bytes: 80, align: 16 },
      driver: { bytes: 4, align: 4 },
      device: { bytes: 4, align: 4 },
    });
  });
});

describe("a driver queue's memory", () => {
  test.each([
    ["SPLIT-SUPPRESSION-012 §2.7.10.1 driver: used.flags are 0 when the used ring is allocated", SPLIT],
    ["PACKED-038 §2.8.13 driver: the descriptor ring is zeroed before use", PACKED],
  ] as const)("%s", (_, ring) => {
    const core = loadCoreSync({ guestBytes: 65536 });
    core.view(0, 65536).fill(0xff);
    const queue = new DriverQueue(core, { index: 0, ring, size: 8, areas: AREAS });
    const needs = ringAreas(ring.layout, 8);
    for (const name of ["descriptor", "driver", "device"] as const) {
      expect([...new Set(core.view(AREAS[name], needs[name].bytes))]).toEqual([0]);
      expect(core.view(AREAS[name] + needs[name].bytes, 1)[0]).toBe(0xff);
    }
    expect(queue.hasUsed()).toBe(false);
  });

  test.each([SPLIT, PACKED])(
    "SPLIT-SUPPRESSION-012 §2.7.10.1, PACKED-038 §2.8.13 driver: and again at every reset",
    (ring) => {
      const core = loadCoreSync({ guestBytes: 65536 });
      const queue = new DriverQueue(core, { index: 0, ring, size: 8, areas: AREAS });
      core.view(AREAS.descriptor, 128).fill(0xff);
      core.view(AREAS.device, 4).fill(0xff);
      queue.reset();
      expect([...new Set(core.view(AREAS.descriptor, 128)), ...new Set(core.view(AREAS.device, 4))]).toEqual([
        0, 0,
      ]);
    },
  );
});

describe("both layouts in every backend", () => {
  test.each(BACKENDS)("VIRTQUEUE-002 §2.6 both: $name drives split and packed", (backend) => {
    for (const layout of ["split", "packed"] as const) {
      const world = openWorld(backend, { layout, size: 8, features: {} });
      for (let i = 0; i < 20; i++) roundTrip(world, i % 2 ? readable() : writable());
    }
  });
});

function everyQueue({ open }: Bench): void {
  test("VIRTQUEUE-003 §2.6 device: the used length is the number of bytes written, buffer by buffer", () => {
    const world = open();
    const tokens = offer(world, writable(0, 100), writable(1, 100), readable(2), writable(3, 0x10000));
    const lengths = [0, 99, 0, 0x10000];
    for (const [i, chain] of take(world, 4).entries()) world.device.complete(chain.token, lengths[i] ?? 0);
    world.device.publish();
    expect(takeUsed(world)).toEqual(tokens.map((token, i) => ({ token, length: lengths[i] })));
  });

  test("VIRTQUEUE-004 §2.6 device: buffers may be used in another order than they were made available", () => {
    const world = open();
    const tokens = offer(world, ...Array.from({ length: 8 }, (_, i) => writable(i, i + 1)));
    const order = [7, 0, 3, 1, 2, 6, 5, 4];
    const chains = take(world, 8);
    for (const i of order) finish(world, ...[chains[i]].flatMap((c) => c ?? []));
    expect(takeUsed(world)).toEqual(order.map((i) => ({ token: tokens[i], length: i + 1 })));
    roundTrip(world);
  });
}

describe("split", () => eachSplit(everyQueue));
describe("packed", () => eachPacked(everyQueue));
