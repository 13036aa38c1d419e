/**
 * Clauses on the order of memory accesses (§2.7.8.2, §2.7.13, §2.7.14, §2.8.6, §2.8.16, §2.8.21, §2.8.22): the core's release
 * module with a hook at every load and store. What the shared build adds, atomic accesses in the same places, is at the end.
 */
import binaryen from "binaryen";
import { describe, expect, test } from "vitest";
import { embeddedBytes } from "../../src/core/module";
import { type Access, instrumentedBackend } from "../instrument";
import {
  add,
  complete,
  finish,
  offer,
  PACKED_STARTS,
  readable,
  SPLIT_STARTS,
  seg,
  startName,
  take,
  takeOne,
  writable,
} from "../ring-steps";
import { GUEST, openWorld } from "../rings";

const backend = instrumentedBackend();
const { log } = backend;

const three = { readable: [seg(0x8000, 1), seg(0x8100, 2)], writable: [seg(0x8200, 3)] };

/** Linear bases of the areas of a queue of 8. */
const DESC = GUEST.base + 0x1000;
const DRIVER = GUEST.base + 0x2000;
const USED = GUEST.base + 0x3000;
const DEVICE_EVENT = GUEST.base + 0x2010;

/** Accesses to guest memory, the core's own state left out. */
const inGuest = (): Access[] =>
  log.accesses.filter((a) => a.address >= GUEST.base && a.address < GUEST.base + GUEST.size);
const firstIndex = (kind: Access["kind"], from: number, bytes: number): number =>
  inGuest().findIndex((a) => a.kind === kind && a.address >= from && a.address < from + bytes);
const lastIndex = (kind: Access["kind"], from: number, bytes: number): number =>
  inGuest().findLastIndex((a) => a.kind === kind && a.address >= from && a.address < from + bytes);

describe.each(SPLIT_STARTS.map((start) => [startName(start), start] as const))("split, %s", (_, start) => {
  const open = (eventIdx: boolean) =>
    openWorld(backend, { layout: "split", size: 8, features: { eventIdx, indirect: true }, start });
  const slot = (n: number) => ((start.idx ?? 0) + n) % 8;

  test.each([false, true])(
    "SPLIT-025 §2.7.13.3.1 driver: descriptors and entries are stored before avail.idx (EVENT_IDX %s)",
    (eventIdx) => {
      const world = open(eventIdx);
      log.record(() => {
        add(world, three, { ...three, indirect: true }, readable());
        world.driver.publish();
      });
      const idx = firstIndex("store", DRIVER + 2, 2);
      expect(log.within("store", DRIVER + 2, 2).length).toBe(1);
      const others = inGuest().filter((a) => a.kind === "store" && a.address !== DRIVER + 2);
      expect(others.length).toBeGreaterThan(10);
      for (const store of others) expect(inGuest().indexOf(store)).toBeLessThan(idx);
    },
  );

  test.each([
    [false, "used.flags", USED, 2],
    [true, "avail_event", USED + 4 + 64, 2],
  ] as const)(
    "SPLIT-026 §2.7.13.4.1 driver: with EVENT_IDX %s, %s is read after avail.idx was stored",
    (eventIdx, _, at, bytes) => {
      const world = open(eventIdx);
      log.record(() => {
        add(world, readable());
        world.driver.publish();
      });
      expect(firstIndex("load", at, bytes)).toBeGreaterThan(firstIndex("store", DRIVER + 2, 2));
      expect(firstIndex("store", DRIVER + 2, 2)).toBeGreaterThanOrEqual(0);
    },
  );

  test.each([
    [false, "avail.flags", DRIVER, 2],
    [true, "used_event", DRIVER + 4 + 16, 2],
  ] as const)(
    "SPLIT-018 §2.7.8.2 device: elements, then used.idx, then (EVENT_IDX %s) %s",
    (eventIdx, _, at, bytes) => {
      const world = open(eventIdx);
      offer(world, three, writable(), readable());
      const chains = take(world, 3);
      log.record(() => finish(world, ...chains));
      const idx = firstIndex("store", USED + 2, 2);
      for (let n = 0; n < 3; n++) expect(lastIndex("store", USED + 4 + 8 * slot(n), 8)).toBeLessThan(idx);
      expect(log.within("store", USED + 2, 2).length).toBe(1);
      expect(firstIndex("load", at, bytes)).toBeGreaterThan(idx);
    },
  );

  test("SPLIT-030 §2.7.14 driver: used_event or flags are stored before used.idx is looked at again", () => {
    for (const eventIdx of [false, true]) {
      const world = open(eventIdx);
      log.record(() => world.driver.arm(0));
      const armed = firstIndex("store", eventIdx ? DRIVER + 20 : DRIVER, 2);
      expect(armed).toBeGreaterThanOrEqual(0);
      expect(lastIndex("load", USED + 2, 2)).toBeGreaterThan(armed);
    }
  });

  test("SPLIT-SUPPRESSION-022 §2.7.10.2 device: avail_event or flags are stored before avail.idx is looked at again", () => {
    for (const eventIdx of [false, true]) {
      const world = open(eventIdx);
      log.record(() => world.device.arm());
      const armed = firstIndex("store", eventIdx ? USED + 68 : USED, 2);
      expect(armed).toBeGreaterThanOrEqual(0);
      expect(lastIndex("load", DRIVER + 2, 2)).toBeGreaterThan(armed);
    }
  });

  test("SPLIT-027 §2.7.13.3 device: avail.idx is read before the entries and descriptors that it shows", () => {
    const world = open(false);
    offer(world, three, readable());
    log.record(() => take(world, 2));
    const idx = firstIndex("load", DRIVER + 2, 2);
    expect(idx).toBeGreaterThanOrEqual(0);
    expect(firstIndex("load", DRIVER + 4, 16)).toBeGreaterThan(idx);
    expect(firstIndex("load", DESC, 128)).toBeGreaterThan(idx);
  });
});

