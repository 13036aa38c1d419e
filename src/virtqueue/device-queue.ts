/**
 * The device half of one virtqueue: takes chains, hands them to a model, uses them in any order (§2.7.6 to §2.7.10;
 * §2.8.6 to §2.8.10). With IN_ORDER a completion is held back until its turn. Batched calls allocate nothing for a chain.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { type DeviceVerbs, deviceVerbs } from "../core/exports";
import { VirtioError } from "../errors";
import { QUEUE_BROKEN } from "../spec/result";
import { Chain } from "./chain";
import { Completions } from "./completions";
import { FlatList } from "./flat-list";
import { InOrderTurns } from "./in-order-turns";
import { type QueueImage, restoreHalf, saveHalf } from "./queue-image";
import { QueueTally } from "./queue-tally";
import { countOf, type QueueOptions, RingHalf, type TouchedRange } from "./ring-half";
import { continueDevice, startDevice } from "./start";
import { TakenChains } from "./taken-chains";
import { UsedCount } from "./used-count";
import { areasWritten, type WrittenArea, WrittenRanges } from "./written-ranges";

/** What a device queue takes besides the common options. */
export interface DeviceQueueOptions extends QueueOptions {
  /** Bound a chain by the queue size, table entries included; default false: tables up to max(size, 1024) entries. */
  readonly strictRing?: boolean;
  /** Give a bad chain back with length 0 where it has a head, instead of breaking the queue; default false. */
  readonly recover?: boolean;
  /**
   * Takes what {@link DeviceQueue.touched} would give, after each call that writes to the ring and before it returns:
   * for a JIT or a remote memory that must know at once, whoever serves the queue. With it, `touched` is on.
   */
  readonly onTouched?: (ranges: readonly TouchedRange[]) => void;
  /**
   * With `onTouched`: of the ring, tell the area that was written to and not the ranges; default false. For a JIT that
   * works by pages. Nothing is logged then, and chains go the short way. {@link DeviceQueue.touched} gives payload alone.
   */
  readonly wholeAreas?: boolean;
  /** Where the queue counts; default: a tally of its own. */
  readonly tally?: QueueTally;
}

/** The devices that live inside WASM. */
export type Backend = "sink" | "echo" | "copy";

const BACKENDS: Readonly<Record<Backend, number>> = {
  sink: abi.BACKEND_SINK,
  echo: abi.BACKEND_ECHO,
  copy: abi.BACKEND_COPY,
};

/** The device half of a virtqueue. */
export class DeviceQueue extends RingHalf {
  /** What the queue has done. Chains of {@link run} are counted, their bytes are not. */
  readonly tally: Readonly<QueueTally>;
  readonly #verbs: DeviceVerbs;
  readonly #count: UsedCount;
  readonly #completions: Completions;
  readonly #taken: TakenChains;
  readonly #view: Chain;
  /** With IN_ORDER: chains in flight, and completions that wait for their turn. */
  readonly #turns: InOrderTurns;
  /** With touched ranges: what there is besides the core's log. */
  readonly #written: WrittenRanges | undefined;
  #notify = false;

  /** @throws VirtioError BAD_ARGUMENT, QUEUE_SIZE_INVALID, RING_ALIGN, RING_ADDR_OVERFLOW, RING_OUT_OF_GUEST, RING_OVERLAP */
  constructor(core: Core, options: DeviceQueueOptions) {
    const bits =
      (options.strictRing ? abi.OPTION_STRICT_RING : 0) | (options.recover ? abi.OPTION_RECOVER : 0);
    const isTold = options.touched || options.onTouched !== undefined;
    const touched = isTold && !options.wholeAreas;
    super(core, { ...options, touched }, abi.ROLE_DEVICE, bits);
    const { q, index, batch, size, ring } = this;
    const tally = options.tally ?? new QueueTally();
    this.tally = tally;
    this.#verbs = deviceVerbs(core.exports, ring.layout);
    const records = (q + this.state.deviceRecords) >>> 2;
    const chains = records + batch * (abi.COMPLETION_RECORD_BYTES >>> 2);
    const list = new FlatList(core, q, chains);
    const turns = new InOrderTurns(ring.inOrder ? size : 0);
    const count = new UsedCount(tally, size);
    const calls = {
      core,
      q,
      index,
      batch,
      inOrder: ring.inOrder,
      verbs: this.#verbs,
      assertAlive: () => this.assertAlive(),
      result: (code: number) => this.#result(code),
      reported: (code: number) => this.reported(code),
      mistake: (code: number) => this.mistake(code),
      trap: (cause: unknown) => this.#trap(cause),
    };
    const completions = new Completions(calls, { records, list, turns, count });
    this.#turns = turns;
    this.#count = count;
    this.#completions = completions;
    this.#taken = new TakenChains(calls, { records: chains, list, turns, count, completions });
    if (isTold) {
      const areas = options.wholeAreas ? areasWritten(this) : undefined;
      this.#written = new WrittenRanges(core, options.onTouched, areas);
    }
    this.#view = new Chain(core, this.#written?.observe);
  }

