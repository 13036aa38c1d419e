/**
 * One way to open a virtqueue for tests, whatever plays the rings: the reference rings of test/model, and the WebAssembly core
 * in both builds behind the same DriverHalf and DeviceHalf. A world is one memory with guest RAM in it, both halves of one
 * queue, and the raw bytes of that queue for whoever plays the other side by hand.
 */
import { writeStart } from "./model/areas";
import { makeModelRings } from "./model/model";
import type { GuestRegion, RingAreas, RingOptions, Rings } from "./model/ring";
import { RawMemory, RawPacked, RawSplit } from "./raw-ring";
import { wasmBackends } from "./wasm-rings";

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
  readonly options: RingOptions;
  /** Region 0 of guest RAM by guest-physical address. */
  readonly guest: RawMemory;
  readonly split: RawSplit;
  readonly packed: RawPacked;
  /** Bytes outside guest RAM (and outside the core's own state area) that don't hold the canary any more. */
  strayWrites(): number[];
}

/** Makes the halves of a queue in a memory; `state` is a range that belongs to the implementation alone. */
export interface Backend {
  readonly name: string;
  /** A memory of exactly this many bytes; it may be used again for the next world. */
  memory(bytes: number): { readonly buffer: ArrayBufferLike };
  rings(options: RingOptions, state: { base: number; size: number }): Rings;
}

/** 256 KiB of guest RAM at 1 MiB of a memory of 4 MiB, as the corpus of hostile rings has it. */
export const GUEST: GuestRegion = { gpa: 0, base: 0x100000, size: 0x40000 };
export const MEMORY_BYTES = 0x400000;
/** Where an implementation that needs memory of its own may keep it. */
const STATE_BYTES = 0x100000;

const model: Backend = {
  name: "model",
  memory: (bytes) => ({ buffer: modelMemory(bytes) }),
  rings: (options) => makeModelRings(options),
};

/** The reference rings, and the core in every build. */
export const BACKENDS: readonly Backend[] = [model, ...wasmBackends];

const modelMemories = new Map<number, ArrayBuffer>();

function modelMemory(bytes: number): ArrayBuffer {
  const known = modelMemories.get(bytes);
  if (known) return known;
  const fresh = new ArrayBuffer(bytes);
  modelMemories.set(bytes, fresh);
  return fresh;
}

const DEFAULT_AREAS = {
  split: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 },
  packed: { descriptor: 0x1000, driver: 0x2000, device: 0x2010 },
} as const;

/** Four table entries a slot at 0x20000 in every queue that negotiated indirect descriptors. */
export const TABLES = { address: 0x20000, entries: 16 } as const;

/** Opens a queue in zeroed guest RAM whose ring words stand at `options.start`. */
export function openWorld(backend: Backend, options: WorldOptions): World {
  const { memoryBytes = MEMORY_BYTES, regions = [GUEST], canary = false, ...ring } = options;
  const memory = backend.memory(memoryBytes);
  const bytes = (): Uint8Array => new Uint8Array(memory.buffer, 0, memoryBytes);
  if (canary) bytes().set(canaryBytes(memoryBytes));
  for (const { base, size } of regions) bytes().fill(0, base, base + size);
  const areas = options.areas ?? {
    ...DEFAULT_AREAS[options.layout],
    ...(options.features.indirect && options.size <= 256 && { tables: TABLES }),
  };
  const full: RingOptions = { ...ring, areas, regions, memory: bytes() };
  writeStart(full);
  const state = { base: memoryBytes - STATE_BYTES, size: STATE_BYTES };
  const rings = backend.rings(full, state);
  const [first = GUEST] = regions;
  const guest = new RawMemory(() => bytes().subarray(first.base, first.base + first.size));
  return {
    driver: rings.driver,
    device: rings.device,
    options: full,
    guest,
    split: new RawSplit(guest, options.size, areas),
    packed: new RawPacked(guest, options.size, areas),
    strayWrites: () => strayWrites(bytes(), [...regions, state]),
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
