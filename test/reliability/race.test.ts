/**
 * Races: a driver that rewrites a descriptor, a table or a link while the device half walks it, and a device that rewrites a used
 * element. Once for real, with the shared build and a second worker as the adversary; once at every single access of the core,
 * by the instrumented module. Every verdict is on memory safety and progress.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import * as abi from "../../assembly/abi";
import { type Core, loadCoreSync } from "../../src/core/core";
import { resultName } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { ringLayout } from "../../src/virtqueue/layout";
import { instrumentedBackend } from "../instrument";
import type { TakenChain } from "../model/ring";
import { RawMemory, RawSplit } from "../raw-ring";
import { offer, seg, takeOne, takeUsed, writable } from "../ring-steps";
import { GUEST, openWorld, type World } from "../rings";
import { titleOf } from "./corpus";
import { avail, openStage, put } from "./stage";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

const AREAS = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };

/** One hostile field: where it is (guest address), its width, and the two values it flips between. */
interface Flip {
  readonly gpa: number;
  readonly bytes: 2 | 4;
  readonly values: readonly [good: number, bad: number];
}

interface Race {
  readonly prepare: (split: RawSplit) => void;
  readonly flip: Flip;
  /** Lengths of the chain that passes the checks. */
  readonly lengths: readonly number[];
  readonly error: string;
}

const RACES: Readonly<Record<"D049" | "D052" | "D053", Race>> = {
  D049: {
    prepare: (split) => {
      split.desc(0, { addr: 0x8000, len: 16, flags: NEXT, next: 1 });
      split.desc(1, { addr: 0x9000, len: 16, flags: WRITE });
    },
    flip: { gpa: 0x1008, bytes: 4, values: [16, 0x40000] },
    lengths: [16, 16],
    error: "DESC_OUT_OF_GUEST",
  },
  D052: {
    prepare: (split) => {
      split.desc(0, { addr: 0x8000, len: 16, flags: NEXT, next: 1 });
      split.desc(1, { addr: 0x8100, len: 16, flags: NEXT, next: 2 });
      split.desc(2, { addr: 0x8200, len: 16, flags: WRITE });
    },
    flip: { gpa: 0x101e, bytes: 2, values: [2, 0xffff] },
    lengths: [16, 16, 16],
    error: "DESC_NEXT_RANGE",
  },
  D053: {
    prepare: (split) => {
      for (let i = 0; i < 4; i++) {
        const link = i < 3 ? { flags: i === 2 ? NEXT | WRITE : NEXT, next: i + 1 } : { flags: WRITE };
        split.desc(i, { addr: 0x8000 + 0x100 * i, len: 16, ...link }, 0xa000);
      }
      split.desc(0, { addr: 0xa000, len: 64, flags: INDIRECT });
    },
    flip: { gpa: 0xa024, bytes: 4, values: [0, 0xffff_ffff] }, // high half of entry 2's address
    lengths: [16, 16, 16, 16],
    error: "DESC_OUT_OF_GUEST",
  },
};

/** The adversary: flips a field of shared memory as fast as it can until word 0 of `control` is set; counts in word 1. */
const ADVERSARY = `
  const { workerData } = require("node:worker_threads");
  const { buffer, at, bytes, values, control } = workerData;
  const field = bytes === 2 ? new Uint16Array(buffer, at, 1) : new Uint32Array(buffer, at, 1);
  while (Atomics.load(control, 0) === 0) {
    for (let i = 0; i < 64; i++) { field[0] = values[0]; field[0] = values[1]; }
    Atomics.add(control, 1, 1);
  }
`;

interface Arena {
  readonly core: Core;
  readonly device: DeviceQueue;
  readonly split: RawSplit;
}

/**
 * Pops chains while the adversary flips, through the raw exports: a million pops must not take long.
 *
 * @param serve takes, copies and completes one chain; false: it was refused
 */
