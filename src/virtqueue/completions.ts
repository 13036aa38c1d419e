/**
 * How a device queue uses the chains that it took: one by one, with the next publish, or those of the flat list together.
 * With IN_ORDER one that comes early waits for its turn (§2.7.9, §2.8.8). The way out of a batch that was refused is to
 * use its chains one by one: the core then says which one is wrong, and why.
 */
import type { Core } from "../core/core";
import type { DeviceVerbs } from "../core/exports";
import { VirtioError } from "../errors";
import { IN_ORDER_VIOLATION, QUEUE_BROKEN } from "../spec/result";
import type { DeviceCalls } from "./device-calls";
import type { FlatList } from "./flat-list";
import type { InOrderTurns } from "./in-order-turns";
import { countOf } from "./ring-half";
import type { ChainBytes, UsedCount } from "./used-count";

/** The parts of the queue that completions go through. */
export interface CompletionParts {
  /** Word index of the completion records: batch × { u32 token, u32 written }. */
  readonly records: number;
  readonly list: FlatList;
  readonly turns: InOrderTurns;
  readonly count: UsedCount;
}

/** The completions of one queue. */
export class Completions {
  readonly #calls: DeviceCalls;
  readonly #core: Core;
  readonly #verbs: DeviceVerbs;
  readonly #q: number;
  readonly #batch: number;
  readonly #inOrder: boolean;
  readonly #records: number;
  readonly #list: FlatList;
  readonly #turns: InOrderTurns;
  readonly #count: UsedCount;
  /** Completion records that wait for the next publish. */
  #staged = 0;
  /** Chains of the flat list that no batch has used, and whose readable bytes are not noted. */
  #listed = 0;

  constructor(calls: DeviceCalls, { records, list, turns, count }: CompletionParts) {
    this.#calls = calls;
    this.#core = calls.core;
    this.#verbs = calls.verbs;
    this.#q = calls.q;
    this.#batch = calls.batch;
    this.#inOrder = calls.inOrder;
    this.#records = records;
    this.#list = list;
    this.#turns = turns;
    this.#count = count;
  }

  /** Uses one chain, or keeps its completion until its turn. @throws VirtioError as the queue's `complete` says */
  complete(token: number, written: number): void {
    if (!isCompletion(token, written) || (this.#inOrder && this.#turns.held.has(token)))
      throw this.#wrong(token, written);
    this.keepList();
    let code = 0;
    try {
      code = this.#verbs.complete(this.#q, token, written);
    } catch (cause) {
      throw this.#calls.trap(cause);
    }
    if (code === 0) {
      this.#count.used(token, written);
      if (this.#inOrder) this.#releaseHeld();
    } else if (code === IN_ORDER_VIOLATION) this.#turns.held.set(token, written);
    else if (code !== QUEUE_BROKEN) throw this.#calls.mistake(code);
  }

  /** A token that can't be in flight, or a length that none has. */
  #wrong(token: number, written: number): VirtioError {
    if (written >>> 0 === written) return this.#unknown(`token ${token} is not in flight`);
    return new VirtioError("BAD_ARGUMENT", `${written} bytes written is not in 0…4294967295`);
  }

  #unknown(what: string): VirtioError {
    const { index } = this.#calls;
    return new VirtioError("COMPLETE_UNKNOWN", `queue ${index}: ${what}`, { queue: index });
  }

  /** After the oldest chain has been used: those behind it whose completion waited. */
  #releaseHeld(): void {
    this.#turns.shift();
    for (let next = this.#turns.releaseOldest(); next !== undefined; next = this.#turns.releaseOldest()) {
      const code = this.#verbs.complete(this.#q, next.token, next.written);
      if (code < 0) throw this.#calls.mistake(code);
      this.#count.used(next.token, next.written);
      this.#turns.shift();
    }
  }

