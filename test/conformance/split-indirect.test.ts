/**
 * Area "split-indirect" of the clause catalogue (§2.7.5.3), over {model, release, shared} × starts. The device's clauses are
 * tested with tables written by hand, the driver's by reading what it wrote.
 */
import { expect, test } from "vitest";
import type { Segment } from "../model/ring";
import type { RawDescriptor } from "../raw-ring";
import { add, complete, finish, offer, roundTrip, seg, takeOne, takeUsed } from "../ring-steps";
import { TABLES, type World } from "../rings";
import { eachSplit, outside } from "./bench";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

const request = (parts: number, indirect = true) => ({
  readable: [seg(0x8000, 4)],
  writable: Array.from({ length: parts - 1 }, (_, i) => seg(0x8100 + 16 * i, 8)),
  indirect,
});

/** Writes descriptors by hand and offers head 0. */
function offerRaw(world: World, at: number, idx: number, ...descriptors: readonly RawDescriptor[]): void {
  descriptors.forEach((d, i) => {
    world.split.desc(i, d);
  });
  world.split.setAvailRing(at, 0);
  world.split.availIdx = idx;
}

function table(world: World, gpa: number, ...entries: readonly RawDescriptor[]): void {
  entries.forEach((d, i) => {
    world.split.desc(i, d, gpa);
  });
}