describe.each(PACKED_STARTS.map((start) => [startName(start), start] as const))("packed, %s", (_, start) => {
  const open = (eventIdx: boolean) =>
    openWorld(backend, { layout: "packed", size: 8, features: { eventIdx, indirect: true }, start });
  const slot = (n: number) => ((start.slot ?? 0) + n) % 8;
  const flagsOf = (n: number) => DESC + 16 * slot(n) + 14;
  /** Where an event structure was stored: at once, or offset before flags. */
  const eventStored = (at: number): number => {
    const stores = inGuest().filter((a) => a.kind === "store" && a.address >= at && a.address < at + 4);
    const atOnce = [[0, 4]];
    const offsetFirst = [
      [0, 2],
      [2, 2],
    ];
    expect([atOnce, offsetFirst]).toContainEqual(stores.map((a) => [a.address - at, a.bytes]));
    return lastIndex("store", at, 4);
  };

  test.each([false, true])(
    "PACKED-024 §2.8.21.1.1 driver: the exposing flags are stored last (EVENT_IDX %s)",
    (eventIdx) => {
      const world = open(eventIdx);
      log.record(() => {
        add(world, three, { ...three, indirect: true }, readable());
        world.driver.publish();
      });
      const stores = inGuest().filter((a) => a.kind === "store");
      expect(stores.length).toBeGreaterThan(8);
      expect(stores.at(-1)).toEqual({ kind: "store", address: flagsOf(0), bytes: 2 });
      expect(log.within("store", flagsOf(0), 2).length).toBe(1);
    },
  );

  test("PACKED-021 §2.8.17 driver: a list alone is exposed by its head, stored behind its tail", () => {
    const world = open(false);
    log.record(() => offer(world, three));
    const head = firstIndex("store", flagsOf(0), 2);
    for (const n of [1, 2]) expect(lastIndex("store", DESC + 16 * slot(n), 16)).toBeLessThan(head);
  });

  test.each([false, true])(
    "PACKED-026 §2.8.21.2 driver: the device's event structure is read after, in one load (EVENT_IDX %s)",
    (eventIdx) => {
      const world = open(eventIdx);
      log.record(() => {
        add(world, readable());
        world.driver.publish();
      });
      expect(firstIndex("load", DEVICE_EVENT, 4)).toBeGreaterThan(lastIndex("store", DESC, 128));
      expect(log.within("load", DEVICE_EVENT, 4)).toEqual([{ kind: "load", address: 0, bytes: 4 }]);
    },
  );

  test("PACKED-009 §2.8.12 device: id and length of a used descriptor before its flags, the first one's last of all", () => {
    const world = open(false);
    offer(world, three, writable(), readable());
    const chains = take(world, 3);
    log.record(() => finish(world, ...chains));
    const stores = inGuest().filter((a) => a.kind === "store");
    expect(stores.at(-1)).toEqual({ kind: "store", address: flagsOf(0), bytes: 2 });
    expect(firstIndex("store", DESC + 16 * slot(0) + 8, 6)).toBeGreaterThanOrEqual(0);
    for (const n of [3, 4]) expect(stores.some((a) => a.address === DESC + 16 * slot(n) + 8)).toBe(true);
    expect(firstIndex("load", DRIVER, 4)).toBeGreaterThan(lastIndex("store", DESC, 128));
    expect(log.within("load", DRIVER, 4)).toEqual([{ kind: "load", address: 0, bytes: 4 }]);
  });

  test("PACKED-028 §2.8.22 driver: the event structure is stored, offset before flags, then the ring is looked at again", () => {
    const world = open(true);
    log.record(() => world.driver.arm(0));
    expect(lastIndex("load", flagsOf(0), 2)).toBeGreaterThan(eventStored(DRIVER));
  });

  test("PACKED-SUPPRESSION-006 §2.8.10 device: likewise for the device's event structure", () => {
    const world = open(true);
    log.record(() => world.device.arm());
    expect(lastIndex("load", flagsOf(0), 2)).toBeGreaterThan(eventStored(DEVICE_EVENT));
  });

  test("PACKED-012 §2.8.15 device: flags are read before the rest of a descriptor", () => {
    const world = open(false);
    offer(world, writable());
    log.record(() => takeOne(world));
    // The first load has the flags in it, with length and ID: one access, the address after it.
    const flags = inGuest().findIndex(
      (a) => a.kind === "load" && a.address <= flagsOf(0) && a.address + a.bytes >= flagsOf(0) + 2,
    );
    const rest = inGuest().findIndex(
      (a) => a.kind === "load" && a.address >= DESC + 16 * slot(0) && a.address < flagsOf(0),
    );
    expect(flags).toBeGreaterThanOrEqual(0);
    expect(rest).toBe(flags);
    expect(firstIndex("load", DESC + 16 * slot(0), 8)).toBeGreaterThan(flags);
  });

  test("PACKED-041 §2.8.2 driver: a used descriptor's flags are read before its id and length", () => {
    const world = open(false);
    offer(world, writable());
    const chain = takeOne(world);
    complete(world, chain);
    world.device.publish();
    log.record(() => world.driver.takeUsed(1));
    expect(firstIndex("load", DESC + 16 * slot(0) + 8, 6)).toBeGreaterThan(firstIndex("load", flagsOf(0), 2));
  });
});

