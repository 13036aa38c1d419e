/**
 * The WebAssembly core behind DriverHalf and DeviceHalf: queues are made by src/virtqueue, and driven through the core's raw
 * exports, so that every answer is the core's own. `makeQueueRings` drives the public classes instead (without `recover`,
 * which DeviceQueue answers by itself). A memory is made by `wasmMemory` and holds the core's state behind the tests' bytes.
 */
import * as abi from "../assembly/abi";
import { Core, loadCoreSync } from "../src/core/core";
import { type DeviceVerbs, type DriverVerbs, deviceVerbs, driverVerbs } from "../src/core/exports";
import { VirtioError } from "../src/errors";
import * as result from "../src/spec/result";
import { DeviceQueue } from "../src/virtqueue/device-queue";
import { DriverQueue } from "../src/virtqueue/driver-queue";
import type {
  AddResult,
  BufferRequest,
  DeviceHalf,
  DeviceState,
  DriverHalf,
  DriverState,
  MakeRings,
  ResultName,
  RingOptions,
  Rings,
  Segment,
  TakenChain,
  UsedBuffer,
} from "./model/ring";

/** Both halves of a queue as src/virtqueue has them, and the core under them. */
export interface WasmQueues {
  readonly core: Core;
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  /** What the device queue's onViolation heard. */
  readonly violations: readonly VirtioError[];
}

/** How an instance is made; the default is the embedded module of the memory's kind. */
export type Instantiate = (memory: WebAssembly.Memory) => WebAssembly.Instance;

interface Home {
  readonly memory: WebAssembly.Memory;
  readonly state: { readonly base: number; readonly size: number };
  readonly instantiate: Instantiate | undefined;
  readonly cores: Map<string, Core>;
  /** The queues made last; the next ones take their place. */
  queues: WasmQueues | undefined;
}

const PAGE = 65536;
const STATE_BYTES = 128 * PAGE;
const homes = new WeakMap<ArrayBufferLike, Home>();
const queuesOf = new WeakMap<Rings, WasmQueues>();

/** The first `bytes` of a WebAssembly.Memory, zeroed; the core's state lies behind them. */
export function wasmMemory(bytes: number, shared = false, instantiate?: Instantiate): Uint8Array {
  const initial = (bytes + STATE_BYTES) / PAGE;
  const memory = new WebAssembly.Memory({ initial, maximum: initial, shared });
  const state = { base: bytes, size: STATE_BYTES };
  homes.set(memory.buffer, { memory, state, instantiate, cores: new Map(), queues: undefined });
  return new Uint8Array(memory.buffer, 0, bytes);
}

/** The queues under a pair of halves. */
export function wasmQueues(rings: Rings): WasmQueues {
  const queues = queuesOf.get(rings);
  if (!queues) throw new Error("not rings of the WebAssembly core");
  return queues;
}

/** Halves over the core's raw exports; the memory must come from {@link wasmMemory}. */
export const makeWasmRings: MakeRings = (options) =>
  rememberQueues(openQueues(options), (queues) => ({
    driver: new WasmDriver(queues, options),
    device: new WasmDevice(queues, options),
  }));

/** Halves over DriverQueue and DeviceQueue. */
export const makeQueueRings: MakeRings = (options) =>
  rememberQueues(openQueues(options), (queues) => ({
    driver: new WasmDriver(queues, options),
    device: new QueueDevice(queues),
  }));

function rememberQueues(queues: WasmQueues, make: (queues: WasmQueues) => Rings): Rings {
  const rings = make(queues);
  queuesOf.set(rings, queues);
  return rings;
}

function openQueues(options: RingOptions): WasmQueues {
  const home = homes.get(options.memory.buffer);
  if (!home) throw new Error("memory must come from wasmMemory");
  home.queues?.driver.dispose();
  home.queues?.device.dispose();
  home.queues = undefined;
  try {
    home.queues = makeQueues(coreOf(home, options), options);
    return home.queues;
  } catch (cause) {
    throw cause instanceof VirtioError ? new Error(cause.code, { cause }) : cause;
  }
}

