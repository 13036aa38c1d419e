/**
 * Small steps that most ring tests take: add and publish one buffer, take everything, go a whole round trip. Each fails the
 * test where it doesn't succeed, so that a test's own assertions are about its own subject.
 */
import { expect } from "vitest";
import type { BufferRequest, RingStart, Segment, TakenChain, UsedBuffer } from "./model/ring";
import type { World } from "./rings";

/** Where every split ring test starts: at 0, and six entries before the 16-bit indices wrap. */
export const SPLIT_STARTS: readonly RingStart[] = [{ idx: 0 }, { idx: 65530 }];
/** Where every packed ring test starts: both wrap counters, at the ring's begin and two slots before its end (size 8). */
export const PACKED_STARTS: readonly RingStart[] = [
  { slot: 0, wrap: 1 },
  { slot: 0, wrap: 0 },
  { slot: 6, wrap: 1 },
  { slot: 6, wrap: 0 },
];

/** The name of a start in a test's title. */
export function startName({ idx, slot, wrap }: RingStart): string {
  return idx === undefined ? `slot ${slot}, wrap ${wrap}` : `idx ${idx}`;
}

/** Where things are, counted from a start: entries in a split ring, descriptors in a packed one. `n` may be negative. */
export interface Place {
  /** Split: the free-running index n entries on. */
  idx(n: number): number;
  /** The slot n entries or descriptors on. */
  slot(n: number): number;
  /** Packed: AVAIL and USED bits of a descriptor that is available there, and of one that is used. */
  available(n: number): number;
  used(n: number): number;
  /** Packed: the off_wrap that names it. */
  offWrap(n: number): number;
}

/** Places of a queue of `size` that starts there. */
export function placeOf(
  { idx = 0, slot = 0, wrap = 1 }: RingStart,
  layout: "split" | "packed",
  size: number,
): Place {
  const first = layout === "split" ? idx : slot;
  const at = (n: number): number => (((first + n) % size) + size) % size;
  const lap = (n: number): number => (Math.floor((first + n) / size) % 2 === 0 ? wrap : 1 - wrap);
  return {
    idx: (n) => (first + n) & 0xffff,
    slot: (n) => (layout === "split" ? ((first + n) & 0xffff) % size : at(n)),
    available: (n) => (lap(n) === 1 ? 0x0080 : 0x8000),
    used: (n) => (lap(n) === 1 ? 0x8080 : 0x0000),
    offWrap: (n) => at(n) | (lap(n) << 15),
  };
}

/** A segment of guest memory. */
export const seg = (address: number, length: number): Segment => ({ address, length });

/** A readable buffer of 16 bytes in page 8 of guest memory; `n` tells one from another. */
export const readable = (n = 0, length = 16): BufferRequest => ({
  readable: [seg(0x8000 + 0x100 * n, length)],
  writable: [],
});
/** A writable one. */
export const writable = (n = 0, length = 16): BufferRequest => ({
  readable: [],
  writable: [seg(0x8000 + 0x100 * n, length)],
});

/** Adds buffers, each of which must fit; their tokens. */
export function add(world: World, ...requests: BufferRequest[]): number[] {
  const { added, tokens, error } = world.driver.add(requests);
  expect({ added, error }).toEqual({ added: requests.length, error: undefined });
  return [...tokens];
}

/** Adds buffers and makes them available; their tokens. */
export function offer(world: World, ...requests: BufferRequest[]): number[] {
  const tokens = add(world, ...requests);
  world.driver.publish();
  return tokens;
}

/** Takes whatever is available, which must be error-free. */
export function takeAll(world: World): readonly TakenChain[] {
  const { chains, error } = world.device.take(65536);
  expect(error).toBeUndefined();
  return chains;
}

/** Takes `count` chains; there must be as many. */
export function take(world: World, count: number): readonly TakenChain[] {
  const { chains, error } = world.device.take(count);
  expect({ count: chains.length, error }).toEqual({ count, error: undefined });
  return chains;
}

/** Takes the one chain that is available. */
export function takeOne(world: World): TakenChain {
  const [chain] = take(world, 1);
  if (!chain) throw new Error("nothing available");
  return chain;
}

/** Completes a chain, in full unless said. */
export function complete(world: World, chain: TakenChain, written = Number(chain.writableBytes)): void {
  expect(world.device.complete(chain.token, written)).toBeUndefined();
}

/** Completes chains in full and publishes; was a used buffer notification due? */
export function finish(world: World, ...chains: readonly TakenChain[]): boolean {
  for (const chain of chains) complete(world, chain);
  return world.device.publish();
}

/** Takes back whatever is used, which must be error-free. */
export function takeUsed(world: World): readonly UsedBuffer[] {
  const { used, error } = world.driver.takeUsed(65536);
  expect(error).toBeUndefined();
  return used;
}

/** One buffer from the driver to the device and back, bytes counted. */
export function roundTrip(world: World, request: BufferRequest = writable()): void {
  const [token] = offer(world, request);
  const chain = takeOne(world);
  expect([...chain.readable, ...chain.writable].map((s) => s.length)).toEqual(
    [...request.readable, ...request.writable].map((s) => s.length),
  );
  finish(world, chain);
  expect(takeUsed(world)).toEqual([{ token, length: Number(chain.writableBytes) }]);
}
