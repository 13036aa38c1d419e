/**
 * One instance of the ring core on one WebAssembly.Memory: its own, or an emulator's. Knows where guest RAM and the
 * state area lie, keeps the views fresh when the memory grows, and lays out queue structs. Knows nothing of rings.
 */
import * as abi from "../../assembly/abi";
import { VirtioError } from "../errors";
import type { CoreExports } from "./exports";
import { embeddedModule, embeddedModuleSync } from "./module";
import { type GuestRegion, mergeRegions } from "./regions";
import {
  type QueueStateLayout,
  type QueueStateShape,
  queueStateLayout,
  StateAllocator,
  type StateArea,
} from "./state-area";

/** How to make a core; without a `memory` it makes its own. */
export interface CoreOptions {
  /** The memory to work on; shared memories get the shared build. Only a core's own memory is ever grown by it. */
  readonly memory?: WebAssembly.Memory;
  /** Guest RAM in that memory; required with `memory`. */
  readonly regions?: readonly GuestRegion[];
  /** Where the core keeps its state, outside guest RAM; required with `memory`. */
  readonly state?: StateArea;
  /** Own memory only: bytes of guest RAM at guest address 0, a multiple of 16; default 16 MiB. */
  readonly guestBytes?: number;
  /** Own memory only: make it shared, default false. */
  readonly shared?: boolean;
  /** A compiled virtq.wasm to use instead of the embedded bytes. */
  readonly module?: WebAssembly.Module;
}

const PAGE = 65536;
const GUEST_BYTES = 16 * 1024 * 1024;
const HEADER_BYTES = Math.ceil(abi.CORE_BYTES / 64) * 64;
const toPages = (bytes: number): number => Math.ceil(bytes / PAGE);

interface Place {
  readonly memory: WebAssembly.Memory;
  readonly regions: readonly GuestRegion[];
  readonly state: StateArea;
  readonly own: boolean;
}

/** Own memory: one empty page, guest RAM, then state to the end. */
function makeMemory(options: CoreOptions): Place {
  const guestBytes = options.guestBytes ?? GUEST_BYTES;
  if (!Number.isSafeInteger(guestBytes) || guestBytes < 16 || guestBytes > 0xf0000000 || guestBytes % 16) {
    throw new VirtioError(
      "BAD_ARGUMENT",
      `guestBytes ${guestBytes} is not a multiple of 16 in 16…${0xf0000000}`,
    );
  }
  const stateBase = PAGE + toPages(guestBytes) * PAGE;
  const initial = stateBase / PAGE + 1;
  const memory = new WebAssembly.Memory(
    options.shared ? { initial, maximum: PAGE, shared: true } : { initial },
  );
  return {
    memory,
    regions: [{ gpa: 0, base: PAGE, size: guestBytes }],
    state: { base: stateBase, size: PAGE },
    own: true,
  };
}

function takeMemory(memory: WebAssembly.Memory, options: CoreOptions): Place {
  const { regions, state } = options;
  if (!regions || !state) throw new VirtioError("BAD_ARGUMENT", "a given memory needs `regions` and `state`");
  const bytes = memory.buffer.byteLength;
  const merged = mergeRegions(regions, bytes);
  if (
    !Number.isSafeInteger(state.base) ||
    state.base < 0 ||
    state.base % 64 ||
    !Number.isSafeInteger(state.size)
  ) {
    throw new VirtioError("BAD_ARGUMENT", `state base ${state.base} is not a multiple of 64`);
  }
  if (state.size < HEADER_BYTES || state.base + state.size > bytes) {
    throw new VirtioError(
      "BAD_ARGUMENT",
      `state [${state.base}, ${state.base + state.size}) must hold ${HEADER_BYTES} bytes within the memory's ${bytes}`,
    );
  }
  for (const region of merged) {
    if (state.base < region.base + region.size && region.base < state.base + state.size) {
      throw new VirtioError("BAD_ARGUMENT", `state at ${state.base} overlaps guest RAM at ${region.base}`);
    }
  }
  return { memory, regions: merged, state, own: false };
}

