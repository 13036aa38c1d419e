/**
 * The stage of a hostile case: a queue as the case's profile says, one half of it under test, the other played by hand. Every
 * call on the half under test is watched: what it may write, how much it may look at, and that it stays within guest RAM.
 */
import { expect } from "vitest";
import { type AccessLog, instrumentedBackend } from "../instrument";
import type { DeviceHalf, DriverHalf, ResultName, RingStart, TakenChain } from "../model/ring";
import { type Place, placeOf } from "../ring-steps";
import {
  type Backend,
  GUEST,
  MEMORY_BYTES,
  MODEL,
  openWorld,
  QUEUES,
  RELEASE,
  SHARED,
  type World,
  type WorldOptions,
} from "../rings";

const INSTRUMENTED = instrumentedBackend();
/** Everything that plays a half under test. */
export const UNDER_TEST: readonly Backend[] = [MODEL, RELEASE, SHARED, QUEUES, INSTRUMENTED];

const MIB = 0x100000;
const LARGE = [{ gpa: 0, base: MIB, size: 2 * MIB }];

const PROFILES: Readonly<Record<string, Pick<WorldOptions, "layout" | "size" | "areas" | "regions">>> = {
  S8: { layout: "split", size: 8, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } },
  S256: { layout: "split", size: 256, areas: { descriptor: 0x1000, driver: 0x3000, device: 0x4000 } },
  S32768: {
    layout: "split",
    size: 32768,
    areas: { descriptor: 0x10000, driver: 0x90000, device: 0xa1000 },
    regions: LARGE,
  },
  P8: { layout: "packed", size: 8, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x2010 } },
  P5: { layout: "packed", size: 5, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x2010 } },
  P32768: {
    layout: "packed",
    size: 32768,
    areas: { descriptor: 0x10000, driver: 0x90000, device: 0x90010 },
    regions: LARGE,
  },
};

/** Options of a profile such as "S8", "P8IO", "S8 strict" or "S8N driver". */
export function profileOptions(setup: string): WorldOptions {
  const [name = "", ...words] = setup.split(" ");
  const [, base = "", suffix = ""] = /^(S8|S256|S32768|P8|P5|P32768)(N|E|IO)?$/.exec(name) ?? [];
  const profile = PROFILES[base];
  if (!profile?.areas) throw new Error(`no profile ${setup}`);
  const indirect = suffix !== "N";
  const tables = indirect && profile.size <= 8 && { tables: { address: 0x20000, entries: 16 } };
  return {
    ...profile,
    areas: { ...profile.areas, ...tables },
    features: { indirect, eventIdx: suffix === "E", inOrder: suffix === "IO" },
    options: { strictRing: words.includes("strict") },
    canary: true,
  };
}

/** What a hand that plays a side needs: the raw bytes, and where things are. */
export interface Hand extends Place {
  readonly layout: "split" | "packed";
  readonly size: number;
  readonly split: World["split"];
  readonly packed: World["packed"];
}

/** A queue, the half under test, and the hand that plays the other half. */
export interface Stage extends Hand {
  readonly world: World;
  readonly device: DeviceHalf;
  readonly driver: DriverHalf;
  /** Accesses of the last watched call; on the instrumented backend alone. */
  readonly log: AccessLog | undefined;
  readonly backend: Backend;
}

export function openStage(backend: Backend, setup: string, more: Partial<WorldOptions> = {}): Stage {
  const options = { ...profileOptions(setup), ...more };
  const world = openWorld(backend, options);
  const log = backend === INSTRUMENTED ? INSTRUMENTED.log : undefined;
  const { layout, size, start = {} } = options;
  const stage = {
    ...placeOf(start, layout, size),
    world,
    layout,
    size,
    split: world.split,
    packed: world.packed,
    log,
    backend,
    device: watched(world, world.device, deviceMayWrite(world), log),
    driver: watched(world, world.driver, driverMayWrite(world), log),
  };
  describeBuffers(stage);
  return stage;
}

/** Ring descriptor i of the corpus: 16 readable bytes at 0x8000 + 0x100 × (i mod 16). */
function describeBuffers({ size, world, split, packed }: Stage): void {
  for (let i = 0; i < size; i++) {
    const addr = 0x8000 + 0x100 * (i % 16);
    if (world.options.layout === "split") split.desc(i, { addr, len: 16 });
    else packed.desc(i, { addr, len: 16, flags: packed.flags(i) });
  }
}

type Range = readonly [gpa: number, bytes: number];

function deviceMayWrite({ options }: World): Range[] {
  const { layout, size, areas } = options;
  if (layout === "split") return [[areas.device, 6 + 8 * size]];
  return [
    [areas.descriptor, 16 * size],
    [areas.device, 4],
  ];
}

