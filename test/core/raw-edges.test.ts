/**
 * What the classes above the core never let through, or hardly: chains longer than the queue; tokens whose generation has
 * come round; a device in WASM whose readable and writable segments don't match; verbs that are asked for nothing.
 */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi";
import { deviceVerbs, driverVerbs } from "../../src/core/exports";
import {
  BUFFER_TOO_SHORT,
  CHAIN_TOO_LONG,
  DESC_INDEX_RANGE,
  QUEUE_BROKEN,
  QUEUE_NOT_READY,
  USED_ID_RANGE,
} from "../../src/spec/result";
import { type Range, RawQueue } from "./raw-queue";

const { BATCH, SIZE } = RawQueue;

describe.each(["split", "packed"] as const)("%s", (layout) => {
  test.each([false, true])("a chain longer than the queue is refused, indirect %s", (indirect) => {
    const queue = new RawQueue(layout, abi.FEATURE_INDIRECT);
    const ranges = (count: number) => Array.from({ length: count }, (_, i): Range => [0x8000 + 16 * i, 16]);
    for (const readable of [0, 1, SIZE, SIZE + 1]) {
      expect(queue.add(ranges(readable), ranges(SIZE + 1 - readable), indirect)).toBe(CHAIN_TOO_LONG);
    }
    expect(queue.add(ranges(1), ranges(SIZE - 1), indirect)).toBe(1);
  });

  test("a generation goes from 32767 to 1, so that no token is 0 or negative", () => {
    const queue = new RawQueue(layout);
    const { q, driver, device, core } = queue;
    for (let turn = 0; turn < 2 * abi.GENERATION_MAX + 2; turn++) {
      queue.add([[0x8000, 16]], []);
      driver.publish(q);
      device.take(q, 1);
      const words = core.words();
      const expected = ((turn % abi.GENERATION_MAX) + 1) << 16;
      // Slot 0 each time: the free list is last in, first out.
      if (words[queue.tokens] !== expected || words[queue.chains] !== expected) {
        expect([turn, words[queue.tokens], words[queue.chains]]).toEqual([turn, expected, expected]);
      }
      device.complete(q, expected, 0);
      device.publish(q);
      if (driver.takeUsed(q, BATCH) !== 1) expect.fail(`turn ${turn}: nothing came back`);
    }
  });

  test.each([
    ["driver", (queue: RawQueue) => queue.driver.arm(queue.q, 0)],
    ["driver", (queue: RawQueue) => queue.driver.disarm(queue.q)],
    ["device", (queue: RawQueue) => queue.device.arm(queue.q)],
    ["device", (queue: RawQueue) => queue.device.disarm(queue.q)],
  ] as const)("a full log stops the %s before anything is written behind it (%#)", (half, step) => {
    const queue = new RawQueue(layout, abi.OPTION_LOG);
    const { core, logs } = queue;
    const end = logs[half] + logs.entries * abi.LOG_ENTRY_BYTES;
    core.bytes().fill(0xcc, end, end + 1024);
    let steps = 0;
    let code = 0;
    for (; code >= 0 && steps <= 2 * logs.entries; steps++) code = step(queue);
    expect(code).toBe(BUFFER_TOO_SHORT);
    expect(steps).toBeGreaterThan(8);
    expect(core.bytes().slice(end, end + 1024)).toEqual(new Uint8Array(1024).fill(0xcc));
  });

  test.each<[readable: number[], writable: number[]]>([
    [[16], [4, 12]],
    [[4, 12], [16]],
    [
      [5, 6, 7],
      [7, 6, 5],
    ],
    [[20], [4, 4]],
    [
      [3, 3],
      [4, 20],
    ],
  ])("echo of %j into %j writes these segments and no byte beside them", (readable, writable) => {
    const queue = new RawQueue(layout);
    const guest = () => queue.core.view(0, 65536);
    const place = (lengths: number[], base: number) =>
      lengths.map((length, i): Range => [base + 64 * i, length]);
    const [from, to] = [place(readable, 0x8000), place(writable, 0x9000)];
    guest().fill(0xee, 0x9000, 0x9200);
    const sent = from.flatMap(([address, length], i) => {
      const bytes = Array.from({ length }, (_, at) => 32 * i + at + 1);
      guest().set(bytes, address);
      return bytes;
    });
    const room = writable.reduce((sum, length) => sum + length, 0);
    const expected = new Uint8Array(0x200).fill(0xee);
    let at = 0;
    for (const [address, length] of to) {
      expected.set(sent.slice(at, at + length), address - 0x9000);
      at += length;
    }

    queue.add(from, to);
    queue.driver.publish(queue.q);
    expect(queue.device.run(queue.q, abi.BACKEND_ECHO, 1)).toBe(1);
    queue.device.publish(queue.q);
    expect(queue.driver.takeUsed(queue.q, 1)).toBe(1);
    const used = queue.core.words()[queue.tokens - 2 * BATCH + 1];
    expect(used).toBe(Math.min(sent.length, room));
    expect(guest().slice(0x9000, 0x9200)).toEqual(expected);
  });
});

