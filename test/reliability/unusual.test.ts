/**
 * Good input off the beaten track, over every ring: elements of length 0, undo over the ends of rings and indices, and buffers,
 * tables and rings in another region than the first. Nothing here is an error.
 */
import { describe, expect, test } from "vitest";
import { seg } from "../ring-steps";
import { openWorld } from "../rings";
import { openStage, profileOptions, put, taken, UNDER_TEST, used } from "./stage";

const NEXT = 1;

describe.each(UNDER_TEST)("$name, good input off the beaten track", (backend) => {
  test.each([1, 2, 3, 5, 8])(
    "packed: undo of a list of %d, wherever it lies, as if it had not been taken",
    (count) => {
      for (let slot = 0; slot < 8; slot++) {
        for (const wrap of [0, 1] as const) {
          const stage = openStage(backend, "P8", { start: { slot, wrap } });
          for (let n = 0; n < count; n++) put(stage, n, { id: 5, flags: n < count - 1 ? NEXT : 0 });
          const before = stage.device.state();
          const [first] = taken(stage, 1);
          expect(stage.device.undo(first?.token ?? 0)).toBeUndefined();
          expect(stage.device.state()).toEqual(before);
          const chains = taken(stage, 1);
          expect(chains[0]?.readable).toEqual(first?.readable);
          used(stage, chains);
          expect(stage.packed.readDesc(slot)).toMatchObject({ id: 5, flags: stage.used(0) });
        }
      }
    },
  );

  test.each(["S8", "P8"])(
    "%s: elements of length 0 may name any address; they count for the chain, not for its bytes",
    (setup) => {
      const stage = openStage(backend, setup);
      for (const indirect of [false, true]) {
        for (const address of [0x8000, 0x3ffff, 0x40000, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
          const request = {
            readable: [seg(address, 0), seg(0x8000, 4)],
            writable: [seg(address, 0)],
            indirect,
          };
          const { added, error } = stage.driver.add([request]);
          expect({ added, error }).toEqual({ added: 1, error: undefined });
          expect(stage.driver.state().free).toBe(indirect ? 7 : 5);
          stage.driver.publish();
          const chains = taken(stage, 1);
          expect(chains).toMatchObject([
            { readable: [seg(0x8000, 4)], writable: [], readableBytes: 4n, writableBytes: 0n },
          ]);
          used(stage, chains);
          expect(stage.driver.takeUsed(8).used.length).toBe(1);
        }
      }
    },
  );

  test.each(["S8", "P8"])("%s: buffers, tables and rings in another region than the first", (setup) => {
    const layout = setup === "S8" ? 0x1000 : 0x10;
    const regions = [
      { gpa: 0, base: 0x100000, size: 0x1000 },
      { gpa: 2 ** 33, base: 0x200000, size: 0x10000 },
    ];
    const at = (offset: number): number => 2 ** 33 + offset;
    const world = openWorld(backend, {
      ...profileOptions(setup),
      regions: regions.toReversed(),
      areas: {
        descriptor: at(0x1000),
        driver: at(0x2000),
        device: at(0x2000 + layout),
        tables: { address: at(0x4000), entries: 4 },
      },
    });
    for (const indirect of [false, true]) {
      const request = {
        readable: [seg(0x10, 4), seg(at(0x8000), 5)],
        writable: [seg(at(0xfff0), 16), seg(0xff0, 16)],
        indirect,
      };
      expect(world.driver.add([request]).added).toBe(1);
      world.driver.publish();
      const { chains } = world.device.take(8);
      expect(chains).toMatchObject([
        { readable: request.readable, writable: request.writable, writableBytes: 32n },
      ]);
      expect(world.device.complete(chains[0]?.token ?? 0, 32)).toBeUndefined();
      world.device.publish();
      expect(world.driver.takeUsed(8).used[0]?.length).toBe(32);
      for (const address of [0x1000, at(-1), at(0x10000), 0xffd]) {
        expect(world.driver.add([{ readable: [seg(address, 4)], writable: [], indirect }])).toMatchObject({
          error: "BAD_ARGUMENT",
        });
      }
    }
    expect(world.strayWrites()).toEqual([]);
  });
});