function coreOf(home: Home, { regions }: RingOptions): Core {
  const key = JSON.stringify(regions);
  const known = home.cores.get(key);
  if (known) return known;
  const { memory, state, instantiate } = home;
  const core = instantiate
    ? new Core({ memory, regions, state, own: false }, instantiate(memory))
    : loadCoreSync({ memory, regions, state });
  home.cores.clear(); // one state area, one core at a time
  home.cores.set(key, core);
  return core;
}

function makeQueues(core: Core, options: RingOptions): WasmQueues {
  const { layout, size, features, areas, start = {}, options: policies = {}, index = 0 } = options;
  const ring = {
    layout,
    indirect: features.indirect ?? false,
    eventIdx: features.eventIdx ?? false,
    inOrder: features.inOrder ?? false,
    notificationData: features.notificationData ?? false,
    notifyOnEmpty: false,
    reason: "a test says so",
  };
  const common = { index, ring, size, areas, batch: Math.max(2, Math.min(size, 4096)) };
  const { clampUsedLength = false, strictRing = false, recover = false } = policies;
  const indirect = areas.tables && { tables: areas.tables.address, entries: areas.tables.entries };
  const driver = new DriverQueue(core, {
    ...common,
    keepRings: true,
    clampUsedLength,
    ...(indirect && { indirect }),
  });
  const violations: VirtioError[] = [];
  const onViolation = (error: VirtioError): void => void violations.push(error);
  const device = new DeviceQueue(core, { ...common, strictRing, recover, onViolation });
  const { idx = 0, slot = 0, wrap = 1 } = start;
  const base = layout === "split" ? idx : ((slot | (wrap << 15)) * 0x10001) >>> 0;
  driver.startAt(base);
  device.startAt(base);
  return { core, driver, device, violations };
}

const names = new Map(Object.entries(result).map(([name, code]) => [code, name as ResultName]));

function nameOf(code: number): ResultName {
  const name = names.get(code);
  if (!name) throw new Error(`result ${code} has no name`);
  return name;
}

/** The code of the caller's mistake that a public method threw. */
function codeOf(cause: unknown): ResultName {
  if (cause instanceof VirtioError) return cause.code as ResultName;
  throw cause;
}

class WasmDriver implements DriverHalf {
  readonly #core: Core;
  readonly #queue: DriverQueue;
  readonly #verbs: DriverVerbs;
  readonly #usedAt: number;
  readonly #layout: "split" | "packed";

  constructor({ core, driver }: WasmQueues, { layout }: RingOptions) {
    this.#core = core;
    this.#queue = driver;
    this.#verbs = driverVerbs(core.exports, layout);
    this.#usedAt = (driver.q + driver.state.driverRecords) >>> 2;
    this.#layout = layout;
  }

