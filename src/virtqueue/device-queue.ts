/**
 * The device half of one virtqueue: takes chains, hands them to a model, uses them in any order (§2.7.6 to §2.7.10;
 * §2.8.6 to §2.8.10). With IN_ORDER a completion is held back until its turn. Batched calls allocate nothing for a chain.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { type DeviceVerbs, deviceVerbs } from "../core/exports";
import { VirtioError } from "../errors";
import { IN_ORDER_VIOLATION, QUEUE_BROKEN } from "../spec/result";
import { Chain, type WriteObserver } from "./chain";
import { FlatList } from "./flat-list";
import { InOrderTurns } from "./in-order-turns";
import { ringAreas } from "./layout";
import { type QueueImage, restoreHalf, saveHalf } from "./queue-image";
import { QueueTally } from "./queue-tally";
import { countOf, type QueueOptions, RingHalf, type TouchedRange } from "./ring-half";
import { continueDevice, startDevice } from "./start";

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

/** Word of a chain record where its readable bytes stand. */
const READABLE = abi.CHAIN_READABLE_BYTES >>> 2;

/** The device half of a virtqueue. */
export class DeviceQueue extends RingHalf {
  /** What the queue has done. Chains of {@link run} are counted, their bytes are not. */
  readonly tally: Readonly<QueueTally>;
  readonly #count: QueueTally;
  /** Readable bytes of the chain in flight, by its token's slot. */
  readonly #readable: Float64Array;
  /** Chains used since the last publish. */
  #unshown = 0;
  readonly #verbs: DeviceVerbs;
  /** Word index of the completion records, and how many of them wait for the next publish. */
  readonly #completions: number;
  #staged = 0;
  readonly #chainsAt: number;
  /** Word index of each chain record of the last take. */
  readonly #records: Uint32Array;
  readonly #list: FlatList;
  /** Chains of the flat list that no batch has used, and whose readable bytes are not noted. */
  #listed = 0;
  readonly #view: Chain;
  readonly #observe: WriteObserver | undefined;
  readonly #payload: TouchedRange[] | undefined;
  readonly #onTouched: DeviceQueueOptions["onTouched"];
  /** What is told of the ring with `wholeAreas`: where buffers are used, and where notifications are asked for. */
  readonly #whole: { readonly used: TouchedRange; readonly event: TouchedRange } | undefined;
  /** With IN_ORDER: chains in flight, and completions that wait for their turn. */
  readonly #turns: InOrderTurns;
  #notify = false;

  /** @throws VirtioError BAD_ARGUMENT, QUEUE_SIZE_INVALID, RING_ALIGN, RING_ADDR_OVERFLOW, RING_OUT_OF_GUEST, RING_OVERLAP */
  constructor(core: Core, options: DeviceQueueOptions) {
    const bits =
      (options.strictRing ? abi.OPTION_STRICT_RING : 0) | (options.recover ? abi.OPTION_RECOVER : 0);
    const isTold = options.touched || options.onTouched !== undefined;
    const touched = isTold && !options.wholeAreas;
    super(core, { ...options, touched }, abi.ROLE_DEVICE, bits);
    this.#verbs = deviceVerbs(core.exports, this.ring.layout);
    this.#chainsAt = this.q + this.state.deviceRecords + this.batch * abi.COMPLETION_RECORD_BYTES;
    this.#list = new FlatList(core, this.q, this.#chainsAt >>> 2);
    this.#completions = (this.q + this.state.deviceRecords) >>> 2;
    this.#records = new Uint32Array(this.batch);
    this.#turns = new InOrderTurns(this.ring.inOrder ? this.size : 0);
    this.#onTouched = options.onTouched;
    this.#count = options.tally ?? new QueueTally();
    this.tally = this.#count;
    this.#readable = new Float64Array(this.size);
    this.#payload = isTold ? [] : undefined;
    if (isTold && options.wholeAreas) this.#whole = wholeAreas(this);
    const payload = this.#payload;
    this.#observe = payload
      ? (linear, length) => void payload.push({ address: core.guestAddress(linear), length })
      : undefined;
    this.#view = new Chain(core, this.#observe);
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
    for (;;) {
      const taken = this.#takeRecords(countOf(max));
      if (!taken) return 0;
      const good = this.#indexRecords(taken);
      if (good) return good;
    }
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
    this.#keepList();
    let taken = 0;
    try {
      taken = this.#result(this.#verbs.takeFlat(this.q, countOf(max)));
    } catch (cause) {
      throw this.#trap(cause);
    }
    this.#noteFlat(taken);
    return taken;
  }

