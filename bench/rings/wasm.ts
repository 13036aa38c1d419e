/**
 * The ring core through its raw exports: one crossing per verb and batch, nothing of DriverQueue or DeviceQueue.
 * Guest RAM and the placement of the areas are those of the JavaScript rings, so both leave the same ring bytes.
 */
import * as abi from "../../assembly/abi";
import { type Core, type CoreOptions, loadCoreSync } from "../../src/core/core";
import {
  type CoreExports,
  type DeviceVerbs,
  type DriverVerbs,
  deviceVerbs,
  driverVerbs,
} from "../../src/core/exports";
import { type RingAdapter, seenOf, type Workload } from "../ring";
import { areasOf, guestBytes, TABLE_ENTRIES } from "../workload";
import { Loopback } from "./loopback";

const CHAIN_WORDS = abi.CHAIN_RECORD_BYTES / 4;

/** What was negotiated, as far as the ring core asks. */
export interface WasmKind {
  readonly layout: "split" | "packed";
  readonly inOrder: boolean;
  /** One descriptor at a time, where the core would do four. */
  readonly scalar?: boolean;
}

const adapter = (name: string, kind: WasmKind): RingAdapter => ({
  name,
  open: (workload) => new WasmRing(kind, workload),
});

export const WASM_SPLIT = adapter("wasm-split", { layout: "split", inOrder: false });
export const WASM_PACKED = adapter("wasm-packed", { layout: "packed", inOrder: false });
export const WASM_PACKED_IN_ORDER = adapter("wasm-packed-in-order", { layout: "packed", inOrder: true });
export const WASM_PACKED_IN_ORDER_SCALAR = adapter("wasm-packed-in-order-scalar", {
  layout: "packed",
  inOrder: true,
  scalar: true,
});

/** One queue: where its struct and its records are, in words. */
interface Place {
  readonly q: number;
  readonly used: number;
  readonly tokens: number;
  readonly completions: number;
  readonly chains: number;
}

/** Notifications that the publishes of a run asked for. */
export interface Notifications {
  available: number;
  used: number;
}

export class WasmRing extends Loopback {
  readonly notifications: Notifications = { available: 0, used: 0 };
  /** The queue structs, which counting needs to know. */
  readonly core: Core;
  protected readonly driver: DriverVerbs;
  protected readonly device: DeviceVerbs;
  readonly #places: readonly Place[];
  protected readonly exports: CoreExports;
  readonly #batch: number;
  readonly #backend: number;
  readonly #arms: boolean;
  #turn = 0;
  #place: Place;
  #q: number;

