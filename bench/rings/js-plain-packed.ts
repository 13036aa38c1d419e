/**
 * The packed virtqueue (§2.8) in plain JavaScript over typed arrays: the obvious algorithm, with every check and
 * token that the WebAssembly core has, in the same order of buffer IDs, so that both leave the same ring bytes.
 * It knows neither EVENT_IDX nor IN_ORDER: what the benchmark doesn't measure.
 */
import { RING_EVENT_FLAGS_DISABLE, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../../src/spec/packed";
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from "../../src/spec/queue";
import { type RingAdapter, seenOf, type Workload } from "../ring";
import {
  SMALL_DESCRIPTOR,
  SMALL_DEVICE,
  SMALL_DRIVER,
  SMALL_TABLES,
  SMALL_GUEST_BYTES as GUEST_BYTES,
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
const GENERATION_MAX = 32767;
const AVAIL_AND_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

export const JS_PLAIN_PACKED: RingAdapter = {
  name: "js-plain-packed",
  refuses: refusesBeyondBasics,
  open: (workload) => new PlainPacked(workload),
};

class PlainPacked extends Loopback {
  readonly #batch: number;
  readonly #size: number;
  readonly #echoes: boolean;
  readonly #records: Uint32Array;
  readonly #recordWords: number;
  readonly #u8 = new Uint8Array(GUEST_BYTES);
  readonly #u16 = new Uint16Array(this.#u8.buffer);
  readonly #u32 = new Uint32Array(this.#u8.buffer);
  // Driver half; its per-chain state goes by buffer ID.
  readonly #link: Uint16Array;
  readonly #generation: Uint16Array;
  readonly #count: Uint16Array;
  readonly #writable: Float64Array;
  #freeId = 0;
  #freeCount: number;
  #availSlot = 0;
  #availWrap = 1;
  #pendingSlot = -1;
  #pendingFlags = 0;
  #usedSlot = 0;
  #usedWrap = 1;
  readonly #tokens: Uint32Array;
  readonly #used: Uint32Array;
  // Device half; its per-chain state goes by a number of its own, free ones being linked.
  readonly #deviceLink: Uint16Array;
  readonly #deviceGeneration: Uint16Array;
  readonly #deviceCount: Uint16Array;
  readonly #deviceId: Uint16Array;
  readonly #deviceWritable: Float64Array;
  readonly #chains: Uint32Array;
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
  #readableBytes = 0;
  #writableBytes = 0;

  constructor(workload: Workload) {
    super(workload);
    const { shape, batch, queueSize: size, submissions } = workload;
    this.#batch = batch;
    this.#size = size;
    this.#freeCount = size;
    this.#link = Uint16Array.from({ length: size }, (_, slot) => (slot + 1) % size);
    this.#generation = new Uint16Array(size).fill(1);
    this.#count = new Uint16Array(size);
    this.#writable = new Float64Array(size);
    this.#deviceGeneration = new Uint16Array(size).fill(1);
    this.#deviceWritable = new Float64Array(size);
    this.#deviceLink = Uint16Array.from({ length: size }, (_, chain) => (chain + 1) % size);
    this.#deviceCount = new Uint16Array(size);
    this.#deviceId = new Uint16Array(size);
    this.#echoes = workload.device === "echo";
    this.#records = submissions;
    this.#recordWords = submissionWords(shape);
    this.#tokens = new Uint32Array(batch);
    this.#used = new Uint32Array(2 * batch);
    this.#chains = new Uint32Array(batch * (5 + 2 * (shape.readable.length + shape.writable.length)));
  }

  protected submit(): number {
    const batch = this.#batch;
    for (let i = 0, at = 0; i < batch; i++, at += this.#recordWords) {
      const token = this.#add(at);
      if (token === 0) return i;
      this.#tokens[i] = token;
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
      if (this.#used[2 * i] !== this.#tokens[i]) throw new Error("another token came back");
      lengths += this.#used[2 * i + 1] as number;
    }
    return lengths;
  }

  image(): Uint8Array {
    return this.#u8.slice(SMALL_DESCRIPTOR, SMALL_TABLES);
  }

  #add(at: number): number {
    const records = this.#records;
    const readable = records[at] as number;
    const count = readable + (records[at + 1] as number);
    if (count === 0) throw new Error("a chain has at least one element");
    const indirect = (records[at + 2] as number) !== 0;
    if (count > (indirect ? TABLE_ENTRIES : this.#size)) throw new Error("CHAIN_TOO_LONG");
    let total = 0;
    let writable = 0;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const length = records[word + 2] as number;
      if (!inGuest(records[word] as number, records[word + 1] as number, length))
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
    this.#freeId = this.#link[id] as number;
    this.#freeCount -= needed;
    this.#count[id] = needed;
    this.#writable[id] = writable;
    return id | ((this.#generation[id] as number) << 16);
  }

  #placeDirect(at: number, id: number, count: number): void {
    const records = this.#records;
    const readable = records[at] as number;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      const more = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
      this.#placeDesc(
        records[word] as number,
        records[word + 1] as number,
        records[word + 2] as number,
        id,
        write | more,
      );
    }
  }

  #placeTable(at: number, id: number, count: number): void {
    const records = this.#records;
    const readable = records[at] as number;
    const table = TABLES32 + id * TABLE_ENTRIES * 4;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const entry = table + i * 4;
      this.#u32[entry] = records[word] as number;
      this.#u32[entry + 1] = records[word + 1] as number;
      this.#u32[entry + 2] = records[word + 2] as number;
      this.#u16[entry * 2 + 6] = 0;
      this.#u16[entry * 2 + 7] = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
    }
    this.#placeDesc(table * 4, 0, count * 16, id, VIRTQ_DESC_F_INDIRECT);
  }

  /** Writes the next ring descriptor; the flags of the first one since `publish` wait for it. */
  #placeDesc(low: number, high: number, length: number, id: number, kind: number): void {
    const slot = this.#availSlot;
    const desc = DESC32 + slot * 4;
    const flags = kind | (this.#availWrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED);
    this.#u32[desc] = low;
    this.#u32[desc + 1] = high;
    this.#u32[desc + 2] = length;
    this.#u16[DESC16 + slot * 8 + 6] = id;
    if (this.#pendingSlot < 0) {
      this.#pendingSlot = slot;
      this.#pendingFlags = flags;
    } else {
      this.#u16[DESC16 + slot * 8 + 7] = flags;
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
    this.#u16[DESC16 + this.#pendingSlot * 8 + 7] = this.#pendingFlags;
    this.#pendingSlot = -1;
    return this.#u16[DEVICE16 + 1] !== RING_EVENT_FLAGS_DISABLE;
  }

  /** Takes the chain at the take position, if it is available, its segments into #chains from word `at`; its number or -1. */
  #take(at: number): number {
    const chain = this.#deviceFree;
    let slot = this.#takeSlot;
    let wrap = this.#takeWrap;
    let flags = this.#u16[DESC16 + slot * 8 + 7] as number;
    if ((flags & AVAIL_AND_USED) !== (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)) return -1;
    this.#segmentsEnd = at;
    this.#readableCount = 0;
    this.#writableCount = 0;
    this.#readableBytes = 0;
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
        this.#deviceId[chain] = this.#u16[DESC16 + last * 8 + 6] as number;
        break;
      }
      if (count === this.#size) throw new Error("CHAIN_TOO_LONG");
      flags = this.#u16[DESC16 + slot * 8 + 7] as number;
      if ((flags & AVAIL_AND_USED) !== (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED))
        throw new Error("PACKED_NOT_AVAILABLE");
    }
    this.#takeSlot = slot;
    this.#takeWrap = wrap;
    this.#deviceInFlight += count;
    this.#deviceFree = this.#deviceLink[chain] as number;
    this.#deviceCount[chain] = count;
    this.#deviceWritable[chain] = this.#writableBytes;
    return chain;
  }

  #walkTable(desc: number): void {
    const address = this.#u32[desc] as number;
    const length = this.#u32[desc + 2] as number;
    if (length === 0 || length % 16 !== 0) throw new Error("INDIRECT_BAD_SIZE");
    const entries = length / 16;
    if (entries > 1024) throw new Error("INDIRECT_TOO_LONG");
    if (!inGuest(address, this.#u32[desc + 1] as number, length)) throw new Error("INDIRECT_OUT_OF_GUEST");
    const table = address >>> 2;
    for (let entry = 0; entry < entries; entry++) {
      const word = table + entry * 4;
      this.#push(word, this.#u16[word * 2 + 7] as number);
    }
  }

  #push(desc: number, flags: number): void {
    const length = this.#u32[desc + 2] as number;
    const address = this.#u32[desc] as number;
    const write = (flags & VIRTQ_DESC_F_WRITE) !== 0;
    if (!write && this.#writableCount > 0) throw new Error("DESC_ORDER");
    if (length === 0) return;
    if (!inGuest(address, this.#u32[desc + 1] as number, length)) throw new Error("DESC_OUT_OF_GUEST");
    if (this.#readableBytes + this.#writableBytes + length > CHAIN_BYTES_MAX)
      throw new Error("CHAIN_BYTES_OVERFLOW");
    this.#chains[this.#segmentsEnd] = address;
    this.#chains[this.#segmentsEnd + 1] = length;
    this.#segmentsEnd += 2;
    if (write) {
      this.#writableCount++;
      this.#writableBytes += length;
    } else {
      this.#readableCount++;
      this.#readableBytes += length;
    }
  }

  /** The device in the ring: takes a chain, uses it, and takes the next. */
  #serve(budget: number): number {
    for (let i = 0; i < budget; i++) {
      const chain = this.#take(0);
      if (chain < 0) return i;
      this.#complete(
        chain | ((this.#deviceGeneration[chain] as number) << 16),
        this.#echoes ? this.#echo() : 0,
      );
    }
    return budget;
  }

  /** Copies the readable segment of the chain taken last into its writable one. */
  #echo(): number {
    const [from = 0, length = 0, to = 0, room = 0] = this.#chains;
    const written = Math.min(length, room);
    this.#u8.copyWithin(to, from, from + written);
    return written;
  }

  /** The device outside: a batch of chain records, then a batch of completions; the sum of what it was given. */
  #takeAndComplete(budget: number): number {
    let seen = 0;
    const chains = this.#chains;
    let taken = 0;
    for (let at = 0; taken < budget; taken++) {
      const chain = this.#take(at + 5);
      if (chain < 0) break;
      chains[at] = chain | ((this.#deviceGeneration[chain] as number) << 16);
      chains[at + 1] = this.#readableCount;
      chains[at + 2] = this.#writableCount;
      chains[at + 3] = this.#readableBytes;
      chains[at + 4] = this.#writableBytes;
      at = this.#segmentsEnd;
    }
    for (let i = 0, at = 0; i < taken; i++) {
      const readable = chains[at + 1] as number;
      const end = at + 5 + 2 * (readable + (chains[at + 2] as number));
      for (let segment = at + 5; segment < end; segment += 2) {
        seen += seenOf(
          chains[segment] as number,
          chains[segment + 1] as number,
          segment >= at + 5 + 2 * readable,
        );
      }
      this.#complete(chains[at] as number, 0);
      at = end;
    }
    return seen >>> 0;
  }

  #complete(token: number, written: number): void {
    const chain = token & 0xffff;
    if (chain >= this.#size) throw new Error("COMPLETE_UNKNOWN");
    const count = this.#deviceCount[chain] as number;
    if (count === 0) throw new Error("COMPLETE_UNKNOWN");
    const generation = this.#deviceGeneration[chain] as number;
    if (generation !== token >>> 16) throw new Error("STALE_TOKEN");
    if (written > (this.#deviceWritable[chain] as number)) throw new Error("COMPLETE_LEN_OVERFLOW");
    this.#deviceCount[chain] = 0;
    this.#deviceInFlight -= count;
    this.#deviceGeneration[chain] = generation === GENERATION_MAX ? 1 : generation + 1;
    this.#deviceLink[chain] = this.#deviceFree;
    this.#deviceFree = chain;
    const slot = this.#deviceUsedSlot;
    const flags = (this.#deviceUsedWrap ? AVAIL_AND_USED : 0) | (written > 0 ? VIRTQ_DESC_F_WRITE : 0);
    this.#u32[DESC32 + slot * 4 + 2] = written;
    this.#u16[DESC16 + slot * 8 + 6] = this.#deviceId[chain] as number;
    if (this.#devicePendingSlot < 0) {
      this.#devicePendingSlot = slot;
      this.#devicePendingFlags = flags;
    } else {
      this.#u16[DESC16 + slot * 8 + 7] = flags;
    }
    this.#deviceUsedSlot += count;
    if (this.#deviceUsedSlot >= this.#size) {
      this.#deviceUsedSlot -= this.#size;
      this.#deviceUsedWrap ^= 1;
    }
  }

  #publishUsed(): boolean {
    if (this.#devicePendingSlot < 0) return false;
    this.#u16[DESC16 + this.#devicePendingSlot * 8 + 7] = this.#devicePendingFlags;
    this.#devicePendingSlot = -1;
    return this.#u16[DRIVER16 + 1] !== RING_EVENT_FLAGS_DISABLE;
  }

  #takeUsed(max: number): number {
    let taken = 0;
    for (; taken < max; taken++) {
      const slot = this.#usedSlot;
      const flags = this.#u16[DESC16 + slot * 8 + 7] as number;
      if ((flags & AVAIL_AND_USED) !== (this.#usedWrap ? AVAIL_AND_USED : 0)) break;
      const id = this.#u16[DESC16 + slot * 8 + 6] as number;
      if (id >= this.#size) throw new Error("USED_ID_RANGE");
      const count = this.#count[id] as number;
      if (count === 0) throw new Error("USED_ID_NOT_INFLIGHT");
      const length = flags & VIRTQ_DESC_F_WRITE ? (this.#u32[DESC32 + slot * 4 + 2] as number) : 0;
      if (length > (this.#writable[id] as number)) throw new Error("USED_LEN_OVERFLOW");
      const generation = this.#generation[id] as number;
      this.#used[2 * taken] = id | (generation << 16);
      this.#used[2 * taken + 1] = length;
      this.#generation[id] = generation === GENERATION_MAX ? 1 : generation + 1;
      this.#freeCount += count;
      this.#count[id] = 0;
      this.#link[id] = this.#freeId;
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
