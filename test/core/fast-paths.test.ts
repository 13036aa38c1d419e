/**
 * The fast paths do what the slow ones do: the device inside WASM against `take` and `complete` one by one, SIMD
 * against scalar, on good rings and on rings that a hostile peer writes to; each path was taken, and its switch
 * forces it off.
 */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi";
import { DESC_OUT_OF_GUEST, HEAD_IN_FLIGHT } from "../../src/spec/result";
import { Random } from "../property/random";
import { RawQueue } from "./raw-queue";
import { ONE_BY_ONE, RUN, TwinQueues, type TwinSetup, type TwinWays } from "./twin-queues";

const { FEATURE_EVENT_IDX, FEATURE_INDIRECT, FEATURE_IN_ORDER, OPTION_RECOVER, OPTION_SCALAR } = abi;
const ROUNDS = 600;

const foursOf = ({ core, q }: RawQueue): number => core.words()[(q + abi.QUEUE_FOURS) >>> 2] ?? 0;

function play(setup: TwinSetup, seed: number): TwinQueues {
  const random = new Random(seed);
  const twins = new TwinQueues(setup, random);
  for (let round = 0; round < ROUNDS; round++) twins.round(round % 10 >= 5);
  expect(twins.served).toBeGreaterThan(ROUNDS);
  expect(twins.broken).toBeGreaterThan(2);
  return twins;
}

describe.each([
  ["split", 8],
  ["split", 32],
  ["packed", 7],
  ["packed", 32],
] as const)("%s, size %i: run is take and complete one by one", (layout, size) => {
  test.each([
    ["no features", 0],
    ["INDIRECT", FEATURE_INDIRECT],
    ["EVENT_IDX, INDIRECT, recover", FEATURE_EVENT_IDX | FEATURE_INDIRECT | OPTION_RECOVER],
    ["IN_ORDER", FEATURE_IN_ORDER | FEATURE_INDIRECT],
    ["IN_ORDER, scalar, recover", FEATURE_IN_ORDER | FEATURE_INDIRECT | OPTION_SCALAR | OPTION_RECOVER],
  ])("%s", (_, features) => {
    play({ layout, size, features, fast: RUN, slow: ONE_BY_ONE }, size);
  });
});

describe.each([5, 8, 31, 64])("packed with IN_ORDER, size %i: four at a time is one at a time", (size) => {
  const SCALAR: TwinWays = { ...RUN, features: OPTION_SCALAR };
  const features = FEATURE_IN_ORDER | FEATURE_INDIRECT;

  test("SIMD and scalar leave the same bytes; each was what it says", () => {
    const { fast, slow } = play({ layout: "packed", size, features, fast: RUN, slow: SCALAR }, 100 + size);
    expect(foursOf(fast)).toBeGreaterThan(size < 8 ? 4 : 100);
    expect(foursOf(slow)).toBe(0);
  });

  test("generations wrap alike", () => {
    const random = new Random(size);
    const setup: TwinSetup = { layout: "packed", size, features, fast: RUN, slow: SCALAR };
    const twins = new TwinQueues(setup, random);
    for (const { core, q } of [twins.fast, twins.slow]) {
      const words = core.words();
      const shadow = (words[(q + abi.QUEUE_DRIVER_SHADOW) >>> 2] ?? 0) >>> 2;
      for (let slot = 0; slot < size; slot++) {
        const at = shadow + slot * (abi.SHADOW_BYTES >>> 2);
        words[at] = ((words[at] ?? 0) & 0xffff) | ((abi.GENERATION_MAX - (slot % 3)) << 16);
      }
    }
    for (let round = 0; round < 60; round++) twins.round(false);
    expect(twins.served).toBeGreaterThan(4 * size);
  });
});

