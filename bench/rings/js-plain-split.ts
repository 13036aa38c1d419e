/**
 * The split virtqueue (§2.7) in plain JavaScript over typed arrays: the obvious algorithm, with every check and
 * token that the WebAssembly core has, in the same order of descriptors, so that both leave the same ring bytes.
 * It knows neither EVENT_IDX nor IN_ORDER: what the benchmark doesn't measure.
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
import { fail, refusesBeyondBasics } from "./basics";
import { Loopback } from "./loopback";

const DESC16 = SMALL_DESCRIPTOR >> 1;
const DESC32 = SMALL_DESCRIPTOR >> 2;
const AVAIL16 = SMALL_DRIVER >> 1;
const USED16 = SMALL_DEVICE >> 1;
const USED32 = SMALL_DEVICE >> 2;
const TABLES32 = SMALL_TABLES >> 2;
const CHAIN_BYTES_MAX = 0x100000000;
const GENERATION_MAX = 32767;

// The arrays are the module's, so that the engine folds their places into the code: one ring at a time.
const U8 = new Uint8Array(GUEST_BYTES);
const U16 = new Uint16Array(U8.buffer);
const U32 = new Uint32Array(U8.buffer);
const RECORDS = new Uint32Array(16 * SMALL_QUEUE);
const LINK = new Uint16Array(SMALL_QUEUE);
const GENERATION = new Uint16Array(SMALL_QUEUE);
const COUNT = new Uint16Array(SMALL_QUEUE);
const LAST = new Uint16Array(SMALL_QUEUE);
const WRITABLE = new Float64Array(SMALL_QUEUE);
const TOKENS = new Uint32Array(SMALL_QUEUE);
const USED = new Uint32Array(2 * SMALL_QUEUE);
const DEVICE_GENERATION = new Uint16Array(SMALL_QUEUE);
const TAKEN = new Uint8Array(SMALL_QUEUE);
const DEVICE_WRITABLE = new Float64Array(SMALL_QUEUE);
const CHAINS = new Uint32Array(16 * SMALL_QUEUE);

export const JS_PLAIN_SPLIT: RingAdapter = {
  name: "js-plain-split",
  refuses: refusesBeyondBasics,
  open: (workload) => new PlainSplit(workload),
};

class PlainSplit extends Loopback {
  private readonly batch: number;
  private readonly size: number;
  private readonly echoes: boolean;
  private readonly recordWords: number;
  // Driver half.
  private freeHead = 0;
  private freeCount: number;
  private availIdx = 0;
  private driverUsedIdx = 0;
  private inFlight = 0;
  // Device half.
  private nextAvailIdx = 0;
  private usedIdx = 0;
  private pendingUsed = 0;
  // The chain that `walk` read last.
  private segmentsEnd = 0;
  private readableCount = 0;
  private writableCount = 0;

  constructor(workload: Workload) {
    super(workload);
    const { shape, batch, queueSize: size, submissions } = workload;
    this.batch = batch;
    this.size = size;
    this.freeCount = size;
    for (let slot = 0; slot < size; slot++) LINK[slot] = (slot + 1) % size;
    GENERATION.fill(1);
    COUNT.fill(0);
    WRITABLE.fill(0);
    DEVICE_GENERATION.fill(1);
    DEVICE_WRITABLE.fill(0);
    LAST.fill(0);
    TAKEN.fill(0);
    this.echoes = workload.device === "echo";
    RECORDS.set(submissions);
    U8.fill(0);
    this.recordWords = submissionWords(shape);
  }

  protected submit(): number {
    const batch = this.batch;
    for (let i = 0, at = 0; i < batch; i++, at += this.recordWords) {
      const token = this.add(at);
      if (token === 0) return i;
      TOKENS[i] = token;
    }
    this.publish();
    return batch;
  }

  protected serve(): number {
    const served = this.serveUpTo(this.batch);
    this.publishUsed();
    return served;
  }

  protected reclaim(): number {
    return this.takeUsed(this.batch);
  }

  protected witness(): number {
    const seen = this.takeAndComplete(this.batch);
    this.publishUsed();
    return seen;
  }

  protected usedLengths(): number {
    let lengths = 0;
    for (let i = 0; i < this.batch; i++) {
      if (USED[2 * i] !== TOKENS[i]) fail("another token came back");
      lengths += USED[2 * i + 1] as number;
    }
    return lengths;
  }

  image(): Uint8Array {
    return U8.slice(SMALL_DESCRIPTOR, SMALL_TABLES);
  }

  private add(at: number): number {
    const readable = RECORDS[at] as number;
    const count = readable + (RECORDS[at + 1] as number);
    if (count === 0) fail("a chain has at least one element");
    const indirect = (RECORDS[at + 2] as number) !== 0;
    if (count > (indirect ? TABLE_ENTRIES : this.size)) fail("CHAIN_TOO_LONG");
    let total = 0;
    let writable = 0;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const length = RECORDS[word + 2] as number;
      if (!inGuest(RECORDS[word] as number, RECORDS[word + 1] as number, length)) fail("BAD_ARGUMENT");
      total += length;
      if (i >= readable) writable += length;
    }
    if (total > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
    const needed = indirect ? 1 : count;
    if (needed > this.freeCount) return 0;
    const head = this.freeHead;
    const last = indirect ? this.placeTable(at, head, count) : this.placeDirect(at, head, count);
    this.freeHead = LINK[last] as number;
    this.freeCount -= needed;
    COUNT[head] = needed;
    LAST[head] = last;
    WRITABLE[head] = writable;
    const idx = this.availIdx;
    U16[AVAIL16 + 2 + (idx & (this.size - 1))] = head;
    this.availIdx = (idx + 1) & 0xffff;
    this.inFlight++;
    return head | ((GENERATION[head] as number) << 16);
  }

  private placeDirect(at: number, head: number, count: number): number {
    const readable = RECORDS[at] as number;
    let slot = head;
    for (let i = 0, word = at + 4; ; i++, word += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      const more = i + 1 < count;
      const next = more ? (LINK[slot] as number) : 0;
      const desc = DESC32 + slot * 4;
      U32[desc] = RECORDS[word] as number;
      U32[desc + 1] = RECORDS[word + 1] as number;
      U32[desc + 2] = RECORDS[word + 2] as number;
      U16[DESC16 + slot * 8 + 6] = more ? write | VIRTQ_DESC_F_NEXT : write;
      U16[DESC16 + slot * 8 + 7] = next;
      if (!more) return slot;
      slot = next;
    }
  }

  private placeTable(at: number, head: number, count: number): number {
    const readable = RECORDS[at] as number;
    const table = TABLES32 + head * TABLE_ENTRIES * 4;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      const more = i + 1 < count;
      const entry = table + i * 4;
      U32[entry] = RECORDS[word] as number;
      U32[entry + 1] = RECORDS[word + 1] as number;
      U32[entry + 2] = RECORDS[word + 2] as number;
      U16[entry * 2 + 6] = more ? write | VIRTQ_DESC_F_NEXT : write;
      U16[entry * 2 + 7] = more ? i + 1 : 0;
    }
    U32[DESC32 + head * 4] = table * 4;
    U32[DESC32 + head * 4 + 1] = 0;
    U32[DESC32 + head * 4 + 2] = count * 16;
    U16[DESC16 + head * 8 + 6] = VIRTQ_DESC_F_INDIRECT;
    U16[DESC16 + head * 8 + 7] = 0;
    return head;
  }

  private publish(): boolean {
    U16[AVAIL16 + 1] = this.availIdx;
    return ((U16[USED16] as number) & VIRTQ_USED_F_NO_NOTIFY) === 0;
  }

  private available(): number {
    const newly = ((U16[AVAIL16 + 1] as number) - this.nextAvailIdx) & 0xffff;
    const published = (this.usedIdx - this.pendingUsed) & 0xffff;
    if (newly + ((this.nextAvailIdx - published) & 0xffff) > this.size) fail("RING_INDEX_JUMP");
    return newly;
  }

  /** Takes the chain at the next available index, its segments into CHAINS from word `at`; gives its head. */
  private take(at: number): number {
    const head = U16[AVAIL16 + 2 + (this.nextAvailIdx & (this.size - 1))] as number;
    if (head >= this.size) fail("DESC_INDEX_RANGE");
    if (TAKEN[head]) fail("HEAD_IN_FLIGHT");
    DEVICE_WRITABLE[head] = this.walk(head, at);
    this.nextAvailIdx = (this.nextAvailIdx + 1) & 0xffff;
    TAKEN[head] = 1;
    return head;
  }

  /** Follows `next` in the ring, and in the table that an indirect descriptor names; gives the writable bytes. */
  private walk(head: number, at: number): number {
    let table = DESC32;
    let entries = this.size;
    let slot = head;
    let isTable = false;
    let readableCount = 0;
    let writableCount = 0;
    let readableBytes = 0;
    let writableBytes = 0;
    let segment = at;
    for (let visited = 1; ; visited++) {
      const desc = table + slot * 4;
      const address = U32[desc] as number;
      const high = U32[desc + 1] as number;
      const length = U32[desc + 2] as number;
      const flags = U16[desc * 2 + 6] as number;
      if (flags & VIRTQ_DESC_F_INDIRECT) {
        if (isTable) fail("INDIRECT_NESTED");
        judgeTable(flags, address, high, length);
        table = address >>> 2;
        entries = length >>> 4;
        slot = 0;
        isTable = true;
        visited = 0;
        continue;
      }
      const write = (flags & VIRTQ_DESC_F_WRITE) !== 0;
      if (!write && writableCount > 0) fail("DESC_ORDER");
      if (length !== 0) {
        if (!inGuest(address, high, length)) fail("DESC_OUT_OF_GUEST");
        if (readableBytes + writableBytes + length > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
        CHAINS[segment] = address;
        CHAINS[segment + 1] = length;
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
      slot = U16[desc * 2 + 7] as number;
      if (slot >= entries) fail("DESC_NEXT_RANGE");
      if (visited === entries) fail("CHAIN_TOO_LONG");
    }
    this.segmentsEnd = segment;
    this.readableCount = readableCount;
    this.writableCount = writableCount;
    return writableBytes;
  }

  /** The device in the ring: takes a chain, uses it, and takes the next. */
  private serveUpTo(budget: number): number {
    const limit = Math.min(budget, this.available());
    for (let i = 0; i < limit; i++) {
      const head = this.take(0);
      this.complete(head | ((DEVICE_GENERATION[head] as number) << 16), this.echoes ? this.echo() : 0);
    }
    return limit;
  }

  /** Copies the readable segment of the chain taken last into its writable one. */
  private echo(): number {
    const [from = 0, length = 0, to = 0, room = 0] = CHAINS;
    const written = Math.min(length, room);
    U8.copyWithin(to, from, from + written);
    return written;
  }

  /** The device outside: a batch of chain records, then a batch of completions; the sum of what it was given. */
  private takeAndComplete(budget: number): number {
    let seen = 0;
    const limit = Math.min(budget, this.available());
    for (let i = 0, at = 0; i < limit; i++) {
      const head = this.take(at + 3);
      CHAINS[at] = head | ((DEVICE_GENERATION[head] as number) << 16);
      CHAINS[at + 1] = this.readableCount;
      CHAINS[at + 2] = this.writableCount;
      at = this.segmentsEnd;
    }
    for (let i = 0, at = 0; i < limit; i++) {
      const readable = CHAINS[at + 1] as number;
      const end = at + 3 + 2 * (readable + (CHAINS[at + 2] as number));
      for (let segment = at + 3; segment < end; segment += 2) {
        seen += seenOf(
          CHAINS[segment] as number,
          CHAINS[segment + 1] as number,
          segment >= at + 3 + 2 * readable,
        );
      }
      this.complete(CHAINS[at] as number, 0);
      at = end;
    }
    return seen >>> 0;
  }

  private complete(token: number, written: number): void {
    const slot = token & 0xffff;
    if (slot >= this.size || !TAKEN[slot]) fail("COMPLETE_UNKNOWN");
    const generation = DEVICE_GENERATION[slot] as number;
    if (generation !== token >>> 16) fail("STALE_TOKEN");
    if (written > (DEVICE_WRITABLE[slot] as number)) fail("COMPLETE_LEN_OVERFLOW");
    TAKEN[slot] = 0;
    DEVICE_GENERATION[slot] = generation === GENERATION_MAX ? 1 : generation + 1;
    const idx = this.usedIdx;
    const element = USED32 + 1 + (idx & (this.size - 1)) * 2;
    U32[element] = slot;
    U32[element + 1] = written;
    this.usedIdx = (idx + 1) & 0xffff;
    this.pendingUsed++;
  }

  private publishUsed(): boolean {
    U16[USED16 + 1] = this.usedIdx;
    this.pendingUsed = 0;
    return ((U16[AVAIL16] as number) & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
  }

  private takeUsed(max: number): number {
    const newly = ((U16[USED16 + 1] as number) - this.driverUsedIdx) & 0xffff;
    if (newly > this.inFlight) fail("USED_INDEX_JUMP");
    const limit = Math.min(max, newly);
    for (let i = 0; i < limit; i++) {
      const element = USED32 + 1 + (this.driverUsedIdx & (this.size - 1)) * 2;
      const id = U32[element] as number;
      const length = U32[element + 1] as number;
      if (id >= this.size) fail("USED_ID_RANGE");
      if (COUNT[id] === 0) fail("USED_ID_NOT_INFLIGHT");
      if (length > (WRITABLE[id] as number)) fail("USED_LEN_OVERFLOW");
      const generation = GENERATION[id] as number;
      USED[2 * i] = id | (generation << 16);
      USED[2 * i + 1] = length;
      GENERATION[id] = generation === GENERATION_MAX ? 1 : generation + 1;
      this.freeCount += COUNT[id] as number;
      COUNT[id] = 0;
      LINK[LAST[id] as number] = this.freeHead;
      this.freeHead = id;
      this.inFlight--;
      this.driverUsedIdx = (this.driverUsedIdx + 1) & 0xffff;
    }
    return limit;
  }
}

function judgeTable(flags: number, address: number, high: number, length: number): void {
  if (flags & VIRTQ_DESC_F_NEXT) fail("INDIRECT_WITH_NEXT");
  if (length === 0 || length % 16 !== 0) fail("INDIRECT_BAD_SIZE");
  if (length > 16 * 1024) fail("INDIRECT_TOO_LONG");
  if (!inGuest(address, high, length)) fail("INDIRECT_OUT_OF_GUEST");
}

function inGuest(low: number, high: number, length: number): boolean {
  return high === 0 && low + length <= GUEST_BYTES;
}