  #word(offset: number): number {
    return this.#core.words()[(this.#queue.q + offset) >>> 2] ?? 0;
  }

  get #error(): ResultName | undefined {
    const code = this.#word(abi.DRIVER_ERROR) | 0;
    return code ? nameOf(code) : undefined;
  }

  add(chains: readonly BufferRequest[]): AddResult {
    const tokens: number[] = [];
    if (this.#error) return { added: 0, tokens, error: "QUEUE_BROKEN" };
    for (const { readable, writable, indirect = false } of chains) {
      try {
        const token = this.#queue.add(readable, writable, { indirect });
        if (!token) break;
        tokens.push(token);
      } catch (cause) {
        return { added: tokens.length, tokens, error: codeOf(cause) };
      }
    }
    return { added: tokens.length, tokens };
  }

  publish(): { notify: boolean; kickValue: number } {
    const notify = this.#verbs.publish(this.#queue.q) === 1;
    return { notify, kickValue: this.#queue.kickValue };
  }

  takeUsed(max: number): { used: UsedBuffer[]; error?: ResultName } {
    const used: UsedBuffer[] = [];
    const { batch, q } = this.#queue;
    for (;;) {
      const wanted = Math.min(max - used.length, batch);
      const n = this.#verbs.takeUsed(q, wanted);
      if (n < 0) return { used, error: nameOf(n) };
      const words = this.#core.words();
      for (let i = 0; i < n; i++) {
        const at = this.#usedAt + 2 * i;
        used.push({ token: words[at] ?? 0, length: words[at + 1] ?? 0 });
      }
      if (n < batch || used.length === max) return { used };
    }
  }

  arm(ahead: number): boolean {
    return this.#verbs.arm(this.#queue.q, ahead) === 1;
  }

  disarm(): void {
    this.#verbs.disarm(this.#queue.q);
  }

  hasUsed(): boolean {
    return this.#verbs.hasUsed(this.#queue.q) === 1;
  }

  reset(): void {
    this.#core.exports.driverReset(this.#queue.q);
  }

  state(): DriverState {
    const word = (offset: number): number => this.#word(offset);
    return {
      available: position(this.#layout, word(abi.DRIVER_AVAIL), word(abi.DRIVER_AVAIL_WRAP)),
      used: position(this.#layout, word(abi.DRIVER_USED), word(abi.DRIVER_USED_WRAP)),
      free: word(abi.DRIVER_FREE_COUNT),
      inFlight: word(abi.DRIVER_IN_FLIGHT),
      error: this.#error,
    };
  }
}

function position(layout: "split" | "packed", at: number, wrap: number): number {
  return layout === "split" ? at : at | (wrap << 15);
}

/** Where a device half stands; the chains of an open IN_ORDER batch are completed, though not written yet. */
function deviceState({ core, device }: WasmQueues): DeviceState {
  const word = (offset: number): number => core.words()[(device.q + offset) >>> 2] ?? 0;
  const { layout } = device.ring;
  const code = word(abi.DEVICE_ERROR) | 0;
  let used = word(abi.DEVICE_USED) + word(abi.DEVICE_BATCH_COUNT);
  let wrap = word(abi.DEVICE_USED_WRAP);
  if (layout === "split") used &= 0xffff;
  else if (used >= device.size) {
    used -= device.size;
    wrap ^= 1;
  }
  return {
    available: position(layout, word(abi.DEVICE_AVAIL), word(abi.DEVICE_AVAIL_WRAP)),
    used: position(layout, used, wrap),
    inFlight: word(abi.DEVICE_IN_FLIGHT),
    error: code ? nameOf(code) : undefined,
  };
}

class WasmDevice implements DeviceHalf {
  readonly #queues: WasmQueues;
  readonly #core: Core;
  readonly #q: number;
  readonly #batch: number;
  readonly #verbs: DeviceVerbs;
  readonly #chainsAt: number;

  constructor(queues: WasmQueues, { layout }: RingOptions) {
    const { core, device } = queues;
    this.#queues = queues;
    this.#core = core;
    this.#q = device.q;
    this.#batch = device.batch;
    this.#verbs = deviceVerbs(core.exports, layout);
    this.#chainsAt =
      (device.q + device.state.deviceRecords + device.batch * abi.COMPLETION_RECORD_BYTES) >>> 2;
  }

  take(max: number): { chains: TakenChain[]; error?: ResultName } {
    const chains: TakenChain[] = [];
    for (;;) {
      const n = this.#verbs.take(this.#q, Math.min(max - chains.length, this.#batch));
      if (n < 0) return { chains, error: nameOf(n) };
      let at = this.#chainsAt;
      for (let i = 0; i < n; i++) at = this.#readChain(at, chains);
      if (n < this.#batch || chains.length === max) return { chains };
    }
  }

  #readChain(at: number, chains: TakenChain[]): number {
    const words = this.#core.words();
    const word = (offset: number): number => words[at + (offset >>> 2)] ?? 0;
    const long = (offset: number): bigint => BigInt(word(offset)) | (BigInt(word(offset + 4)) << 32n);
    const readableCount = word(abi.CHAIN_READABLE_COUNT);
    const count = readableCount + word(abi.CHAIN_WRITABLE_COUNT);
    const code = word(abi.CHAIN_ERROR) | 0;
    const segments: Segment[] = [];
    for (let i = 0; i < count; i++) {
      const segment = abi.CHAIN_RECORD_BYTES + i * abi.SEGMENT_RECORD_BYTES;
      segments.push({ address: this.#core.guestAddress(word(segment)), length: word(segment + 4) });
    }
    chains.push({
      token: word(abi.CHAIN_TOKEN),
      readable: segments.slice(0, readableCount),
      writable: segments.slice(readableCount),
      readableBytes: long(abi.CHAIN_READABLE_BYTES),
      writableBytes: long(abi.CHAIN_WRITABLE_BYTES),
      ...(code && { error: nameOf(code) }),
    });
    return at + ((abi.CHAIN_RECORD_BYTES + count * abi.SEGMENT_RECORD_BYTES) >>> 2);
  }

  undo(token: number): ResultName | undefined {
    return errorOf(this.#verbs.undo(this.#q, token));
  }

  complete(token: number, written: number): ResultName | undefined {
    return errorOf(this.#verbs.complete(this.#q, token, written));
  }

  publish(): boolean {
    return this.#verbs.publish(this.#q) === 1;
  }

  arm(): boolean {
    return this.#verbs.arm(this.#q) === 1;
  }

  disarm(): void {
    this.#verbs.disarm(this.#q);
  }

  hasAvailable(): boolean {
    return this.#verbs.hasAvailable(this.#q) === 1;
  }

  reset(): void {
    this.#core.exports.deviceReset(this.#q);
  }

  state(): DeviceState {
    return deviceState(this.#queues);
  }
}

function errorOf(code: number): ResultName | undefined {
  return code < 0 ? nameOf(code) : undefined;
}

/** DeviceQueue as it is: with IN_ORDER it holds completions back, so that `complete` never answers IN_ORDER_VIOLATION. */
class QueueDevice implements DeviceHalf {
  readonly #queues: WasmQueues;
  readonly #queue: DeviceQueue;

  constructor(queues: WasmQueues) {
    this.#queues = queues;
    this.#queue = queues.device;
  }

  take(max: number): { chains: TakenChain[]; error?: ResultName } {
    const queue = this.#queue;
    const chains: TakenChain[] = [];
    const broken = queue.error !== undefined;
    for (let n = -1; n !== 0 && n !== max && chains.length < max; ) {
      n = queue.take(Math.min(max - chains.length, queue.batch));
      for (let i = 0; i < n; i++) chains.push(this.#chain(i));
      if (n < queue.batch) break;
    }
    if (chains.length > 0 || queue.error === undefined) return { chains };
    return { chains, error: broken ? "QUEUE_BROKEN" : (queue.error as ResultName) };
  }

  #chain(i: number): TakenChain {
    const chain = this.#queue.chain(i);
    const segments = Array.from({ length: chain.readableCount + chain.writableCount }, (_, s) => {
      const { address, length } = chain.segment(s);
      return { address: this.#queues.core.guestAddress(address), length };
    });
    return {
      token: chain.token,
      readable: segments.slice(0, chain.readableCount),
      writable: segments.slice(chain.readableCount),
      readableBytes: BigInt(chain.readableBytes),
      writableBytes: BigInt(chain.writableBytes),
    };
  }

  #attempt(action: () => void): ResultName | undefined {
    if (this.#queue.error !== undefined) return "QUEUE_BROKEN";
    try {
      action();
      return undefined;
    } catch (cause) {
      return codeOf(cause);
    }
  }

  undo(token: number): ResultName | undefined {
    return this.#attempt(() => this.#queue.undo(token));
  }

  complete(token: number, written: number): ResultName | undefined {
    return this.#attempt(() => this.#queue.complete(token, written));
  }

  publish(): boolean {
    return this.#queue.publish();
  }

  arm(): boolean {
    return this.#queue.arm();
  }

  disarm(): void {
    this.#queue.disarm();
  }

  hasAvailable(): boolean {
    return this.#queue.hasAvailable();
  }

  reset(): void {
    this.#queue.reset();
  }

  state(): DeviceState {
    return deviceState(this.#queues);
  }
}