  /** Chains taken and not yet used; those whose completion is held back included. */
  get inFlight(): number {
    return this.word(abi.DEVICE_IN_FLIGHT);
  }

  /**
   * Takes available chains; read them through {@link chain}.
   *
   * @param max 0…batch, default batch
   * @returns how many; 0 also when the queue is broken ({@link error})
   */
  take(max: number = this.batch): number {
    this.assertAlive();
    return this.#taken.takeRecords(countOf(max));
  }

  /**
   * Takes available chains into the flat list, for a device that reads words instead of {@link chain}s. It stands in
   * `core.words()` from {@link flat} on and dies with the next take. One entry of 4 words per segment, a chain's
   * readable ones first: { linear address, length, token, written }. The token's high bit is set in a writable
   * segment; entries with the same token are one chain. The device stores in the first entry of each chain how many
   * bytes it wrote, 0 unless it does; {@link completeBatch} reads it there. A chain without segments has one entry of
   * length 0; with `recover`, its address is why (a negative result code as a u32; 0: nothing was wrong).
   *
   * Payload that is written through these addresses is not in {@link touched}.
   *
   * @param max 0…batch, default batch
   * @returns how many chains; 0 also when the queue is broken ({@link error})
   * @throws VirtioError BAD_ARGUMENT, and BUFFER_TOO_SHORT for a chain of more segments than `recordBytes` / 16
   */
  takeBatch(max: number = this.batch): number {
    this.assertAlive();
    return this.#taken.takeList(countOf(max));
  }

  /** Index in `core.words()` of the flat list of {@link takeBatch}. */
  get flat(): number {
    return this.#taken.flat;
  }