  /** The same with the next {@link completeStaged}; at once with IN_ORDER, whose turns the host counts. */
  completeLater(token: number, written: number): void {
    if (this.#inOrder) {
      this.complete(token, written);
      return;
    }
    if (!isCompletion(token, written)) throw this.#wrong(token, written);
    this.keepList();
    if (this.#staged === this.#batch) this.completeStaged();
    const words = this.#core.words();
    const at = this.#records + 2 * this.#staged++;
    words[at] = token;
    words[at + 1] = written;
  }

  /** What {@link completeLater} left to do. */
  completeStaged(): void {
    if (this.#staged > 0) this.#completeRecords(this.#staged);
  }

  #completeRecords(count: number): void {
    this.#staged = 0;
    let done = 0;
    try {
      done = Math.max(this.#verbs.completeBatch(this.#q, count), 0);
    } catch (cause) {
      throw this.#calls.trap(cause);
    }
    const rest = this.#records + 2 * done;
    this.#count.usedRecords(this.#core.words(), this.#records, rest);
    if (done < count) this.#completeEach(rest, count - done);
  }

  /** Completes staged chains one by one, from a word of the completion records on; a mistake about one stops no other. */
  #completeEach(from: number, count: number): void {
    const words = this.#core.words();
    const mistakes: unknown[] = [];
    for (let at = from; at < from + 2 * count; at += 2) {
      try {
        this.#calls.assertAlive(); // who hears of a trap may dispose of the queue
        this.complete(words[at] ?? 0, words[at + 1] ?? 0);
      } catch (mistake) {
        mistakes.push(mistake);
      }
    }
    if (mistakes.length > 0) throw mistakes[0];
  }

  /** Uses the first `count` chains of the flat list. @throws VirtioError as the queue's `completeBatch` says */
  completeBatch(count: number): void {
    this.judgeBatch(count);
    let done = 0;
    try {
      if (!this.#turns.held.size) done = Math.max(this.#verbs.completeFlat(this.#q, count), 0);
    } catch (cause) {
      throw this.#calls.trap(cause);
    }
    if (this.#inOrder) for (let i = 0; i < done; i++) this.#turns.shift();
    this.usedFirst(done);
    if (done < count) this.completeRest(done, count);
  }

  /** @throws VirtioError BAD_ARGUMENT for what is no count of a batch */
  judgeBatch(count: number): void {
    if (countOf(count) > this.#batch)
      throw new VirtioError("BAD_ARGUMENT", `${count} completions are more than a batch of ${this.#batch}`);
  }

  /** One by one: the chains of the flat list that a batch refused, or that with IN_ORDER wait for their turn. */
  completeRest(done: number, count: number): void {
    const chains = this.#list.chains(count);
    for (const { token, written } of chains.slice(done)) this.complete(token, written);
    if (chains.length < count) {
      throw this.#unknown(`${count} completions of a list of ${chains.length} chains`);
    }
  }

  /** So many chains were taken into the flat list. */
  listed(chains: number): void {
    this.#listed = chains;
  }

  /** Before the flat list goes, or its chains are used one by one: notes what has to be known of them then. */
  keepList(): void {
    if (this.#listed > 0) this.#noteList();
  }

  #noteList(): void {
    this.#listed = 0;
    this.#list.noteReadable(this.#count.readable);
  }

  /** Before the flat list goes with its first chains used: their bytes. Keeps the list for those behind them. */
  leaveList(chains: number): ChainBytes {
    const bytes = this.#listBytes(chains);
    if (chains < this.#listed) this.#noteList();
    return bytes;
  }

  /** The first chains of the flat list were used, which is still there. */
  usedFirst(chains: number): void {
    if (chains === 0) return;
    this.#count.usedTogether(chains, this.#listBytes(chains));
    this.#listed = Math.max(this.#listed - chains, 0);
  }

  #listBytes(chains: number): ChainBytes {
    try {
      return this.#list.bytes(chains);
    } catch (cause) {
      throw this.#calls.trap(cause);
    }
  }

  /** After a reset: nothing waits, and the flat list is gone. */
  clear(): void {
    this.#staged = 0;
    this.#listed = 0;
  }
}

/** Whether a chain with this token may be in flight, and so many bytes of it written. */
function isCompletion(token: number, written: number): boolean {
  return (token | 0) === token && token > 0 && written >>> 0 === written;
}
