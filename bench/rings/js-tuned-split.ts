/**
 * The split virtqueue (§2.7) in JavaScript as fast as we can write it, with every check and token of the plain one and
 * the same ring bytes: whole batches in one function with the state in locals, flags and next in one 32-bit word, one
 * shadow array for each half, and the direct chain of one descriptor peeled.
 */
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from "../../src/spec/queue";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from "../../src/spec/split";
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
import { refusesEcho } from "./basics";
import { type DeviceHalf, DeviceOnly, refusesAlone } from "./device-only";
import { Loopback } from "./loopback";

const DESC32 = SMALL_DESCRIPTOR >> 2;
const AVAIL16 = SMALL_DRIVER >> 1;
const USED16 = SMALL_DEVICE >> 1;
const USED32 = SMALL_DEVICE >> 2;
const TABLES32 = SMALL_TABLES >> 2;
const GENERATION_MAX = 32767;
const LINKED = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT;

// A shadow entry: link and last descriptor, generation, descriptors in flight (0: free), writable bytes. A chain's
// bytes are at most GUEST_BYTES times its descriptors, so they stay far below 2^31 and integers do.
const LINK = 0;
const LAST = 1;
const GENERATION = 2;
const COUNT = 3;
const WRITABLE = 4;
const SHADOW = 8;

// The arrays are the module's, so that the engine folds their places into the code: one ring at a time.
const GUEST8 = new Uint8Array(GUEST_BYTES);
const GUEST16 = new Uint16Array(GUEST8.buffer);
const GUEST32 = new Int32Array(GUEST8.buffer);
const DRIVER_SHADOW = new Int32Array(SMALL_QUEUE * SHADOW);
const DEVICE_SHADOW = new Int32Array(SMALL_QUEUE * SHADOW);
const RECORDS = new Int32Array(SMALL_QUEUE * 16);
const TOKENS = new Int32Array(SMALL_QUEUE);
/** { token, length } of each chain taken back. */
const USED = new Int32Array(2 * SMALL_QUEUE);
/** { token, readable, writable } of each chain taken; SEGMENTS holds their { address, length }. */
const CHAINS = new Int32Array(3 * SMALL_QUEUE);
const SEGMENTS = new Int32Array(8 * SMALL_QUEUE);

export const JS_TUNED_SPLIT: RingAdapter = {
  name: "js-tuned-split",
  refuses: refusesEcho,
  open: (workload) => new TunedSplit(workload),
};

/** The same device half alone, its chains made available by a stub; it looks at what it was given. */
export const JS_DEVICE: RingAdapter = {
  name: "js-device",
  refuses: refusesAlone,
  open: (workload) => new DeviceOnly(new LookingDevice(workload), workload),
};

class TunedSplit extends Loopback implements DeviceHalf {
  readonly #batch: number;
  readonly #size: number;
  readonly #recordWords: number;
  #freeHead = 0;
  #freeCount: number;
  #availIdx = 0;
  #driverUsedIdx = 0;
  #inFlight = 0;
  #nextAvailIdx = 0;
  #usedIdx = 0;

  constructor(workload: Workload) {
    super(workload);
    const { shape, batch, queueSize: size, submissions } = workload;
    this.#batch = batch;
    this.#size = size;
    this.#freeCount = size;
    RECORDS.set(submissions);
    GUEST8.fill(0);
    this.#recordWords = submissionWords(shape);
    DRIVER_SHADOW.fill(0);
    DEVICE_SHADOW.fill(0);
    for (let slot = 0; slot < size; slot++) {
      DRIVER_SHADOW[slot * SHADOW + LINK] = (slot + 1) % size;
      DRIVER_SHADOW[slot * SHADOW + GENERATION] = 1;
      DEVICE_SHADOW[slot * SHADOW + GENERATION] = 1;
    }
  }

