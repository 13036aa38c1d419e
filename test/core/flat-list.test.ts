/**
 * The flat list: `takeFlat` is `take` in another form, `completeFlat` is `complete` in a loop, `deviceExchange` is
 * three verbs in one crossing. Twin cores, one driven by either, answer alike and end in the same state.
 */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi";
import {
  BUFFER_TOO_SHORT,
  COMPLETE_LEN_OVERFLOW,
  COMPLETE_UNKNOWN,
  DESC_OUT_OF_GUEST,
} from "../../src/spec/result";
import { Random } from "../property/random";
import { type Range, RawQueue } from "./raw-queue";
import { ONE_BY_ONE, TwinQueues, type TwinWays } from "./twin-queues";

const ENTRY = abi.FLAT_SEGMENT_BYTES / 4;
const WRITABLE = abi.FLAT_WRITABLE;

/** An entry's words: linear address, length, token with the high bit for a writable segment, written. */
const entry = ({ core, chains }: RawQueue, i: number): number[] => [
  ...core.words().slice(chains + ENTRY * i, chains + ENTRY * (i + 1)),
];

/** Takes up to `max` chains into the flat list and serves them as BACKEND_ECHO and the others do. */
function serveFlat(queue: RawQueue, taken: number, kind: number): void {
  const words = queue.core.words();
  for (let i = 0, at = queue.chains; i < taken; i++) {
    const token = (words[at + 2] ?? 0) & ~WRITABLE;
    const read: Uint8Array[] = [];
    const write: Uint8Array[] = [];
    const first = at;
    for (; ((words[at + 2] ?? 0) & ~WRITABLE) === token; at += ENTRY) {
      const [address = 0, length = 0, mark = 0, written] = words.slice(at, at + ENTRY);
      expect(written).toBe(0);
      (mark >>> 31 ? write : read).push(queue.core.bytes().subarray(address, address + length));
      words[at + 2] = token; // so that a list that was not written anew would be seen
    }
    if (kind === abi.BACKEND_ECHO) words[first + 3] = copy(read, write);
  }
}

function copy(from: readonly Uint8Array[], to: readonly Uint8Array[]): number {
  const bytes = from.flatMap((segment) => [...segment]);
  let at = 0;
  for (const target of to) {
    const piece = bytes.slice(at, at + target.length);
    target.set(piece);
    at += piece.length;
  }
  return at;
}

describe.each([
  ["split", 8],
  ["packed", 7],
  ["packed", 32],
] as const)("%s, size %i, random programs", (layout, size) => {
  /** One chain at a time, as the twin does, so that a chain that breaks the queue comes at the same turn. */
  const FLAT: TwinWays = {
    serve(queue, kind, budget) {
      let served = 0;
      for (; served < budget; served++) {
        const code = queue.device.takeFlat(queue.q, 1);
        if (code <= 0) return served || code;
        serveFlat(queue, 1, kind);
        expect(queue.device.completeFlat(queue.q, 1)).toBe(1);
      }
      return served;
    },
  };
  /** All there is in one crossing, and back in another. */
  const EXCHANGE: TwinWays = {
    serve(queue, kind) {
      const { deviceExchange } = queue.core.exports;
      const code = deviceExchange(queue.q, 0, RawQueue.BATCH);
      if (code < 0) return code;
      serveFlat(queue, code, kind);
      const back = deviceExchange(queue.q, code, 0);
      if (code) expect(back & ~abi.EXCHANGE_NOTIFY).toBe(0);
      return [code, back];
    },
  };
  const THREE_VERBS: TwinWays = {
    serve({ core, device, q, chains, completions }, kind) {
      const taken = device.take(q, RawQueue.BATCH);
      if (taken < 0) return taken;
      for (let i = 0, at = chains; i < taken; i++) {
        const words = core.words();
        const [token = 0, readable = 0, writable = 0] = words.slice(at, at + 3);
        const ranges = Array.from({ length: readable + writable }, (_, s) => {
          const [address = 0, length = 0] = words.slice(at + 8 + 2 * s, at + 10 + 2 * s);
          return core.bytes().subarray(address, address + length);
        });
        const echoes = kind === abi.BACKEND_ECHO;
        const written = echoes ? copy(ranges.slice(0, readable), ranges.slice(readable)) : 0;
        words.set([token, written], completions + 2 * i);
        at += 8 + 2 * (readable + writable);
      }
      expect(device.completeBatch(q, taken)).toBe(taken);
      const notify = device.publish(q);
      return [taken, notify ? abi.EXCHANGE_NOTIFY : 0];
    },
  };

  test.each([
    ["no features", 0],
    ["INDIRECT, recover", abi.FEATURE_INDIRECT | abi.OPTION_RECOVER],
    ["IN_ORDER", abi.FEATURE_IN_ORDER | abi.FEATURE_INDIRECT],
  ])("%s", (_, features) => {
    for (const [fast, slow] of [
      [FLAT, ONE_BY_ONE],
      [EXCHANGE, THREE_VERBS],
    ] as const) {
      const twins = new TwinQueues({ layout, size, features, fast, slow }, new Random(size));
      for (let round = 0; round < 400; round++) twins.round(round % 10 >= 5);
      expect(twins.broken).toBeGreaterThan(1);
    }
  });
});

