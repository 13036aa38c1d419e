/**
 * What a device queue counts: chains used, their bytes, and whether the driver was notified of them. Nothing of a chain
 * is left when it is used, so that its readable bytes are noted before.
 */
import type { QueueTally } from "./queue-tally";

/** Bytes of chains that were used together. */
export interface ChainBytes {
  /** Bytes that the device could read. */
  readonly readable: number;
  /** Bytes that it says it wrote. */
  readonly written: number;
}

const NO_BYTES: ChainBytes = { readable: 0, written: 0 };

/** Counts for one queue into a tally, which may be that of many. */
export class UsedCount {
  /** Readable bytes of the chain in flight, by its token's slot: whoever takes a chain notes them. */
  readonly readable: Float64Array;
  readonly #tally: QueueTally;
  /** Chains used since the last publish. */
  #unshown = 0;

  /** @param size most chains in flight */
  constructor(tally: QueueTally, size: number) {
    this.#tally = tally;
    this.readable = new Float64Array(size);
  }

  /** Whether a used chain waits for the next publish. */
  get hasUnshown(): boolean {
    return this.#unshown > 0;
  }

  /** A chain was used. */
  used(token: number, written: number): void {
    const tally = this.#tally;
    tally.chains++;
    tally.bytesToDevice += this.readable[token & 0xffff] ?? 0;
    tally.bytesFromDevice += written;
    this.#unshown++;
  }

  /** The chains of the completion records [from, end) in `words` were used: pairs of token and bytes written. */
  usedRecords(words: Uint32Array, from: number, end: number): void {
    const bySlot = this.readable;
    let readable = 0;
    let written = 0;
    for (let at = from; at < end; at += 2) {
      readable += bySlot[(words[at] ?? 0) & 0xffff] ?? 0;
      written += words[at + 1] ?? 0;
    }
    this.#add((end - from) >>> 1, readable, written);
  }

  /** So many chains were used; those of a device inside WASM without their bytes. */
  usedTogether(chains: number, bytes: ChainBytes = NO_BYTES): void {
    this.#add(chains, bytes.readable, bytes.written);
  }

  #add(chains: number, readable: number, written: number): void {
    this.#tally.chains += chains;
    this.#tally.bytesToDevice += readable;
    this.#tally.bytesFromDevice += written;
    this.#unshown += chains;
  }

  /** What was used was shown to the driver, which wants a used buffer notification or not. */
  shown(isWanted: boolean): void {
    if (isWanted) this.#tally.usedNotifications++;
    else if (this.#unshown > 0) this.#tally.usedSuppressed++;
    this.#unshown = 0;
  }
}
