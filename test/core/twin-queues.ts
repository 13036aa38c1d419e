/**
 * Two cores side by side that get the same submissions, the same hostile writes into the rings and the same calls, one
 * by the fast way and one by the slow way. After each step both must have given the same answers and left the same
 * bytes of guest memory and the same state of both halves.
 */
import { expect } from "vitest";
import * as abi from "../../assembly/abi";
import type { Random } from "../property/random";
import { RawQueue } from "./raw-queue";

/** What one twin does; `step` answers with what the other one must answer too. */
export interface TwinWays {
  /** Takes, serves, uses and publishes up to `budget` chains. */
  serve(queue: RawQueue, kind: number, budget: number): unknown;
  /** FEATURE_… and OPTION_… on top of the common ones. */
  readonly features?: number;
}

export interface TwinSetup {
  readonly layout: "split" | "packed";
  readonly features: number;
  readonly size: number;
  readonly fast: TwinWays;
  readonly slow: TwinWays;
}

const KINDS = [abi.BACKEND_SINK, abi.BACKEND_SINK, abi.BACKEND_ECHO, abi.BACKEND_COPY];
const RAM = 65536;
const RING = 0x1000;

export class TwinQueues {
  readonly fast: RawQueue;
  readonly slow: RawQueue;
  /** Times that a half broke and both were reset. */
  broken = 0;
  served = 0;
  readonly #setup: TwinSetup;
  readonly #random: Random;

  constructor(setup: TwinSetup, random: Random) {
    const { layout, features, size, fast, slow } = setup;
    this.#setup = setup;
    this.#random = random;
    this.fast = new RawQueue(layout, features | (fast.features ?? 0), size);
    this.slow = new RawQueue(layout, features | (slow.features ?? 0), size);
  }

  /** One round: add, publish, perhaps break something, serve, take back. */
  round(hostile: boolean): void {
    const random = this.#random;
    const { size } = this.#setup;
    const chains = random.between(0, size);
    const words = this.#submissions(chains);
    this.#both((queue) => {
      queue.core.words().set(words, queue.submissions);
      const added = queue.driver.add(queue.q, chains);
      return [added, [...queue.core.words().slice(queue.tokens, queue.tokens + Math.max(added, 0))]];
    });
    this.#both((queue) => queue.driver.publish(queue.q));
    if (hostile && random.oneIn(3)) this.#poke();
    const kind = random.pick(KINDS);
    const budget = random.oneIn(3) ? random.between(0, size) : 2 * size;
    const { fast, slow } = this.#setup;
    const served = [fast.serve(this.fast, kind, budget), slow.serve(this.slow, kind, budget)];
    expect(served[0]).toEqual(served[1]);
    this.served += typeof served[0] === "number" ? Math.max(served[0], 0) : 0;
    this.#both((queue) => queue.device.publish(queue.q));
    if (hostile && random.oneIn(6)) this.#poke();
    for (let i = random.between(0, 2); i >= 0; i--) {
      const max = random.between(1, size);
      this.#both((queue) => {
        const used = queue.driver.takeUsed(queue.q, max);
        const records = queue.tokens - 2 * Math.max(RawQueue.BATCH, size + (size & 1));
        return [used, [...queue.core.words().slice(records, records + 2 * Math.max(used, 0))]];
      });
    }
    this.#compare();
    this.#heal();
  }

  #both(step: (queue: RawQueue) => unknown): void {
    const answer = step(this.fast);
    expect(answer).toEqual(step(this.slow));
  }

  /** Mostly one element, of one direction for a while; now and then anything that the record can say. */
  #submissions(chains: number): Uint32Array {
    const random = this.#random;
    const words: number[] = [];
    let write = random.oneIn(2);
    for (let i = 0; i < chains; i++) {
      if (random.oneIn(8)) write = !write;
      const elements = random.oneIn(12) ? random.between(1, 4) : 1;
      const writable = elements === 1 ? Number(write) : random.between(0, elements);
      words.push(elements - writable, writable, random.oneIn(20) ? abi.SUBMISSION_INDIRECT : 0, 0);
      for (let e = 0; e < elements; e++) {
        const address = random.oneIn(60)
          ? random.pick([RAM - 8, RAM, 0xfffffff0])
          : 0x9000 + 64 * random.below(200);
        const high = random.oneIn(200) ? 1 : 0;
        words.push(address, high, random.oneIn(30) ? random.below(3) * 40000 : random.between(1, 64), 0);
      }
    }
    return new Uint32Array(words);
  }

  /** The same 16-bit word of the rings, changed in both. */
  #poke(): void {
    const random = this.#random;
    const { size, layout } = this.#setup;
    const areas = layout === "split" ? [RING, 0x2000, 0x3000] : [RING];
    const at = random.pick(areas) + 2 * random.below(8 * size);
    const value = random.oneIn(2) ? random.below(size + 2) : random.u32() & 0xffff;
    const bit = 1 << random.below(16);
    const flip = random.oneIn(2);
    for (const { core } of [this.fast, this.slow]) {
      const guest = core.view(0, RAM);
      const old = (guest[at] ?? 0) | ((guest[at + 1] ?? 0) << 8);
      const next = flip ? old ^ bit : value;
      guest[at] = next & 0xff;
      guest[at + 1] = next >>> 8;
    }
  }

  #compare(): void {
    expect(stateOf(this.fast)).toEqual(stateOf(this.slow));
  }

  /** A broken half stands still: both start again on empty rings. */
  #heal(): void {
    const word = (offset: number): number => (this.fast.core.words()[(this.fast.q + offset) >>> 2] ?? 0) | 0;
    const stuck = word(abi.DRIVER_FREE_COUNT) === 0 && this.#random.oneIn(4);
    if (word(abi.DRIVER_STATE) >= 0 && word(abi.DEVICE_STATE) >= 0 && !stuck) return;
    this.broken++;
    for (const queue of [this.fast, this.slow]) {
      queue.core.view(RING, 0x3000).fill(0);
      queue.core.exports.driverReset(queue.q);
      queue.core.exports.deviceReset(queue.q);
    }
  }
}

