/**
 * Area "packed-inorder" of the clause catalogue (§2.8.8), over {model, release, shared, queues} × starts. One used descriptor
 * with the id of a batch's last buffer, in the slot of its first descriptor, stands for the whole batch.
 */
import { describe, expect, test } from "vitest";
import { complete, offer, readable, seg, take, takeUsed, writable } from "../ring-steps";
import { eachPacked } from "./bench";

const WRITE = 2;

const three = { readable: [seg(0x8000, 1), seg(0x8100, 2)], writable: [seg(0x8200, 3)] };
const two = { readable: [seg(0x8300, 4)], writable: [seg(0x8400, 5)] };

eachPacked(({ open, slot, used, available, offWrap, outOfTurn }) => {
  describe("device", () => {
    test("PACKED-INORDER-001 §2.8.8 device: one used descriptor with the last id stands for a batch written in full", () => {
      const world = open({ inOrder: true });
      offer(world, writable(0, 8), readable(1), writable(2, 9));
      const rest = [1, 2].map((n) => world.packed.readDesc(slot(n)));
      for (const chain of take(world, 3)) complete(world, chain);
      world.device.publish();
      expect(world.packed.readDesc(slot(0))).toEqual({ addr: 0x8000, len: 9, id: 2, flags: used(0) | WRITE });
      expect([1, 2].map((n) => world.packed.readDesc(slot(n)))).toEqual(rest);
    });

    test("PACKED-INORDER-001 §2.8.8 device: a batch ends at every buffer that was not written in full, and at publish", () => {
      const world = open({ inOrder: true });
      const tokens = offer(world, writable(0, 8), writable(1, 8), writable(2, 8), writable(3, 8));
      const [a, b, c, d] = take(world, 4);
      if (!a || !b || !c || !d) throw new Error("four chains");
      complete(world, a);
      complete(world, b, 5);
      complete(world, c);
      world.device.publish();
      complete(world, d);
      world.device.publish();
      expect([0, 2, 3].map((n) => world.packed.readDesc(slot(n)))).toMatchObject([
        { len: 5, id: 1, flags: used(0) | WRITE },
        { len: 8, id: 2, flags: used(2) | WRITE },
        { len: 8, id: 3, flags: used(3) | WRITE },
      ]);
      expect(world.packed.flags(slot(1))).toBe(available(1) | WRITE);
      expect(takeUsed(world)).toEqual(tokens.map((token, i) => ({ token, length: i === 1 ? 5 : 8 })));
    });

    test("PACKED-INORDER-001 §2.8.8 device: buffers are used in the order in which they were made available", () => {
      const world = open({ inOrder: true });
      offer(world, writable(0), writable(1));
      const [a, b] = take(world, 2);
      if (!a || !b) throw new Error("two chains");
      const before = world.guest.copy(0x1000, 128);
      expect(world.device.complete(b.token, 16)).toBe(outOfTurn);
      world.device.publish();
      expect(world.guest.copy(0x1000, 128)).toEqual(before);
      complete(world, a);
      if (outOfTurn) complete(world, b);
      world.device.publish();
      expect(takeUsed(world).length).toBe(2);
    });

    test("PACKED-INORDER-002 §2.8.8 device: skips ahead by all descriptors of the batch", () => {
      const world = open({ inOrder: true });
      offer(world, three, two, readable(5));
      for (const chain of take(world, 2)) complete(world, chain);
      world.device.publish();
      complete(world, ...(take(world, 1) as [never]));
      world.device.publish();
      expect(world.packed.readDesc(slot(0))).toMatchObject({ id: 1, len: 5, flags: used(0) | WRITE });
      expect(world.packed.readDesc(slot(5))).toMatchObject({ id: 2, len: 0, flags: used(5) });
    });

    test("PACKED-INORDER-002 §2.8.8 device: an open batch counts in the device's own position, not in the ring", () => {
      const world = open({ inOrder: true });
      offer(world, three, two, three);
      for (const [chain, descriptors] of take(world, 3).map(
        (chain, i) => [chain, [3, 5, 8][i] ?? 0] as const,
      )) {
        complete(world, chain);
        expect(world.device.state().used).toBe(offWrap(descriptors));
        expect(world.packed.readDesc(slot(0)).addr).toBe(0x8000);
      }
      world.device.publish();
      expect(world.device.state().used).toBe(offWrap(8));
      expect(world.packed.readDesc(slot(0)).id).toBe(2);
    });

    test("PACKED-INORDER-003 §2.8.8 device: the used descriptor overwrites the first slot of the batch, batch after batch", () => {
      const world = open({ inOrder: true });
      let n = 0;
      let id = 0;
      for (const batch of [3, 1, 5, 8, 2, 7, 8]) {
        offer(world, ...Array.from({ length: batch }, (_, i) => writable(i, 32)));
        for (const chain of take(world, batch)) complete(world, chain);
        world.device.publish();
        id = (id + batch) % 8;
        expect(world.packed.readDesc(slot(n))).toMatchObject({
          id: (id + 7) % 8,
          len: 32,
          flags: used(n) | WRITE,
        });
        for (let i = 1; i < batch; i++)
          expect(world.packed.flags(slot(n + i))).toBe(available(n + i) | WRITE);
        n += batch;
        expect(takeUsed(world).length).toBe(batch);
      }
    });
  });

  describe("driver", () => {
    test("PACKED-INORDER-004 §2.8.8 driver: skipped buffers are completely used", () => {
      const world = open({ inOrder: true });
      const tokens = offer(world, writable(0, 100), readable(1), three, two);
      world.packed.used(slot(0), { id: 3, len: 2, flags: used(0) | WRITE });
      expect(takeUsed(world)).toEqual([
        { token: tokens[0], length: 100 },
        { token: tokens[1], length: 0 },
        { token: tokens[2], length: 3 },
        { token: tokens[3], length: 2 },
      ]);
      expect(world.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
    });

    test("PACKED-INORDER-004 §2.8.8 driver: the next used descriptor lies behind all of the batch", () => {
      const world = open({ inOrder: true });
      const tokens = offer(world, three, two, readable(5), readable(6));
      world.packed.used(slot(0), { id: 1, len: 5, flags: used(0) | WRITE });
      world.packed.used(slot(5), { id: 3, flags: used(5) });
      expect(takeUsed(world)).toEqual([
        { token: tokens[0], length: 3 },
        { token: tokens[1], length: 5 },
        { token: tokens[2], length: 0 },
        { token: tokens[3], length: 0 },
      ]);
    });

    test("PACKED-INORDER-004 §2.8.8 driver: a batch may be taken in pieces", () => {
      const world = open({ inOrder: true });
      const tokens = offer(world, writable(0, 8), writable(1, 8), writable(2, 8));
      world.packed.used(slot(0), { id: 2, len: 6, flags: used(0) | WRITE });
      expect(world.driver.takeUsed(2).used.map((u) => u.token)).toEqual(tokens.slice(0, 2));
      expect(world.driver.hasUsed()).toBe(true);
      expect(world.driver.takeUsed(2).used).toEqual([{ token: tokens[2], length: 6 }]);
      expect(world.driver.hasUsed()).toBe(false);
    });
  });
});
