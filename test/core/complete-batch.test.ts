/**
 * `completeBatch` is `complete` in a loop, in one crossing: twin cores, one driven by either, end in the same state,
 * with the same result, for good batches and for every way in which a batch can go wrong in the middle.
 */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi";
import {
  BAD_ARGUMENT,
  COMPLETE_LEN_OVERFLOW,
  COMPLETE_UNKNOWN,
  IN_ORDER_VIOLATION,
  STALE_TOKEN,
} from "../../src/spec/result";
import { RawQueue } from "./raw-queue";

const BATCH = RawQueue.BATCH;

/** A queue through which `laps` times two chains of 16 writable bytes went, one by one. */
function worn(layout: "split" | "packed", features: number, laps: number): RawQueue {
  const queue = new RawQueue(layout, features);
  for (let lap = 0; lap < laps; lap++) {
    for (const token of queue.offer(2)) expect(queue.device.complete(queue.q, token, 16)).toBe(0);
    queue.device.publish(queue.q);
    expect(queue.driver.takeUsed(queue.q, BATCH)).toBe(2);
  }
  return queue;
}

function completeBatch({ core, device, q, completions }: RawQueue, pairs: readonly Pair[]): number {
  core.words().set(pairs.flat(), completions);
  return device.completeBatch(q, pairs.length);
}

function completeOneByOne({ device, q }: RawQueue, pairs: readonly Pair[]): number {
  for (const [i, [token, written]] of pairs.entries()) {
    const code = device.complete(q, token, written);
    if (code < 0) return i || code;
  }
  return pairs.length;
}

/** All that a completion may change: guest memory, and the device's line but for the log's count. */
function stateOf({ core, q }: RawQueue): unknown {
  const line = core.words().slice((q + abi.DEVICE_STATE) >>> 2, (q + abi.DEVICE_LOG_COUNT) >>> 2);
  // As text: deep equality of long arrays takes its time.
  return { line: line.join(), ring: Buffer.from(core.view(0x1000, 0x3000)).toString("base64") };
}

type Pair = readonly [token: number, written: number];

const CASES: readonly {
  name: string;
  wrong?: (tokens: readonly number[]) => Pair;
  /** The result when the wrong pair comes first; with IN_ORDER, if it differs. */
  code?: number;
  inOrder?: number;
}[] = [
  { name: "all in full" },
  { name: "a short one", wrong: ([first = 0]) => [first, 3] },
  { name: "one of length 0", wrong: ([first = 0]) => [first, 0] },
  { name: "a byte too much", wrong: ([first = 0]) => [first, 17], code: COMPLETE_LEN_OVERFLOW },
  { name: "the generation before", wrong: ([first = 0]) => [first - 0x10000, 16], code: STALE_TOKEN },
  { name: "the generation after", wrong: ([first = 0]) => [first + 0x10000, 16], code: STALE_TOKEN },
  { name: "slot `size`", wrong: () => [RawQueue.SIZE | 0x10000, 16], code: COMPLETE_UNKNOWN },
  { name: "slot 65535", wrong: () => [0x1ffff, 16], code: COMPLETE_UNKNOWN },
  {
    name: "the next one out of turn",
    wrong: ([, second = 0]) => [second, 16],
    inOrder: IN_ORDER_VIOLATION,
  },
];

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([
    { name: "plain", features: 0 },
    { name: "EVENT_IDX", features: abi.FEATURE_EVENT_IDX },
    { name: "IN_ORDER", features: abi.FEATURE_IN_ORDER },
    { name: "touched ranges", features: abi.OPTION_LOG },
  ])("$name", ({ features }) => {
    test.each(CASES)("a batch with $name, at every place in it", ({ wrong, code, inOrder }) => {
      for (const laps of [1, 3, 7]) {
        for (let place = 0; place < 4; place++) {
          const [batch, single] = [worn(layout, features, laps), worn(layout, features, laps)];
          const tokens = batch.offer(5);
          expect(single.offer(5)).toEqual(tokens);
          const pairs = tokens.map((token): Pair => [token, 16]);
          if (wrong) pairs[place] = wrong(tokens.slice(place));
          const result = completeBatch(batch, pairs);
          expect(result).toBe(completeOneByOne(single, pairs));
          const refused = features === abi.FEATURE_IN_ORDER ? (inOrder ?? code) : code;
          if (refused !== undefined) expect(result).toBe(place || refused);
          expect(stateOf(batch)).toEqual(stateOf(single));
          expect(batch.device.publish(batch.q)).toBe(single.device.publish(single.q));
          expect(stateOf(batch)).toEqual(stateOf(single));
          expect(batch.driver.takeUsed(batch.q, BATCH)).toBe(single.driver.takeUsed(single.q, BATCH));
        }
      }
    });

    test("more than a batch is refused", () => {
      const queue = new RawQueue(layout, features);
      expect(queue.device.completeBatch(queue.q, BATCH + 1)).toBe(BAD_ARGUMENT);
    });
  });
});
