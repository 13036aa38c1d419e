/**
 * One taken chain as a device model sees it: its segments, and readers and writers that never pass a segment's end.
 * A chain of the last `take` is a view on its record and dies with the next `take`; `keep()` makes one that lasts.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { type ErrorCode, resultName, VirtioError } from "../errors";

/** Called with each range of guest memory that is written through a chain. */
export type WriteObserver = (linear: number, length: number) => void;

const TWO_32 = 0x100000000;
const READABLE = abi.CHAIN_READABLE_COUNT >>> 2;
const WRITABLE = abi.CHAIN_WRITABLE_COUNT >>> 2;

/** A chain of device-readable segments followed by device-writable ones. */
export class Chain {
  readonly #core: Core;
  readonly #onWrite: WriteObserver | undefined;
  /** The record's words, for a chain that lasts; else they are the core's, from `#at` on. */
  readonly #copy: readonly number[] | undefined;
  #at = 0;

  /** @internal Chains come from DeviceQueue. */
  constructor(core: Core, onWrite: WriteObserver | undefined, copy?: readonly number[]) {
    this.#core = core;
    this.#onWrite = onWrite;
    this.#copy = copy;
  }

  /** @internal Points the view at a record. */
  moveTo(word: number): this {
    this.#at = word;
    return this;
  }

  #word(offset: number): number {
    const words = this.#copy ?? this.#core.words();
    return words[this.#at + (offset >>> 2)] ?? 0;
  }

  /** What `complete` and `undo` take. */
  get token(): number {
    return this.#word(abi.CHAIN_TOKEN);
  }

  /** With `recover`: what was wrong with the chain; it has no segments then. */
  get error(): ErrorCode | undefined {
    const code = this.#word(abi.CHAIN_ERROR) | 0;
    return code ? resultName(code) : undefined;
  }

  /** Segments that the device reads. */
  get readableCount(): number {
    return this.#word(abi.CHAIN_READABLE_COUNT);
  }

  /** Segments that the device writes. */
  get writableCount(): number {
    return this.#word(abi.CHAIN_WRITABLE_COUNT);
  }

  /** Bytes of all readable segments, 0…2^32. */
  get readableBytes(): number {
    return this.#word(abi.CHAIN_READABLE_BYTES) + this.#word(abi.CHAIN_READABLE_BYTES + 4) * TWO_32;
  }

  /** Bytes of all writable segments, 0…2^32. */
  get writableBytes(): number {
    return this.#word(abi.CHAIN_WRITABLE_BYTES) + this.#word(abi.CHAIN_WRITABLE_BYTES + 4) * TWO_32;
  }

  /** Linear address of segment `i`; readable ones come first. */
  address(i: number): number {
    this.#judge(i);
    return this.#word(abi.CHAIN_RECORD_BYTES + i * abi.SEGMENT_RECORD_BYTES);
  }

  /** Bytes of segment `i`, 1…2^32-1. */
  length(i: number): number {
    this.#judge(i);
    return this.#word(abi.CHAIN_RECORD_BYTES + i * abi.SEGMENT_RECORD_BYTES + 4);
  }

  /** Segment `i` as plain data: linear address and bytes. */
  segment(i: number): { readonly address: number; readonly length: number } {
    return { address: this.address(i), length: this.length(i) };
  }

  /** The bytes of segment `i`, to read; stale once the memory grows. */
  view(i: number): Uint8Array {
    const address = this.address(i);
    return this.#core.bytes().subarray(address, address + this.length(i));
  }

  /**
   * The bytes of segment `i`, to write; stale once the memory grows.
   *
   * @throws VirtioError BAD_ARGUMENT for a readable segment: the device writes none (§2.7.5.1)
   */
  writableView(i: number): Uint8Array {
    if (i < this.readableCount) {
      throw new VirtioError(
        "BAD_ARGUMENT",
        `segment ${i} is readable, writable ones begin at ${this.readableCount}`,
        {
          section: "2.7.5.1",
        },
      );
    }
    this.#onWrite?.(this.address(i), this.length(i));
    return this.view(i);
  }

  /** Reads the readable segments from their first byte on. */
  reader(): ChainReader {
    return new ChainReader(this);
  }

  /** Writes the writable segments from their first byte on. */
  writer(): ChainWriter {
    return new ChainWriter(this, this.#onWrite);
  }

  /** @internal The memory that the segments lie in. */
  memory(): Uint8Array {
    return this.#core.bytes();
  }

  /** A chain that outlives the next `take`. */
  keep(): Chain {
    const words = this.#copy ?? this.#core.words();
    const at = this.#at;
    const segments = (words[at + READABLE] ?? 0) + (words[at + WRITABLE] ?? 0);
    const length = (abi.CHAIN_RECORD_BYTES + segments * abi.SEGMENT_RECORD_BYTES) >>> 2;
    // A plain array: a buffer of its own costs microseconds, measured (npm run bench:v86).
    const copy: number[] = [];
    for (let i = 0; i < length; i++) copy.push(words[at + i] ?? 0);
    return new Chain(this.#core, this.#onWrite, copy);
  }

  #judge(i: number): void {
    const count = this.readableCount + this.writableCount;
    if (!Number.isInteger(i) || i < 0 || i >= count) {
      throw new VirtioError("BAD_ARGUMENT", `segment ${i} of ${count} does not exist`);
    }
  }
}

/** A position that walks over the segments [first, last) of a chain. */
class Cursor {
  readonly chain: Chain;
  readonly last: number;
  /** Bytes that are left. */
  remaining: number;
  #segment: number;
  #offset = 0;

