/**
 * The WebAssembly core behind DriverHalf and DeviceHalf: queues are made by src/virtqueue, and driven through the core's raw
 * exports, so that every answer is the core's own. `makeQueueRings` drives the public classes instead (without `recover`,
 * which DeviceQueue answers by itself). A memory is made by `wasmMemory` and holds the core's state behind the tests' bytes.
 */
import { Core, loadCoreSync } from "../src/core/core";
import { VirtioError } from "../src/errors";
import { DeviceQueue } from "../src/virtqueue/device-queue";
import { DriverQueue } from "../src/virtqueue/driver-queue";
import type { MakeRings, RingOptions, Rings } from "./model/ring";
import { QueueDevice, WasmDevice } from "./wasm-device";
import { WasmDriver } from "./wasm-driver";

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
    driver: new WasmDriver(queues.core, queues.driver),
    device: new WasmDevice(queues.core, queues.device),
  }));

/** Halves over DriverQueue and DeviceQueue. */
export const makeQueueRings: MakeRings = (options) =>
  rememberQueues(openQueues(options), (queues) => ({
    driver: new WasmDriver(queues.core, queues.driver),
    device: new QueueDevice(queues.core, queues.device),
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
  const {
    clampUsedLength = false,
    lengthWithoutWrite = false,
    strictRing = false,
    recover = false,
  } = policies;
  const indirect = areas.tables && { tables: areas.tables.address, entries: areas.tables.entries };
  const driver = new DriverQueue(core, {
    ...common,
    keepRings: true,
    clampUsedLength,
    lengthWithoutWrite,
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
