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
  /** Fill of every byte outside guest RAM, compared by `strayWrites`. */
  readonly canary?: boolean;
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
  /** So many bytes of memory, a multiple of 65,536; the same ones every time. */
  memory(bytes: number): Uint8Array;
  /** Drives the public classes: completions out of turn are held back, not refused. */
  readonly holdsBack?: boolean;
}

/** 256 KiB of guest RAM at 1 MiB of a memory of 4 MiB, as the corpus of hostile rings has it. */
export const GUEST: GuestRegion = { gpa: 0, base: 0x100000, size: 0x40000 };
export const MEMORY_BYTES = 0x400000;

function backend(name: string, makeRings: MakeRings, make: (bytes: number) => Uint8Array): Backend {
  const memories = new Map<number, Uint8Array>();
  return {
    name,
    makeRings,
    memory: (bytes) => {
      const memory = memories.get(bytes) ?? make(bytes);
      memories.set(bytes, memory);
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
  const { memoryBytes = MEMORY_BYTES, regions = [GUEST], canary = false, ...ring } = options;
  const memory = backend.memory(memoryBytes);
  if (canary) memory.set(canaryBytes(memoryBytes));
  for (const { base, size } of regions) memory.fill(0, base, base + size);
  const areas = options.areas ?? {
    ...DEFAULT_AREAS[options.layout],
    ...(options.features.indirect && options.size <= 256 && { tables: TABLES }),
  };
  const full: RingOptions = { ...ring, areas, regions, memory };
  const rings = backend.makeRings(full);
  // A half may have put its words in memory; every world starts with the same bytes.
  for (const { base, size } of regions) memory.fill(0, base, base + size);
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

const canaries = new Map<number, Uint8Array>();

/** Position-dependent filler: no two neighbours alike, no zero runs. */
function canaryBytes(length: number): Uint8Array {
  const known = canaries.get(length);
  if (known) return known;
  const words = new Uint32Array(length / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 0x9e3779b1);
  const fresh = new Uint8Array(words.buffer);
  canaries.set(length, fresh);
  return fresh;
}

function strayWrites(bytes: Uint8Array, own: readonly { base: number; size: number }[]): number[] {
  const expected = canaryBytes(bytes.length);
  const holes = [...own].sort((a, b) => a.base - b.base);
  const stray: number[] = [];
  let at = 0;
  for (const { base, size } of [...holes, { base: bytes.length, size: 0 }]) {
    const same = Buffer.compare(bytes.subarray(at, base), expected.subarray(at, base)) === 0;
    for (let i = at; !same && i < base; i++) if (bytes[i] !== expected[i]) stray.push(i);
    at = base + size;
  }
  return stray;
}