  /** Notes what was taken into the flat list. */
  #noteFlat(taken: number): void {
    this.#listed = taken;
    if (this.ring.inOrder) this.#list.forEach(taken, (token) => this.#turns.append(token));
  }

  /** Before the flat list is gone, or its chains are used one by one: what the tally will want to know of them. */
  #keepList(): void {
    if (this.#listed === 0) return;
    this.#listed = 0;
    this.#list.noteReadable(this.#readable);
  }

  /** Index in `core.words()` of the flat list of {@link takeBatch}. */
  get flat(): number {
    return this.#list.at;
  }

  /**
   * A chain of the flat list, as one that lasts.
   *
   * @param first index in `core.words()` of its first entry
   */
  chainAt(first: number): Chain {
    return new Chain(this.core, this.#observe, this.#list.record(first));
  }

  #takeRecords(max: number): number {
    this.#keepList();
    try {
      return this.#result(this.#verbs.take(this.q, max));
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  /** Notes where each record is; recovered chains are given back at once and not counted. */
  #indexRecords(taken: number): number {
    const words = this.core.words();
    const records = this.#records;
    const readable = this.#readable;
    let at = this.#chainsAt >>> 2;
    let good = 0;
    const { inOrder } = this.ring;
    for (let i = 0; i < taken; i++) {
      const token = words[at] ?? 0;
      if (inOrder) this.#turns.append(token);
      const low = words[at + READABLE] ?? 0;
      const high = words[at + READABLE + 1] ?? 0;
      readable[token & 0xffff] = high === 0 ? low : low + high * 2 ** 32;
      const code = words[at + 3] ?? 0;
      if (code) {
        this.complete(token, 0);
        this.reported(code | 0);
      } else {
        records[good++] = at;
      }
      at += recordWords(words, at);
    }
    return good;
  }

  /** The i-th chain of the last {@link take}: a view that the next call moves; `keep()` what must last. */
  chain(i: number): Chain {
    return this.#view.moveTo(this.#records[i] ?? 0);
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
    this.#judgeCompletion(token, written);
    if (this.ring.inOrder && this.#turns.held.has(token)) this.#unknown(token);
    this.#keepList();
    let code = 0;
    try {
      code = this.#verbs.complete(this.q, token, written);
    } catch (cause) {
      throw this.#trap(cause);
    }
    if (code === 0) {
      this.#used(token, written);
      if (this.ring.inOrder) this.#releaseHeld();
    } else if (code === IN_ORDER_VIOLATION) this.#turns.held.set(token, written);
    else if (code !== QUEUE_BROKEN) throw this.mistake(code);
  }

  #judgeCompletion(token: number, written: number): void {
    this.assertAlive();
    if (written >>> 0 !== written) {
      throw new VirtioError("BAD_ARGUMENT", `${written} bytes written is not in 0…4294967295`);
    }
    if ((token | 0) !== token || token <= 0) this.#unknown(token);
  }

  #unknown(token: number): never {
    throw new VirtioError("COMPLETE_UNKNOWN", `queue ${this.index}: token ${token} is not in flight`, {
      queue: this.index,
    });
  }

  /**
   * Uses a chain with the next {@link publish}, which then is one crossing for all of them. As {@link complete} apart
   * from that: a mistake about a token is found there.
   *
   * @throws VirtioError as {@link complete}, here or from `publish`, of the first chain that can't be used; the others are
   */
  completeLater(token: number, written: number): void {
    if (this.ring.inOrder) {
      this.complete(token, written);
      return;
    }
    this.#judgeCompletion(token, written);
    this.#keepList();
    if (this.#staged === this.batch) this.#completeStaged();
    const words = this.core.words();
    const at = this.#completions + 2 * this.#staged++;
    words[at] = token;
    words[at + 1] = written;
  }

  /** What {@link completeLater} left to do. */
  #completeStaged(): void {
    const count = this.#staged;
    if (count === 0) return;
    this.#staged = 0;
    let done = 0;
    try {
      done = Math.max(this.#verbs.completeBatch(this.q, count), 0);
    } catch (cause) {
      throw this.#trap(cause);
    }
    const words = this.core.words();
    const readable = this.#readable;
    let toDevice = 0;
    let fromDevice = 0;
    const rest = this.#completions + 2 * done;
    for (let at = this.#completions; at < rest; at += 2) {
      toDevice += readable[(words[at] ?? 0) & 0xffff] ?? 0;
      fromDevice += words[at + 1] ?? 0;
    }
    this.#countUsed(done, { readable: toDevice, written: fromDevice });
    if (done < count) this.#completeEach(rest, count - done);
  }

  /** Completes staged chains one by one, from a word of the completion records on; a mistake about one stops no other. */
  #completeEach(from: number, count: number): void {
    const words = this.core.words();
    const mistakes: unknown[] = [];
    for (let at = from; at < from + 2 * count; at += 2) {
      try {
        this.complete(words[at] ?? 0, words[at + 1] ?? 0);
      } catch (mistake) {
        mistakes.push(mistake);
      }
    }
    if (mistakes.length > 0) throw mistakes[0];
  }

  #used(token: number, written: number): void {
    const count = this.#count;
    count.chains++;
    count.bytesToDevice += this.#readable[token & 0xffff] ?? 0;
    count.bytesFromDevice += written;
    this.#unshown++;
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
    this.#judgeBatch(count);
    let done = 0;
    try {
      if (!this.#turns.held.size) done = Math.max(this.#verbs.completeFlat(this.q, count), 0);
    } catch (cause) {
      throw this.#trap(cause);
    }
    if (this.ring.inOrder) for (let i = 0; i < done; i++) this.#turns.shift();
    if (done > 0) {
      this.#countUsed(done, this.#list.bytes(done));
      this.#listed = Math.max(this.#listed - done, 0);
    }
    this.#completeRest(done, count);
  }

  /** Counts chains that were used together. */
  #countUsed(
    chains: number,
    { readable, written }: { readonly readable: number; readonly written: number },
  ): void {
    this.#count.chains += chains;
    this.#count.bytesToDevice += readable;
    this.#count.bytesFromDevice += written;
    this.#unshown += chains;
  }

  #judgeBatch(count: number): void {
    if (countOf(count) > this.batch)
      throw new VirtioError("BAD_ARGUMENT", `${count} completions are more than a batch of ${this.batch}`);
  }

  /** One by one: the chains of the flat list that a batch refused, or that with IN_ORDER wait for their turn. */
  #completeRest(done: number, count: number): void {
    if (done === count) return;
    const chains = this.#list.chains(count);
    for (const { token, written } of chains.slice(done)) this.complete(token, written);
    if (chains.length < count) {
      throw new VirtioError(
        "COMPLETE_UNKNOWN",
        `queue ${this.index}: ${count} completions of a list of ${chains.length} chains`,
        { queue: this.index },
      );
    }
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
    this.#judgeBatch(count);
    if (this.ring.inOrder || this.#payload !== undefined) {
      this.completeBatch(count);
      this.#notify = this.publish();
      return this.takeBatch(max);
    }
    this.#completeStaged();
    this.#notify = false;
    const used = this.#list.bytes(count); // the list is gone afterwards
    if (count < this.#listed) this.#keepList();
    let code = 0;
    try {
      code = this.core.exports.deviceExchange(this.q, count, countOf(max));
    } catch (cause) {
      throw this.#trap(cause);
    }
    if (code === QUEUE_BROKEN) return 0;
    if (code >= abi.EXCHANGE_REFUSED) {
      const done = code - abi.EXCHANGE_REFUSED;
      this.#countUsed(done, this.#list.bytes(done));
      this.#completeRest(done, count);
      return 0;
    }
    this.#countUsed(count, used);
    this.#notify = code >= abi.EXCHANGE_NOTIFY;
    this.#shown(this.#notify);
    if (!this.#notify) {
      this.#noteFlat(Math.max(code, 0));
      return this.#result(code);
    }
    const broken = this.fault();
    if (broken) this.broke(broken);
    const taken = code - abi.EXCHANGE_NOTIFY;
    this.#noteFlat(taken);
    return taken;
  }

  /** Whether the last {@link exchange} found that the driver wants a used buffer notification. */
  get notify(): boolean {
    return this.#notify;
  }

  /** After the oldest chain has been used: those behind it whose completion waited. */
  #releaseHeld(): void {
    this.#turns.shift();
    for (let next = this.#turns.releaseOldest(); next !== undefined; next = this.#turns.releaseOldest()) {
      const code = this.#verbs.complete(this.q, next.token, next.written);
      if (code < 0) throw this.mistake(code);
      this.#used(next.token, next.written);
      this.#turns.shift();
    }
  }

  /**
   * Gives back the chain taken last, as if it had not been taken; repeat in reverse order for more.
   *
   * @throws VirtioError COMPLETE_UNKNOWN, STALE_TOKEN, BAD_ARGUMENT for another chain than the last
   */
  undo(token: number): void {
    this.assertAlive();
    this.#completeStaged();
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
    this.#completeStaged();
    try {
      const isWanted = this.#told(this.#verbs.publish(this.q), "used") === 1;
      this.#shown(isWanted);
      return isWanted;
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  #shown(isWanted: boolean): void {
    if (isWanted) this.#count.usedNotifications++;
    else if (this.#unshown > 0) this.#count.usedSuppressed++;
    this.#unshown = 0;
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
      this.#count.chains += served;
      this.#unshown += served;
      return served;
    } catch (cause) {
      throw this.#trap(cause);
    }
  }

  /** The buffer of the `copy` device: linear address and bytes, not in guest RAM. */
  setCopyBuffer(base: number, bytes: number): void {
    this.assertAlive();
    const end = this.core.memory.buffer.byteLength;
    if (
      !Number.isSafeInteger(base) ||
      !Number.isSafeInteger(bytes) ||
      base < 0 ||
      bytes < 0 ||
      base + bytes > end
    ) {
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
    return [...(this.#payload?.splice(0) ?? []), ...super.touched()];
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
    this.#completeStaged();
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
    this.#listed = 0;
    this.#staged = 0;
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
  #told(code: number, area: "used" | "event"): number {
    if (this.#onTouched !== undefined) {
      const ranges = this.touched();
      if (this.#whole !== undefined && (area === "event" || this.#unshown > 0))
        ranges.push(this.#whole[area]);
      if (ranges.length > 0) this.#onTouched(ranges);
    }
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

/** The areas that a device writes to (§2.7.8, §2.7.10; §2.8.6, §2.8.10). */
function wholeAreas({ ring, size, areas }: DeviceQueue): { used: TouchedRange; event: TouchedRange } {
  const bytes = ringAreas(ring.layout, size);
  const event = { address: Number(areas.device), length: bytes.device.bytes };
  if (ring.layout === "split") return { used: event, event };
  return { used: { address: Number(areas.descriptor), length: bytes.descriptor.bytes }, event };
}

/** Words of the chain record at `at`. */
function recordWords(words: Uint32Array, at: number): number {
  const segments = (words[at + 1] ?? 0) + (words[at + 2] ?? 0);
  return (abi.CHAIN_RECORD_BYTES + segments * abi.SEGMENT_RECORD_BYTES) >>> 2;
}
