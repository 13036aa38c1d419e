/**
 * The split virtqueue (§2.7) in plain JavaScript over typed arrays: the obvious algorithm, with every check and
 * token that the WebAssembly core has, in the same order of descriptors, so that both leave the same ring bytes.
 * It knows neither EVENT_IDX nor IN_ORDER: what the benchmark doesn't measure.
 */
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from "../../src/spec/queue";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from "../../src/spec/split";
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
const AVAIL16 = SMALL_DRIVER >> 1;
const USED16 = SMALL_DEVICE >> 1;
const USED32 = SMALL_DEVICE >> 2;
const TABLES32 = SMALL_TABLES >> 2;
const CHAIN_BYTES_MAX = 0x100000000;
const GENERATION_MAX = 32767;

export const JS_PLAIN_SPLIT: RingAdapter = {
  name: "js-plain-split",
  refuses: refusesBeyondBasics,
  open: (workload) => new PlainSplit(workload),
};

class PlainSplit extends Loopback {
  readonly #batch: number;
  readonly #size: number;
  readonly #echoes: boolean;
  readonly #records: Uint32Array;
  readonly #recordWords: number;
  readonly #u8 = new Uint8Array(GUEST_BYTES);
  readonly #u16 = new Uint16Array(this.#u8.buffer);
  readonly #u32 = new Uint32Array(this.#u8.buffer);
  // Driver half.
  readonly #link: Uint16Array;
  readonly #generation: Uint16Array;
  readonly #count: Uint16Array;
  readonly #last: Uint16Array;
  readonly #writable: Float64Array;
  #freeHead = 0;
  #freeCount: number;
  #availIdx = 0;
  #driverUsedIdx = 0;
  #inFlight = 0;
  readonly #tokens: Uint32Array;
  readonly #used: Uint32Array;
  // Device half.
  readonly #deviceGeneration: Uint16Array;
  readonly #taken: Uint8Array;
  readonly #deviceWritable: Float64Array;
  readonly #chains: Uint32Array;
  #nextAvailIdx = 0;
  #usedIdx = 0;
  #pendingUsed = 0;
  // The chain that `walk` read last.
  #segmentsEnd = 0;
  #readableCount = 0;
  #writableCount = 0;

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
    this.#last = new Uint16Array(size);
    this.#taken = new Uint8Array(size);
    this.#echoes = workload.device === "echo";
    this.#records = submissions;
    this.#recordWords = submissionWords(shape);
    this.#tokens = new Uint32Array(batch);
    this.#used = new Uint32Array(2 * batch);
    this.#chains = new Uint32Array(batch * (3 + 2 * (shape.readable.length + shape.writable.length)));
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
    const head = this.#freeHead;
    const last = indirect ? this.#placeTable(at, head, count) : this.#placeDirect(at, head, count);
    this.#freeHead = this.#link[last] as number;
    this.#freeCount -= needed;
    this.#count[head] = needed;
    this.#last[head] = last;
    this.#writable[head] = writable;
    this.#u16[AVAIL16 + 2 + (this.#availIdx & (this.#size - 1))] = head;
    this.#availIdx = (this.#availIdx + 1) & 0xffff;
    this.#inFlight++;
    return head | ((this.#generation[head] as number) << 16);
  }

  #placeDirect(at: number, head: number, count: number): number {
    const records = this.#records;
    const readable = records[at] as number;
    let slot = head;
    for (let i = 0, word = at + 4; ; i++, word += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      const more = i + 1 < count;
      const next = more ? (this.#link[slot] as number) : 0;
      const desc = DESC32 + slot * 4;
      this.#u32[desc] = records[word] as number;
      this.#u32[desc + 1] = records[word + 1] as number;
      this.#u32[desc + 2] = records[word + 2] as number;
      this.#u16[DESC16 + slot * 8 + 6] = more ? write | VIRTQ_DESC_F_NEXT : write;
      this.#u16[DESC16 + slot * 8 + 7] = next;
      if (!more) return slot;
      slot = next;
    }
  }

  #placeTable(at: number, head: number, count: number): number {
    const records = this.#records;
    const readable = records[at] as number;
    const table = TABLES32 + head * TABLE_ENTRIES * 4;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      const more = i + 1 < count;
      const entry = table + i * 4;
      this.#u32[entry] = records[word] as number;
      this.#u32[entry + 1] = records[word + 1] as number;
      this.#u32[entry + 2] = records[word + 2] as number;
      this.#u16[entry * 2 + 6] = more ? write | VIRTQ_DESC_F_NEXT : write;
      this.#u16[entry * 2 + 7] = more ? i + 1 : 0;
    }
    this.#u32[DESC32 + head * 4] = table * 4;
    this.#u32[DESC32 + head * 4 + 1] = 0;
    this.#u32[DESC32 + head * 4 + 2] = count * 16;
    this.#u16[DESC16 + head * 8 + 6] = VIRTQ_DESC_F_INDIRECT;
    this.#u16[DESC16 + head * 8 + 7] = 0;
    return head;
  }

  #publish(): boolean {
    this.#u16[AVAIL16 + 1] = this.#availIdx;
    return ((this.#u16[USED16] as number) & VIRTQ_USED_F_NO_NOTIFY) === 0;
  }

  #available(): number {
    const newly = ((this.#u16[AVAIL16 + 1] as number) - this.#nextAvailIdx) & 0xffff;
    const published = (this.#usedIdx - this.#pendingUsed) & 0xffff;
    if (newly + ((this.#nextAvailIdx - published) & 0xffff) > this.#size) throw new Error("RING_INDEX_JUMP");
    return newly;
  }

  /** Takes the chain at the next available index, its segments into #chains from word `at`; gives its head. */
  #take(at: number): number {
    const head = this.#u16[AVAIL16 + 2 + (this.#nextAvailIdx & (this.#size - 1))] as number;
    if (head >= this.#size) throw new Error("DESC_INDEX_RANGE");
    if (this.#taken[head]) throw new Error("HEAD_IN_FLIGHT");
    this.#deviceWritable[head] = this.#walk(head, at);
    this.#nextAvailIdx = (this.#nextAvailIdx + 1) & 0xffff;
    this.#taken[head] = 1;
    return head;
  }

  /** Follows `next` in the ring, and in the table that an indirect descriptor names; gives the writable bytes. */
  #walk(head: number, at: number): number {
    const u16 = this.#u16;
    const u32 = this.#u32;
    const chains = this.#chains;
    let [table, entries, slot, isTable] = [DESC32, this.#size, head, false];
    let [readableCount, writableCount, readableBytes, writableBytes] = [0, 0, 0, 0];
    let segment = at;
    for (let visited = 1; ; visited++) {
      const desc = table + slot * 4;
      const address = u32[desc] as number;
      const high = u32[desc + 1] as number;
      const length = u32[desc + 2] as number;
      const flags = u16[desc * 2 + 6] as number;
      if (flags & VIRTQ_DESC_F_INDIRECT) {
        if (isTable) throw new Error("INDIRECT_NESTED");
        if (flags & VIRTQ_DESC_F_NEXT) throw new Error("INDIRECT_WITH_NEXT");
        if (length === 0 || length % 16 !== 0) throw new Error("INDIRECT_BAD_SIZE");
        if (length > 16 * 1024) throw new Error("INDIRECT_TOO_LONG");
        if (!inGuest(address, high, length)) throw new Error("INDIRECT_OUT_OF_GUEST");
        [table, entries, slot, isTable] = [address >>> 2, length >>> 4, 0, true];
        visited = 0;
        continue;
      }
      const write = (flags & VIRTQ_DESC_F_WRITE) !== 0;
      if (!write && writableCount > 0) throw new Error("DESC_ORDER");
      if (length !== 0) {
        if (!inGuest(address, high, length)) throw new Error("DESC_OUT_OF_GUEST");
        if (readableBytes + writableBytes + length > CHAIN_BYTES_MAX) throw new Error("CHAIN_BYTES_OVERFLOW");
        chains[segment] = address;
        chains[segment + 1] = length;
        segment += 2;
        if (write) {
          writableCount++;
          writableBytes += length;
        } else {
          readableCount++;
          readableBytes += length;
        }
      }
      if (!(flags & VIRTQ_DESC_F_NEXT)) break;
      slot = u16[desc * 2 + 7] as number;
      if (slot >= entries) throw new Error("DESC_NEXT_RANGE");
      if (visited === entries) throw new Error("CHAIN_TOO_LONG");
    }
    this.#segmentsEnd = segment;
    this.#readableCount = readableCount;
    this.#writableCount = writableCount;
    return writableBytes;
  }

  /** The device in the ring: takes a chain, uses it, and takes the next. */
  #serve(budget: number): number {
    const limit = Math.min(budget, this.#available());
    for (let i = 0; i < limit; i++) {
      const head = this.#take(0);
      this.#complete(
        head | ((this.#deviceGeneration[head] as number) << 16),
        this.#echoes ? this.#echo() : 0,
      );
    }
    return limit;
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
    const limit = Math.min(budget, this.#available());
    for (let i = 0, at = 0; i < limit; i++) {
      const head = this.#take(at + 3);
      chains[at] = head | ((this.#deviceGeneration[head] as number) << 16);
      chains[at + 1] = this.#readableCount;
      chains[at + 2] = this.#writableCount;
      at = this.#segmentsEnd;
    }
    for (let i = 0, at = 0; i < limit; i++) {
      const readable = chains[at + 1] as number;
      const end = at + 3 + 2 * (readable + (chains[at + 2] as number));
      for (let segment = at + 3; segment < end; segment += 2) {
        seen += seenOf(
          chains[segment] as number,
          chains[segment + 1] as number,
          segment >= at + 3 + 2 * readable,
        );
      }
      this.#complete(chains[at] as number, 0);
      at = end;
    }
    return seen >>> 0;
  }

  #complete(token: number, written: number): void {
    const slot = token & 0xffff;
    if (slot >= this.#size || !this.#taken[slot]) throw new Error("COMPLETE_UNKNOWN");
    const generation = this.#deviceGeneration[slot] as number;
    if (generation !== token >>> 16) throw new Error("STALE_TOKEN");
    if (written > (this.#deviceWritable[slot] as number)) throw new Error("COMPLETE_LEN_OVERFLOW");
    this.#taken[slot] = 0;
    this.#deviceGeneration[slot] = generation === GENERATION_MAX ? 1 : generation + 1;
    const element = USED32 + 1 + (this.#usedIdx & (this.#size - 1)) * 2;
    this.#u32[element] = slot;
    this.#u32[element + 1] = written;
    this.#usedIdx = (this.#usedIdx + 1) & 0xffff;
    this.#pendingUsed++;
  }

  #publishUsed(): boolean {
    this.#u16[USED16 + 1] = this.#usedIdx;
    this.#pendingUsed = 0;
    return ((this.#u16[AVAIL16] as number) & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
  }

  #takeUsed(max: number): number {
    const newly = ((this.#u16[USED16 + 1] as number) - this.#driverUsedIdx) & 0xffff;
    if (newly > this.#inFlight) throw new Error("USED_INDEX_JUMP");
    const limit = Math.min(max, newly);
    for (let i = 0; i < limit; i++) {
      const element = USED32 + 1 + (this.#driverUsedIdx & (this.#size - 1)) * 2;
      const id = this.#u32[element] as number;
      const length = this.#u32[element + 1] as number;
      if (id >= this.#size) throw new Error("USED_ID_RANGE");
      if (this.#count[id] === 0) throw new Error("USED_ID_NOT_INFLIGHT");
      if (length > (this.#writable[id] as number)) throw new Error("USED_LEN_OVERFLOW");
      const generation = this.#generation[id] as number;
      this.#used[2 * i] = id | (generation << 16);
      this.#used[2 * i + 1] = length;
      this.#generation[id] = generation === GENERATION_MAX ? 1 : generation + 1;
      this.#freeCount += this.#count[id] as number;
      this.#count[id] = 0;
      this.#link[this.#last[id] as number] = this.#freeHead;
      this.#freeHead = id;
      this.#inFlight--;
      this.#driverUsedIdx = (this.#driverUsedIdx + 1) & 0xffff;
    }
    return limit;
  }
}

function inGuest(low: number, high: number, length: number): boolean {
  return high === 0 && low + length <= GUEST_BYTES;
}
