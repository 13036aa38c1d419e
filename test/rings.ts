/**
 * One way to open a virtqueue for tests, whatever plays the rings: the reference rings of test/model, and the WebAssembly core
 * in both builds behind the same DriverHalf and DeviceHalf. A world is one memory with guest RAM in it, both halves of one
 * queue, and the raw bytes of that queue for whoever plays the other side by hand.
 */
import { writeStart } from "./model/areas";
import { makeModelRings } from "./model/model";
import type { GuestRegion, MakeRings, RingAreas, RingOptions, Rings } from "./model/ring";
import { RawMemory, RawPacked, RawSplit } from "./raw-ring";
import { makeQueueRings, makeWasmRings, wasmMemory } from "./wasm-rings";

/** Set-up of a world; areas, regions and memory size have defaults that suit most tests. */
export type WorldOptions = Omit<RingOptions, "memory" | "regions" | "areas"> & {
  readonly areas?: RingAreas;
  readonly regions?: readonly GuestRegion[];
  /** Bytes of the whole memory, a multiple of 65,536. */
  readonly memoryBytes?: number;
  /** Fill every byte outside guest RAM with a canary, compared by `strayWrites`. */
  readonly canary?: boolean;
  /** A memory that nobody used before: guest RAM needs no clearing, however large. */
  readonly fresh?: boolean;
};

/** Both halves of a queue over one memory. */
export interface World extends Rings {
  readonly rings: Rings;
  readonly options: RingOptions;
  /** Region 0 of guest RAM by guest-physical address. */
  readonly guest: RawMemory;
  readonly split: RawSplit;
  readonly packed: RawPacked;
  /** Offsets of bytes outside guest RAM that don't hold the canary any more; the world must have been opened with it. */
  strayWrites(): number[];
}

/** One implementation of the rings. */
export interface Backend {
  readonly name: string;
  readonly makeRings: MakeRings;
  /** So many bytes of memory, a multiple of 65,536; the same ones every time, unless they must be `fresh`. */
  memory(bytes: number, fresh?: boolean): Uint8Array;
  /** Drives the public classes: completions out of turn are held back, not refused. */
  readonly holdsBack?: boolean;
}

/** 256 KiB of guest RAM at 1 MiB of a memory of 4 MiB, as the corpus of hostile rings has it. */
export const GUEST: GuestRegion = { gpa: 0, base: 0x100000, size: 0x40000 };
export const MEMORY_BYTES = 0x400000;

/** A backend that keeps one memory of each size. */
export function backend(name: string, makeRings: MakeRings, make: (bytes: number) => Uint8Array): Backend {
  const memories = new Map<number, Uint8Array>();
  return {
    name,
    makeRings,
    memory: (bytes, fresh = false) => {
      const memory = (fresh ? undefined : memories.get(bytes)) ?? make(bytes);
      if (!fresh) memories.set(bytes, memory);
      return memory;
    },
  };
}

export const MODEL = backend("model", makeModelRings, (bytes) => new Uint8Array(bytes));
export const RELEASE = backend("release", makeWasmRings, (bytes) => wasmMemory(bytes));
export const SHARED = backend("shared", makeWasmRings, (bytes) => wasmMemory(bytes, true));
/** The release build behind DriverQueue and DeviceQueue. */
export const QUEUES: Backend = {
  ...backend("queues", makeQueueRings, (bytes) => wasmMemory(bytes)),
  holdsBack: true,
};

/** The reference rings, the core in both builds, and the classes over it. */
export const BACKENDS: readonly Backend[] = [MODEL, RELEASE, SHARED, QUEUES];

const DEFAULT_AREAS = {
  split: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 },
  packed: { descriptor: 0x1000, driver: 0x2000, device: 0x2010 },
} as const;

/** Sixteen table entries a slot at 0x20000 in every queue that negotiated indirect descriptors. */
export const TABLES = { address: 0x20000, entries: 16 } as const;

/** Opens a queue in zeroed guest RAM whose ring words stand at `options.start`. It takes the place of the backend's last one. */
export function openWorld(backend: Backend, options: WorldOptions): World {
  const { memoryBytes = MEMORY_BYTES, regions = [GUEST], canary = false, fresh = false, ...ring } = options;
  const memory = backend.memory(memoryBytes, fresh);
  const clear = (): void => {
    for (const { base, size } of fresh ? [] : regions) memory.fill(0, base, base + size);
  };
  clear();
  if (canary) for (const [from, to] of gaps(memoryBytes, regions)) memory.set(canaryBytes(from, to), from);
  const areas = options.areas ?? {
    ...DEFAULT_AREAS[options.layout],
    ...(options.features.indirect && options.size <= 256 && { tables: TABLES }),
  };
  const full: RingOptions = { ...ring, areas, regions, memory };
  const rings = backend.makeRings(full);
  // A half may have put its words in memory; every world starts with the same bytes.
  clear();
  writeStart(full);
  const [first = GUEST] = regions;
  const guest = new RawMemory(() => memory.subarray(first.base, first.base + first.size));
  return {
    rings,
    driver: rings.driver,
    device: rings.device,
    options: full,
    guest,
    split: new RawSplit(guest, options.size, areas),
    packed: new RawPacked(guest, options.size, areas),
    strayWrites: () => strayWrites(memory, regions),
  };
}

/** What lies between the regions. */
function gaps(end: number, regions: readonly GuestRegion[]): [from: number, to: number][] {
  const holes: [number, number][] = [];
  let at = 0;
  for (const { base, size } of [...regions].sort((a, b) => a.base - b.base)) {
    holes.push([at, base]);
    at = base + size;
  }
  return [...holes, [at, end]];
}

let canary = new Uint32Array(0);

/** Position-dependent filler: no two neighbours alike, no runs of zero. */
function canaryBytes(from: number, to: number): Uint8Array {
  if (canary.byteLength < to - from) {
    canary = Uint32Array.from({ length: (to - from) / 4 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
  }
  return new Uint8Array(canary.buffer, 0, to - from);
}

function strayWrites(bytes: Uint8Array, regions: readonly GuestRegion[]): number[] {
  const stray: number[] = [];
  for (const [from, to] of gaps(bytes.length, regions)) {
    const expected = canaryBytes(from, to);
    if (Buffer.compare(bytes.subarray(from, to), expected) === 0) continue;
    for (let i = from; i < to; i++) if (bytes[i] !== expected[i - from]) stray.push(i);
  }
  return stray;
}
