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
import type { RingAdapter, Workload } from "../ring";
import { areasOf, guestBytes } from "../workload";
import { Loopback } from "./loopback";
import { makeQueue, type Place, takeAsWitness, usedLengthsOf, type WasmKind } from "./wasm-queue";

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
      makeQueue(this.core, kind, workload, index, abi.ROLE_DRIVER | abi.ROLE_DEVICE),
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
    const { seen } = takeAsWitness(this.core, this.device, this.#place, this.#batch);
    this.notifications.used += this.device.publish(this.#q);
    return seen;
  }

  protected usedLengths(): number {
    return usedLengthsOf(this.core, this.#place, this.#batch);
  }

  image(): Uint8Array {
    const { descriptor, tables } = areasOf(this.workload.queueSize, 0);
    return this.core.view(descriptor, tables - descriptor).slice();
  }
}
