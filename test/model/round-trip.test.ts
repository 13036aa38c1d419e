/**
 * Round trips of the reference rings, driver half with device half: every feature set, small and odd sizes, from the start and
 * across every wrap. What goes in comes out once, whole, in order, with the length that the device gave.
 */
import { describe, expect, it } from "vitest";
import { openModel, segments } from "./open";
import type { BufferRequest, RingFeatures, RingStart, UsedBuffer } from "./ring";

const FEATURE_SETS: RingFeatures[] = Array.from({ length: 16 }, (_, bits) => ({
  indirect: (bits & 1) !== 0,
  eventIdx: (bits & 2) !== 0,
  inOrder: (bits & 4) !== 0,
  notificationData: (bits & 8) !== 0,
}));

const CASES: { layout: "split" | "packed"; size: number; start: RingStart }[] = [
  ...[1, 2, 4, 8].flatMap((size) =>
    [0, 65530, 65535].map((idx) => ({ layout: "split" as const, size, start: { idx } })),
  ),
  ...[1, 2, 3, 5, 8].flatMap((size) =>
    [
      { slot: 0, wrap: 1 as const },
      { slot: 0, wrap: 0 as const },
      { slot: size - 1, wrap: 1 as const },
      { slot: size - 1, wrap: 0 as const },
    ].map((start) => ({ layout: "packed" as const, size, start })),
  ),
];

describe.each(CASES)("$layout, size $size, from $start", ({ layout, size, start }) => {
  it.each(FEATURE_SETS)("%o", (features) => {
    const { driver, device } = openModel({ layout, size, start, features });
    const offered: BufferRequest[] = [];
    const seen: BufferRequest[] = [];
    const expected: UsedBuffer[] = [];
    const returned: UsedBuffer[] = [];
    let early = 0;
    let left = 0;
    // Chains of 1…size descriptors in turn, as many at a time as fit, until every position was passed three times.
    const target = 3 * size + 8;
    for (let round = 0; returned.length < target && round < target; round++) {
      const tokens: number[] = [];
      for (;;) {
        const request = requestOf(offered.length, size, features);
        const { added, tokens: got } = driver.add([request]);
        if (added === 0) {
          break;
        }
        offered.push(request);
        tokens.push(...got);
      }
      driver.publish();
      const { chains } = device.take(size);
      seen.push(...chains.map(({ readable, writable }) => ({ readable, writable })));
      // In reverse where that is allowed, each short by as many bytes as its turn says.
      const order = chains.map((_, i) => (features.inOrder ? i : chains.length - 1 - i));
      for (const i of order) {
        const { token = 0, writableBytes = 0n } = chains[i] ?? {};
        const length = Math.max(0, Number(writableBytes) - (i % 3));
        device.complete(token, length);
        expected.push({ token: tokens[i] ?? 0, length });
      }
      early += driver.takeUsed(size).used.length; // nothing before it is published
      device.publish();
      returned.push(...driver.takeUsed(size).used);
      left += driver.state().inFlight + size - driver.state().free + device.state().inFlight;
    }
    const buffers = offered.map(({ readable, writable }) => ({ readable, writable }));
    expect(JSON.stringify(seen)).toBe(JSON.stringify(buffers));
    expect(returned).toEqual(expected);
    expect(returned.length).toBeGreaterThanOrEqual(target);
    expect({ early, left }).toEqual({ early: 0, left: 0 });
    expect(device.state().available).toBe(driver.state().used);
  });
});

/** Buffer number n: its length in descriptors, its share of writable ones and the use of a table change with n. */
function requestOf(n: number, size: number, { indirect = false }: RingFeatures): BufferRequest {
  const count = 1 + (n % size);
  const readable = n % (count + 1);
  return {
    readable: segments(readable),
    writable: segments(count - readable, 16, 0x9000),
    indirect: indirect && n % 2 === 0,
  };
}
