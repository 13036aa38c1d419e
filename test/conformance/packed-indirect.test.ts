/**
 * Area "packed-indirect" of the clause catalogue (§2.8.7, §2.8.19), over {model, release, shared, queues} × starts. A table
 * is read entry after entry for len / 16 entries, whatever their flags say; it takes one slot of the ring.
 */
import { expect, test } from "vitest";
import type { RawDescriptor } from "../raw-ring";
import { add, finish, offer, readable, roundTrip, seg, takeOne, takeUsed } from "../ring-steps";
import { TABLES, type World } from "../rings";
import { eachPacked, outside } from "./bench";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

const request = (parts: number, indirect = true) => ({
  readable: [seg(0x8000, 4)],
  writable: Array.from({ length: parts - 1 }, (_, i) => seg(0x8100 + 16 * i, 8)),
  indirect,
});

function table(world: World, gpa: number, ...entries: readonly RawDescriptor[]): void {
  entries.forEach((d, i) => {
    world.packed.desc(i, d, gpa);
  });
}

eachPacked(({ open, slot, available, used }) => {
  test("PACKED-INDIRECT-001 §2.8.19 driver: no INDIRECT without the feature", () => {
    const areas = { descriptor: 0x1000, driver: 0x2000, device: 0x2010, tables: TABLES };
    const world = open({ indirect: false }, { areas });
    expect(world.driver.add([request(3)])).toMatchObject({ added: 0, error: "INDIRECT_NOT_NEGOTIATED" });
    offer(world, request(3, false), request(2, false));
    for (let n = 0; n < 5; n++) expect(world.packed.flags(slot(n)) & INDIRECT).toBe(0);
  });

  test("PACKED-INDIRECT-001 §2.8.19 device: INDIRECT without the feature is a driver error", () => {
    const world = open({ indirect: false });
    table(world, 0x9000, { addr: 0x8000, len: 16 });
    world.packed.desc(slot(0), { addr: 0x9000, len: 16, flags: available(0) | INDIRECT });
    expect(world.device.take(1)).toEqual({ chains: [], error: "INDIRECT_NOT_NEGOTIATED" });
  });

  test("PACKED-INDIRECT-002 §2.8.19 driver: no flag but WRITE inside a table", () => {
    const world = open({ indirect: true });
    offer(world, request(8), request(2), request(1));
    for (const head of [0, 1, 2]) {
      const slab = TABLES.address + 16 * TABLES.entries * head;
      const parts = world.packed.readDesc(slot(head)).len / 16;
      const flags = Array.from({ length: parts }, (_, i) => world.packed.readDesc(i, slab).flags);
      expect(flags).toEqual([0, ...Array.from({ length: parts - 1 }, () => WRITE)]);
    }
  });

  test("PACKED-INDIRECT-003 §2.8.19 driver: no list longer than the device allows: the queue size", () => {
    const world = open({ indirect: true });
    const before = outside(world);
    expect(world.driver.add([request(9)])).toMatchObject({ added: 0, error: "CHAIN_TOO_LONG" });
    expect(outside(world).equals(before)).toBe(true);
    roundTrip(world, request(8));
  });

  test.each([
    [1024, false, undefined],
    [1025, false, "INDIRECT_TOO_LONG"],
    [8, true, undefined],
    [9, true, "INDIRECT_TOO_LONG"],
  ] as const)(
    "PACKED-INDIRECT-003 §2.8.19 device: a table of %d entries, strictRing %s: %s",
    (entries, strictRing, error) => {
      const world = open({ indirect: true }, { options: { strictRing } });
      for (let i = 0; i < entries; i++) world.packed.desc(i, { addr: 0x8000, len: 16 }, 0x10000);
      world.packed.desc(slot(0), { addr: 0x10000, len: 16 * entries, flags: available(0) | INDIRECT });
      const taken = world.device.take(1);
      if (error) expect(taken).toEqual({ chains: [], error });
      else expect(taken.chains[0]?.readable.length).toBe(entries);
    },
  );

  test("PACKED-INDIRECT-004 §2.8.19 driver: never INDIRECT with NEXT", () => {
    const world = open({ indirect: true });
    offer(world, request(3), request(2, false), request(1));
    const flags = [0, 1, 2, 3].map((n) => world.packed.flags(slot(n)) & (INDIRECT | NEXT));
    expect(flags).toEqual([INDIRECT, NEXT, 0, INDIRECT]);
  });

  test("PACKED-INDIRECT-004 §2.8.19 device: INDIRECT with NEXT is a driver error, first or later in a list", () => {
    for (const first of [true, false]) {
      const world = open({ indirect: true });
      table(world, 0x9000, { addr: 0x8000, len: 16 });
      const direct = { addr: 0x8000, len: 4 };
      const indirect = { addr: 0x9000, len: 16 };
      world.packed.desc(slot(0), {
        ...(first ? indirect : direct),
        flags: available(0) | NEXT | (first ? INDIRECT : 0),
      });
      world.packed.desc(slot(1), {
        ...(first ? direct : indirect),
        flags: available(1) | (first ? 0 : INDIRECT),
      });
      expect(world.device.take(1)).toEqual({ chains: [], error: "INDIRECT_WITH_NEXT" });
    }
  });

  test("PACKED-INDIRECT-005 §2.8.7 device: entries are read one after the other, for len / 16 entries", () => {
    const world = open({ indirect: true });
    table(
      world,
      0x9001, // no alignment is asked for
      { addr: 0x8000, len: 1 },
      { addr: 0x8100, len: 2 },
      { addr: 0x8200, len: 3, flags: WRITE },
      { addr: 0x8300, len: 4, flags: WRITE },
      { addr: 0x8400, len: 5 }, // behind the table
    );
    world.packed.desc(slot(0), { addr: 0x9001, len: 64, id: 7, flags: available(0) | INDIRECT });
    const chain = takeOne(world);
    expect(chain).toMatchObject({
      readable: [seg(0x8000, 1), seg(0x8100, 2)],
      writable: [seg(0x8200, 3), seg(0x8300, 4)],
    });
    finish(world, chain);
    expect(world.packed.readDesc(slot(0))).toMatchObject({ id: 7, len: 7, flags: used(0) | WRITE });
  });

  test.each([NEXT, INDIRECT, 0x80, 0x8000, 0x8080, 0xfffd])(
    "PACKED-INDIRECT-005 §2.8.7 device: flags 0x%s inside a table mean nothing, nor do ids",
    (flags) => {
      const world = open({ indirect: true });
      table(
        world,
        0x9000,
        { addr: 0x8000, len: 1, id: 0xffff, flags },
        { addr: 0x8100, len: 2, id: 9, flags: 0 },
        { addr: 0x8200, len: 32, id: 3, flags: flags | WRITE },
      );
      world.packed.desc(slot(0), { addr: 0x9000, len: 48, id: 2, flags: available(0) | INDIRECT });
      const chain = takeOne(world);
      expect(chain).toMatchObject({
        readable: [seg(0x8000, 1), seg(0x8100, 2)],
        writable: [seg(0x8200, 32)],
      });
      finish(world, chain);
      expect(world.packed.readDesc(slot(0)).id).toBe(2);
    },
  );

  test("PACKED-INDIRECT-005 §2.8.7 device: readable behind writable is caught inside a table", () => {
    const world = open({ indirect: true });
    table(world, 0x9000, { addr: 0x8000, len: 1, flags: WRITE }, { addr: 0x8100, len: 2 });
    world.packed.desc(slot(0), { addr: 0x9000, len: 32, flags: available(0) | INDIRECT });
    expect(world.device.take(1)).toEqual({ chains: [], error: "DESC_ORDER" });
  });

  test("PACKED-INDIRECT-006 §2.8.7 device: WRITE on the descriptor of a table means nothing", () => {
    const world = open({ indirect: true });
    table(world, 0x9000, { addr: 0x8000, len: 4 }, { addr: 0x8100, len: 8, flags: WRITE });
    world.packed.desc(slot(0), { addr: 0x9000, len: 32, flags: available(0) | INDIRECT | WRITE });
    expect(takeOne(world)).toMatchObject({ readable: [seg(0x8000, 4)], writable: [seg(0x8100, 8)] });
  });

  test("PACKED-INDIRECT-007 §2.8.7 device: writes nothing into a table, which takes one slot of the ring", () => {
    const world = open({ indirect: true });
    const [, , , , , , , eighth] = add(world, ...Array.from({ length: 8 }, () => request(4)));
    expect(eighth).toBeGreaterThan(0);
    world.driver.publish();
    const slab = [TABLES.address, 8 * 16 * TABLES.entries] as const;
    const before = world.guest.copy(...slab);
    const { chains } = world.device.take(8);
    expect(finish(world, ...chains.toReversed())).toBe(true);
    expect(world.guest.copy(...slab)).toEqual(before);
    expect(takeUsed(world).length).toBe(8);
    roundTrip(world, readable());
  });
});
