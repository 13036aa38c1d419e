/**
 * The frame of every ring conformance test: each test body runs over each backend and each start, and opens its queues there.
 */
import { describe } from "vitest";
import type { ResultName, RingFeatures, RingStart } from "../model/ring";
import { PACKED_STARTS, SPLIT_STARTS, startName } from "../ring-steps";
import { BACKENDS, type Backend, openWorld, type World, type WorldOptions } from "../rings";

type More = Partial<Omit<WorldOptions, "layout" | "features">>;

/** A place to open split queues of 8 at one start. */
export interface SplitBench {
  /** A queue with these features at this bench's start. */
  open(features?: RingFeatures, more?: More): World;
  /** The free-running index `n` entries behind the start. */
  idx(n: number): number;
  /** The slot of the n-th entry from the start in a ring of 8. */
  slot(n: number): number;
  /** What completing out of turn answers with IN_ORDER; undefined: it is held back until its turn. */
  readonly outOfTurn: ResultName | undefined;
}

/** A place to open packed queues of 8 at one start. */
export interface PackedBench {
  open(features?: RingFeatures, more?: More): World;
  /** The slot `n` descriptors behind the start in a ring of 8. */
  slot(n: number): number;
  /** AVAIL and USED bits of a descriptor that is available there. */
  available(n: number): number;
  /** AVAIL and USED bits of a descriptor that is used there. */
  used(n: number): number;
  /** off_wrap that names it. */
  offWrap(n: number): number;
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

const outOfTurn = (backend: Backend): ResultName | undefined =>
  backend.holdsBack ? undefined : "IN_ORDER_VIOLATION";

/** Runs the tests of a split area over every backend and start. */
export function eachSplit(body: (bench: SplitBench) => void): void {
  for (const backend of BACKENDS) {
    for (const start of SPLIT_STARTS) {
      const from = start.idx ?? 0;
      describe(`${backend.name}, ${startName(start)}`, () => {
        body({
          open: (features, more) => open("split", backend, start, features, more),
          idx: (n) => (from + n) & 0xffff,
          slot: (n) => (from + n) % 8,
          outOfTurn: outOfTurn(backend),
        });
      });
    }
  }
}

/** Runs the tests of a packed area over every backend and start. */
export function eachPacked(body: (bench: PackedBench) => void): void {
  for (const backend of BACKENDS) {
    for (const start of PACKED_STARTS) {
      const { slot = 0, wrap = 1 } = start;
      const lap = (n: number): number => (Math.floor((slot + n) / 8) % 2 === 0 ? wrap : 1 - wrap);
      const at = (n: number): number => (slot + n + 64) % 8;
      describe(`${backend.name}, ${startName(start)}`, () => {
        body({
          open: (features, more) => open("packed", backend, start, features, more),
          slot: at,
          available: (n) => (lap(n) === 1 ? 0x0080 : 0x8000),
          used: (n) => (lap(n) === 1 ? 0x8080 : 0x0000),
          offWrap: (n) => at(n) | (lap(n) << 15),
          outOfTurn: outOfTurn(backend),
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