describe.each(["split", "packed"] as const)("%s", (layout) => {
  test.each([1, 2, 4, 5, 6, 8])("a chain of %i segments has as many entries", (count) => {
    const queue = new RawQueue(layout);
    const base = queue.core.view(0, 1).byteOffset;
    const ranges = Array.from({ length: count }, (_, i): Range => [0x8000 + 0x100 * i, i + 1]);
    for (const readable of [0, 1, count >>> 1, count]) {
      expect(queue.add(ranges.slice(0, readable), ranges.slice(readable))).toBe(1);
      queue.driver.publish(queue.q);
      expect(queue.device.takeFlat(queue.q, 8)).toBe(1);
      const token = (entry(queue, 0)[2] ?? 0) & ~WRITABLE;
      for (const [i, [address, length]] of ranges.entries()) {
        const mark = i < readable ? token : (token | WRITABLE) >>> 0;
        expect(entry(queue, i)).toEqual([base + address, length, mark, 0]);
      }
      expect(queue.device.completeFlat(queue.q, 1)).toBe(1);
      queue.device.publish(queue.q);
      expect(queue.driver.takeUsed(queue.q, 1)).toBe(1);
    }
  });

  test.each([5, 6, 7])(
    "%i segments with an empty one among them are taken the long way, to the same list",
    (count) => {
      const queue = new RawQueue(layout);
      const base = queue.core.view(0, 1).byteOffset;
      const ranges = Array.from({ length: count }, (_, i): Range => [0x8000 + 0x100 * i, i + 1]);
      for (const readable of [0, 2, count]) {
        const empty: Range = [0x8000, 0];
        expect(queue.add([...ranges.slice(0, readable), empty], ranges.slice(readable))).toBe(1);
        queue.driver.publish(queue.q);
        expect(queue.device.takeFlat(queue.q, 8)).toBe(1);
        const token = (entry(queue, 0)[2] ?? 0) & ~WRITABLE;
        for (const [i, [address, length]] of ranges.entries()) {
          const mark = i < readable ? token : (token | WRITABLE) >>> 0;
          expect(entry(queue, i).slice(0, 3)).toEqual([base + address, length, mark]);
        }
        expect(entry(queue, count)[2]).toBe(0);
        expect(queue.device.completeFlat(queue.q, 1)).toBe(1);
        queue.device.publish(queue.q);
        expect(queue.driver.takeUsed(queue.q, 1)).toBe(1);
      }
    },
  );

  test("a chain without segments has one entry of length 0; a recovered one says why", () => {
    const queue = new RawQueue(layout, abi.OPTION_RECOVER);
    queue.add([[0x8000, 0]], []);
    queue.add([[0x8000, 4]], []);
    queue.driver.publish(queue.q);
    const guest = new DataView(queue.core.memory.buffer, queue.core.view(0, 1).byteOffset);
    guest.setBigUint64(0x1010, 0xffff0000n, true);
    expect(queue.device.takeFlat(queue.q, 8)).toBe(2);
    expect(entry(queue, 0).slice(0, 2)).toEqual([0, 0]);
    expect(entry(queue, 1).slice(0, 2)).toEqual([DESC_OUT_OF_GUEST >>> 0, 0]);
    expect(queue.device.completeFlat(queue.q, 2)).toBe(2);
  });

  test("a completion that is refused stops the list, with nothing shown or taken", () => {
    const queue = new RawQueue(layout);
    for (let i = 0; i < 4; i++) queue.add([], [[0x8000, 16]]);
    queue.driver.publish(queue.q);
    const { deviceExchange } = queue.core.exports;
    expect(deviceExchange(queue.q, 0, 3)).toBe(3);
    const words = queue.core.words();
    words[queue.chains + ENTRY + 3] = 17;
    expect(deviceExchange(queue.q, 3, 8)).toBe(abi.EXCHANGE_REFUSED + 1);
    expect(queue.driver.hasUsed(queue.q)).toBe(0);
    expect(queue.device.completeFlat(queue.q, 1)).toBe(COMPLETE_UNKNOWN); // it is used already
    words.copyWithin(queue.chains, queue.chains + ENTRY, queue.chains + 3 * ENTRY);
    expect(queue.device.completeFlat(queue.q, 2)).toBe(COMPLETE_LEN_OVERFLOW);
    words[queue.chains + 3] = 16;
    expect(deviceExchange(queue.q, 2, 8)).toBe(abi.EXCHANGE_NOTIFY + 1);
    expect(queue.driver.takeUsed(queue.q, 8)).toBe(3);
  });

  test("more chains than the list has are refused", () => {
    const queue = new RawQueue(layout);
    queue.add([], [[0x8000, 16]]);
    queue.driver.publish(queue.q);
    expect(queue.device.takeFlat(queue.q, 8)).toBe(1);
    expect(queue.device.completeFlat(queue.q, 2)).toBe(1);
    expect(queue.device.completeFlat(queue.q, 9)).toBeLessThan(0);
  });

  test("its first chains are added up, as many as there are", () => {
    const queue = new RawQueue(layout);
    const at = (i: number, length: number): Range => [0x8000 + 0x100 * i, length];
    queue.add([at(0, 1), at(1, 2)], [at(2, 4)]);
    queue.add([], [at(3, 8)]);
    queue.add([at(4, 16)], [at(5, 32), at(6, 64)]);
    queue.driver.publish(queue.q);
    expect(queue.device.takeFlat(queue.q, 8)).toBe(3);
    const words = queue.core.words();
    // In the first entry of each; what stands in the others doesn't count.
    for (const [i, written] of [3, 9, 9, 5, 7, 9, 9].entries()) words[queue.chains + ENTRY * i + 3] = written;
    words.fill(99, queue.chains + ENTRY * 7, queue.chains + ENTRY * 7 + 2); // behind the last chain
    words[queue.chains + ENTRY * 7 + 3] = 99;
    const tally = (count: number): number[] => {
      queue.core.exports.deviceFlatTally(queue.q, count);
      return [abi.FLAT_READABLE_BYTES, abi.FLAT_WRITTEN_BYTES].map(
        (offset) => words[(queue.q + offset) >>> 2] ?? 0,
      );
    };
    expect([0, 1, 2, 3, 4, 0xffffffff].map(tally)).toEqual([
      [0, 0],
      [3, 3],
      [3, 8],
      [19, 15],
      [19, 15],
      [19, 15],
    ]);
  });

  test("a list whose room ends takes what fits, and says so of a chain that can't", () => {
    const queue = new RawQueue(layout, abi.FEATURE_INDIRECT);
    const words = queue.core.words();
    const room = (bytes: number): void => {
      words[(queue.q + abi.QUEUE_RECORD_BYTES) >>> 2] = bytes;
    };
    for (let i = 0; i < 3; i++) queue.add([[0x8000, 4]], [[0x9000, 4]]);
    queue.driver.publish(queue.q);
    room(32 + 48); // a chain of two wants 48 bytes while it is walked, and 32 in the list
    expect(queue.device.takeFlat(queue.q, 8)).toBe(2);
    room(16);
    expect(queue.device.takeFlat(queue.q, 8)).toBe(BUFFER_TOO_SHORT);
    room(48);
    expect(queue.device.takeFlat(queue.q, 8)).toBe(1);
  });

  test("a chain fits as a record and not in the list: nothing is taken", () => {
    const queue = new RawQueue(layout);
    const words = queue.core.words();
    queue.add(
      Array.from({ length: 8 }, (_, i): Range => [0x8000 + i, 1]),
      [],
    );
    queue.driver.publish(queue.q);
    for (const [bytes, taken] of [
      [112, BUFFER_TOO_SHORT],
      [128, 1],
    ] as const) {
      words[(queue.q + abi.QUEUE_RECORD_BYTES) >>> 2] = bytes;
      expect(queue.device.takeFlat(queue.q, 8)).toBe(taken);
    }
  });
});
