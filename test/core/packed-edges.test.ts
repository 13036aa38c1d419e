/**
 * A packed list's buffer ID is its last descriptor's (§2.8.6), also where an element of length 0 makes the core walk
 * the long way; and slots that were used but not yet shown to the driver are not the driver's to fill.
 */
import { expect, test } from "vitest";
import { eachPacked } from "../conformance/bench";
import { complete, offer, readable, take, takeUsed } from "../ring-steps";

const NEXT = 1;

eachPacked(({ open, slot, available, used }) => {
  test.each([16, 0])("the ID of a list is that of its last descriptor, with a middle of %d bytes", (len) => {
    const world = open();
    const element = { addr: 0x8000, len: 16 };
    world.packed.desc(slot(2), { ...element, id: 9, flags: available(2) });
    world.packed.desc(slot(1), { ...element, len, id: 7, flags: available(1) | NEXT });
    world.packed.desc(slot(0), { ...element, id: 5, flags: available(0) | NEXT });
    for (const chain of take(world, 1)) complete(world, chain, 0);
    world.device.publish();
    expect(world.packed.readDesc(slot(0))).toMatchObject({ id: 9, flags: used(0) });
  });

  test.each([1, 4, 8])("a driver that fills %d slots used but not shown is refused", (count) => {
    const world = open();
    const requests = Array.from({ length: 8 }, (_, i) => readable(i));
    offer(world, ...requests);
    for (const chain of take(world, 8)) complete(world, chain, 0);
    for (let n = 8; n < 8 + count; n++) {
      world.packed.desc(slot(n), { addr: 0x8000, len: 16, id: 0, flags: available(n) });
    }
    expect(world.device.take(8)).toEqual({ chains: [], error: "RING_INDEX_JUMP" });
  });

  test("once they are shown, they are", () => {
    const world = open();
    for (let lap = 0; lap < 3; lap++) {
      offer(world, ...Array.from({ length: 8 }, (_, i) => readable(i)));
      for (const chain of take(world, 8)) complete(world, chain, 0);
      world.device.publish();
      expect(takeUsed(world)).toHaveLength(8);
    }
  });
});
