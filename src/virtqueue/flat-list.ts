/**
 * The flat list of a device queue as the host reads it: entries of four words, { linear address, length, token, written },
 * a writable segment's token with its high bit set, a token of 0 behind the last one (assembly/flat.ts).
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";

const TWO_32 = 2 ** 32;
const ENTRY = abi.FLAT_SEGMENT_BYTES >>> 2;
const LENGTH = abi.FLAT_LENGTH >>> 2;
const TOKEN = abi.FLAT_TOKEN >>> 2;
const WRITTEN = abi.FLAT_WRITTEN >>> 2;
/** Takes the mark of a writable segment away. */
const PLAIN = ~abi.FLAT_WRITABLE;

/** A chain of the list as its completion needs it. */
export interface FlatChain {
  readonly token: number;
  /** Bytes that the device says it wrote. */
  readonly written: number;
}

/** The list of one queue, wherever the memory's words are now. */
export class FlatList {
  /** Index of the first entry in `core.words()`. */
  readonly at: number;
  readonly #core: Core;
  readonly #q: number;

  /** @param q the queue's struct; @param at where its list begins in `core.words()` */
  constructor(core: Core, q: number, at: number) {
    this.#core = core;
    this.#q = q;
    this.at = at;
  }

  /** Stores the readable bytes of each chain by its token's slot. */
  noteReadable(bySlot: Float64Array): void {
    const words = this.#core.words();
    let chain = 0;
    for (let at = this.at, token = words[at + TOKEN] ?? 0; token !== 0; token = words[at + TOKEN] ?? 0) {
      const slot = token & 0xffff;
      if ((token & PLAIN) !== chain) {
        chain = token & PLAIN;
        bySlot[slot] = 0;
      }
      if (token === chain) bySlot[slot] = (bySlot[slot] ?? 0) + (words[at + LENGTH] ?? 0);
      at += ENTRY;
    }
  }

  /** Readable bytes of the first `count` chains, and the bytes that the device says it wrote. */
  bytes(count: number): { readonly readable: number; readonly written: number } {
    this.#core.exports.deviceFlatTally(this.#q, count);
    const words = this.#core.words();
    const at = (this.#q + abi.FLAT_READABLE_BYTES) >>> 2;
    const readable = (words[at] ?? 0) + (words[at + 1] ?? 0) * TWO_32;
    const written = (words[at + 2] ?? 0) + (words[at + 3] ?? 0) * TWO_32;
    return { readable, written };
  }

  /** Calls `visit` for the first `count` chains, in their order. */
  forEach(count: number, visit: (token: number, written: number) => void): void {
    const words = this.#core.words();
    let chain = 0;
    let left = count;
    for (let at = this.at, token = words[at + TOKEN] ?? 0; token !== 0; token = words[at + TOKEN] ?? 0) {
      if ((token & PLAIN) !== chain) {
        if (left-- === 0) return;
        chain = token & PLAIN;
        visit(chain, words[at + WRITTEN] ?? 0);
      }
      at += ENTRY;
    }
  }

  /** The words of a chain record (assembly/batch.ts) for the chain whose first entry stands at word `first`. */
  record(first: number): number[] {
    const words = this.#core.words();
    const token = (words[first + TOKEN] ?? 0) & PLAIN;
    const record = [token, 0, 0, 0, 0, 0, 0, 0];
    let readable = 0;
    let readableBytes = 0;
    let bytes = 0;
    for (let at = first; ((words[at + TOKEN] ?? 0) & PLAIN) === token; at += ENTRY) {
      const length = words[at + LENGTH] ?? 0;
      if (length === 0) break; // no segments
      record.push(words[at] ?? 0, length);
      bytes += length;
      if (words[at + TOKEN] !== token) continue;
      readable++;
      readableBytes += length;
    }
    const segments = (record.length * 4 - abi.CHAIN_RECORD_BYTES) / abi.SEGMENT_RECORD_BYTES;
    record[abi.CHAIN_READABLE_COUNT >>> 2] = readable;
    record[abi.CHAIN_WRITABLE_COUNT >>> 2] = segments - readable;
    record[abi.CHAIN_ERROR >>> 2] = segments === 0 ? (words[first] ?? 0) : 0;
    setWide(record, abi.CHAIN_READABLE_BYTES >>> 2, readableBytes);
    setWide(record, abi.CHAIN_WRITABLE_BYTES >>> 2, bytes - readableBytes);
    return record;
  }

  /** The first `count` chains, or as many as there are; for what is not hot. */
  chains(count: number): FlatChain[] {
    const chains: FlatChain[] = [];
    this.forEach(count, (token, written) => chains.push({ token, written }));
    return chains;
  }
}

/** A number of bytes, at most 2^32, as two words. */
function setWide(words: number[], at: number, bytes: number): void {
  words[at] = bytes >>> 0;
  words[at + 1] = bytes > 0xffffffff ? 1 : 0;
}