describe("four at a time is off", () => {
  /** Groups that a trip of 16 buffers through a ring of 16 moves. */
  function trip(features: number, layout: "split" | "packed" = "packed"): number {
    const queue = new RawQueue(layout, features, 16);
    const words = queue.core.words();
    for (let i = 0; i < 16; i++) words.set([1, 0, 0, 0, 0x9000, 0, 16, 0], queue.submissions + 8 * i);
    expect(queue.core.exports.queueRoundTrip(queue.q, queue.q, abi.BACKEND_SINK, 16)).toBe(16);
    return foursOf(queue);
  }

  test("but not for packed with IN_ORDER: the driver adds and takes back, the device skips", () => {
    // The first descriptor's flags are held back, and the last buffer is named: each in its group all the same.
    expect(trip(FEATURE_IN_ORDER)).toBe(4 + 4 + 4);
  });

  test.each([
    ["split", FEATURE_IN_ORDER, "split"],
    ["without IN_ORDER", 0, "packed"],
    ["when told so", FEATURE_IN_ORDER | OPTION_SCALAR, "packed"],
    ["with touched ranges", FEATURE_IN_ORDER | abi.OPTION_LOG, "packed"],
  ] as const)("%s", (_, features, layout) => {
    expect(trip(features, layout)).toBe(0);
  });
});

describe.each(["split", "packed"] as const)("%s", (layout) => {
  test("after run, undo gives back nothing that was taken before it", () => {
    const queue = new RawQueue(layout);
    const [token = 0] = queue.offer(1);
    for (let i = 0; i < 2; i++) expect(queue.add([[0x8000, 4]], [])).toBe(1);
    queue.driver.publish(queue.q);
    expect(queue.device.run(queue.q, abi.BACKEND_SINK, 2)).toBe(2);
    expect(queue.device.undo(queue.q, token)).toBeLessThan(0);
    expect(queue.device.complete(queue.q, token, 16)).toBe(0);
  });

  test("run uses chains over the ring's end, while others that lie across it are in flight", () => {
    const queue = new RawQueue(layout);
    for (const token of queue.offer(6)) expect(queue.device.complete(queue.q, token, 0)).toBe(0);
    queue.device.publish(queue.q);
    expect(queue.driver.takeUsed(queue.q, 8)).toBe(6);
    const held = queue.offer(2); // the last two slots: used positions go on there, available ones behind them
    for (let i = 0; i < 3; i++) expect(queue.add([[0x8000, 4]], [])).toBe(1);
    queue.driver.publish(queue.q);
    expect(queue.device.run(queue.q, abi.BACKEND_SINK, 3)).toBe(3);
    queue.device.publish(queue.q);
    expect(queue.driver.takeUsed(queue.q, 8)).toBe(3);
    for (const token of held) expect(queue.device.complete(queue.q, token, 0)).toBe(0);
    queue.device.publish(queue.q);
    expect(queue.driver.takeUsed(queue.q, 8)).toBe(2);
  });

  test.each(["take", "takeFlat"] as const)("%s refuses a writable buffer in read-only memory", (take) => {
    const queue = new RawQueue(layout);
    expect(queue.add([], [[0x8000, 16]])).toBe(1);
    queue.driver.publish(queue.q);
    const words = queue.core.words();
    const core = words[(queue.q + abi.QUEUE_CORE) >>> 2] ?? 0;
    words[(core + abi.CORE_REGIONS + abi.REGION_READ_ONLY) >>> 2] = 1;
    expect(queue.device[take](queue.q, 1)).toBe(DESC_OUT_OF_GUEST);
  });

  test("a chain in flight is not served by run as well", () => {
    const queue = new RawQueue(layout);
    queue.offer(1);
    const guest = new DataView(queue.core.memory.buffer, queue.core.view(0, 1).byteOffset);
    if (layout === "split") {
      // The head that is in flight, offered once more.
      guest.setUint16(0x2004 + 2, 0, true);
      guest.setUint16(0x2002, 2, true);
    } else {
      // Every slot of the lap available, then the first again, in the next lap.
      for (let slot = 0; slot < 8; slot++) {
        guest.setBigUint64(0x1000 + 16 * slot, 0x9000n, true);
        guest.setUint32(0x1008 + 16 * slot, 4, true);
        guest.setUint16(0x100e + 16 * slot, slot ? 0x80 : 0x8000, true);
      }
    }
    const served = queue.device.run(queue.q, abi.BACKEND_SINK, 16);
    expect(served).toBe(layout === "split" ? HEAD_IN_FLIGHT : 7);
  });
});
