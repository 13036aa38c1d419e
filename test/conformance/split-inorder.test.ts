/**
 * Area "split-inorder" of the clause catalogue (§2.7.9), over {model, release, shared} × starts. What stands for a whole batch
 * is one used element: the head of its last buffer, in the slot of its first.
 */
import { describe, expect, test } from "vitest";
import { complete, offer, readable, seg, take, takeUsed, writable } from "../ring-steps";
import { eachSplit } from "./bench";

eachSplit(({ open, idx, slot, outOfTurn }) => {
  describe("device", () => {
    test("SPLIT-INORDER-001 §2.7.9 device: one element with the last head stands for a batch written in full", () => {
      const world = open({ inOrder: true });
      offer(world, writable(0, 8), readable(1), writable(2, 8), writable(3, 8));
      for (const chain of take(world, 4)) complete(world, chain);
      world.device.publish();
      expect(world.split.usedRing(slot(0))).toEqual([3, 8]);
      for (const n of [1, 2, 3]) expect(world.split.usedRing(slot(n))).toEqual([0, 0]);
    });

    test("SPLIT-INORDER-001 §2.7.9 device: a batch ends at every buffer that was not written in full", () => {
      const world = open({ inOrder: true });
      offer(world, writable(0, 8), writable(1, 8), writable(2, 8), writable(3, 8), writable(4, 8));
      const written = [8, 5, 8, 8, 0];
      for (const [i, chain] of take(world, 5).entries()) complete(world, chain, written[i]);
      world.device.publish();
      expect(world.split.usedRing(slot(0))).toEqual([1, 5]);
      expect(world.split.usedRing(slot(2))).toEqual([4, 0]);
      for (const n of [1, 3, 4]) expect(world.split.usedRing(slot(n))).toEqual([0, 0]);
      expect(takeUsed(world).map((u) => u.length)).toEqual(written);
    });

    test("SPLIT-INORDER-001 §2.7.9 device: a batch ends at publish", () => {
      const world = open({ inOrder: true });
      offer(world, writable(0, 8), writable(1, 8));
      const [a, b] = take(world, 2);
      for (const chain of [a, b]) {
        if (chain) complete(world, chain);
        world.device.publish();
      }
      expect([world.split.usedRing(slot(0)), world.split.usedRing(slot(1))]).toEqual([
        [0, 8],
        [1, 8],
      ]);
    });

    test("SPLIT-INORDER-001 §2.7.9 device: buffers are used in the order in which they were made available", () => {
      const world = open({ inOrder: true });
      offer(world, writable(0), writable(1));
      const [a, b] = take(world, 2);
      if (!a || !b) throw new Error("two chains");
      expect(world.device.complete(b.token, 16)).toBe(outOfTurn);
      world.device.publish();
      expect(world.split.usedIdx).toBe(idx(0));
      complete(world, a);
      if (outOfTurn) complete(world, b);
      world.device.publish();
      expect(world.split.usedIdx).toBe(idx(2));
    });

    test.each([1, 2, 3, 7, 8])(
      "SPLIT-INORDER-002 §2.7.9 device: used.idx moves by the batch of %d",
      (batch) => {
        const world = open({ inOrder: true });
        offer(world, ...Array.from({ length: batch }, (_, i) => writable(i)));
        for (const chain of take(world, batch)) complete(world, chain);
        expect(world.split.usedIdx).toBe(idx(0));
        world.device.publish();
        expect(world.split.usedIdx).toBe(idx(batch));
      },
    );

    test("SPLIT-INORDER-002 §2.7.9 device: an open batch counts in the device's own position, not in the ring", () => {
      const world = open({ inOrder: true });
      offer(world, ...Array.from({ length: 8 }, (_, i) => writable(i)));
      for (const [n, chain] of take(world, 8).entries()) {
        complete(world, chain);
        expect(world.device.state().used).toBe(idx(n + 1));
        expect(world.split.usedRing(slot(0))).toEqual([0, 0]);
      }
      world.device.publish();
      expect(world.device.state().used).toBe(idx(8));
      expect(world.split.usedRing(slot(0))).toEqual([7, 16]);
    });

    test("SPLIT-INORDER-004 §2.7.9 device: the element lies in the slot of the batch's first entry, batch after batch", () => {
      const world = open({ inOrder: true });
      let n = 0;
      let head = 0;
      for (const batch of [3, 1, 5, 8, 2, 7]) {
        offer(world, ...Array.from({ length: batch }, (_, i) => writable(i, 32)));
        for (const chain of take(world, batch)) complete(world, chain);
        world.device.publish();
        head = (head + batch) % 8;
        expect(world.split.usedRing(slot(n))).toEqual([(head + 7) % 8, 32]);
        n += batch;
        expect(world.split.usedIdx).toBe(idx(n));
        expect(takeUsed(world).length).toBe(batch);
      }
    });
  });

  describe("driver", () => {
    test("SPLIT-INORDER-003 §2.7.9 driver: the batch is counted from the id, and the next element looked for behind it", () => {
      const world = open({ inOrder: true });
      const tokens = offer(
        world,
        writable(0, 8),
        writable(1, 8),
        writable(2, 8),
        writable(3, 8),
        writable(4, 8),
      );
      world.split.setUsedRing(slot(0), 2, 8); // buffers 0…2
      world.split.setUsedRing(slot(1), 7, 99); // never looked at
      world.split.setUsedRing(slot(2), 7, 99);
      world.split.setUsedRing(slot(3), 4, 3); // buffers 3 and 4
      world.split.usedIdx = idx(5);
      expect(takeUsed(world)).toEqual(tokens.map((token, i) => ({ token, length: i === 4 ? 3 : 8 })));
      expect(world.driver.state().used).toBe(idx(5));
    });

    test("SPLIT-INORDER-003 §2.7.9 driver: with chains, the batch counts buffers and not descriptors", () => {
      const world = open({ inOrder: true });
      const two = { readable: [seg(0x8000, 4)], writable: [seg(0x8100, 4)] };
      const tokens = offer(world, two, two, two);
      world.split.setUsedRing(slot(0), 4, 4); // head of the third
      world.split.usedIdx = idx(3);
      expect(takeUsed(world)).toEqual(tokens.map((token) => ({ token, length: 4 })));
      expect(world.driver.state()).toMatchObject({ free: 8, inFlight: 0 });
    });

    test("SPLIT-INORDER-003 §2.7.9 driver: a batch may be taken in pieces", () => {
      const world = open({ inOrder: true });
      const tokens = offer(world, writable(0, 8), writable(1, 8), writable(2, 8));
      world.split.setUsedRing(slot(0), 2, 6);
      world.split.usedIdx = idx(3);
      expect(world.driver.takeUsed(2).used).toEqual([
        { token: tokens[0], length: 8 },
        { token: tokens[1], length: 8 },
      ]);
      expect(world.driver.hasUsed()).toBe(true);
      expect(world.driver.takeUsed(2).used).toEqual([{ token: tokens[2], length: 6 }]);
      expect(world.driver.hasUsed()).toBe(false);
    });

    test("SPLIT-INORDER-003 §2.7.9 driver: a batch longer than what used.idx shows is a device error", () => {
      const world = open({ inOrder: true });
      offer(world, writable(0), writable(1), writable(2));
      world.split.setUsedRing(slot(0), 2, 16);
      world.split.usedIdx = idx(2);
      expect(world.driver.takeUsed(8)).toEqual({ used: [], error: "USED_INDEX_JUMP" });
    });

    test("SPLIT-INORDER-005 §2.7.9 driver: skipped buffers are completely used", () => {
      const world = open({ inOrder: true });
      const tokens = offer(
        world,
        writable(0, 100),
        readable(1, 50),
        { readable: [seg(0x8000, 7)], writable: [seg(0x8100, 20), seg(0x8200, 22)] },
        writable(3, 9),
      );
      world.split.setUsedRing(slot(0), 4, 1); // the fourth buffer's head: descriptors 0, 1, 2–4… and it
      const head = world.split.availRing(slot(3));
      world.split.setUsedRing(slot(0), head, 1);
      world.split.usedIdx = idx(4);
      expect(takeUsed(world)).toEqual([
        { token: tokens[0], length: 100 },
        { token: tokens[1], length: 0 },
        { token: tokens[2], length: 42 },
        { token: tokens[3], length: 1 },
      ]);
    });
  });
});
