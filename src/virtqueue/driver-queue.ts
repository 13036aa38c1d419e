/**
 * The driver half of one virtqueue: supplies buffers, publishes them, takes them back (§2.7.13, §2.7.14; §2.8.17,
 * §2.8.18). Batched calls allocate nothing. Rings are zeroed when the queue is made.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { type DriverVerbs, driverVerbs } from "../core/exports";
import { resultName, VirtioError } from "../errors";
import { BAD_ARGUMENT, QUEUE_BROKEN } from "../spec/result";
import { type GuestAddress, ringAreas } from "./layout";
import { type QueueImage, restoreHalf, saveHalf } from "./queue-image";
import { countOf, type QueueOptions, RingHalf, splitAddress } from "./ring-half";
import { startDriver } from "./start";

/** One buffer element of a driver: guest address 0…2^53-1, length in bytes 0…2^32-1. */
export interface Segment {
  readonly address: number;
  readonly length: number;
}

/** What a driver queue takes besides the common options. */
export interface DriverQueueOptions extends QueueOptions {
  /** A slab of indirect tables: guest address of size × entries × 16 bytes; entries per table, 1…32768. */
  readonly indirect?: { readonly tables: GuestAddress; readonly entries: number };
  /** Cut a used length above the writable total instead of breaking (old devices); default false. */
  readonly clampUsedLength?: boolean;
  /**
   * Packed: take a used length at its word where the device left WRITE out, which §2.8.4 has a driver ignore. For
   * devices that never set it (QEMU); default false: such a buffer counts as 0 bytes.
   */
  readonly lengthWithoutWrite?: boolean;
  /** Leave the rings as they are, for a queue that is restored; default false. */
  readonly keepRings?: boolean;
}

/** The used buffers that the last `takeUsed` gave; valid until the next one. */
export interface UsedBuffers {
  /** Token of the i-th, as `add` gave it. */
  token(i: number): number;
  /** Bytes that the device wrote into the i-th, 0…2^32-1. */
  length(i: number): number;
}

const U32_MAX = 0xffffffff;
const NO_SEGMENTS: readonly Segment[] = [];

/** The driver half of a virtqueue. */
export class DriverQueue extends RingHalf {
  /** The used buffers of the last {@link takeUsed}. */
  readonly used: UsedBuffers;
  readonly #verbs: DriverVerbs;
  readonly #usedAt: number;
  readonly #tokensAt: number;
  readonly #submissionsAt: number;