  /**
   * @param options a module of one's own instead of the embedded one
   * @param exportsOn other functions than the core's own, on its memory
   */
  constructor(
    kind: WasmKind,
    workload: Workload,
    options: CoreOptions = {},
    exportsOn: (core: Core) => CoreExports = (core) => core.exports,
  ) {
    super(workload);
    this.core = loadCoreSync({ guestBytes: guestBytes(workload), ...options });
    this.exports = exportsOn(this.core);
    this.driver = driverVerbs(this.exports, kind.layout);
    this.device = deviceVerbs(this.exports, kind.layout);
    this.#batch = workload.batch;
    this.#backend = workload.device === "echo" ? abi.BACKEND_ECHO : abi.BACKEND_SINK;
    this.#arms = workload.notify !== "off";
    this.#places = Array.from({ length: workload.queues }, (_, index) =>
      makeQueue(this.core, kind, workload, index),
    );
    this.#place = this.#places[0] as Place;
    this.#q = this.#place.q;
    for (const { q } of this.#places) {
      if (workload.notify === "off") continue;
      this.driver.arm(q, 0);
      this.device.arm(q);
    }
  }

  /** The struct of the queue whose turn it is. */
  protected get q(): number {
    return this.#q;
  }

  /** Groups of four descriptors that the first queue moved at a time. */
  get fours(): number {
    return this.core.words()[((this.#places[0] as Place).q + abi.QUEUE_FOURS) >>> 2] as number;
  }

  protected submit(): number {
    const { queues } = this.workload;
    if (queues > 1) {
      this.#turn = this.#turn + 1 === queues ? 0 : this.#turn + 1;
      this.#place = this.#places[this.#turn] as Place;
      this.#q = this.#place.q;
    }
    const added = this.driver.add(this.#q, this.#batch);
    this.notifications.available += this.driver.publish(this.#q);
    return added;
  }

  protected serve(): number {
    const q = this.#q;
    const served = this.device.run(q, this.#backend, this.#batch);
    this.notifications.used += this.device.publish(q);
    if (this.#arms) this.device.arm(q);
    return served;
  }

  protected reclaim(): number {
    const taken = this.driver.takeUsed(this.#q, this.#batch);
    if (this.#arms) this.driver.arm(this.#q, 0);
    return taken;
  }

  protected witness(): number {
    const { words, place } = { words: this.core.words(), place: this.#place };
    const guest = this.core.translate(0, 1);
    const taken = this.device.take(place.q, this.#batch);
    let seen = 0;
    for (let i = 0, chain = place.chains; i < taken; i++) {
      const readable = words[chain + 1] as number;
      const segments = readable + (words[chain + 2] as number);
      words[place.completions + 2 * i] = words[chain] as number;
      words[place.completions + 2 * i + 1] = 0;
      chain += CHAIN_WORDS;
      for (let s = 0; s < segments; s++, chain += 2) {
        seen += seenOf((words[chain] as number) - guest, words[chain + 1] as number, s >= readable);
      }
    }
    this.device.completeBatch(place.q, taken);
    this.notifications.used += this.device.publish(place.q);
    return seen >>> 0;
  }

  protected usedLengths(): number {
    const words = this.core.words();
    const { used, tokens } = this.#place;
    let lengths = 0;
    for (let i = 0; i < this.#batch; i++) {
      if (words[used + 2 * i] !== words[tokens + i]) throw new Error("another token came back");
      lengths += words[used + 2 * i + 1] as number;
    }
    return lengths;
  }

  image(): Uint8Array {
    const { descriptor, tables } = areasOf(this.workload.queueSize, 0);
    return this.core.view(descriptor, tables - descriptor).slice();
  }
}

function makeQueue(core: Core, kind: WasmKind, workload: Workload, index: number): Place {
  const { queueSize: size, notify, submissions } = workload;
  const { q, layout: parts } = core.allocateQueue({
    roles: abi.ROLE_DRIVER | abi.ROLE_DEVICE,
    maxSize: size,
    batch: workload.batch,
  });
  const layout = kind.layout === "packed" ? abi.LAYOUT_PACKED : abi.LAYOUT_SPLIT;
  const features =
    abi.FEATURE_INDIRECT |
    (kind.inOrder ? abi.FEATURE_IN_ORDER : 0) |
    (kind.scalar ? abi.OPTION_SCALAR : 0) |
    (notify === "event-idx" ? abi.FEATURE_EVENT_IDX : 0);
  const { descriptor, driver, device, tables } = areasOf(size, index);
  const { queueSetUp, queueSetTables } = core.exports;
  expectZero(queueSetUp(q, layout, size, features, 0, descriptor, 0, driver, 0, device, 0));
  expectZero(queueSetTables(q, tables, 0, TABLE_ENTRIES));
  const used = (q + parts.driverRecords) >>> 2;
  const completions = (q + parts.deviceRecords) >>> 2;
  core.words().set(submissions, used + 4 * parts.batch);
  return {
    q,
    used,
    tokens: used + 2 * parts.batch,
    completions,
    chains: completions + 2 * parts.batch,
  };
}

function expectZero(code: number): void {
  if (code !== 0) throw new Error(`the queue was refused: ${code}`);
}