async function raceWith({ prepare, flip }: Race, pops: number, serve: (arena: Arena) => boolean) {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const all = new Uint8Array(memory.buffer);
  all.fill(0x5a);
  all.fill(0, GUEST.base, GUEST.base + GUEST.size);
  const state = { base: 0x200000, size: 0x40000 };
  const core = loadCoreSync({ memory, regions: [GUEST], state });
  const ring = ringLayout(FeatureSet.of("VERSION_1", "INDIRECT_DESC"));
  const device = new DeviceQueue(core, { index: 0, ring, size: 8, areas: AREAS });
  const split = new RawSplit(new RawMemory(() => core.view(0, GUEST.size)), 8, AREAS);
  prepare(split);
  const control = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(ADVERSARY, {
    eval: true,
    workerData: {
      buffer: memory.buffer,
      at: GUEST.base + flip.gpa,
      bytes: flip.bytes,
      values: flip.values,
      control,
    },
  });
  const availIdx = new Uint16Array(memory.buffer, GUEST.base + AREAS.driver + 2, 1);
  const usedIdx = new Uint16Array(memory.buffer, GUEST.base + AREAS.device + 2, 1);
  const errors = new Set<string>();
  let good = 0;
  let refused = 0;
  try {
    let idx = 0;
    // As many pops as the case asks for, and more until the adversary has really had its turn.
    for (let n = 0; n < pops || Atomics.load(control, 1) < 100; n++) {
      availIdx[0] = ++idx;
      if (serve({ core, device, split })) {
        good++;
        continue;
      }
      refused++;
      errors.add(resultName((core.words()[(device.q + abi.DEVICE_STATE) >>> 2] ?? 0) | 0));
      core.exports.deviceReset(device.q);
      idx = 0;
      availIdx[0] = 0;
      usedIdx[0] = 0;
    }
  } finally {
    Atomics.store(control, 0, 1);
    await once(worker, "exit");
  }
  all.fill(0x5a, state.base, state.base + state.size);
  const stray = [all.subarray(0, GUEST.base), all.subarray(GUEST.base + GUEST.size)].some((part) =>
    part.some((byte) => byte !== 0x5a),
  );
  return { good, refused, errors: [...errors], stray };
}

const scratch = new Uint8Array(16);

/** Takes one chain, copies what its record says, and completes it; every length must be the one that was checked. */
function takeAndCopy({ core, device }: Arena, lengths: readonly number[]): boolean {
  if (core.exports.splitDeviceTake(device.q, 1) !== 1) return false;
  const words = core.words();
  const record = (device.q + device.state.deviceRecords + device.batch * abi.COMPLETION_RECORD_BYTES) >>> 2;
  for (let i = 0; i < lengths.length; i++) {
    const at = record + ((abi.CHAIN_RECORD_BYTES + i * abi.SEGMENT_RECORD_BYTES) >>> 2);
    const [address = 0, length = 0] = [words[at], words[at + 1]];
    const inside = address >= GUEST.base && address + length <= GUEST.base + GUEST.size;
    if (length !== lengths[i] || !inside) expect.fail(`segment ${i}: ${length} bytes at ${address}`);
    scratch.set(core.bytes().subarray(address, address + length));
  }
  core.exports.splitDeviceComplete(device.q, words[record] ?? 0, 0);
  core.exports.splitDevicePublish(device.q);
  return true;
}

describe.each(Object.entries(RACES))("%s", (id, race) => {
  const pops = id === "D049" ? 1_000_000 : 200_000;

  test(`${titleOf(id)}: the device copies`, async () => {
    const { good, refused, errors, stray } = await raceWith(race, pops, (arena) =>
      takeAndCopy(arena, race.lengths),
    );
    expect(stray).toBe(false);
    expect(good + refused).toBeGreaterThanOrEqual(pops);
    for (const error of errors) expect(error).toBe(race.error);
  });

  test(`${titleOf(id)}: an echo inside WASM copies`, async () => {
    const { good, refused, errors, stray } = await raceWith(race, 100_000, ({ core, device }) => {
      if (core.exports.splitDeviceRun(device.q, abi.BACKEND_ECHO, 1) !== 1) return false;
      core.exports.splitDevicePublish(device.q);
      return true;
    });
    expect(stray).toBe(false);
    expect(good + refused).toBeGreaterThanOrEqual(100_000);
    for (const error of errors) expect(error).toBe(race.error);
  });
});