  protected submit(): number {
    const batch = this.#batch;
    const words = this.#recordWords;
    const mask = this.#size - 1;
    let free = this.#freeHead;
    let room = this.#freeCount;
    let idx = this.#availIdx;
    let added = 0;
    for (let at = 0; added < batch; added++, at += words) {
      const head = free;
      const entry = head * SHADOW;
      const readable = RECORDS[at] as number;
      const count = readable + (RECORDS[at + 1] as number);
      if (count === 1 && RECORDS[at + 2] === 0) {
        if (room === 0) break;
        const address = RECORDS[at + 4] as number;
        const length = RECORDS[at + 6] as number;
        if (RECORDS[at + 5] !== 0 || !inGuest(address, length)) throw new Error("BAD_ARGUMENT");
        const desc = DESC32 + head * 4;
        GUEST32[desc] = address;
        GUEST32[desc + 1] = 0;
        GUEST32[desc + 2] = length;
        GUEST32[desc + 3] = readable ? 0 : VIRTQ_DESC_F_WRITE;
        room--;
        free = DRIVER_SHADOW[entry + LINK] as number;
        DRIVER_SHADOW[entry + LAST] = head;
        DRIVER_SHADOW[entry + COUNT] = 1;
        DRIVER_SHADOW[entry + WRITABLE] = readable ? 0 : length;
      } else {
        const writable = this.#judge(at, readable, count);
        const needed = RECORDS[at + 2] ? 1 : count;
        if (needed > room) break;
        const last = RECORDS[at + 2] ? this.#placeTable(at, head, count) : this.#placeDirect(at, head, count);
        room -= needed;
        free = DRIVER_SHADOW[last * SHADOW + LINK] as number;
        DRIVER_SHADOW[entry + LAST] = last;
        DRIVER_SHADOW[entry + COUNT] = needed;
        DRIVER_SHADOW[entry + WRITABLE] = writable;
      }
      GUEST16[AVAIL16 + 2 + (idx & mask)] = head;
      idx = (idx + 1) & 0xffff;
      TOKENS[added] = head | ((DRIVER_SHADOW[entry + GENERATION] as number) << 16);
    }
    this.#freeHead = free;
    this.#freeCount = room;
    this.#availIdx = idx;
    this.#inFlight += added;
    GUEST16[AVAIL16 + 1] = idx;
    if ((GUEST16[USED16] as number) & VIRTQ_USED_F_NO_NOTIFY) return added;
    return added;
  }

  /** Checks a submission; its writable bytes. */
  #judge(at: number, readable: number, count: number): number {
    if (count === 0) throw new Error("a chain has at least one element");
    if (count > (RECORDS[at + 2] ? TABLE_ENTRIES : this.#size)) throw new Error("CHAIN_TOO_LONG");
    let writable = 0;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const length = RECORDS[word + 2] as number;
      if (RECORDS[word + 1] !== 0 || !inGuest(RECORDS[word] as number, length))
        throw new Error("BAD_ARGUMENT");
      if (i >= readable) writable += length;
    }
    return writable;
  }