describe.each(["split", "packed"] as const)("%s: who asks for nothing", (layout) => {
  test.each([0, abi.FEATURE_IN_ORDER, abi.FEATURE_IN_ORDER | abi.OPTION_SCALAR, abi.OPTION_LOG])(
    "gets nothing, features %i",
    (features) => {
      const queue = new RawQueue(layout, features);
      const { driver, device, q } = queue;
      expect(queue.add([[0x8000, 16]], [])).toBe(1);
      expect(queue.add([[0x8000, 16]], [[0x8100, 16]])).toBe(1);
      expect(driver.add(q, 0)).toBe(0);
      driver.publish(q);
      expect([device.take(q, 0), device.takeFlat(q, 0), device.run(q, abi.BACKEND_SINK, 0)]).toEqual([
        0, 0, 0,
      ]);
      expect([device.completeBatch(q, 0), device.completeFlat(q, 0)]).toEqual([0, 0]);
      expect(device.run(q, abi.BACKEND_SINK, 8)).toBe(2);
      device.publish(q);
      expect(driver.takeUsed(q, 0)).toBe(0);
      expect(driver.takeUsed(q, 1)).toBe(1);
      expect(driver.takeUsed(q, 0)).toBe(0);
      expect(driver.takeUsed(q, 8)).toBe(1);
    },
  );
});

describe.each(["split", "packed"] as const)("%s: a half that may not be used", (layout) => {
  const driverCalls = ({ driver, q }: Pick<RawQueue, "driver" | "q">) => [
    driver.add(q, 1),
    driver.publish(q),
    driver.takeUsed(q, 1),
    driver.arm(q, 0),
    driver.disarm(q),
  ];
  const deviceCalls = ({ core, device, q }: Pick<RawQueue, "core" | "device" | "q">) => [
    device.take(q, 1),
    device.takeFlat(q, 1),
    device.complete(q, 0x10000, 0),
    device.completeBatch(q, 1),
    device.completeFlat(q, 1),
    device.undo(q, 0x10000),
    device.publish(q),
    device.arm(q),
    device.disarm(q),
    device.run(q, abi.BACKEND_SINK, 1),
    core.exports.deviceExchange(q, 1, 1),
  ];

  test("out of service every verb says so, after a reset too", () => {
    const queue = new RawQueue(layout);
    const { core, driver, device, q } = queue;
    queue.add([[0x8000, 16]], []);
    driver.publish(q);
    core.exports.queueTearDown(q);
    for (let i = 0; i < 2; i++) {
      expect(new Set([...driverCalls(queue), ...deviceCalls(queue)])).toEqual(new Set([QUEUE_NOT_READY]));
      expect([driver.hasUsed(q), device.hasAvailable(q)]).toEqual([0, 0]);
      core.exports.driverReset(q);
      core.exports.deviceReset(q);
    }
  });

  test("the other layout's verbs say so too", () => {
    const { core, q } = new RawQueue(layout);
    const other = layout === "split" ? "packed" : "split";
    const driver = driverVerbs(core.exports, other);
    const device = deviceVerbs(core.exports, other);
    const calls = deviceCalls({ core, device, q }).slice(0, -1); // the last one is for either layout
    expect(new Set([...driverCalls({ driver, q }), ...calls])).toEqual(new Set([QUEUE_NOT_READY]));
  });

  test("broken, a half says so until its reset, and the other half goes on", () => {
    const queue = new RawQueue(layout);
    const { core, driver, device, q } = queue;
    core.words()[(q + abi.DRIVER_STATE) >>> 2] = USED_ID_RANGE;
    expect(new Set(driverCalls(queue))).toEqual(new Set([QUEUE_BROKEN]));
    expect(device.publish(q)).toBe(0);
    core.exports.driverReset(q);
    expect(driver.publish(q)).toBe(0);
    core.words()[(q + abi.DEVICE_STATE) >>> 2] = DESC_INDEX_RANGE;
    expect(new Set(deviceCalls(queue))).toEqual(new Set([QUEUE_BROKEN]));
    expect(driver.publish(q)).toBe(0);
    core.exports.deviceReset(q);
    expect(device.publish(q)).toBe(0);
  });
});
