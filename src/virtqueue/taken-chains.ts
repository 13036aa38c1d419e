/**
 * The chains that a device queue took last, as records or as the flat list (assembly/batch.ts and flat.ts draw them):
 * where each stands, and what the queue must know of it later. What its segments are is Chain's business.
 */
import * as abi from "../../assembly/abi";
import type { DeviceVerbs } from "../core/exports";
import type { Completions } from "./completions";
import type { DeviceCalls } from "./device-calls";
import type { FlatList } from "./flat-list";
import type { InOrderTurns } from "./in-order-turns";
import type { UsedCount } from "./used-count";

const ERROR = abi.CHAIN_ERROR >>> 2;
const READABLE_COUNT = abi.CHAIN_READABLE_COUNT >>> 2;
const WRITABLE_COUNT = abi.CHAIN_WRITABLE_COUNT >>> 2;
const READABLE_BYTES = abi.CHAIN_READABLE_BYTES >>> 2;

/** The parts of the queue that have to do with what is taken. */
export interface TakenParts {
  /** Word index of the first chain record. */
  readonly records: number;
  readonly list: FlatList;
  readonly turns: InOrderTurns;
  readonly count: UsedCount;
  readonly completions: Completions;
}

/** The last take of one queue. */
export class TakenChains {
  readonly #calls: DeviceCalls;
  readonly #verbs: DeviceVerbs;
  readonly #q: number;
  /** Word index of the first chain record. */
  readonly #records: number;
  readonly #list: FlatList;
  readonly #turns: InOrderTurns;
  readonly #count: UsedCount;
  readonly #completions: Completions;
  /** Word index of each record of a chain to be served. */
  readonly #places: Uint32Array;

  constructor(calls: DeviceCalls, { records, list, turns, count, completions }: TakenParts) {
    this.#calls = calls;
    this.#verbs = calls.verbs;
    this.#q = calls.q;
    this.#records = records;
    this.#list = list;
    this.#turns = turns;
    this.#count = count;
    this.#completions = completions;
    this.#places = new Uint32Array(calls.batch);
  }

  /** Takes up to `max` chains into records; how many are to be served. With `recover` the others are given back. */
  takeRecords(max: number): number {
    for (;;) {
      this.#completions.keepList();
      let taken = 0;
      try {
        taken = this.#counted(this.#verbs.take(this.#q, max));
      } catch (cause) {
        throw this.#calls.trap(cause);
      }
      if (taken === 0) return 0;
      const good = this.#noteRecords(taken);
      if (good > 0) return good;
    }
  }

  /** Notes where each record is; recovered chains are given back at once. */
  #noteRecords(taken: number): number {
    const { core, inOrder } = this.#calls;
    const turns = this.#turns;
    const readable = this.#count.readable;
    const words = core.words();
    const places = this.#places;
    let at = this.#records;
    let good = 0;
    for (let i = 0; i < taken; i++) {
      const token = words[at] ?? 0;
      if (inOrder) turns.append(token);
      const low = words[at + READABLE_BYTES] ?? 0;
      const high = words[at + READABLE_BYTES + 1] ?? 0;
      readable[token & 0xffff] = high === 0 ? low : low + high * 2 ** 32;
      const code = words[at + ERROR] ?? 0;
      if (code) this.#recovered(token, code | 0);
      else places[good++] = at;
      const segments = (words[at + READABLE_COUNT] ?? 0) + (words[at + WRITABLE_COUNT] ?? 0);
      at += (abi.CHAIN_RECORD_BYTES + segments * abi.SEGMENT_RECORD_BYTES) >>> 2;
    }
    return good;
  }

  #recovered(token: number, code: number): void {
    this.#calls.assertAlive(); // who hears of one may dispose of the queue
    this.#completions.complete(token, 0);
    this.#calls.reported(code);
  }

  #counted(code: number): number {
    return code >= 0 ? code : this.#calls.result(code);
  }

  /** Word index of the i-th record whose chain is to be served. */
  place(i: number): number {
    return this.#places[i] ?? 0;
  }

  /** Word index of the flat list. */
  get flat(): number {
    return this.#list.at;
  }

  /** The words of a chain record for the chain of the flat list whose first entry stands at word `first`. */
  listRecord(first: number): number[] {
    return this.#list.record(first);
  }

  /** Takes up to `max` chains into the flat list; how many. */
  takeList(max: number): number {
    this.#completions.keepList();
    let taken = 0;
    try {
      taken = this.#counted(this.#verbs.takeFlat(this.#q, max));
    } catch (cause) {
      throw this.#calls.trap(cause);
    }
    this.noteList(taken);
    return taken;
  }

  /** Notes that so many chains were taken into the flat list. */
  noteList(taken: number): void {
    this.#completions.listed(taken);
    if (this.#calls.inOrder) this.#lineUp(taken);
  }

  #lineUp(taken: number): void {
    this.#list.forEach(taken, (token) => this.#turns.append(token));
  }
}