  /**
   * A chain of the flat list, as one that lasts.
   *
   * @param first index in `core.words()` of its first entry
   */
  chainAt(first: number): Chain {
    return new Chain(this.core, this.#written?.observe, this.#taken.listRecord(first));
  }

  /** The i-th chain of the last {@link take}: a view that the next call moves; `keep()` what must last. */
  chain(i: number): Chain {
    return this.#view.moveTo(this.#taken.place(i));
  }

  /** The chains there are now, one by one; a convenience that allocates. */
  *chains(): IterableIterator<Chain> {
    for (let n = this.take(); n > 0; n = this.take()) {
      const batch = Array.from({ length: n }, (_, i) => this.chain(i).keep());
      yield* batch;
    }
  }

  /**
   * Uses one chain; the driver sees it after {@link publish}. Any order; ignored once the queue is broken.
   *
   * @param token as {@link Chain.token} gave it
   * @param written bytes written from the first writable one on, 0…writable bytes
   * @throws VirtioError COMPLETE_UNKNOWN, STALE_TOKEN, COMPLETE_LEN_OVERFLOW, BUFFER_TOO_SHORT, BAD_ARGUMENT
   */
  complete(token: number, written: number): void {
    this.assertAlive();
    this.#completions.complete(token, written);
  }

  /**
   * Uses a chain with the next {@link publish}, which then is one crossing for all of them. As {@link complete} apart
   * from that: a mistake about a token is found there.
   *
   * @throws VirtioError as {@link complete}, here or from `publish`, of the first chain that can't be used; the others are
   */
  completeLater(token: number, written: number): void {
    this.assertAlive();
    this.#completions.completeLater(token, written);
  }

  /**
   * Uses the first `count` chains of the flat list that {@link takeBatch} filled, as {@link complete} uses one; one
   * crossing.
   *
   * @param count 0…batch
   * @throws VirtioError as {@link complete}; the chains before the one it is about are used
   */
  completeBatch(count: number): void {
    this.assertAlive();
    this.#completions.completeBatch(count);
  }

  /**
   * {@link completeBatch}, {@link publish} and {@link takeBatch} in one crossing: the round of a device that serves the
   * flat list. {@link notify} says whether to send a used buffer notification.
   *
   * @param count chains to use, 0…batch
   * @param max chains to take, 0…batch, default batch
   * @returns how many were taken; 0 also when the queue is broken ({@link error})
   * @throws VirtioError as {@link completeBatch}, with nothing shown and nothing taken; as {@link takeBatch}
   */
  exchange(count: number, max: number = this.batch): number {
    this.assertAlive();
    this.#completions.judgeBatch(count);
    if (this.ring.inOrder || this.#written !== undefined) {
      this.completeBatch(count);
      this.#notify = this.publish();
      return this.takeBatch(max);
    }
    this.#completions.completeStaged();
    this.#notify = false;
    const used = this.#completions.leaveList(count);
    let code = 0;
    try {
      code = this.core.exports.deviceExchange(this.q, count, countOf(max));
    } catch (cause) {
      throw this.#trap(cause);
    }
    if (code === QUEUE_BROKEN) return 0;
    if (code >= abi.EXCHANGE_REFUSED) {
      const done = code - abi.EXCHANGE_REFUSED;
      this.#completions.usedFirst(done);
      if (done < count) this.#completions.completeRest(done, count);
      return 0;
    }
    this.#count.usedTogether(count, used);
    this.#notify = code >= abi.EXCHANGE_NOTIFY;
    this.#count.shown(this.#notify);
    if (!this.#notify) {
      this.#taken.noteList(Math.max(code, 0));
      return this.#result(code);
    }
    const broken = this.fault();
    if (broken) this.broke(broken);
    const taken = code - abi.EXCHANGE_NOTIFY;
    this.#taken.noteList(taken);
    return taken;
  }

  /** Whether the last {@link exchange} found that the driver wants a used buffer notification. */
  get notify(): boolean {
    return this.#notify;
  }

  /**
   * Gives back the chain taken last, as if it had not been taken; repeat in reverse order for more.
   *
   * @throws VirtioError COMPLETE_UNKNOWN, STALE_TOKEN, BAD_ARGUMENT for another chain than the last
   */
  undo(token: number): void {
    this.assertAlive();
    this.#completions.completeStaged();
    if (this.#turns.held.has(token))
      throw new VirtioError("BAD_ARGUMENT", `token ${token} has been completed`);
    const code = this.#verbs.undo(this.q, token);
    if (code === QUEUE_BROKEN) return;
    if (code < 0) throw this.mistake(code);
    if (this.ring.inOrder) this.#turns.drop();
  }

  /** Shows what was used to the driver. True: send it a used buffer notification. */
  publish(): boolean {
    this.assertAlive();
    this.#completions.completeStaged();
    try {
      const isWanted = this.#told(this.#verbs.publish(this.q), "used") === 1;
      this.#count.shown(isWanted);
      return isWanted;
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  /** Asks for an available buffer notification with the next chain. True: one is there already, look again. */
  arm(): boolean {
    this.assertAlive();
    return this.#told(this.#verbs.arm(this.q), "event") === 1;
  }

  /** Asks for no available buffer notifications; the driver may send some all the same. */
  disarm(): void {
    this.assertAlive();
    this.#told(this.#verbs.disarm(this.q), "event");
  }

  /** True when something available was not taken yet. */
  hasAvailable(): boolean {
    this.assertAlive();
    return this.#verbs.hasAvailable(this.q) === 1;
  }

  /**
   * Lets a device inside WASM take, serve and complete chains; {@link publish} shows them.
   *
   * @param backend `sink` reads and writes nothing; `echo` copies readable bytes into writable ones; `copy` moves
   *   payload between the chains and the buffer of {@link setCopyBuffer}
   * @param budget most chains, 0…2^32-1
   * @returns how many were served
   */
  run(backend: Backend, budget: number): number {
    this.assertAlive();
    try {
      const served = this.#result(this.#verbs.run(this.q, BACKENDS[backend], countOf(budget)));
      this.#count.usedTogether(served);
      return served;
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  /** The buffer of the `copy` device: linear address and bytes, not in guest RAM. */
  setCopyBuffer(base: number, bytes: number): void {
    this.assertAlive();
    const end = this.core.memory.buffer.byteLength;
    const isRange = [base, bytes].every((value) => Number.isSafeInteger(value) && value >= 0);
    if (!isRange || base + bytes > end) {
      throw new VirtioError(
        "BAD_ARGUMENT",
        `copy buffer [${base}, ${base + bytes}) is not in the memory's ${end} bytes`,
      );
    }
    this.setWord(abi.QUEUE_COPY_BASE, base);
    this.setWord(abi.QUEUE_COPY_BYTES, bytes);
    this.setWord(abi.QUEUE_COPY_POSITION, 0);
  }

  /** The guest ranges written since the last call: payload first, then the ring, its index or head flags last. */
  override touched(): TouchedRange[] {
    return [...(this.#written?.takePayload() ?? []), ...super.touched()];
  }

  /**
   * Puts an idle queue anywhere, and the ring's own indices with it: see {@link RingHalf.vringBase}.
   *
   * @throws VirtioError SNAPSHOT_INVALID for a base that is no idle position, BAD_ARGUMENT with chains in flight
   */
  startAt(base: number): void {
    this.#assertIdle();
    startDevice(this, this.core, base);
  }

  /** As {@link startAt}, on a ring in use, whose used index must agree. @throws VirtioError as startAt */
  continueAt(base: number): void {
    this.#assertIdle();
    continueDevice(this, this.core, base);
  }

  #assertIdle(): void {
    this.assertAlive();
    if (this.inFlight)
      throw new VirtioError("BAD_ARGUMENT", `${this.inFlight} chains are in flight, 0 must be`);
  }

  /** The queue as plain data, to be continued elsewhere on the same guest memory. Publish first. */
  save(): QueueImage {
    this.assertAlive();
    this.#completions.completeStaged();
    return saveHalf(this, this.core, [...this.#turns.held]);
  }

  /**
   * A queue that goes on where {@link save} left it.
   *
   * @throws VirtioError SNAPSHOT_INVALID for an image that is damaged, of another queue, or contradicts itself
   */
  static restore(core: Core, options: DeviceQueueOptions, image: QueueImage): DeviceQueue {
    const queue = restoreHalf(image, options, () => new DeviceQueue(core, options), core);
    if (queue.ring.inOrder) queue.#turns.restore(image.inFlight, image.held);
    return queue;
  }

  /** As after a queue reset (§2.6.1): indices and wrap counters restart, tokens in flight are stale. */
  reset(): void {
    this.assertAlive();
    this.core.exports.deviceReset(this.q);
    this.#completions.clear();
    this.#turns.clear();
    this.healed();
  }

  /** What a verb threw: a caller's mistake as it is, a trap as INTERNAL, which breaks this queue alone. */
  #trap(cause: unknown): unknown {
    if (cause instanceof VirtioError) return cause;
    this.setWord(abi.DEVICE_STATE, QUEUE_BROKEN);
    return this.trapped(cause);
  }

  /** As {@link #result}, after telling of what was written, `area` of the ring with it. */
  #told(code: number, area: WrittenArea): number {
    this.#written?.tell(this, area === "event" || this.#count.hasUnshown ? area : undefined);
    return this.#result(code);
  }

  /** A count or a flag; a breach of the driver is kept and reported, the caller's own mistake thrown. */
  #result(code: number): number {
    if (code >= 0) return code;
    if (code === QUEUE_BROKEN) return 0;
    if (this.fault() === 0) throw this.mistake(code);
    this.broke(code);
    return 0;
  }
}