/**
 * Instantiates the ring core.
 *
 * @throws VirtioError BAD_ARGUMENT for regions or a state area that don't fit the memory
 */
export async function loadCore(options: CoreOptions = {}): Promise<Core> {
  const place = options.memory ? takeMemory(options.memory, options) : makeMemory(options);
  const module = options.module ?? (await embeddedModule(isShared(place.memory) ? "shared" : "release"));
  return new Core(place, await WebAssembly.instantiate(module, { env: { memory: place.memory } }));
}

/** As {@link loadCore}, at once; a browser's main thread may refuse to compile like this. */
export function loadCoreSync(options: CoreOptions = {}): Core {
  const place = options.memory ? takeMemory(options.memory, options) : makeMemory(options);
  const module = options.module ?? embeddedModuleSync(isShared(place.memory) ? "shared" : "release");
  return new Core(place, new WebAssembly.Instance(module, { env: { memory: place.memory } }));
}

function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer !== "undefined" && memory.buffer instanceof SharedArrayBuffer;
}

/** One instance of the ring core and the memory it works on. */
export class Core {
  /** The memory that guest RAM and the state area lie in. */
  readonly memory: WebAssembly.Memory;
  /** The module's functions; see exports.ts. */
  readonly exports: CoreExports;
  /** Guest RAM, merged, in guest address order. */
  readonly regions: readonly GuestRegion[];
  /** True on a shared memory, where the shared build runs. */
  readonly shared: boolean;
  readonly #header: number;
  readonly #state: StateAllocator;
  #bytes: Uint8Array;
  #words: Uint32Array;
  #disposed = false;

