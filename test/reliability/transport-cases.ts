/**
 * Cases of the corpus that any transport of registers has: set-ups of a queue, notifications, a queue reset. Each ends
 * with the codes that it names, the status as it was, and not a byte outside guest RAM changed.
 */
import { describe, expect, it } from "vitest";
import type { Areas } from "../raw-ring";
import { areasOf, type DeviceBench, featuresOf, SPLIT_AREAS } from "../transport/device-bench";
import { corpusCase, titleOf } from "./corpus";

export type Layout = "split" | "packed";
type Addresses = { [Name in keyof Areas]: number | bigint };

/** A driver by hand on a transport, as these cases use it. */
export interface TransportRig extends DeviceBench {
  to(status: number, accepted?: readonly string[]): unknown;
  live(layout: Layout, more?: readonly string[]): unknown;
  setUp(index: number, size: number, areas: Addresses): void;
}

/** What these cases do to a rig, in its transport's own registers. */
export interface TransportHand<Rig extends TransportRig> {
  /** The rig of a case, if it wants no other. */
  make(): Rig;
  /** The enable register of the selected queue. */
  ready(rig: Rig): number;
  status(rig: Rig): number;
  writeStatus(rig: Rig, status: number): void;
  /** Writes a notification, whatever it says. */
  notify(rig: Rig, value: number): void;
  /** The queue reset register of the selected queue. */
  reset(rig: Rig): number;
  writeReset(rig: Rig, value: number): void;
  /** Queues that have these maxima, on as much guest RAM. */
  makeWith(maxSize: number, guestBytes: number): Rig;
  /** The transport's name for a code of the corpus, which was written for MMIO. */
  code(name: string): string;
}

const LARGE: Record<Layout, Areas> = {
  split: { descriptor: 0x10000, driver: 0x90000, device: 0xa1000 },
  packed: { descriptor: 0x10000, driver: 0x90000, device: 0x90010 },
};

/** Runs a case for each of its layouts: `status` is where it begins, `act` is the case's action. */
export type RunCase<Rig> = (
  id: string,
  status: 0x0b | 0x0f,
  act: (rig: Rig, layout: Layout) => void,
  make?: () => Rig,
) => void;

/** Runs cases by this hand. */
export function runCasesBy<Rig extends TransportRig>(hand: TransportHand<Rig>): RunCase<Rig> {
  return (id, status, act, make = hand.make) => {
    const { layout, expected } = corpusCase(id);
    const layouts: readonly Layout[] =
      layout === "both" ? ["split", "packed"] : [layout === "packed" ? "packed" : "split"];
    describe(titleOf(id), () => {
      it.each(layouts)("%s", (of) => {
        const rig = make();
        const more = id === "T203" ? ["RING_RESET"] : [];
        if (status === 0x0f) rig.live(of, more);
        else rig.to(0x0b, [...featuresOf(of), ...more]);
        const before = hand.status(rig);
        act(rig, of);
        expect([...new Set(rig.codes())]).toEqual(expected.error.map((name) => hand.code(name)));
        expect([expected.deviceStatus, hand.status(rig)]).toEqual(["unchanged", before]);
        rig.expectCanary();
      });
    });
  };
}

/** The cases that are the same wherever the registers are. */
export function sharedCases<Rig extends TransportRig>(run: RunCase<Rig>, hand: TransportHand<Rig>): void {
  const { ready } = hand;
  const kick = (rig: Rig, value = 0) => {
    hand.notify(rig, value);
    rig.serve();
  };
  /** A set-up that must be refused: the codes are the corpus's. */
  const refused = (size: number, areas: Partial<Addresses> = {}) => {
    return (rig: Rig, layout: Layout) => {
      rig.setUp(0, size, { ...areasOf(layout), ...areas });
      expect(ready(rig)).toBe(0);
    };
  };

  run("T163", 0x0b, refused(0));
  run("T164", 0x0b, refused(0x10000));
  run("T166", 0x0b, refused(6));
  run("T167", 0x0b, (rig) => {
    rig.setUp(0, 6, areasOf("packed"));
    expect(ready(rig)).toBe(1);
  });
  run("T168", 0x0b, (rig, layout) => {
    for (const size of [257, 512]) refused(size)(rig, layout);
  });
  run(
    "T169",
    0x0b,
    (rig, layout) => {
      rig.setUp(0, 32768, LARGE[layout]);
      expect(ready(rig)).toBe(1);
      hand.writeStatus(rig, 0x0f);
      rig.offer(layout, 1, 32768, LARGE[layout]);
      kick(rig);
      expect(rig.used(layout, 1, 32768, LARGE[layout])).toBe(true);
      rig.to(0x0b, featuresOf(layout));
    },
    () => hand.makeWith(32768, 0x200000),
  );
  run("T175", 0x0b, refused(8, { descriptor: 0x1008 }));
  run("T176", 0x0b, refused(8, { driver: 0x2001 }));
  run("T177", 0x0b, refused(8, { device: 0x3002 }));
  run("T178", 0x0b, (rig) => {
    const areas = { ...SPLIT_AREAS, descriptor: 0x40000 - 128 };
    rig.setUp(0, 8, areas);
    expect(ready(rig)).toBe(1);
    hand.writeStatus(rig, 0x0f);
    rig.offer("split", 8, 8, areas);
    kick(rig);
    expect(rig.used("split", 8)).toBe(true);
    rig.to(0x0b);
  });
  run("T181", 0x0b, refused(8, { descriptor: 0x1_0000_1000n }));
  run("T182", 0x0b, refused(8, { descriptor: 0xffff_ffff_ffff_fff0n }));
  run("T183", 0x0b, refused(8, { device: 0x1040 }));
  run("T188", 0x0f, (rig, layout) => {
    rig.offer(layout, 1);
    kick(rig, 2);
    expect(rig.used(layout, 0)).toBe(true);
  });
  run("T190", 0x0b, (rig, layout) => {
    rig.setUp(0, 8, areasOf(layout));
    rig.offer(layout, 8);
    kick(rig);
    expect([rig.used(layout, 0), rig.model.taken]).toEqual([true, []]);
  });
  run("T191", 0x0f, (rig) => kick(rig, 1));
  run("T203", 0x0f, (rig, layout) => {
    rig.model.holds = true;
    rig.offer(layout, 4);
    kick(rig);
    const tokens = rig.model.taken.map(({ token }) => token);
    expect(tokens.length).toBe(4);
    hand.writeReset(rig, 1);
    expect([hand.reset(rig), ready(rig)]).toEqual([0, 0]);
    const old = rig.memory.copy(0, 0x4000);
    const areas = { descriptor: 0x4000, driver: 0x5000, device: layout === "split" ? 0x6000 : 0x5010 };
    rig.setUp(0, 4, areas);
    expect(ready(rig)).toBe(1);
    for (const token of tokens) {
      // The old chains are nobody's: their tokens name none of the new ring.
      expect(() => rig.model.context?.queue(0).complete(token, 0)).toThrow();
    }
    rig.model.context?.finish(0);
    expect(rig.used(layout, 0, 4, areas)).toBe(true);
    rig.model.holds = false;
    rig.offer(layout, 4, 4, areas);
    kick(rig);
    expect([rig.used(layout, 4, 4, areas), rig.memory.copy(0, 0x4000)]).toEqual([true, old]);
  });
}