function driverMayWrite({ options }: World): Range[] {
  const { layout, size, areas } = options;
  const tables = areas.tables && ([areas.tables.address, areas.tables.entries * 16 * size] as const);
  return [
    [areas.descriptor, 16 * size],
    [areas.driver, layout === "split" ? 6 + 2 * size : 4],
    ...(tables ? [tables] : []),
  ];
}

const before = Buffer.alloc(GUEST.size);
const after = Buffer.alloc(GUEST.size);

/** The half, with every call compared to what it may do. */
function watched<H extends object>(
  world: World,
  half: H,
  own: readonly Range[],
  log: AccessLog | undefined,
): H {
  const watch = (action: () => unknown): unknown => {
    copyGuest(world, own, before);
    const result = log ? log.record(action) : action();
    copyGuest(world, own, after);
    if (!before.equals(after)) expect.fail("a byte of guest RAM changed outside the half's own areas");
    if (log) judgeAccesses(world, log);
    return result;
  };
  return new Proxy(half, {
    get: (target, name) => {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== "function" || name === "state") {
        return typeof member === "function" ? member.bind(target) : member;
      }
      return (...values: unknown[]) => watch(() => member.apply(target, values));
    },
  });
}

/** Guest RAM, of which at most 256 KiB, with the half's own areas blanked. */
function copyGuest({ guest }: World, own: readonly Range[], into: Buffer): void {
  into.set(guest.source().subarray(0, GUEST.size));
  for (const [gpa, length] of own)
    into.fill(0, Math.min(gpa, into.length), Math.min(gpa + length, into.length));
}

/** Bounded work, and nothing looked at but guest RAM and the core's own state. */
function judgeAccesses({ options }: World, log: AccessLog): void {
  const longest = options.size + Math.max(options.size, 1024);
  expect(log.accesses.length).toBeLessThan(64 * options.size * (longest + 1));
  const stray = log.accesses.filter(
    ({ address, bytes }) =>
      address < (options.memory.length || MEMORY_BYTES) &&
      !options.regions.some(({ base, size }) => address >= base && address + bytes <= base + size),
  );
  expect(stray).toEqual([]);
}

/** How often the core looked at a descriptor of the ring, or of the table at `table`; -1 where nobody counts. */
export function visits({ log, world }: Stage, table?: number): number {
  if (!log) return -1;
  const { layout, size, areas } = world.options;
  const base = GUEST.base + (table ?? areas.descriptor);
  const flagsAt = layout === "split" ? 12 : 14;
  return log.within("load", base, table === undefined ? 16 * size : 0x4000).filter(({ address, bytes }) => {
    const at = address % 16;
    return at <= flagsAt && at + bytes > flagsAt;
  }).length;
}

/** True if the core loaded nothing from there in the last watched call; also where nobody counts. */
export function untouched({ log }: Stage, gpa: number, bytes: number): boolean {
  return log === undefined || log.within("load", GUEST.base + gpa, bytes).length === 0;
}

/** The driver by hand: makes single heads available (split), one after the other from entry `from` on. */
export function avail(hand: Hand, heads: readonly number[], from = 0): void {
  heads.forEach((head, i) => {
    hand.split.setAvailRing(hand.slot(from + i), head);
  });
  hand.split.availIdx = hand.idx(from + heads.length);
}

/** The driver by hand: the n-th descriptor from the start (packed), available in the lap of its slot. */
export function put(
  hand: Hand,
  n: number,
  d: { addr?: number | bigint; len?: number; id?: number; flags?: number } = {},
): void {
  const addr = 0x8000 + 0x100 * (hand.slot(n) % 16);
  hand.packed.desc(hand.slot(n), { addr, len: 16, ...d, flags: (d.flags ?? 0) | hand.available(n) });
}

/** Takes `count` chains, which must be good. */
export function taken(stage: Stage, count: number): readonly TakenChain[] {
  const { chains, error } = stage.device.take(count);
  expect({ count: chains.length, error }).toEqual({ count, error: undefined });
  return chains;
}

/** Completes chains, 0 bytes written unless said, and publishes; was a notification due? */
export function used(stage: Stage, chains: readonly TakenChain[], written = 0): boolean {
  for (const { token } of chains) expect(stage.device.complete(token, written)).toBeUndefined();
  return stage.device.publish();
}

/** The next take fails with one of the codes; nothing comes out of it, then or later. */
export function refuses(stage: Stage, codes: readonly ResultName[]): void {
  const { chains, error } = stage.device.take(65536);
  expect(chains).toEqual([]);
  expect(codes).toContain(error);
}

/** Starts of the cases that don't name their own. */
export function startsOf(setup: string): readonly RingStart[] {
  const { layout, size } = profileOptions(setup);
  if (layout === "split") return [{ idx: 0 }, { idx: 65530 }];
  return [
    { slot: 0, wrap: 1 },
    { slot: 0, wrap: 0 },
    { slot: size - 2, wrap: 1 },
    { slot: size - 2, wrap: 0 },
  ];
}