  /** @internal Use {@link loadCore} or {@link loadCoreSync}. */
  constructor(place: Place, instance: WebAssembly.Instance) {
    const { memory, regions, state } = place;
    this.memory = memory;
    this.regions = regions;
    this.shared = isShared(memory);
    this.exports = instance.exports as unknown as CoreExports;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Uint32Array(memory.buffer, 0, memory.buffer.byteLength >>> 2);
    this.#header = state.base;
    this.#state = new StateAllocator(
      state.base + HEADER_BYTES,
      state.size - HEADER_BYTES,
      place.own ? (bytes) => this.#growState(bytes) : undefined,
    );
    this.#writeRegions();
  }

  /** All bytes of the memory; fresh after growth, so don't keep it. */
  bytes(): Uint8Array {
    if (this.#bytes.length === 0 || this.shared) this.#refresh();
    return this.#bytes;
  }

  /** The same bytes as u32 words, indexed by linear address / 4; fresh after growth, so don't keep it. */
  words(): Uint32Array {
    if (this.#words.length === 0 || this.shared) this.#refresh();
    return this.#words;
  }

  /**
   * Linear address of guest bytes.
   *
   * @param gpa guest-physical address, 0…2^53-1
   * @param length bytes, 0…2^32-1
   * @param access `writable`: refuse a read-only region
   * @throws VirtioError BAD_ARGUMENT when they are not wholly inside one region
   */
  translate(gpa: number, length: number, access: { readonly writable?: boolean } = {}): number {
    for (const region of this.regions) {
      const offset = gpa - region.gpa;
      if (
        offset >= 0 &&
        length >= 0 &&
        offset + length <= region.size &&
        !(access.writable && region.readOnly)
      ) {
        return region.base + offset;
      }
    }
    throw new VirtioError("BAD_ARGUMENT", `[${gpa}, ${gpa + length}) is not wholly inside guest RAM`);
  }

  /**
   * Guest address of a linear one, as touched ranges need it.
   *
   * @throws VirtioError BAD_ARGUMENT when no region holds it
   */
  guestAddress(linear: number): number {
    for (const region of this.regions) {
      if (linear >= region.base && linear < region.base + region.size)
        return region.gpa + linear - region.base;
    }
    throw new VirtioError("BAD_ARGUMENT", `linear address ${linear} is not in guest RAM`);
  }

  /** A view of guest bytes; stale once the memory grows. Errors as {@link translate}. */
  view(gpa: number, length: number): Uint8Array {
    const linear = this.translate(gpa, length);
    return this.bytes().subarray(linear, linear + length);
  }

  /**
   * Reserves and clears the state of one queue.
   *
   * @returns the queue struct's linear address, and where its parts lie relative to it
   * @throws VirtioError BAD_ARGUMENT when the state area is full, QUEUE_NOT_READY after dispose
   */
  allocateQueue(shape: QueueStateShape): { readonly q: number; readonly layout: QueueStateLayout } {
    this.#alive();
    const layout = queueStateLayout(shape);
    const q = this.#state.allocate(layout.bytes);
    this.bytes().fill(0, q, q + layout.bytes);
    const words = this.words();
    const set = (offset: number, value: number): void => {
      words[(q + offset) >>> 2] = value;
    };
    set(abi.QUEUE_CORE, this.#header);
    set(abi.QUEUE_ROLES, shape.roles);
    set(abi.QUEUE_MAX_SIZE, shape.maxSize);
    set(abi.QUEUE_BATCH, layout.batch);
    set(abi.QUEUE_RECORD_BYTES, layout.recordBytes);
    set(abi.QUEUE_LOG_ENTRIES, layout.logEntries);
    set(abi.QUEUE_DRIVER_SHADOW, q + layout.driverShadow);
    set(abi.QUEUE_DEVICE_SHADOW, q + layout.deviceShadow);
    set(abi.QUEUE_DRIVER_RECORDS, q + layout.driverRecords);
    set(abi.QUEUE_DEVICE_RECORDS, q + layout.deviceRecords);
    set(abi.QUEUE_DRIVER_LOG, q + layout.driverLog);
    set(abi.QUEUE_DEVICE_LOG, q + layout.deviceLog);
    for (const [role, shadow] of [
      [abi.ROLE_DRIVER, layout.driverShadow],
      [abi.ROLE_DEVICE, layout.deviceShadow],
    ] as const) {
      if (!(shape.roles & role)) continue;
      for (let slot = 0; slot < shape.maxSize; slot++) set(shadow + slot * abi.SHADOW_BYTES, 1 << 16); // generation 1
    }
    return { q, layout };
  }

  /** Gives a queue's state back. */
  freeQueue(q: number): void {
    if (!this.#disposed) this.exports.queueTearDown(q);
    this.#state.free(q);
  }

  /** Ends the core's life: queues can no longer be made. The memory is the caller's. */
  dispose(): void {
    this.#disposed = true;
  }

  #alive(): void {
    if (this.#disposed) throw new VirtioError("QUEUE_NOT_READY", "the core has been disposed");
  }

  /** Asking for `memory.buffer` is slow (measured), so growth is seen by the length 0 that it leaves a view with. */
  #refresh(): void {
    const { buffer } = this.memory;
    // A shared memory's views live on after growth, too short then.
    if (this.#bytes.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
  }

  #growState(bytes: number): void {
    const end = this.memory.buffer.byteLength;
    try {
      this.memory.grow(toPages(bytes));
    } catch {
      throw new VirtioError(
        "BAD_ARGUMENT",
        `the memory of ${end} bytes can't grow by the ${bytes} that a queue needs`,
      );
    }
    this.#state.extend(end, this.memory.buffer.byteLength - end);
  }

  #writeRegions(): void {
    const view = new DataView(this.memory.buffer, this.#header, HEADER_BYTES);
    this.bytes().fill(0, this.#header, this.#header + HEADER_BYTES);
    view.setUint32(abi.CORE_REGION_COUNT, this.regions.length, true);
    this.regions.forEach((region, i) => {
      const at = abi.CORE_REGIONS + i * abi.REGION_BYTES;
      view.setBigUint64(at + abi.REGION_GPA, BigInt(region.gpa), true);
      view.setBigUint64(at + abi.REGION_SIZE, BigInt(region.size), true);
      view.setUint32(at + abi.REGION_BASE, region.base, true);
      view.setUint32(at + abi.REGION_READ_ONLY, region.readOnly ? 1 : 0, true);
    });
  }
}