  /** @throws VirtioError BAD_ARGUMENT, QUEUE_SIZE_INVALID, RING_ALIGN, RING_ADDR_OVERFLOW, RING_OUT_OF_GUEST, RING_OVERLAP */
  constructor(core: Core, options: DriverQueueOptions) {
    const { clampUsedLength = false, lengthWithoutWrite = false } = options;
    const bits =
      (clampUsedLength ? abi.OPTION_CLAMP_USED_LENGTH : 0) |
      (lengthWithoutWrite ? abi.OPTION_LENGTH_WITHOUT_WRITE : 0);
    super(core, options, abi.ROLE_DRIVER, bits);
    this.#verbs = driverVerbs(core.exports, this.ring.layout);
    this.#usedAt = this.q + this.state.driverRecords;
    this.#tokensAt = this.#usedAt + this.batch * abi.USED_RECORD_BYTES;
    this.#submissionsAt = this.#usedAt + this.batch * 16;
    if (options.indirect) this.#setTables(options.indirect);
    if (!options.keepRings) this.#zeroRings();
    this.used = {
      token: (i) => this.core.words()[(this.#usedAt >>> 2) + 2 * i] ?? 0,
      length: (i) => this.core.words()[(this.#usedAt >>> 2) + 2 * i + 1] ?? 0,
    };
  }

  /** Chains in flight, added and not yet taken back. */
  get inFlight(): number {
    if (this.ring.layout === "packed") return this.word(abi.DRIVER_IN_FLIGHT);
    return (this.word(abi.DRIVER_AVAIL) - this.word(abi.DRIVER_USED)) & 0xffff;
  }

  /** Free descriptors, 0…size. */
  get free(): number {
    return this.word(abi.DRIVER_FREE_COUNT);
  }

  /** What the notification after the last {@link publish} carries: 32 bits with NOTIFICATION_DATA, else the queue index (§2.9). */
  get kickValue(): number {
    return this.word(abi.DRIVER_KICK_VALUE);
  }

  /**
   * Adds one chain: readable elements, then writable ones. Visible to the device only after {@link publish}.
   *
   * @param readable elements that the device reads
   * @param writable elements that the device writes
   * @param how `indirect`: put them into this chain's table, which takes one descriptor of the ring
   * @returns the token, or 0 when the ring is full
   * @throws VirtioError BAD_ARGUMENT, CHAIN_TOO_LONG, CHAIN_BYTES_OVERFLOW, INDIRECT_NOT_NEGOTIATED, QUEUE_BROKEN
   */
  add(
    readable: readonly Segment[],
    writable: readonly Segment[] = NO_SEGMENTS,
    how?: { readonly indirect?: boolean },
  ): number {
    this.assertAlive();
    const count = readable.length + writable.length;
    const room = Math.floor(
      (this.state.recordBytes - abi.SUBMISSION_HEADER_BYTES) / abi.SUBMISSION_SEGMENT_BYTES,
    );
    if (count > this.size || count > room) {
      throw new VirtioError(
        "CHAIN_TOO_LONG",
        `queue ${this.index}: a chain of ${count} elements, queue size is ${this.size}`,
        {
          section: this.ring.layout === "split" ? "2.7.5.3.1" : "2.8.19",
          queue: this.index,
        },
      );
    }
    const words = this.core.words();
    let at = this.#submissionsAt >>> 2;
    words[at] = readable.length;
    words[at + 1] = writable.length;
    words[at + 2] = how?.indirect ? abi.SUBMISSION_INDIRECT : 0;
    at += abi.SUBMISSION_HEADER_BYTES >>> 2;
    for (let i = 0; i < count; i++) {
      const segment = i < readable.length ? readable[i] : writable[i - readable.length];
      if (!segment) throw new VirtioError("BAD_ARGUMENT", `element ${i} of ${count} is missing`);
      const { address, length } = segment;
      if (
        !Number.isInteger(length) ||
        length < 0 ||
        length > U32_MAX ||
        !Number.isSafeInteger(address) ||
        address < 0
      ) {
        throw new VirtioError("BAD_ARGUMENT", `element [${address}, +${length}) is no range of guest memory`);
      }
      words[at] = address >>> 0;
      words[at + 1] = Math.floor(address / 0x100000000);
      words[at + 2] = length;
      at += abi.SUBMISSION_SEGMENT_BYTES >>> 2;
    }
    return this.addBatch(1) === 1 ? (words[this.#tokensAt >>> 2] ?? 0) : 0;
  }

  /**
   * Adds chains that lie as submissions in {@link submissions}, all in one crossing (assembly/batch.ts draws them).
   *
   * @param chains how many, 0…batch
   * @returns how many were added; fewer when the ring is full. Their tokens: {@link addedToken}
   * @throws VirtioError as {@link add}, when the first one is refused
   */
  addBatch(chains: number): number {
    this.assertAlive();
    if (!Number.isInteger(chains) || chains < 0 || chains > this.batch) {
      throw new VirtioError("BAD_ARGUMENT", `${chains} chains, at most ${this.batch} go into one crossing`);
    }
    try {
      const added = this.#verbs.add(this.q, chains);
      if (added >= 0) return added;
      throw this.mistake(added);
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  /** Index of the first submission word in `core.words()`, and the bytes from there on. */
  get submissions(): { readonly word: number; readonly bytes: number } {
    return { word: this.#submissionsAt >>> 2, bytes: this.state.recordBytes };
  }

  /** Token that the last {@link addBatch} gave to its i-th chain. */
  addedToken(i: number): number {
    return this.core.words()[(this.#tokensAt >>> 2) + i] ?? 0;
  }

  /** Shows what was added to the device. True: send it an available buffer notification with {@link kickValue}. */
  publish(): boolean {
    this.assertAlive();
    try {
      return this.#result(this.#verbs.publish(this.q)) === 1;
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  /**
   * Takes back used buffers; read them through {@link used}.
   *
   * @param max 0…batch, default batch
   * @returns how many; 0 also when the queue is broken ({@link error})
   */
  takeUsed(max: number = this.batch): number {
    this.assertAlive();
    try {
      return this.#result(this.#verbs.takeUsed(this.q, countOf(max)));
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  /** The used buffers there are now, one by one; a convenience that allocates. */
  *usedBuffers(): IterableIterator<{ readonly token: number; readonly length: number }> {
    for (let n = this.takeUsed(); n > 0; n = this.takeUsed()) {
      const batch = Array.from({ length: n }, (_, i) => ({
        token: this.used.token(i),
        length: this.used.length(i),
      }));
      yield* batch;
    }
  }

  /**
   * Asks for used buffer notifications.
   *
   * @param ahead with EVENT_IDX: only after so many more used buffers (split) or descriptors (packed), 0…size
   * @returns true: something is used already, look again before waiting
   * @throws VirtioError BAD_ARGUMENT
   */
  arm(ahead = 0): boolean {
    this.assertAlive();
    if (!Number.isInteger(ahead) || ahead < 0 || ahead > this.size) {
      throw new VirtioError("BAD_ARGUMENT", `${ahead} buffers ahead, queue size is ${this.size}`);
    }
    return this.#result(this.#verbs.arm(this.q, ahead)) === 1;
  }

  /** Asks for no used buffer notifications; the device may send some all the same. */
  disarm(): void {
    this.assertAlive();
    this.#result(this.#verbs.disarm(this.q));
  }

  /** True when something used was not taken yet. */
  hasUsed(): boolean {
    this.assertAlive();
    return this.#verbs.hasUsed(this.q) === 1;
  }

  /** Host slot of a token, 0…size-1: where to hang user data. */
  slot(token: number): number {
    return token & 0xffff;
  }

  /** Tokens of all chains in flight, by slot. */
  inFlightTokens(): number[] {
    this.assertAlive();
    const words = this.core.words();
    const tokens: number[] = [];
    for (let slot = 0; slot < this.size; slot++) {
      const at = (this.q + this.state.driverShadow + slot * abi.SHADOW_BYTES) >>> 2;
      if ((words[at + 1] ?? 0) & 0xffff) tokens.push(slot | ((words[at] ?? 0) & 0xffff0000));
    }
    return tokens;
  }

  /** Puts an idle queue anywhere: see {@link RingHalf.vringBase}. @throws VirtioError BAD_ARGUMENT, SNAPSHOT_INVALID */
  startAt(base: number): void {
    this.assertAlive();
    if (this.inFlight)
      throw new VirtioError("BAD_ARGUMENT", `${this.inFlight} chains are in flight, 0 must be`);
    startDriver(this, this.core, base);
  }

  /** The queue as plain data, to be continued elsewhere on the same guest memory. */
  save(): QueueImage {
    this.assertAlive();
    return saveHalf(this, this.core);
  }

  /**
   * A queue that goes on where {@link save} left it, rings included.
   *
   * @throws VirtioError SNAPSHOT_INVALID for an image that is damaged, of another queue, or contradicts itself
   */
  static restore(core: Core, options: DriverQueueOptions, image: QueueImage): DriverQueue {
    return restoreHalf(image, options, () => new DriverQueue(core, { ...options, keepRings: true }), core);
  }

  /** As after a queue reset (§2.6.1): indices and wrap counters restart, rings are zeroed, tokens in flight are stale. */
  reset(): void {
    this.assertAlive();
    this.core.exports.driverReset(this.q);
    this.#zeroRings();
    this.healed();
  }

  /** What a verb threw: the caller's mistake as it is, a trap as INTERNAL, which breaks this queue alone. */
  #trap(cause: unknown): unknown {
    if (cause instanceof VirtioError) return cause;
    this.setWord(abi.DRIVER_STATE, QUEUE_BROKEN);
    return this.trapped(cause);
  }

  /** A count or a flag; a breach of the device is kept and reported, the caller's own mistake thrown. */
  #result(code: number): number {
    if (code >= 0) return code;
    if (code === QUEUE_BROKEN) return 0;
    if (this.fault() === 0) throw this.mistake(code);
    this.broke(code);
    return 0;
  }

  #setTables({ tables, entries }: { readonly tables: GuestAddress; readonly entries: number }): void {
    const code = Number.isInteger(entries)
      ? this.core.exports.queueSetTables(this.q, ...splitAddress("table", tables), entries)
      : BAD_ARGUMENT;
    if (code >= 0) return;
    this.dispose();
    throw new VirtioError(
      resultName(code),
      `queue ${this.index}: ${this.size} tables of ${entries} entries at ${tables} don't fit`,
      {
        queue: this.index,
      },
    );
  }

  #zeroRings(): void {
    const needs = ringAreas(this.ring.layout, this.size);
    for (const name of ["descriptor", "driver", "device"] as const) {
      this.core.view(Number(this.areas[name]), needs[name].bytes).fill(0);
    }
  }
}
