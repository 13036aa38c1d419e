/**
 * Notification suppression of the reference rings (§2.7.7, §2.7.10, §2.8.10) and the kick value (§2.9): flags, event indices
 * as a test of the whole range that was published, and both wraps.
 */
import { describe, expect, it } from "vitest";
import { needEvent } from "./event";
import { AREAS, openModel, segments } from "./open";
import type { RingFeatures, RingStart, Rings } from "./ring";

it("needEvent fires exactly for the positions that were published", () => {
  for (const old of [0, 1, 0x7fff, 65530, 65535]) {
    for (const count of [0, 1, 2, 7, 300, 32768]) {
      const next = (old + count) & 0xffff;
      for (const ahead of [-2, -1, 0, 1, count - 1, count, count + 1, 40000]) {
        const isPublished = ahead >= 0 && ahead < count;
        expect(needEvent((old + ahead) & 0xffff, next, old), `${ahead} of ${count} from ${old}`).toBe(
          isPublished,
        );
      }
    }
  }
});

const ONE = { readable: [], writable: segments(1) };

/** Adds and publishes `count` chains, one at a time; which of them were notified. */
function publishes({ driver }: Rings, count: number): boolean[] {
  return Array.from({ length: count }, () => {
    expect(driver.add([ONE]).added).toBe(1);
    return driver.publish().notify;
  });
}

/** Serves what there is, one at a time; which of them were notified. */
function serves({ driver, device }: Rings, count: number): boolean[] {
  driver.add(Array.from({ length: count }, () => ONE));
  driver.publish();
  return device.take(count).chains.map(({ token }) => {
    expect(device.complete(token, 0)).toBeUndefined();
    return device.publish();
  });
}

const CASES: { layout: "split" | "packed"; start: RingStart }[] = [
  { layout: "split", start: { idx: 0 } },
  { layout: "split", start: { idx: 65533 } },
  { layout: "packed", start: { slot: 0, wrap: 1 } },
  { layout: "packed", start: { slot: 6, wrap: 0 } },
];

describe.each(CASES)("$layout from $start", ({ layout, start }) => {
  const open = (features: RingFeatures = {}) => openModel({ layout, size: 8, features, start });

  it("flags: wanted unless disarmed, and nothing for nothing", () => {
    const rings = open();
    expect([rings.driver.publish().notify, rings.device.publish()]).toEqual([false, false]);
    expect(publishes(rings, 2)).toEqual([true, true]);
    rings.device.disarm();
    expect(publishes(rings, 2)).toEqual([false, false]);
    expect(rings.device.arm()).toBe(true); // four chains wait
    expect(publishes(rings, 1)).toEqual([true]);
    const other = open();
    expect(serves(other, 2)).toEqual([true, true]);
    other.driver.disarm();
    expect(serves(other, 2)).toEqual([false, false]);
    expect(other.driver.arm(0)).toBe(true);
    other.driver.takeUsed(8);
    expect(other.driver.arm(0)).toBe(false);
    expect(serves(other, 1)).toEqual([true]);
  });

  it("EVENT_IDX: armed for one position, across the wrap", () => {
    const rings = open({ eventIdx: true });
    expect(rings.device.arm()).toBe(false);
    expect(publishes(rings, 3)).toEqual([true, false, false]);
    expect(rings.device.take(3).chains).toHaveLength(3);
    expect(rings.device.arm()).toBe(false);
    expect(rings.driver.add([ONE, ONE, ONE]).added).toBe(3);
    expect(rings.driver.publish().notify).toBe(true); // a batch that passes the position
    const other = open({ eventIdx: true });
    expect(other.driver.arm(2)).toBe(false);
    expect(serves(other, 5)).toEqual([false, false, true, false, false]);
  });

  it("EVENT_IDX: disarming silences packed; split has nothing to say it with", () => {
    const rings = open({ eventIdx: true });
    expect(rings.device.arm()).toBe(false);
    rings.device.disarm();
    expect(publishes(rings, 1)).toEqual([layout === "split"]);
    expect(rings.u16(AREAS.device + (layout === "split" ? 0 : 2))).toBe(layout === "split" ? 0 : 1);
  });

  it("the kick value", () => {
    const features = { notificationData: true };
    const rings = openModel({ layout, size: 8, features, start, index: 5 });
    rings.driver.add([ONE]);
    const word =
      layout === "split"
        ? ((start.idx ?? 0) + 1) & 0xffff
        : ((start.slot ?? 0) + 1) | ((start.wrap ?? 0) << 15);
    expect(rings.driver.publish()).toEqual({ notify: true, kickValue: word * 65536 + 5 });
    const plain = openModel({ layout, size: 8, start, index: 5 });
    plain.driver.add([ONE]);
    expect(plain.driver.publish()).toEqual({ notify: true, kickValue: 5 });
  });
});

it("the kick value of a packed ring flips its wrap behind the last slot", () => {
  const { driver } = openModel({ layout: "packed", size: 3, features: { notificationData: true } });
  driver.add([ONE, ONE, ONE]);
  expect(driver.publish().kickValue).toBe(0);
});

it("packed: an event structure that is not allowed counts as enabled", () => {
  for (const [eventIdx, offWrap, flags, expected] of [
    [true, 8 | 0x8000, 2, true], // no such slot
    [true, 0, 3, true],
    [false, 0, 2, true],
    [true, 0, 2 | 0xfffc, false], // reserved bits: slot 0 of the lap to come
    [true, 9, 1, false], // the position counts with 2 alone
  ] as const) {
    const rings = openModel({ layout: "packed", size: 8, features: { eventIdx } });
    rings.setU16(AREAS.device, offWrap);
    rings.setU16(AREAS.device + 2, flags);
    expect(publishes(rings, 1)).toEqual([expected]);
  }
});

it("packed: the other words stay as they are", () => {
  const plain = openModel({ layout: "packed", size: 4 });
  plain.setU16(AREAS.driver, 0x1234);
  plain.driver.disarm();
  plain.driver.arm(1);
  expect([plain.u16(AREAS.driver), plain.u16(AREAS.driver + 2)]).toEqual([0x1234, 0]);
  const armed = openModel({
    layout: "packed",
    size: 4,
    features: { eventIdx: true },
    start: { slot: 3, wrap: 1 },
  });
  armed.driver.arm(2);
  expect([armed.u16(AREAS.driver), armed.u16(AREAS.driver + 2)]).toEqual([1, 2]); // slot 1, wrap 0
});