describe("at every access", () => {
  const backend = instrumentedBackend();
  const { log } = backend;

  /** Runs `action` on a new world again and again, with `strike` right after its first, second, third… access. */
  function everywhere<T>(
    open: () => World,
    action: (world: World) => T,
    strike: (world: World) => void,
    verdict: (result: T) => void,
  ): number {
    for (let n = 0; ; n++) {
      const world = open();
      let accesses = 0;
      log.onceAfter(
        () => accesses++ === n,
        () => strike(world),
      );
      const result = log.record(() => action(world));
      verdict(result);
      expect(world.strayWrites()).toEqual([]);
      if (accesses <= n) return n;
    }
  }

  const safe = ({ chains, error }: { chains: readonly TakenChain[]; error?: string }, race: Race): void => {
    if (error) expect(error).toBe(race.error);
    for (const chain of chains) {
      const segments = [...chain.readable, ...chain.writable];
      expect(segments.map((s) => s.length)).toEqual(race.lengths);
      for (const { address, length } of segments) expect(address + length).toBeLessThanOrEqual(GUEST.size);
    }
  };

  test.each(Object.entries(RACES))("%s the driver strikes between any two accesses", (_, race) => {
    for (const [before, after] of [race.flip.values, race.flip.values.toReversed()] as const) {
      const set = (world: World, value: number | undefined): void => {
        if (race.flip.bytes === 2) world.guest.setU16(race.flip.gpa, value ?? 0);
        else world.guest.setU32(race.flip.gpa, value ?? 0);
      };
      const open = (): World => {
        const stage = openStage(backend, "S8");
        race.prepare(stage.split);
        set(stage.world, before);
        avail(stage, [0]);
        return stage.world;
      };
      const outcomes = new Set<string>();
      const strikes = everywhere(
        open,
        (world) => world.device.take(1),
        (world) => set(world, after),
        (result) => {
          safe(result, race);
          outcomes.add(result.error ?? "taken");
        },
      );
      expect(strikes).toBeGreaterThan(10);
      expect([...outcomes].sort()).toEqual([race.error, "taken"]); // early strikes and late ones
    }
  });

  test("D052 the same in a packed list: NEXT, AVAIL and length of the second descriptor", () => {
    for (const strike of [
      (world: World) => world.packed.setFlags(1, 0x0080 | NEXT),
      (world: World) => world.packed.setFlags(1, 0x8080),
      (world: World) => world.packed.desc(1, { addr: 0x8100, len: 0x40000, flags: 0x0080 }),
      (world: World) => world.packed.desc(1, { addr: 2 ** 40, len: 16, flags: 0x0080 | INDIRECT }),
    ]) {
      const open = (): World => {
        const stage = openStage(backend, "P8");
        put(stage, 0, { flags: NEXT });
        put(stage, 1);
        return stage.world;
      };
      everywhere(
        open,
        (world) => world.device.take(1),
        strike,
        ({ chains, error }) => {
          expect([undefined, "PACKED_NOT_AVAILABLE", "DESC_OUT_OF_GUEST", "INDIRECT_WITH_NEXT"]).toContain(
            error,
          );
          for (const chain of chains) expect(chain.readable).toEqual([seg(0x8000, 16), seg(0x8100, 16)]);
        },
      );
    }
  });

  test.each(["split", "packed"] as const)(
    "a %s used element that changes while it is taken never gives more than was writable",
    (layout) => {
      const open = (): World => {
        const world = openWorld(backend, { layout, size: 8, features: {}, canary: true });
        offer(world, writable(0, 64), writable(1, 64));
        world.device.complete(takeOne(world).token, 64);
        world.device.publish();
        return world;
      };
      for (const [id, len] of [
        [0, 0xffff_ffff],
        [7, 64],
        [0xffff, 64],
        [1, 10],
      ] as const) {
        everywhere(
          open,
          (world) => world.driver.takeUsed(8),
          (world) => {
            if (layout === "split") world.split.setUsedRing(0, id, len);
            else world.packed.used(0, { id, len, flags: 0x8080 | WRITE });
          },
          ({ used, error }) => {
            expect([undefined, "USED_LEN_OVERFLOW", "USED_ID_NOT_INFLIGHT", "USED_ID_RANGE"]).toContain(
              error,
            );
            for (const { length } of used) expect(length).toBeLessThanOrEqual(64);
          },
        );
      }
    },
  );

  test("what nobody touches gives the same as without a hook", () => {
    const world = openWorld(backend, { layout: "split", size: 8, features: {} });
    offer(world, writable(0));
    log.record(() => world.device.complete(takeOne(world).token, 16));
    world.device.publish();
    expect(takeUsed(world).length).toBe(1);
  });
});