  #placeDirect(at: number, head: number, count: number): number {
    const firstWritable = at + 4 + 4 * (RECORDS[at] as number);
    const last = at + 4 * count;
    let slot = head;
    for (let word = at + 4; ; word += 4) {
      const write = word < firstWritable ? 0 : VIRTQ_DESC_F_WRITE;
      const desc = DESC32 + slot * 4;
      GUEST32[desc] = RECORDS[word] as number;
      GUEST32[desc + 1] = 0;
      GUEST32[desc + 2] = RECORDS[word + 2] as number;
      if (word === last) {
        GUEST32[desc + 3] = write;
        return slot;
      }
      slot = DRIVER_SHADOW[slot * SHADOW + LINK] as number;
      GUEST32[desc + 3] = write | VIRTQ_DESC_F_NEXT | (slot << 16);
    }
  }

  #placeTable(at: number, head: number, count: number): number {
    const readable = RECORDS[at] as number;
    const table = TABLES32 + head * TABLE_ENTRIES * 4;
    for (let i = 0, word = at + 4, desc = table; i < count; i++, word += 4, desc += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      GUEST32[desc] = RECORDS[word] as number;
      GUEST32[desc + 1] = 0;
      GUEST32[desc + 2] = RECORDS[word + 2] as number;
      GUEST32[desc + 3] = i + 1 < count ? write | VIRTQ_DESC_F_NEXT | ((i + 1) << 16) : write;
    }
    const desc = DESC32 + head * 4;
    GUEST32[desc] = table * 4;
    GUEST32[desc + 1] = 0;
    GUEST32[desc + 2] = count * 16;
    GUEST32[desc + 3] = VIRTQ_DESC_F_INDIRECT;
    return head;
  }

  /** Takes up to a batch into CHAINS and SEGMENTS; how many. */
  protected take(): number {
    const size = this.#size;
    const next = this.#nextAvailIdx;
    const newly = ((GUEST16[AVAIL16 + 1] as number) - next) & 0xffff;
    if (newly + ((next - this.#usedIdx) & 0xffff) > size) throw new Error("RING_INDEX_JUMP");
    const limit = Math.min(this.#batch, newly);
    for (let i = 0, segment = 0; i < limit; i++) {
      const head = GUEST16[AVAIL16 + 2 + ((next + i) & (size - 1))] as number;
      if (head >= size) throw new Error("DESC_INDEX_RANGE");
      const entry = head * SHADOW;
      if (DEVICE_SHADOW[entry + COUNT] !== 0) throw new Error("HEAD_IN_FLIGHT");
      const desc = DESC32 + head * 4;
      const length = GUEST32[desc + 2] as number;
      const flags = GUEST32[desc + 3] as number;
      const chain = 3 * i;
      CHAINS[chain] = head | ((DEVICE_SHADOW[entry + GENERATION] as number) << 16);
      if ((flags & LINKED) === 0 && length > 0) {
        const address = GUEST32[desc] as number;
        const isWritable = (flags & VIRTQ_DESC_F_WRITE) !== 0;
        if (GUEST32[desc + 1] !== 0 || !inGuest(address, length)) throw new Error("DESC_OUT_OF_GUEST");
        SEGMENTS[segment] = address;
        SEGMENTS[segment + 1] = length;
        segment += 2;
        CHAINS[chain + 1] = isWritable ? 0 : 1;
        CHAINS[chain + 2] = isWritable ? 1 : 0;
        DEVICE_SHADOW[entry + WRITABLE] = isWritable ? length : 0;
      } else {
        DEVICE_SHADOW[entry + WRITABLE] = this.#walk(head, chain, segment);
        segment += 2 * ((CHAINS[chain + 1] as number) + (CHAINS[chain + 2] as number));
      }
      DEVICE_SHADOW[entry + COUNT] = 1;
    }
    this.#nextAvailIdx = (next + limit) & 0xffff;
    return limit;
  }

  /** Follows `next`, in the ring and in an indirect table; gives the writable bytes. */
  #walk(head: number, chain: number, start: number): number {
    let table = DESC32;
    let entries = this.#size;
    let slot = head;
    let isTable = false;
    let segment = start;
    let firstWritable = -1;
    let writable = 0;
    for (let visited = 1; ; visited++) {
      const desc = table + slot * 4;
      const address = GUEST32[desc] as number;
      const length = GUEST32[desc + 2] as number;
      const flags = GUEST32[desc + 3] as number;
      if (flags & VIRTQ_DESC_F_INDIRECT) {
        if (isTable) throw new Error("INDIRECT_NESTED");
        if (flags & VIRTQ_DESC_F_NEXT) throw new Error("INDIRECT_WITH_NEXT");
        if (length <= 0 || length & 15) throw new Error("INDIRECT_BAD_SIZE");
        if (length > 16 * 1024) throw new Error("INDIRECT_TOO_LONG");
        if (GUEST32[desc + 1] !== 0 || !inGuest(address, length)) throw new Error("INDIRECT_OUT_OF_GUEST");
        table = address >>> 2;
        entries = length >>> 4;
        slot = 0;
        visited = 0;
        isTable = true;
        continue;
      }
      if (flags & VIRTQ_DESC_F_WRITE) {
        if (firstWritable < 0) firstWritable = segment;
        writable += length;
      } else if (firstWritable >= 0) throw new Error("DESC_ORDER");
      if (length !== 0) {
        if (GUEST32[desc + 1] !== 0 || !inGuest(address, length)) throw new Error("DESC_OUT_OF_GUEST");
        SEGMENTS[segment] = address;
        SEGMENTS[segment + 1] = length;
        segment += 2;
      }
      if (!(flags & VIRTQ_DESC_F_NEXT)) break;
      slot = flags >>> 16;
      if (slot >= entries) throw new Error("DESC_NEXT_RANGE");
      if (visited === entries) throw new Error("CHAIN_TOO_LONG");
    }
    if (firstWritable < 0) firstWritable = segment;
    CHAINS[chain + 1] = (firstWritable - start) >> 1;
    CHAINS[chain + 2] = (segment - firstWritable) >> 1;
    return writable;
  }

  /** Uses `count` chains of CHAINS, none written to, and publishes them. */
  protected complete(count: number): void {
    const size = this.#size;
    let idx = this.#usedIdx;
    for (let i = 0; i < count; i++) {
      const token = CHAINS[3 * i] as number;
      const written = 0;
      const slot = token & 0xffff;
      const entry = slot * SHADOW;
      if (slot >= size || DEVICE_SHADOW[entry + COUNT] === 0) throw new Error("COMPLETE_UNKNOWN");
      const generation = DEVICE_SHADOW[entry + GENERATION] as number;
      if (generation !== token >>> 16) throw new Error("STALE_TOKEN");
      if (written > (DEVICE_SHADOW[entry + WRITABLE] as number)) throw new Error("COMPLETE_LEN_OVERFLOW");
      DEVICE_SHADOW[entry + COUNT] = 0;
      DEVICE_SHADOW[entry + GENERATION] = generation === GENERATION_MAX ? 1 : generation + 1;
      const element = USED32 + 1 + (idx & (size - 1)) * 2;
      GUEST32[element] = slot;
      GUEST32[element + 1] = written;
      idx = (idx + 1) & 0xffff;
    }
    this.#usedIdx = idx;
    GUEST16[USED16 + 1] = idx;
    if ((GUEST16[AVAIL16] as number) & VIRTQ_AVAIL_F_NO_INTERRUPT) return;
  }

  serve(): number {
    const taken = this.take();
    this.complete(taken);
    return taken;
  }

  witness(): number {
    const taken = this.take();
    let seen = 0;
    for (let i = 0, segment = 0; i < taken; i++) {
      const readable = CHAINS[3 * i + 1] as number;
      const count = readable + (CHAINS[3 * i + 2] as number);
      for (let s = 0; s < count; s++, segment += 2) {
        seen += seenOf(SEGMENTS[segment] as number, SEGMENTS[segment + 1] as number, s >= readable);
      }
    }
    this.complete(taken);
    return seen >>> 0;
  }

  protected reclaim(): number {
    const size = this.#size;
    let idx = this.#driverUsedIdx;
    const newly = ((GUEST16[USED16 + 1] as number) - idx) & 0xffff;
    if (newly > this.#inFlight) throw new Error("USED_INDEX_JUMP");
    const limit = Math.min(this.#batch, newly);
    let free = this.#freeHead;
    let freed = 0;
    for (let i = 0; i < limit; i++) {
      const element = USED32 + 1 + (idx & (size - 1)) * 2;
      const id = GUEST32[element] as number;
      const length = GUEST32[element + 1] as number;
      if (id >>> 0 >= size) throw new Error("USED_ID_RANGE");
      const entry = id * SHADOW;
      const count = DRIVER_SHADOW[entry + COUNT] as number;
      if (count === 0) throw new Error("USED_ID_NOT_INFLIGHT");
      if (length >>> 0 > (DRIVER_SHADOW[entry + WRITABLE] as number)) throw new Error("USED_LEN_OVERFLOW");
      const generation = DRIVER_SHADOW[entry + GENERATION] as number;
      USED[2 * i] = id | (generation << 16);
      USED[2 * i + 1] = length;
      DRIVER_SHADOW[entry + GENERATION] = generation === GENERATION_MAX ? 1 : generation + 1;
      DRIVER_SHADOW[entry + COUNT] = 0;
      DRIVER_SHADOW[(DRIVER_SHADOW[entry + LAST] as number) * SHADOW + LINK] = free;
      free = id;
      freed += count;
      idx = (idx + 1) & 0xffff;
    }
    this.#freeHead = free;
    this.#freeCount += freed;
    this.#inFlight -= limit;
    this.#driverUsedIdx = idx;
    return limit;
  }

  protected usedLengths(): number {
    let lengths = 0;
    for (let i = 0; i < this.#batch; i++) {
      if (USED[2 * i] !== TOKENS[i]) throw new Error("another token came back");
      lengths += USED[2 * i + 1] as number;
    }
    return lengths;
  }

  guest(): Uint8Array {
    return GUEST8;
  }

  image(): Uint8Array {
    return GUEST8.slice(SMALL_DESCRIPTOR, SMALL_TABLES);
  }
}

class LookingDevice extends TunedSplit {
  /** Bytes that the device was given. */
  bytes = 0;

  override serve(): number {
    const taken = this.take();
    let bytes = 0;
    for (let i = 0, segment = 1; i < taken; i++) {
      const count = (CHAINS[3 * i + 1] as number) + (CHAINS[3 * i + 2] as number);
      for (const end = segment + 2 * count; segment < end; segment += 2) bytes += SEGMENTS[segment] as number;
    }
    this.bytes = bytes;
    this.complete(taken);
    return taken;
  }
}

/** `length` as read, so a huge one is negative. */
function inGuest(address: number, length: number): boolean {
  return address >= 0 && address <= GUEST_BYTES && length >= 0 && length <= GUEST_BYTES - address;
}
