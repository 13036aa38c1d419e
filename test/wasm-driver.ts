/**
 * The core's driver half behind DriverHalf: buffers go in through DriverQueue, everything else through the raw exports.
 */
import * as abi from "../assembly/abi";
import type { Core } from "../src/core/core";
import { type DriverVerbs, driverVerbs } from "../src/core/exports";
import type { DriverQueue } from "../src/virtqueue/driver-queue";
import type { AddResult, BufferRequest, DriverHalf, DriverState, ResultName, UsedBuffer } from "./model/ring";
import { codeOf, nameOf, position } from "./wasm-results";

export class WasmDriver implements DriverHalf {
  readonly #core: Core;
  readonly #queue: DriverQueue;
  readonly #verbs: DriverVerbs;
  readonly #usedAt: number;
  readonly #layout: "split" | "packed";

  constructor(core: Core, driver: DriverQueue) {
    const { layout } = driver.ring;
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
    const code = this.#word(abi.DRIVER_STATE) | 0;
    return code < 0 ? nameOf(code) : undefined;
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
      inFlight: this.#queue.inFlight,
      error: this.#error,
    };
  }
}
