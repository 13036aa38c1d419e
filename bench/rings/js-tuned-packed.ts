/**
 * The packed virtqueue (§2.8) in JavaScript as fast as we can write it, with every check and token of the plain one and
 * the same ring bytes: whole batches in one function with the state in locals, ID and flags in one 32-bit word, one
 * shadow array for each half, and the list of one descriptor peeled.
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
import { refusesEcho } from "./basics";
import { Loopback } from "./loopback";

const DESC32 = SMALL_DESCRIPTOR >> 2;
const DRIVER16 = SMALL_DRIVER >> 1;
const DEVICE16 = SMALL_DEVICE >> 1;
const TABLES32 = SMALL_TABLES >> 2;
const GENERATION_MAX = 32767;

// Flags as they stand in the upper half of a descriptor's last word, behind the ID.
const NEXT = VIRTQ_DESC_F_NEXT << 16;
const WRITE = VIRTQ_DESC_F_WRITE << 16;
const INDIRECT = VIRTQ_DESC_F_INDIRECT << 16;
const AVAIL = VIRTQ_DESC_F_AVAIL << 16;
const USED = VIRTQ_DESC_F_USED << 16;
const BOTH = AVAIL | USED;

// A shadow entry: link, generation, descriptors in flight (0: free), writable bytes, and the device's buffer ID. A
// chain's bytes are at most GUEST_BYTES times its descriptors, so they stay far below 2^31 and integers do.
const LINK = 0;
const GENERATION = 1;
const COUNT = 2;
const WRITABLE = 3;
const ID = 4;
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
const USED_RECORDS = new Int32Array(2 * SMALL_QUEUE);
/** { token, readable, writable } of each chain taken; SEGMENTS holds their { address, length }. */
const CHAINS = new Int32Array(3 * SMALL_QUEUE);
const SEGMENTS = new Int32Array(8 * SMALL_QUEUE);

export const JS_TUNED_PACKED: RingAdapter = {
  name: "js-tuned-packed",
  refuses: refusesEcho,
  open: (workload) => new TunedPacked(workload),
};

class TunedPacked extends Loopback {
  readonly #batch: number;
  readonly #size: number;
  readonly #recordWords: number;
  #freeId = 0;
  #freeCount: number;
  #availSlot = 0;
  #availWrap = 1;
  #usedSlot = 0;
  #usedWrap = 1;
  #takeSlot = 0;
  #takeWrap = 1;
  #deviceFree = 0;
  #deviceInFlight = 0;
  #deviceUsedSlot = 0;
  #deviceUsedWrap = 1;

  constructor(workload: Workload) {
    super(workload);
    const { shape, batch, queueSize: size, submissions } = workload;
    this.#batch = batch;
    this.#size = size;
    this.#freeCount = size;
    this.#recordWords = submissionWords(shape);
    RECORDS.set(submissions);
    GUEST8.fill(0);
    DRIVER_SHADOW.fill(0);
    DEVICE_SHADOW.fill(0);
    for (const shadow of [DRIVER_SHADOW, DEVICE_SHADOW]) {
      for (let slot = 0; slot < size; slot++) {
        shadow[slot * SHADOW + LINK] = (slot + 1) % size;
        shadow[slot * SHADOW + GENERATION] = 1;
      }
    }
  }