describe("shared build", () => {
  const text = binaryen.readBinary(embeddedBytes("shared")).emitText();
  const release = binaryen.readBinary(embeddedBytes("release")).emitText();

  /** Bodies of the functions that an export runs, the ones it calls included. */
  function bodyOf(name: string): string {
    const functions = new Map<string, string>();
    for (const part of text.split(/\n (?=\(func )/).slice(1))
      functions.set(/\(func (\$\S+)/.exec(part)?.[1] ?? "", part);
    const start = new RegExp(`\\(export "${name}" \\(func (\\$[^)]+)\\)\\)`).exec(text)?.[1] ?? "";
    const seen = new Set<string>();
    const walk = (id: string): string => {
      if (seen.has(id)) return "";
      seen.add(id);
      const body = functions.get(id) ?? "";
      return body + [...body.matchAll(/\(call (\$[^\s)]+)/g)].map((m) => walk(m[1] ?? "")).join("");
    };
    return walk(start);
  }

  test.each([
    ["SPLIT-025 §2.7.13.3.1 driver", "splitDriverPublish"],
    ["SPLIT-018 §2.7.8.2 device", "splitDevicePublish"],
    ["PACKED-024 §2.8.21.1.1 driver", "packedDriverPublish"],
    ["PACKED-009 §2.8.12 device", "packedDevicePublish"],
  ])("%s: %s stores the exposing word atomically", (_, name) => {
    expect(bodyOf(name)).toMatch(/i32\.atomic\.store16/);
  });

  test.each([
    ["SPLIT-026 §2.7.13.4.1 driver", "splitDriverPublish"],
    ["SPLIT-SUPPRESSION-010 §2.7.7.2 device", "splitDevicePublish"],
    ["PACKED-026 §2.8.21.2 driver", "packedDriverPublish"],
    ["PACKED-SUPPRESSION-004 §2.8.10 device", "packedDevicePublish"],
    ["SPLIT-030 §2.7.14 driver", "splitDriverArm"],
    ["PACKED-028 §2.8.22 driver", "packedDriverArm"],
    ["SPLIT-027 §2.7.13.3 device", "splitDeviceTake"],
    ["PACKED-012 §2.8.15 device", "packedDeviceTake"],
  ])("%s: %s loads the other side's word atomically", (_, name) => {
    expect(bodyOf(name)).toMatch(/i(32|64)\.atomic\.load/);
  });

  test("the release build has no atomics", () => {
    expect(release).not.toMatch(/atomic/);
  });
});
