/**
 * Every golden program over every backend, with and without NOTIFICATION_DATA: each answer, each notification, and the whole
 * of guest memory byte by byte after each step that shows an image.
 */
import { describe, expect, test } from "vitest";
import type { RingFeatures } from "../model/ring";
import { BACKENDS, type Backend, GUEST, openWorld, type World } from "../rings";
import { GOLDEN_AREAS, GOLDEN_TABLES, hexRows, PackedImage, SplitImage } from "./image";
import { PACKED_CHAINED } from "./packed-chained";
import { PACKED_DIRECT } from "./packed-direct";
import { PACKED_INDIRECT } from "./packed-indirect";
import { GOLDEN_QUEUE, type PackedGolden, type Segments, type SplitGolden } from "./program";
import { SPLIT_CHAINED } from "./split-chained";
import { SPLIT_DIRECT } from "./split-direct";
import { SPLIT_INDIRECT } from "./split-indirect";

type Golden = SplitGolden | PackedGolden;

const GOLDENS: readonly Golden[] = [
  ...SPLIT_DIRECT,
  ...SPLIT_CHAINED,
  ...SPLIT_INDIRECT,
  ...PACKED_DIRECT,
  ...PACKED_CHAINED,
  ...PACKED_INDIRECT,
];

const segments = (list: Segments) => list.map(([address, length]) => ({ address, length }));

/** Runs a program to its end; the first wrong answer or byte fails the test. */
function run(golden: Golden, backend: Backend, notificationData: boolean): void {
  const features: RingFeatures = {
    indirect: true,
    eventIdx: golden.eventIdx,
    inOrder: golden.inOrder,
    notificationData,
  };
  const world = openWorld(backend, {
    layout: golden.layout,
    size: golden.size,
    features,
    areas: { ...GOLDEN_AREAS, tables: { address: GOLDEN_TABLES.gpa, entries: GOLDEN_TABLES.entries } },
    start: golden.start,
    index: GOLDEN_QUEUE,
  });
  const { driver, device } = world;
  const image = imageOf(golden);
  for (const { gpa, bytes } of image.areas) {
    world.guest.write(gpa, new Uint8Array(bytes.buffer));
  }
  const driverTokens = new Map<string, number>();
  const deviceTokens = new Map<string, number>();
  const nameOf = new Map<number, string>();

  golden.steps.forEach((step, at) => {
    const where = `step ${at} ${JSON.stringify(step[0])}`;
    switch (step[0]) {
      case "add": {
        const [, name, readable, writable, how] = step;
        const request = {
          readable: segments(readable),
          writable: segments(writable),
          indirect: how === "table",
        };
        const { added, tokens, error } = driver.add([request]);
        expect({ added, error }, where).toEqual({ added: 1, error: undefined });
        driverTokens.set(name, tokens[0] ?? 0);
        nameOf.set(firstAddress(readable, writable), name);
        break;
      }
      case "publish": {
        const [, notify, kick] = step;
        const published = driver.publish();
        expect(published.notify, where).toBe(notify);
        const value = notificationData ? kick : GOLDEN_QUEUE;
        if (notify) expect(published.kickValue.toString(16), where).toBe((value ?? 0).toString(16));
        break;
      }
      case "take": {
        const { chains, error } = device.take(step[1].length);
        expect(error, where).toBeUndefined();
        const names = chains.map((c) => {
          const name = nameOf.get([...c.readable, ...c.writable][0]?.address ?? -1) ?? "?";
          deviceTokens.set(name, c.token);
          return name;
        });
        expect(names.join(""), where).toBe(step[1]);
        break;
      }
      case "complete":
        expect(device.complete(deviceTokens.get(step[1]) ?? 0, step[2]), where).toBeUndefined();
        break;
      case "publishUsed":
        expect(device.publish(), where).toBe(step[1]);
        break;
      case "takeUsed": {
        const [, ...wanted] = step;
        const { used, error } = driver.takeUsed(golden.size);
        expect(error, where).toBeUndefined();
        expect(used, where).toEqual(
          wanted.map(([name, length]) => ({ token: driverTokens.get(name), length })),
        );
        break;
      }
      case "armUsed":
        expect(driver.arm(step[1]), where).toBe(step[2] ?? false);
        break;
      case "disarmUsed":
        driver.disarm();
        break;
      case "armAvailable":
        expect(device.arm(), where).toBe(step[1] ?? false);
        break;
      case "disarmAvailable":
        device.disarm();
        break;
      case "shows":
        if (image instanceof SplitImage) image.apply(step[2] as SplitGolden["before"] & object);
        else image.apply(step[2] as PackedGolden["before"] & object);
        compare(world, image, `step ${at}: ${step[1]}`);
        break;
    }
  });
}

function firstAddress(readable: Segments, writable: Segments): number {
  return [...readable, ...writable][0]?.[0] ?? -1;
}

function imageOf(golden: Golden): SplitImage | PackedImage {
  if (golden.layout === "split") {
    const image = new SplitImage(golden.size);
    image.apply(golden.before ?? {});
    return image;
  }
  const image = new PackedImage(golden.size);
  image.apply(golden.before ?? {});
  return image;
}

/** All of guest RAM: the areas as the image has them, everything else still zero. */
function compare(world: World, image: SplitImage | PackedImage, where: string): void {
  const expected = new Uint8Array(GUEST.size);
  for (const { gpa, bytes } of image.areas) expected.set(new Uint8Array(bytes.buffer), gpa);
  if (Buffer.compare(world.guest.source(), expected) === 0) return;
  for (const { name, gpa, bytes, rowBytes } of image.areas) {
    const actual = world.guest.copy(gpa, bytes.byteLength);
    expect(hexRows(actual, rowBytes), `${where}, ${name}`).toEqual(
      hexRows(new Uint8Array(bytes.buffer), rowBytes),
    );
  }
  expect.fail(`${where}: a byte outside the queue's areas changed`);
}

describe.each(BACKENDS.map((backend) => [backend.name, backend] as const))("%s", (_, backend) => {
  describe.each([false, true])("NOTIFICATION_DATA %s", (notificationData) => {
    test.each(GOLDENS.map((golden) => [golden.layout, golden.title, golden] as const))(
      "%s: %s",
      (_l, _t, golden) => {
        run(golden, backend, notificationData);
      },
    );
  });
});

describe("the goldens themselves", () => {
  test("cover each layout × {direct, chained, indirect} × EVENT_IDX × IN_ORDER × starts", () => {
    const kinds = new Set(
      GOLDENS.map(
        (g) =>
          `${g.layout} ${g.title.split(",")[0]} ${g.eventIdx} ${g.inOrder} ${JSON.stringify(g.start)} ${g.size}`,
      ),
    );
    const split = 3 * 2 * 2 * 2 + 2 * 2 * 2; // starts 0 and 65,530; chained and indirect also 65,534
    const packed = 3 * 2 * 2 * 7; // size 8: slots 0 and 6, either wrap counter; size 5: slot 0, and 3 with either
    const fullRing = 2;
    expect(kinds.size).toBe(split + packed + fullRing);
    expect(GOLDENS.length).toBe(kinds.size);
  });
});
