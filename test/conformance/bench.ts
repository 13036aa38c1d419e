/**
 * The frame of every ring conformance test: each test body runs over each backend and each start, and opens its queues there.
 */
import { describe } from "vitest";
import type { ResultName, RingFeatures, RingStart } from "../model/ring";
import { PACKED_STARTS, type Place, placeOf, SPLIT_STARTS, startName } from "../ring-steps";
import { BACKENDS, type Backend, openWorld, type World, type WorldOptions } from "../rings";

type More = Partial<Omit<WorldOptions, "layout" | "features">>;

/** A place to open queues of 8 at one start. */
export interface Bench extends Place {
  /** A queue with these features at this bench's start. */
  open(features?: RingFeatures, more?: More): World;
  /** What completing out of turn answers with IN_ORDER; undefined: it is held back until its turn. */
  readonly outOfTurn: ResultName | undefined;
}

function open(
  layout: "split" | "packed",
  backend: Backend,
  start: RingStart,
  features: RingFeatures = {},
  more: More = {},
): World {
  return openWorld(backend, { layout, size: 8, features, start, ...more });
}

/** Runs the tests of a split area over every backend and start. */
export function eachSplit(body: (bench: Bench) => void): void {
  each("split", SPLIT_STARTS, body);
}

/** Runs the tests of a packed area over every backend and start. */
export function eachPacked(body: (bench: Bench) => void): void {
  each("packed", PACKED_STARTS, body);
}

function each(layout: "split" | "packed", starts: readonly RingStart[], body: (bench: Bench) => void): void {
  for (const backend of BACKENDS) {
    for (const start of starts) {
      describe(`${backend.name}, ${startName(start)}`, () => {
        body({
          ...placeOf(start, layout, 8),
          open: (features, more) => open(layout, backend, start, features, more),
          outOfTurn: backend.holdsBack ? undefined : "IN_ORDER_VIOLATION",
        });
      });
    }
  }
}

/** Everything in guest memory but the named ranges, to see that nothing else was written. */
export function outside(world: World, ...own: readonly (readonly [gpa: number, bytes: number])[]): Buffer {
  const copy = Buffer.from(world.guest.source());
  for (const [gpa, bytes] of own) copy.fill(0, gpa, gpa + bytes);
  return copy;
}