  protected submit(): number {
    const batch = this.#batch;
    const size = this.#size;
    const words = this.#recordWords;
    const firstDesc = DESC32 + this.#availSlot * 4;
    let firstWord = 0;
    let slot = this.#availSlot;
    let wrap = this.#availWrap;
    let free = this.#freeId;
    let room = this.#freeCount;
    let added = 0;
    for (let at = 0; added < batch; added++, at += words) {
      const id = free;
      const entry = id * SHADOW;
      const readable = RECORDS[at] as number;
      const count = readable + (RECORDS[at + 1] as number);
      const desc = DESC32 + slot * 4;
      let flags = wrap ? AVAIL : USED;
      let needed = 1;
      if (count === 1 && RECORDS[at + 2] === 0) {
        if (room === 0) break;
        const address = RECORDS[at + 4] as number;
        const length = RECORDS[at + 6] as number;
        if (RECORDS[at + 5] !== 0 || !inGuest(address, length)) throw new Error("BAD_ARGUMENT");
        if (!readable) flags |= WRITE;
        GUEST32[desc] = address;
        GUEST32[desc + 1] = 0;
        GUEST32[desc + 2] = length;
        DRIVER_SHADOW[entry + WRITABLE] = readable ? 0 : length;
      } else {
        const writable = this.#judge(at, readable, count);
        needed = RECORDS[at + 2] ? 1 : count;
        if (needed > room) break;
        flags |= RECORDS[at + 2]
          ? this.#placeTable(at, desc, id, count)
          : this.#placeList(at, slot, wrap, id, count);
        DRIVER_SHADOW[entry + WRITABLE] = writable;
      }
      // The first head's ID and flags wait for the end of the batch.
      if (added === 0) firstWord = id | flags;
      else GUEST32[desc + 3] = id | flags;
      DRIVER_SHADOW[entry + COUNT] = needed;
      room -= needed;
      free = DRIVER_SHADOW[entry + LINK] as number;
      slot += needed;
      if (slot >= size) {
        slot -= size;
        wrap ^= 1;
      }
      TOKENS[added] = id | ((DRIVER_SHADOW[entry + GENERATION] as number) << 16);
    }
    this.#freeId = free;
    this.#freeCount = room;
    this.#availSlot = slot;
    this.#availWrap = wrap;
    if (added === 0) return 0;
    GUEST32[firstDesc + 3] = firstWord;
    if (GUEST16[DEVICE16 + 1] === RING_EVENT_FLAGS_DISABLE) return added;
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

  /** Writes a list of several descriptors but for the last word of its head; gives the flags that this lacks. */
  #placeList(at: number, head: number, headWrap: number, id: number, count: number): number {
    const size = this.#size;
    const readable = RECORDS[at] as number;
    let slot = head;
    let wrap = headWrap;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const desc = DESC32 + slot * 4;
      GUEST32[desc] = RECORDS[word] as number;
      GUEST32[desc + 1] = 0;
      GUEST32[desc + 2] = RECORDS[word + 2] as number;
      const kind = (i < readable ? 0 : WRITE) | (i + 1 < count ? NEXT : 0);
      if (i > 0) GUEST32[desc + 3] = id | kind | (wrap ? AVAIL : USED);
      slot++;
      if (slot === size) {
        slot = 0;
        wrap ^= 1;
      }
    }
    return (readable > 0 ? 0 : WRITE) | (count > 1 ? NEXT : 0);
  }

  #placeTable(at: number, desc: number, id: number, count: number): number {
    const readable = RECORDS[at] as number;
    const table = TABLES32 + id * TABLE_ENTRIES * 4;
    for (let i = 0, word = at + 4, entry = table; i < count; i++, word += 4, entry += 4) {
      GUEST32[entry] = RECORDS[word] as number;
      GUEST32[entry + 1] = 0;
      GUEST32[entry + 2] = RECORDS[word + 2] as number;
      GUEST32[entry + 3] = i < readable ? 0 : WRITE;
    }
    GUEST32[desc] = table * 4;
    GUEST32[desc + 1] = 0;
    GUEST32[desc + 2] = count * 16;
    return INDIRECT;
  }

  /** Takes up to a batch into CHAINS and SEGMENTS; how many. */
  #take(): number {
    const batch = this.#batch;
    const size = this.#size;
    let slot = this.#takeSlot;
    let wrap = this.#takeWrap;
    let free = this.#deviceFree;
    let inFlight = this.#deviceInFlight;
    let taken = 0;
    for (let segment = 0; taken < batch; taken++) {
      const desc = DESC32 + slot * 4;
      const tail = GUEST32[desc + 3] as number;
      if ((tail & BOTH) !== (wrap ? AVAIL : USED)) break;
      const entry = free * SHADOW;
      const chain = 3 * taken;
      const length = GUEST32[desc + 2] as number;
      let count = 1;
      if ((tail & (NEXT | INDIRECT)) === 0 && length > 0) {
        if (inFlight === size) throw new Error("RING_INDEX_JUMP");
        const address = GUEST32[desc] as number;
        const isWritable = (tail & WRITE) !== 0;
        if (GUEST32[desc + 1] !== 0 || !inGuest(address, length)) throw new Error("DESC_OUT_OF_GUEST");
        SEGMENTS[segment] = address;
        SEGMENTS[segment + 1] = length;
        segment += 2;
        CHAINS[chain + 1] = isWritable ? 0 : 1;
        CHAINS[chain + 2] = isWritable ? 1 : 0;
        DEVICE_SHADOW[entry + WRITABLE] = isWritable ? length : 0;
        DEVICE_SHADOW[entry + ID] = tail & 0xffff;
      } else {
        count = this.#walk(slot, wrap, inFlight, entry, chain, segment);
        segment += 2 * ((CHAINS[chain + 1] as number) + (CHAINS[chain + 2] as number));
      }
      CHAINS[chain] = free | ((DEVICE_SHADOW[entry + GENERATION] as number) << 16);
      DEVICE_SHADOW[entry + COUNT] = count;
      free = DEVICE_SHADOW[entry + LINK] as number;
      inFlight += count;
      slot += count;
      if (slot >= size) {
        slot -= size;
        wrap ^= 1;
      }
    }
    this.#takeSlot = slot;
    this.#takeWrap = wrap;
    this.#deviceFree = free;
    this.#deviceInFlight = inFlight;
    return taken;
  }

  /** Walks a list, or an indirect table, into `chain`; gives the descriptors that it takes in the ring. */
  #walk(
    head: number,
    headWrap: number,
    inFlight: number,
    entry: number,
    chain: number,
    start: number,
  ): number {
    const size = this.#size;
    let slot = head;
    let wrap = headWrap;
    let count = 0;
    let table = 0;
    let tableEnd = 0;
    let segment = start;
    let firstWritable = -1;
    let writable = 0;
    for (;;) {
      let desc = table;
      let tail: number;
      if (table < tableEnd) {
        tail = (GUEST32[desc + 3] as number) & WRITE;
        table += 4;
      } else {
        desc = DESC32 + slot * 4;
        tail = GUEST32[desc + 3] as number;
        if ((tail & BOTH) !== (wrap ? AVAIL : USED)) throw new Error("PACKED_NOT_AVAILABLE");
        count++;
        if (inFlight + count > size) throw new Error("RING_INDEX_JUMP");
        DEVICE_SHADOW[entry + ID] = tail & 0xffff;
        slot++;
        if (slot === size) {
          slot = 0;
          wrap ^= 1;
        }
      }
      const address = GUEST32[desc] as number;
      const length = GUEST32[desc + 2] as number;
      if (tail & INDIRECT) {
        if (tail & NEXT || count > 1) throw new Error("INDIRECT_WITH_NEXT");
        if (length <= 0 || length & 15) throw new Error("INDIRECT_BAD_SIZE");
        if (length > 16 * 1024) throw new Error("INDIRECT_TOO_LONG");
        if (GUEST32[desc + 1] !== 0 || !inGuest(address, length)) throw new Error("INDIRECT_OUT_OF_GUEST");
        table = address >>> 2;
        tableEnd = table + (length >>> 2);
        continue;
      }
      if (tail & WRITE) {
        if (firstWritable < 0) firstWritable = segment;
        writable += length;
      } else if (firstWritable >= 0) throw new Error("DESC_ORDER");
      if (length !== 0) {
        if (GUEST32[desc + 1] !== 0 || !inGuest(address, length)) throw new Error("DESC_OUT_OF_GUEST");
        SEGMENTS[segment] = address;
        SEGMENTS[segment + 1] = length;
        segment += 2;
      }
      if (table < tableEnd) continue;
      if (!(tail & NEXT)) break;
      if (count === size) throw new Error("CHAIN_TOO_LONG");
    }
    if (firstWritable < 0) firstWritable = segment;
    CHAINS[chain + 1] = (firstWritable - start) >> 1;
    CHAINS[chain + 2] = (segment - firstWritable) >> 1;
    DEVICE_SHADOW[entry + WRITABLE] = writable;
    return count;
  }

  /** Uses `count` chains of CHAINS, none written to, and publishes them. */
  #complete(count: number): void {
    if (count === 0) return;
    const size = this.#size;
    const firstDesc = DESC32 + this.#deviceUsedSlot * 4;
    let firstWord = 0;
    let slot = this.#deviceUsedSlot;
    let wrap = this.#deviceUsedWrap;
    let free = this.#deviceFree;
    let inFlight = this.#deviceInFlight;
    for (let i = 0; i < count; i++) {
      const token = CHAINS[3 * i] as number;
      const written = 0;
      const chain = token & 0xffff;
      const entry = chain * SHADOW;
      if (chain >= size) throw new Error("COMPLETE_UNKNOWN");
      const descriptors = DEVICE_SHADOW[entry + COUNT] as number;
      if (descriptors === 0) throw new Error("COMPLETE_UNKNOWN");
      const generation = DEVICE_SHADOW[entry + GENERATION] as number;
      if (generation !== token >>> 16) throw new Error("STALE_TOKEN");
      if (written > (DEVICE_SHADOW[entry + WRITABLE] as number)) throw new Error("COMPLETE_LEN_OVERFLOW");
      const id = DEVICE_SHADOW[entry + ID] as number;
      DEVICE_SHADOW[entry + COUNT] = 0;
      DEVICE_SHADOW[entry + GENERATION] = generation === GENERATION_MAX ? 1 : generation + 1;
      DEVICE_SHADOW[entry + LINK] = free;
      free = chain;
      inFlight -= descriptors;
      const desc = DESC32 + slot * 4;
      GUEST32[desc + 2] = written;
      // The first one's ID and flags wait for the end of the batch.
      if (i === 0) firstWord = id | (wrap ? BOTH : 0);
      else GUEST32[desc + 3] = id | (wrap ? BOTH : 0);
      slot += descriptors;
      if (slot >= size) {
        slot -= size;
        wrap ^= 1;
      }
    }
    this.#deviceUsedSlot = slot;
    this.#deviceUsedWrap = wrap;
    this.#deviceFree = free;
    this.#deviceInFlight = inFlight;
    GUEST32[firstDesc + 3] = firstWord;
    if (GUEST16[DRIVER16 + 1] === RING_EVENT_FLAGS_DISABLE) return;
  }

  protected serve(): number {
    const taken = this.#take();
    this.#complete(taken);
    return taken;
  }

  protected witness(): number {
    const taken = this.#take();
    let seen = 0;
    for (let i = 0, segment = 0; i < taken; i++) {
      const readable = CHAINS[3 * i + 1] as number;
      const count = readable + (CHAINS[3 * i + 2] as number);
      for (let s = 0; s < count; s++, segment += 2) {
        seen += seenOf(SEGMENTS[segment] as number, SEGMENTS[segment + 1] as number, s >= readable);
      }
    }
    this.#complete(taken);
    return seen >>> 0;
  }

  protected reclaim(): number {
    const batch = this.#batch;
    const size = this.#size;
    let slot = this.#usedSlot;
    let wrap = this.#usedWrap;
    let free = this.#freeId;
    let freed = 0;
    let done = 0;
    for (; done < batch; done++) {
      const desc = DESC32 + slot * 4;
      const tail = GUEST32[desc + 3] as number;
      if ((tail & BOTH) !== (wrap ? BOTH : 0)) break;
      const id = tail & 0xffff;
      if (id >= size) throw new Error("USED_ID_RANGE");
      const entry = id * SHADOW;
      const count = DRIVER_SHADOW[entry + COUNT] as number;
      if (count === 0) throw new Error("USED_ID_NOT_INFLIGHT");
      const length = tail & WRITE ? (GUEST32[desc + 2] as number) : 0;
      if (length >>> 0 > (DRIVER_SHADOW[entry + WRITABLE] as number)) throw new Error("USED_LEN_OVERFLOW");
      const generation = DRIVER_SHADOW[entry + GENERATION] as number;
      USED_RECORDS[2 * done] = id | (generation << 16);
      USED_RECORDS[2 * done + 1] = length;
      DRIVER_SHADOW[entry + GENERATION] = generation === GENERATION_MAX ? 1 : generation + 1;
      DRIVER_SHADOW[entry + COUNT] = 0;
      DRIVER_SHADOW[entry + LINK] = free;
      free = id;
      freed += count;
      slot += count;
      if (slot >= size) {
        slot -= size;
        wrap ^= 1;
      }
    }
    this.#freeId = free;
    this.#freeCount += freed;
    this.#usedSlot = slot;
    this.#usedWrap = wrap;
    return done;
  }

  protected usedLengths(): number {
    let lengths = 0;
    for (let i = 0; i < this.#batch; i++) {
      if (USED_RECORDS[2 * i] !== TOKENS[i]) throw new Error("another token came back");
      lengths += USED_RECORDS[2 * i + 1] as number;
    }
    return lengths;
  }

  image(): Uint8Array {
    return GUEST8.slice(SMALL_DESCRIPTOR, SMALL_TABLES);
  }
}

/** `length` as read, so a huge one is negative. */
function inGuest(address: number, length: number): boolean {
  return address >= 0 && address <= GUEST_BYTES && length >= 0 && length <= GUEST_BYTES - address;
}