eachSplit(({ open, idx, slot }) => {
  test("SPLIT-INDIRECT-001 §2.7.5.3.1 driver: no INDIRECT without the feature", () => {
    const world = open(
      { indirect: false },
      { areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000, tables: TABLES } },
    );
    expect(world.driver.add([request(3)])).toMatchObject({ added: 0, error: "INDIRECT_NOT_NEGOTIATED" });
    offer(world, request(3, false), request(2, false));
    for (let at = 0; at < 8; at++) expect(world.split.readDesc(at).flags & INDIRECT).toBe(0);
  });

  test("SPLIT-INDIRECT-001 §2.7.5.3.1 device: INDIRECT without the feature is a driver error", () => {
    const world = open({ indirect: false });
    table(world, 0x9000, { addr: 0x8000, len: 16 });
    offerRaw(world, slot(0), idx(1), { addr: 0x9000, len: 16, flags: INDIRECT });
    expect(world.device.take(1)).toEqual({ chains: [], error: "INDIRECT_NOT_NEGOTIATED" });
  });

  test("SPLIT-INDIRECT-002 §2.7.5.3.1 driver: no INDIRECT inside a table", () => {
    const world = open({ indirect: true });
    offer(world, request(8));
    for (let at = 0; at < 8; at++) {
      expect(world.split.readDesc(at, TABLES.address).flags & INDIRECT).toBe(0);
    }
  });

  test("SPLIT-INDIRECT-002 §2.7.5.3.1 device: a table inside a table is a driver error", () => {
    const world = open({ indirect: true });
    table(
      world,
      0x9000,
      { addr: 0x8000, len: 16, flags: NEXT, next: 1 },
      { addr: 0xa000, len: 16, flags: INDIRECT },
    );
    table(world, 0xa000, { addr: 0x8000, len: 16 });
    offerRaw(world, slot(0), idx(1), { addr: 0x9000, len: 32, flags: INDIRECT });
    expect(world.device.take(1)).toEqual({ chains: [], error: "INDIRECT_NESTED" });
  });

  test.each([false, true])(
    "SPLIT-INDIRECT-003 §2.7.5.3.1 driver: no chain longer than the queue (table: %s)",
    (indirect) => {
      const world = open({ indirect: true });
      const before = outside(world);
      expect(world.driver.add([request(9, indirect)])).toMatchObject({ added: 0, error: "CHAIN_TOO_LONG" });
      expect(outside(world).equals(before)).toBe(true);
      roundTrip(world, request(8, indirect));
    },
  );

  test("SPLIT-INDIRECT-003 §2.7.5.3.1 device: strictRing counts direct descriptors and table entries together", () => {
    const chain = (entries: number, strictRing: boolean) => {
      const world = open({ indirect: true }, { options: { strictRing } });
      const list = Array.from({ length: entries }, (_, i) => ({
        addr: 0x8000,
        len: 16,
        ...(i < entries - 1 && { flags: NEXT, next: i + 1 }),
      }));
      table(world, 0x9000, ...list);
      offerRaw(
        world,
        slot(0),
        idx(1),
        { addr: 0x8000, len: 16, flags: NEXT, next: 1 },
        { addr: 0x8000, len: 16, flags: NEXT, next: 2 },
        { addr: 0x9000, len: 16 * entries, flags: INDIRECT },
      );
      return world.device.take(1);
    };
    expect(chain(6, true).chains[0]?.readable.length).toBe(8);
    expect(chain(7, true)).toEqual({ chains: [], error: "CHAIN_TOO_LONG" });
    expect(chain(7, false).chains[0]?.readable.length).toBe(9);
  });

  test("SPLIT-INDIRECT-004 §2.7.5.3.1 driver: never INDIRECT with NEXT", () => {
    const world = open({ indirect: true });
    offer(world, request(3), request(2, false), request(1));
    const flags = Array.from({ length: 8 }, (_, at) => world.split.readDesc(at).flags);
    expect(flags.filter((f) => f & INDIRECT)).toEqual([INDIRECT, INDIRECT]);
  });

  test("SPLIT-INDIRECT-004 §2.7.5.3.1 device: INDIRECT with NEXT is a driver error", () => {
    const world = open({ indirect: true });
    table(world, 0x9000, { addr: 0x8000, len: 16 });
    offerRaw(
      world,
      slot(0),
      idx(1),
      { addr: 0x9000, len: 16, flags: INDIRECT | NEXT, next: 1 },
      { addr: 0x8000, len: 1 },
    );
    expect(world.device.take(1)).toEqual({ chains: [], error: "INDIRECT_WITH_NEXT" });
  });

  test("SPLIT-INDIRECT-005 §2.7.5.3.1 driver: with IN_ORDER the entries are sequential, next 1, 2, 3…", () => {
    const world = open({ indirect: true, inOrder: true });
    offer(world, request(5), request(1));
    finish(world, takeOne(world), takeOne(world));
    takeUsed(world);
    offer(world, request(4));
    const slabOf = (head: number) => TABLES.address + 16 * TABLES.entries * head;
    for (const [head, parts] of [
      [0, 5],
      [1, 1],
      [2, 4],
    ] as const) {
      expect(world.split.readDesc(head)).toMatchObject({
        addr: slabOf(head),
        len: 16 * parts,
        flags: INDIRECT,
      });
      const entries = Array.from({ length: parts }, (_, i) => world.split.readDesc(i, slabOf(head)));
      expect(entries.map((e) => e.flags & NEXT)).toEqual(entries.map((_, i) => (i < parts - 1 ? NEXT : 0)));
      for (const [i, e] of entries.slice(0, -1).entries()) expect(e.next).toBe(i + 1);
    }
  });

  test("SPLIT-INDIRECT-006 §2.7.5.3.2 device: WRITE on the descriptor of a table means nothing", () => {
    for (const flags of [INDIRECT, INDIRECT | WRITE]) {
      const world = open({ indirect: true });
      table(
        world,
        0x9000,
        { addr: 0x8000, len: 4, flags: NEXT, next: 1 },
        { addr: 0x8100, len: 8, flags: WRITE },
      );
      offerRaw(world, slot(0), idx(1), { addr: 0x9000, len: 32, flags });
      expect(takeOne(world)).toMatchObject({ readable: [seg(0x8000, 4)], writable: [seg(0x8100, 8)] });
    }
  });

  test("SPLIT-INDIRECT-006 §2.7.5.3.2 device: nor does it count for readable before writable", () => {
    const world = open({ indirect: true });
    table(world, 0x9000, { addr: 0x8100, len: 4 });
    offerRaw(
      world,
      slot(0),
      idx(1),
      { addr: 0x8000, len: 4, flags: NEXT, next: 1 },
      { addr: 0x9000, len: 16, flags: INDIRECT | WRITE },
    );
    expect(takeOne(world).readable).toEqual([seg(0x8000, 4), seg(0x8100, 4)]);
  });

  test.each([0, 1, 2, 7])(
    "SPLIT-INDIRECT-007 §2.7.5.3.2 device: %d direct descriptors, then a table",
    (direct) => {
      const world = open({ indirect: true });
      table(
        world,
        0x9000,
        { addr: 0x9100, len: 4, flags: NEXT, next: 1 },
        { addr: 0x9200, len: 8, flags: WRITE },
      );
      offerRaw(
        world,
        slot(0),
        idx(1),
        ...Array.from({ length: direct }, (_, i) => ({
          addr: 0x8000 + 16 * i,
          len: 16,
          flags: NEXT,
          next: i + 1,
        })),
        { addr: 0x9000, len: 32, flags: INDIRECT },
      );
      const chain = takeOne(world);
      expect(chain.readable).toEqual([
        ...Array.from({ length: direct }, (_, i) => seg(0x8000 + 16 * i, 16)),
        seg(0x9100, 4),
      ]);
      expect(chain.writable).toEqual([seg(0x9200, 8)]);
      complete(world, chain);
      world.device.publish();
      expect(world.split.usedRing(slot(0))).toEqual([0, 8]);
    },
  );

  test("SPLIT-INDIRECT-007 §2.7.5.3.2 device: readable behind writable is caught across the border", () => {
    const world = open({ indirect: true });
    table(world, 0x9000, { addr: 0x8100, len: 4 });
    offerRaw(
      world,
      slot(0),
      idx(1),
      { addr: 0x8000, len: 4, flags: NEXT | WRITE, next: 1 },
      { addr: 0x9000, len: 16, flags: INDIRECT },
    );
    expect(world.device.take(1)).toEqual({ chains: [], error: "DESC_ORDER" });
  });

  test("SPLIT-INDIRECT-008 §2.7.5.3 both: entries follow next from 0, in whatever order", () => {
    const world = open({ indirect: true });
    table(
      world,
      0x9000,
      { addr: 0x8000, len: 1, flags: NEXT, next: 3 },
      { addr: 0x8100, len: 2 },
      { addr: 0xffff_ffff, len: 0xffff_ffff, flags: 0xffff }, // never reached
      { addr: 0x8300, len: 4, flags: NEXT, next: 1 },
    );
    offerRaw(world, slot(0), idx(1), { addr: 0x9000, len: 64, flags: INDIRECT });
    expect(takeOne(world).readable).toEqual([seg(0x8000, 1), seg(0x8300, 4), seg(0x8100, 2)]);
  });

  test("SPLIT-INDIRECT-008 §2.7.5.3 both: an entry without NEXT ends the buffer before the table's end", () => {
    const world = open({ indirect: true });
    table(world, 0x9000, { addr: 0x8000, len: 1, next: 1 }, { addr: 0x8100, len: 2 });
    offerRaw(world, slot(0), idx(1), { addr: 0x9000, len: 32, flags: INDIRECT });
    expect(takeOne(world).readable).toEqual([seg(0x8000, 1)]);
  });

  test("SPLIT-INDIRECT-008 §2.7.5.3 both: next stays inside len / 16 entries", () => {
    const world = open({ indirect: true });
    table(world, 0x9000, { addr: 0x8000, len: 1, flags: NEXT, next: 2 }, {}, { addr: 0x8100, len: 2 });
    offerRaw(world, slot(0), idx(1), { addr: 0x9000, len: 32, flags: INDIRECT });
    expect(world.device.take(1)).toEqual({ chains: [], error: "DESC_NEXT_RANGE" });
  });

  test.each([0x9000, 0x9001, 0x900f, 0x40000 - 48])(
    "SPLIT-INDIRECT-009 §2.7.5.3 driver: a table may lie at 0x%s",
    (address) => {
      const world = open({ indirect: true });
      table(
        world,
        address,
        { addr: 0x8000, len: 1, flags: NEXT, next: 1 },
        { addr: 0x8100, len: 2, flags: NEXT | WRITE, next: 2 },
        { addr: 0x8200, len: 3, flags: WRITE },
      );
      offerRaw(world, slot(0), idx(1), { addr: address, len: 48, flags: INDIRECT });
      expect(takeOne(world)).toMatchObject({
        readable: [seg(0x8000, 1)],
        writable: [seg(0x8100, 2), seg(0x8200, 3)],
      });
    },
  );

  test("SPLIT-INDIRECT-009 §2.7.5.3 driver: one table holds readable and writable entries, one descriptor a buffer", () => {
    const world = open({ indirect: true });
    const lists: Segment[][] = [
      [seg(0x8000, 1), seg(0x8100, 2)],
      [seg(0x8200, 3), seg(0x8300, 4)],
    ];
    add(world, { readable: lists[0] ?? [], writable: lists[1] ?? [], indirect: true });
    expect(world.driver.state().free).toBe(7);
    world.driver.publish();
    expect(takeOne(world)).toMatchObject({ readable: lists[0], writable: lists[1] });
  });
});
