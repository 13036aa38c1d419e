/**
 * The core's device half behind DeviceHalf: once through the raw exports, so that every answer is the core's own, and once
 * through DeviceQueue, which holds completions back with IN_ORDER and answers `recover` by itself.
 */
import * as abi from "../assembly/abi";
import type { Core } from "../src/core/core";
import { type DeviceVerbs, deviceVerbs } from "../src/core/exports";
import type { DeviceQueue } from "../src/virtqueue/device-queue";
import type { DeviceHalf, DeviceState, ResultName, Segment, TakenChain } from "./model/ring";
import { codeOf, errorOf, nameOf, position } from "./wasm-results";

/** Where a device half stands; the chains of an open IN_ORDER batch are completed, though not written yet. */
function deviceState(core: Core, device: DeviceQueue): DeviceState {
  const word = (offset: number): number => core.words()[(device.q + offset) >>> 2] ?? 0;
  const { layout } = device.ring;
  const code = word(abi.DEVICE_STATE) | 0;
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
    error: code < 0 ? nameOf(code) : undefined,
  };
}

export class WasmDevice implements DeviceHalf {
  readonly #device: DeviceQueue;
  readonly #core: Core;
  readonly #q: number;
  readonly #batch: number;
  readonly #verbs: DeviceVerbs;
  readonly #chainsAt: number;

  constructor(core: Core, device: DeviceQueue) {
    const { layout } = device.ring;
    this.#device = device;
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
    return deviceState(this.#core, this.#device);
  }
}

/** DeviceQueue as it is: with IN_ORDER it holds completions back, so that `complete` never answers IN_ORDER_VIOLATION. */
export class QueueDevice implements DeviceHalf {
  readonly #core: Core;
  readonly #queue: DeviceQueue;

  constructor(core: Core, device: DeviceQueue) {
    this.#core = core;
    this.#queue = device;
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
      return { address: this.#core.guestAddress(address), length };
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
    return deviceState(this.#core, this.#queue);
  }
}
