/**
 * `completeBatch` is `complete` in a loop, in one crossing: twin cores, one driven by either, end in the same state,
 * with the same result, for good batches and for every way in which a batch can go wrong in the middle.
 */
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi";
import { type Core, loadCoreSync } from "../../src/core/core";
import { deviceVerbs, driverVerbs } from "../../src/core/exports";
import {
  BAD_ARGUMENT,
  COMPLETE_LEN_OVERFLOW,
  COMPLETE_UNKNOWN,
  IN_ORDER_VIOLATION,
  STALE_TOKEN,
} from "../../src/spec/result";

const SIZE = 8;
const BATCH = 8;
const AREAS = { split: [0x1000, 0x2000, 0x3000], packed: [0x1000, 0x2000, 0x2010] } as const;
type Layout = keyof typeof AREAS;

/** A core with one queue of both halves; `laps` chains of two went through it already, one by one. */
class Twin {
  readonly core: Core = loadCoreSync({ guestBytes: 65536 });
  readonly q: number;
  readonly driver;
  readonly device;
  readonly #submissions: number;
  readonly #completions: number;
  readonly #chains: number;

  constructor(layout: Layout, features: number, laps: number) {
    const shape = { roles: abi.ROLE_DRIVER | abi.ROLE_DEVICE, maxSize: SIZE, batch: BATCH, touched: true };
    const { q, layout: parts } = this.core.allocateQueue(shape);
    this.q = q;
    this.driver = driverVerbs(this.core.exports, layout);
    this.device = deviceVerbs(this.core.exports, layout);
    this.#submissions = (q + parts.driverRecords + 16 * parts.batch) >>> 2;
    this.#completions = (q + parts.deviceRecords) >>> 2;
    this.#chains = this.#completions + 2 * parts.batch;
    const kind = layout === "packed" ? abi.LAYOUT_PACKED : abi.LAYOUT_SPLIT;
    const [descriptor, driver, device] = AREAS[layout];
    const { queueSetUp } = this.core.exports;
    expect(queueSetUp(q, kind, SIZE, features, 0, descriptor, 0, driver, 0, device, 0)).toBe(0);
    for (let lap = 0; lap < laps; lap++) {
      for (const token of this.offer(2)) expect(this.device.complete(q, token, 16)).toBe(0);
      this.device.publish(q);
      expect(this.driver.takeUsed(q, BATCH)).toBe(2);
    }
    this.device.publish(q);
  }

  /** Adds, publishes and takes chains of 16 writable bytes; their device tokens. */
  offer(count: number): number[] {
    const words = this.core.words();
    for (let i = 0; i < count; i++) {
      words.set([0, 1, 0, 0, 0x8000 + 16 * i, 0, 16, 0], this.#submissions + 8 * i);
    }
    expect(this.driver.add(this.q, count)).toBe(count);
    this.driver.publish(this.q);
    expect(this.device.take(this.q, count)).toBe(count);
    return Array.from({ length: count }, (_, i) => this.core.words()[this.#chains + 10 * i] ?? 0);
  }

  completeBatch(pairs: readonly Pair[]): number {
    this.core.words().set(pairs.flat(), this.#completions);
    return this.device.completeBatch(this.q, pairs.length);
  }

  completeOneByOne(pairs: readonly Pair[]): number {
    for (const [i, [token, written]] of pairs.entries()) {
      const code = this.device.complete(this.q, token, written);
      if (code < 0) return i || code;
    }
    return pairs.length;
  }

  /** All that a completion may change: guest memory, the device line, the device shadow through the next tokens. */
  state(): unknown {
    const words = this.core.words();
    const line = words.slice((this.q + abi.DEVICE_ERROR) >>> 2, (this.q + abi.DEVICE_LOG_COUNT) >>> 2);
    // One string: comparing twelve thousand numbers takes a thousand times longer.
    const ring = Buffer.from(this.core.view(0x1000, 0x3000)).toString("latin1");
    return { ring, line, inFlight: line[(abi.DEVICE_IN_FLIGHT - abi.DEVICE_ERROR) >>> 2] };
  }
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
  { name: "slot `size`", wrong: () => [SIZE | 0x10000, 16], code: COMPLETE_UNKNOWN },
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
          const [batch, single] = [new Twin(layout, features, laps), new Twin(layout, features, laps)];
          const tokens = batch.offer(5);
          expect(single.offer(5)).toEqual(tokens);
          const pairs = tokens.map((token): Pair => [token, 16]);
          if (wrong) pairs[place] = wrong(tokens.slice(place));
          const result = batch.completeBatch(pairs);
          expect(result).toBe(single.completeOneByOne(pairs));
          const refused = features === abi.FEATURE_IN_ORDER ? (inOrder ?? code) : code;
          if (refused !== undefined) expect(result).toBe(place || refused);
          expect(batch.state()).toEqual(single.state());
          expect(batch.device.publish(batch.q)).toBe(single.device.publish(single.q));
          expect(batch.state()).toEqual(single.state());
          expect(batch.driver.takeUsed(batch.q, BATCH)).toBe(single.driver.takeUsed(single.q, BATCH));
        }
      }
    });

    test("more than a batch is refused", () => {
      const twin = new Twin(layout, features, 0);
      expect(twin.device.completeBatch(twin.q, BATCH + 1)).toBe(BAD_ARGUMENT);
    });
  });
});