  constructor(chain: Chain, first: number, last: number, bytes: number) {
    this.chain = chain;
    this.last = last;
    this.remaining = bytes;
    this.#segment = first;
  }

  /** Calls `visit` for each piece of the next `length` bytes, `length` ≤ remaining. */
  advance(length: number, visit: (linear: number, bytes: number) => void): void {
    let left = length;
    while (left > 0) {
      const bytes = Math.min(left, this.chain.length(this.#segment) - this.#offset);
      visit(this.chain.address(this.#segment) + this.#offset, bytes);
      left -= bytes;
      this.#offset += bytes;
      if (this.#offset === this.chain.length(this.#segment)) {
        this.#segment++;
        this.#offset = 0;
      }
    }
    this.remaining -= length;
  }
}

/** One field's bytes, for as long as it takes to make a number of them; for all readers, since each would cost a buffer. */
const SCRATCH_BYTES = new Uint8Array(8);
const SCRATCH = new DataView(SCRATCH_BYTES.buffer);

/** Reads a chain's readable bytes in order; multi-byte fields are little-endian (§1.4). */
export class ChainReader {
  readonly #cursor: Cursor;

  /** @internal */
  constructor(chain: Chain) {
    this.#cursor = new Cursor(chain, 0, chain.readableCount, chain.readableBytes);
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#cursor.remaining;
  }

  /** @throws VirtioError CHAIN_TOO_SHORT when fewer than `bytes` are left */
  expect(bytes: number): void {
    if (bytes > this.remaining) {
      throw new VirtioError("CHAIN_TOO_SHORT", `${bytes} readable bytes wanted, ${this.remaining} are left`);
    }
  }

  /** Copies into `target`; the bytes copied, fewer than it holds at the chain's end. */
  read(target: Uint8Array): number {
    const length = Math.min(target.length, this.remaining);
    let at = 0;
    this.#cursor.advance(length, (linear, bytes) => {
      target.set(this.#cursor.chain.memory().subarray(linear, linear + bytes), at);
      at += bytes;
    });
    return length;
  }

  /** Passes over bytes. @throws VirtioError CHAIN_TOO_SHORT */
  skip(bytes: number): void {
    this.expect(bytes);
    this.#cursor.advance(bytes, () => {});
  }

  /** @throws VirtioError CHAIN_TOO_SHORT */
  readU8(): number {
    return this.#fill(1).getUint8(0);
  }

  /** @throws VirtioError CHAIN_TOO_SHORT */
  readU16(): number {
    return this.#fill(2).getUint16(0, true);
  }

  /** @throws VirtioError CHAIN_TOO_SHORT */
  readU32(): number {
    return this.#fill(4).getUint32(0, true);
  }

  /** @throws VirtioError CHAIN_TOO_SHORT */
  readU64(): bigint {
    return this.#fill(8).getBigUint64(0, true);
  }

  #fill(bytes: number): DataView {
    this.expect(bytes);
    this.read(SCRATCH_BYTES.subarray(0, bytes));
    return SCRATCH;
  }
}

/** Writes a chain's writable bytes in order. */
export class ChainWriter {
  readonly #cursor: Cursor;
  readonly #onWrite: WriteObserver | undefined;
  #written = 0;

  /** @internal */
  constructor(chain: Chain, onWrite: WriteObserver | undefined) {
    const first = chain.readableCount;
    this.#cursor = new Cursor(chain, first, first + chain.writableCount, chain.writableBytes);
    this.#onWrite = onWrite;
  }

  /** Bytes that are left. */
  get remaining(): number {
    return this.#cursor.remaining;
  }

  /** Bytes written or passed over: what `complete` takes. */
  get written(): number {
    return this.#written;
  }

  /**
   * Writes all of `source`, or nothing.
   *
   * @throws VirtioError BUFFER_TOO_SHORT with what was wanted and what is left
   */
  write(source: Uint8Array): void {
    this.#expect(source.length);
    let at = 0;
    this.#cursor.advance(source.length, (linear, bytes) => {
      this.#cursor.chain.memory().set(source.subarray(at, at + bytes), linear);
      this.#onWrite?.(linear, bytes);
      at += bytes;
    });
    this.#written += source.length;
  }

  /** Leaves bytes as they are. @throws VirtioError BUFFER_TOO_SHORT */
  skip(bytes: number): void {
    this.#expect(bytes);
    this.#cursor.advance(bytes, () => {});
    this.#written += bytes;
  }

  /** @throws VirtioError BUFFER_TOO_SHORT */
  writeU8(value: number): void {
    this.write(Uint8Array.of(value));
  }

  #expect(bytes: number): void {
    if (bytes > this.remaining) {
      throw new VirtioError("BUFFER_TOO_SHORT", `${bytes} bytes to write, ${this.remaining} are left`);
    }
  }
}
