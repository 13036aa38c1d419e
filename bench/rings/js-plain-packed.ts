/**
 * The packed virtqueue (§2.8) in plain JavaScript over typed arrays: the obvious algorithm, with every check and
 * token that the WebAssembly core has, in the same order of buffer IDs, so that both leave the same ring bytes.
 * It knows neither EVENT_IDX nor IN_ORDER: what the benchmark doesn't measure.
 */
import { RING_EVENT_FLAGS_DISABLE, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../../src/spec/packed";
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from "../../src/spec/queue";
import { type RingAdapter, seenOf, type Workload } from "../ring";
import {
  SMALL_GUEST_BYTES as GUEST_BYTES,
  SMALL_DESCRIPTOR,
  SMALL_DEVICE,
  SMALL_DRIVER,
  SMALL_QUEUE,
  SMALL_TABLES,
  submissionWords,
  TABLE_ENTRIES,
} from "../workload";
import { refusesBeyondBasics } from "./basics";
import { Loopback } from "./loopback";

const DESC16 = SMALL_DESCRIPTOR >> 1;
const DESC32 = SMALL_DESCRIPTOR >> 2;
const DRIVER16 = SMALL_DRIVER >> 1;
const DEVICE16 = SMALL_DEVICE >> 1;
const TABLES32 = SMALL_TABLES >> 2;
const CHAIN_BYTES_MAX = 0x100000000;
/** A used length has 32 bits, so a larger writable total bounds it no further. */
const LENGTH_MAX = 0xffffffff;
const GENERATION_MAX = 32767;
const AVAIL_AND_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

// The arrays are the module's, so that the engine folds their places into the code: one ring at a time.
const U8 = new Uint8Array(GUEST_BYTES);
const U16 = new Uint16Array(U8.buffer);
const U32 = new Uint32Array(U8.buffer);
const RECORDS = new Uint32Array(16 * SMALL_QUEUE);
const LINK = new Uint16Array(SMALL_QUEUE);
const GENERATION = new Uint16Array(SMALL_QUEUE);
const COUNT = new Uint16Array(SMALL_QUEUE);
const WRITABLE = new Uint32Array(SMALL_QUEUE);
const TOKENS = new Uint32Array(SMALL_QUEUE);
const USED = new Uint32Array(2 * SMALL_QUEUE);
const DEVICE_GENERATION = new Uint16Array(SMALL_QUEUE);
const DEVICE_WRITABLE = new Uint32Array(SMALL_QUEUE);
const CHAINS = new Uint32Array(16 * SMALL_QUEUE);
const DEVICE_LINK = new Uint16Array(SMALL_QUEUE);
const DEVICE_COUNT = new Uint16Array(SMALL_QUEUE);
const DEVICE_ID = new Uint16Array(SMALL_QUEUE);

export const JS_PLAIN_PACKED: RingAdapter = {
  name: "js-plain-packed",
  refuses: refusesBeyondBasics,
  open: (workload) => new PlainPacked(workload),
};

class PlainPacked extends Loopback {
  readonly #batch: number;
  readonly #size: number;
  readonly #echoes: boolean;
  readonly #recordWords: number;
  // Driver half; its per-chain state goes by buffer ID.
  #freeId = 0;
  #freeCount: number;
  #availSlot = 0;
  #availWrap = 1;
  #pendingSlot = -1;
  #pendingFlags = 0;
  #usedSlot = 0;
  #usedWrap = 1;
  // Device half; its per-chain state goes by a number of its own, free ones being linked.
  #takeSlot = 0;
  #takeWrap = 1;
  #deviceFree = 0;
  #deviceInFlight = 0;
  #deviceUsedSlot = 0;
  #deviceUsedWrap = 1;
  #devicePendingSlot = -1;
  #devicePendingFlags = 0;
  // The chain that `take` read last.
  #segmentsEnd = 0;
  #readableCount = 0;
  #writableCount = 0;
  #bytes = 0;
  #writableBytes = 0;

  constructor(workload: Workload) {
    super(workload);
    const { shape, batch, queueSize: size, submissions } = workload;
    this.#batch = batch;
    this.#size = size;
    this.#freeCount = size;
    for (let slot = 0; slot < size; slot++) LINK[slot] = (slot + 1) % size;
    GENERATION.fill(1);
    COUNT.fill(0);
    WRITABLE.fill(0);
    DEVICE_GENERATION.fill(1);
    DEVICE_WRITABLE.fill(0);
    for (let chain = 0; chain < size; chain++) DEVICE_LINK[chain] = (chain + 1) % size;
    DEVICE_COUNT.fill(0);
    DEVICE_ID.fill(0);
    this.#echoes = workload.device === "echo";
    RECORDS.set(submissions);
    U8.fill(0);
    this.#recordWords = submissionWords(shape);
  }

  protected submit(): number {
    const batch = this.#batch;
    for (let i = 0, at = 0; i < batch; i++, at += this.#recordWords) {
      const token = this.#add(at);
      if (token === 0) return i;
      TOKENS[i] = token;
    }
    this.#publish();
    return batch;
  }

  protected serve(): number {
    const served = this.#serve(this.#batch);
    this.#publishUsed();
    return served;
  }

  protected reclaim(): number {
    return this.#takeUsed(this.#batch);
  }

  protected witness(): number {
    const seen = this.#takeAndComplete(this.#batch);
    this.#publishUsed();
    return seen;
  }

  protected usedLengths(): number {
    let lengths = 0;
    for (let i = 0; i < this.#batch; i++) {
      if (USED[2 * i] !== TOKENS[i]) throw new Error("another token came back");
      lengths += USED[2 * i + 1] as number;
    }
    return lengths;
  }

  image(): Uint8Array {
    return U8.slice(SMALL_DESCRIPTOR, SMALL_TABLES);
  }

  #add(at: number): number {
    const readable = RECORDS[at] as number;
    const count = readable + (RECORDS[at + 1] as number);
    if (count === 0) throw new Error("a chain has at least one element");
    const indirect = (RECORDS[at + 2] as number) !== 0;
    if (count > (indirect ? TABLE_ENTRIES : this.#size)) throw new Error("CHAIN_TOO_LONG");
    let total = 0;
    let writable = 0;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const length = RECORDS[word + 2] as number;
      if (!inGuest(RECORDS[word] as number, RECORDS[word + 1] as number, length))
        throw new Error("BAD_ARGUMENT");
      total += length;
      if (i >= readable) writable += length;
    }
    if (total > CHAIN_BYTES_MAX) throw new Error("CHAIN_BYTES_OVERFLOW");
    const needed = indirect ? 1 : count;
    if (needed > this.#freeCount) return 0;
    const id = this.#freeId;
    if (indirect) this.#placeTable(at, id, count);
    else this.#placeDirect(at, id, count);
    this.#freeId = LINK[id] as number;
    this.#freeCount -= needed;
    COUNT[id] = needed;
    WRITABLE[id] = Math.min(writable, LENGTH_MAX);
    return id | ((GENERATION[id] as number) << 16);
  }

  #placeDirect(at: number, id: number, count: number): void {
    const readable = RECORDS[at] as number;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      const more = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
      this.#placeDesc(
        RECORDS[word] as number,
        RECORDS[word + 1] as number,
        RECORDS[word + 2] as number,
        id,
        write | more,
      );
    }
  }

  #placeTable(at: number, id: number, count: number): void {
    const readable = RECORDS[at] as number;
    const table = TABLES32 + id * TABLE_ENTRIES * 4;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const entry = table + i * 4;
      U32[entry] = RECORDS[word] as number;
      U32[entry + 1] = RECORDS[word + 1] as number;
      U32[entry + 2] = RECORDS[word + 2] as number;
      U16[entry * 2 + 6] = 0;
      U16[entry * 2 + 7] = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
    }
    this.#placeDesc(table * 4, 0, count * 16, id, VIRTQ_DESC_F_INDIRECT);
  }

  /** Writes the next ring descriptor; the flags of the first one since `publish` wait for it. */
  #placeDesc(low: number, high: number, length: number, id: number, kind: number): void {
    const slot = this.#availSlot;
    const desc = DESC32 + slot * 4;
    const flags = kind | (this.#availWrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED);
    U32[desc] = low;
    U32[desc + 1] = high;
    U32[desc + 2] = length;
    U16[DESC16 + slot * 8 + 6] = id;
    if (this.#pendingSlot < 0) {
      this.#pendingSlot = slot;
      this.#pendingFlags = flags;
    } else {
      U16[DESC16 + slot * 8 + 7] = flags;
    }
    if (slot + 1 === this.#size) {
      this.#availSlot = 0;
      this.#availWrap ^= 1;
    } else {
      this.#availSlot = slot + 1;
    }
  }

  #publish(): boolean {
    if (this.#pendingSlot < 0) return false;
    U16[DESC16 + this.#pendingSlot * 8 + 7] = this.#pendingFlags;
    this.#pendingSlot = -1;
    return U16[DEVICE16 + 1] !== RING_EVENT_FLAGS_DISABLE;
  }

  /** Takes the chain at the take position, if it is available, its segments into #chains from word `at`; its number or -1. */
  #take(at: number): number {
    const chain = this.#deviceFree;
    let slot = this.#takeSlot;
    let wrap = this.#takeWrap;
    let flags = U16[DESC16 + slot * 8 + 7] as number;
    if ((flags & AVAIL_AND_USED) !== (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)) return -1;
    this.#segmentsEnd = at;
    this.#readableCount = 0;
    this.#writableCount = 0;
    this.#bytes = 0;
    this.#writableBytes = 0;
    let count = 0;
    for (;;) {
      count++;
      if (this.#deviceInFlight + count > this.#size) throw new Error("RING_INDEX_JUMP");
      const last = slot;
      if (flags & VIRTQ_DESC_F_INDIRECT) {
        if (flags & VIRTQ_DESC_F_NEXT || count > 1) throw new Error("INDIRECT_WITH_NEXT");
        this.#walkTable(DESC32 + slot * 4);
      } else {
        this.#push(DESC32 + slot * 4, flags);
      }
      slot++;
      if (slot === this.#size) {
        slot = 0;
        wrap ^= 1;
      }
      if (!(flags & VIRTQ_DESC_F_NEXT)) {
        DEVICE_ID[chain] = U16[DESC16 + last * 8 + 6] as number;
        break;
      }
      if (count === this.#size) throw new Error("CHAIN_TOO_LONG");
      flags = U16[DESC16 + slot * 8 + 7] as number;
      if ((flags & AVAIL_AND_USED) !== (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED))
        throw new Error("PACKED_NOT_AVAILABLE");
    }
    this.#takeSlot = slot;
    this.#takeWrap = wrap;
    this.#deviceInFlight += count;
    this.#deviceFree = DEVICE_LINK[chain] as number;
    DEVICE_COUNT[chain] = count;
    DEVICE_WRITABLE[chain] = Math.min(this.#writableBytes, LENGTH_MAX);
    return chain;
  }

  #walkTable(desc: number): void {
    const address = U32[desc] as number;
    const length = U32[desc + 2] as number;
    if (length === 0 || length % 16 !== 0) throw new Error("INDIRECT_BAD_SIZE");
    const entries = length / 16;
    if (entries > 1024) throw new Error("INDIRECT_TOO_LONG");
    if (!inGuest(address, U32[desc + 1] as number, length)) throw new Error("INDIRECT_OUT_OF_GUEST");
    const table = address >>> 2;
    for (let entry = 0; entry < entries; entry++) {
      const word = table + entry * 4;
      this.#push(word, U16[word * 2 + 7] as number);
    }
  }

  #push(desc: number, flags: number): void {
    const length = U32[desc + 2] as number;
    const address = U32[desc] as number;
    const write = (flags & VIRTQ_DESC_F_WRITE) !== 0;
    if (!write && this.#writableCount > 0) throw new Error("DESC_ORDER");
    if (length === 0) return;
    if (!inGuest(address, U32[desc + 1] as number, length)) throw new Error("DESC_OUT_OF_GUEST");
    this.#bytes += length;
    if (this.#bytes > CHAIN_BYTES_MAX) throw new Error("CHAIN_BYTES_OVERFLOW");
    CHAINS[this.#segmentsEnd] = address;
    CHAINS[this.#segmentsEnd + 1] = length;
    this.#segmentsEnd += 2;
    if (write) {
      this.#writableCount++;
      this.#writableBytes += length;
    } else {
      this.#readableCount++;
    }
  }

  /** The device in the ring: takes a chain, uses it, and takes the next. */
  #serve(budget: number): number {
    for (let i = 0; i < budget; i++) {
      const chain = this.#take(0);
      if (chain < 0) return i;
      this.#complete(chain | ((DEVICE_GENERATION[chain] as number) << 16), this.#echoes ? this.#echo() : 0);
    }
    return budget;
  }

  /** Copies the readable segment of the chain taken last into its writable one. */
  #echo(): number {
    const [from = 0, length = 0, to = 0, room = 0] = CHAINS;
    const written = Math.min(length, room);
    U8.copyWithin(to, from, from + written);
    return written;
  }

  /** The device outside: a batch of chain records, then a batch of completions; the sum of what it was given. */
  #takeAndComplete(budget: number): number {
    let seen = 0;
    let taken = 0;
    for (let at = 0; taken < budget; taken++) {
      const chain = this.#take(at + 3);
      if (chain < 0) break;
      CHAINS[at] = chain | ((DEVICE_GENERATION[chain] as number) << 16);
      CHAINS[at + 1] = this.#readableCount;
      CHAINS[at + 2] = this.#writableCount;
      at = this.#segmentsEnd;
    }
    for (let i = 0, at = 0; i < taken; i++) {
      const readable = CHAINS[at + 1] as number;
      const end = at + 3 + 2 * (readable + (CHAINS[at + 2] as number));
      for (let segment = at + 3; segment < end; segment += 2) {
        seen += seenOf(
          CHAINS[segment] as number,
          CHAINS[segment + 1] as number,
          segment >= at + 3 + 2 * readable,
        );
      }
      this.#complete(CHAINS[at] as number, 0);
      at = end;
    }
    return seen >>> 0;
  }

  #complete(token: number, written: number): void {
    const chain = token & 0xffff;
    if (chain >= this.#size) throw new Error("COMPLETE_UNKNOWN");
    const count = DEVICE_COUNT[chain] as number;
    if (count === 0) throw new Error("COMPLETE_UNKNOWN");
    const generation = DEVICE_GENERATION[chain] as number;
    if (generation !== token >>> 16) throw new Error("STALE_TOKEN");
    if (written > (DEVICE_WRITABLE[chain] as number)) throw new Error("COMPLETE_LEN_OVERFLOW");
    DEVICE_COUNT[chain] = 0;
    this.#deviceInFlight -= count;
    DEVICE_GENERATION[chain] = generation === GENERATION_MAX ? 1 : generation + 1;
    DEVICE_LINK[chain] = this.#deviceFree;
    this.#deviceFree = chain;
    const slot = this.#deviceUsedSlot;
    const flags = (this.#deviceUsedWrap ? AVAIL_AND_USED : 0) | (written > 0 ? VIRTQ_DESC_F_WRITE : 0);
    U32[DESC32 + slot * 4 + 2] = written;
    U16[DESC16 + slot * 8 + 6] = DEVICE_ID[chain] as number;
    if (this.#devicePendingSlot < 0) {
      this.#devicePendingSlot = slot;
      this.#devicePendingFlags = flags;
    } else {
      U16[DESC16 + slot * 8 + 7] = flags;
    }
    this.#deviceUsedSlot += count;
    if (this.#deviceUsedSlot >= this.#size) {
      this.#deviceUsedSlot -= this.#size;
      this.#deviceUsedWrap ^= 1;
    }
  }

  #publishUsed(): boolean {
    if (this.#devicePendingSlot < 0) return false;
    U16[DESC16 + this.#devicePendingSlot * 8 + 7] = this.#devicePendingFlags;
    this.#devicePendingSlot = -1;
    return U16[DRIVER16 + 1] !== RING_EVENT_FLAGS_DISABLE;
  }

  #takeUsed(max: number): number {
    let taken = 0;
    for (; taken < max; taken++) {
      const slot = this.#usedSlot;
      const flags = U16[DESC16 + slot * 8 + 7] as number;
      if ((flags & AVAIL_AND_USED) !== (this.#usedWrap ? AVAIL_AND_USED : 0)) break;
      const id = U16[DESC16 + slot * 8 + 6] as number;
      if (id >= this.#size) throw new Error("USED_ID_RANGE");
      const count = COUNT[id] as number;
      if (count === 0) throw new Error("USED_ID_NOT_INFLIGHT");
      const length = flags & VIRTQ_DESC_F_WRITE ? (U32[DESC32 + slot * 4 + 2] as number) : 0;
      if (length > (WRITABLE[id] as number)) throw new Error("USED_LEN_OVERFLOW");
      const generation = GENERATION[id] as number;
      USED[2 * taken] = id | (generation << 16);
      USED[2 * taken + 1] = length;
      GENERATION[id] = generation === GENERATION_MAX ? 1 : generation + 1;
      this.#freeCount += count;
      COUNT[id] = 0;
      LINK[id] = this.#freeId;
      this.#freeId = id;
      this.#usedSlot += count;
      if (this.#usedSlot >= this.#size) {
        this.#usedSlot -= this.#size;
        this.#usedWrap ^= 1;
      }
    }
    return taken;
  }
}

function inGuest(low: number, high: number, length: number): boolean {
  return high === 0 && low + length <= GUEST_BYTES;
}
