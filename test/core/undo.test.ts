/**
 * Undo gives the chain taken last back as if it had not been taken, also across the end of the ring and the wrap of
 * an index; and a descriptor with only one of AVAIL and USED set is neither available nor used (§2.8.1).
 */
import { describe, expect, test } from "vitest";
import { type Bench, eachPacked, eachSplit } from "../conformance/bench";
import type { BufferRequest } from "../model/ring";
import { finish, offer, readable, roundTrip, seg, take, takeOne, takeUsed, writable } from "../ring-steps";

const parts = (count: number): BufferRequest => ({
  readable: Array.from({ length: count }, (_, i) => seg(0x9000 + 0x40 * i, 8)),
  writable: [],
});

function undoTests({ open }: Bench): void {
  describe.each([{}, { inOrder: true }])("with %o", (features) => {
    test("undo in reverse order, then take again: the same chains, lap after lap", () => {
      const world = open(features);
      for (let lap = 0; lap < 12; lap++) {
        const tokens = offer(world, readable(0), parts(3), writable(1));
        const first = take(world, 3);
        for (const chain of [...first].reverse()) expect(world.device.undo(chain.token)).toBeUndefined();
        expect(world.device.hasAvailable()).toBe(true);
        const again = take(world, 3);
        const shape = (chains: typeof first) => chains.map((chain) => [chain.readable, chain.writable]);
        expect(shape(again)).toEqual(shape(first));
        finish(world, ...again);
        expect(takeUsed(world).map((used) => used.token)).toEqual(tokens);
      }
    });

    test("undo one of two at every position: what was undone comes next", () => {
      const world = open(features);
      for (let n = 0; n < 20; n++) {
        offer(world, readable(0), writable(1, 32));
        const [kept, last] = take(world, 2);
        if (!kept || !last) throw new Error("two chains were offered");
        expect(world.device.undo(kept.token)).toBe("BAD_ARGUMENT");
        expect(world.device.undo(last.token)).toBeUndefined();
        expect(world.device.undo(last.token)).toMatch(/COMPLETE_UNKNOWN|STALE_TOKEN/);
        const next = takeOne(world);
        expect(next.writable).toEqual(last.writable);
        finish(world, kept, next);
        expect(takeUsed(world).map((used) => used.length)).toEqual([0, 32]);
      }
      roundTrip(world);
    });
  });
}

eachSplit(undoTests);
eachPacked(undoTests);

eachPacked(({ open, slot, available, used }) => {
  test.each([0x0080, 0x8000, 0x0000, 0x8080])("flags %i at the used position", (bits) => {
    const world = open();
    offer(world, readable());
    world.packed.used(slot(0), { id: 0, flags: bits });
    expect(world.driver.hasUsed()).toBe(bits === used(0));
    expect(takeUsed(world)).toHaveLength(bits === used(0) ? 1 : 0);
  });

  test.each([0x0080, 0x8000, 0x0000, 0x8080])("flags %i at the available position", (bits) => {
    const world = open();
    world.packed.desc(slot(0), { addr: 0x8000, len: 16, id: 0, flags: bits });
    expect(world.device.hasAvailable()).toBe(bits === available(0));
    expect(world.device.take(8).chains).toHaveLength(bits === available(0) ? 1 : 0);
  });
});