/** Guest memory and both halves' lines; which slot the device's next chain gets is nobody's business. */
function stateOf({ core, q }: RawQueue): unknown {
  const line = [...core.words().slice((q + abi.DRIVER_STATE) >>> 2, (q + abi.QUEUE_BYTES) >>> 2)];
  line[(abi.DEVICE_FREE_HEAD - abi.DRIVER_STATE) >>> 2] = 0;
  return { line: line.join(), guest: Buffer.from(core.view(0, RAM)).toString("base64") };
}

/** Serves with the device inside WASM. */
export const RUN: TwinWays = {
  serve: ({ device, q }, kind, budget) => device.run(q, kind, budget),
};

/** The same with `take` and `complete`, one chain at a time. */
export const ONE_BY_ONE: TwinWays = {
  serve(queue, kind, budget) {
    let served = 0;
    for (; served < budget; served++) {
      const code = queue.device.take(queue.q, 1);
      if (code <= 0) return served || code;
      const words = queue.core.words();
      const written = kind === abi.BACKEND_ECHO ? echo(queue, words) : 0;
      expect(queue.device.complete(queue.q, words[queue.chains] ?? 0, written)).toBe(0);
    }
    return served;
  },
};

/** Copies the readable bytes of the chain taken last into its writable ones; how many. */
function echo({ core, chains }: RawQueue, words: Uint32Array): number {
  const [, readable = 0, writable = 0] = words.slice(chains, chains + 3);
  const segments = Array.from({ length: readable + writable }, (_, i) => {
    const [address = 0, length = 0] = words.slice(chains + 8 + 2 * i, chains + 10 + 2 * i);
    return core.bytes().subarray(address, address + length);
  });
  let written = 0;
  let to = readable;
  let at = 0;
  for (const source of segments.slice(0, readable)) {
    for (const byte of source) {
      while (to < segments.length && at === segments[to]?.length) {
        to++;
        at = 0;
      }
      const target = segments[to];
      if (!target) return written;
      target[at++] = byte;
      written++;
    }
  }
  return written;
}
