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
import { fail, refusesBeyondBasics } from "./basics";
import { Loopback } from "./loopback";

const DESC16 = SMALL_DESCRIPTOR >> 1;
const DESC32 = SMALL_DESCRIPTOR >> 2;
const DRIVER16 = SMALL_DRIVER >> 1;
const DEVICE16 = SMALL_DEVICE >> 1;
const TABLES32 = SMALL_TABLES >> 2;
const CHAIN_BYTES_MAX = 0x100000000;
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
const WRITABLE = new Float64Array(SMALL_QUEUE);
const TOKENS = new Uint32Array(SMALL_QUEUE);
const USED = new Uint32Array(2 * SMALL_QUEUE);
const DEVICE_GENERATION = new Uint16Array(SMALL_QUEUE);
const DEVICE_WRITABLE = new Float64Array(SMALL_QUEUE);
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
  private readonly batch: number;
  private readonly size: number;
  private readonly echoes: boolean;
  private readonly recordWords: number;
  // Driver half; its per-chain state goes by buffer ID.
  private freeId = 0;
  private freeCount: number;
  private availSlot = 0;
  private availWrap = 1;
  private pendingSlot = -1;
  private pendingFlags = 0;
  private usedSlot = 0;
  private usedWrap = 1;
  // Device half; its per-chain state goes by a number of its own, free ones being linked.
  private takeSlot = 0;
  private takeWrap = 1;
  private deviceFree = 0;
  private deviceInFlight = 0;
  private deviceUsedSlot = 0;
  private deviceUsedWrap = 1;
  private devicePendingSlot = -1;
  private devicePendingFlags = 0;
  // The chain that `take` read last.
  private segmentsEnd = 0;
  private writableCount = 0;
  private bytes = 0;
  private writableBytes = 0;

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
    for (let chain = 0; chain < size; chain++) DEVICE_LINK[chain] = (chain + 1) % size;
    DEVICE_COUNT.fill(0);
    DEVICE_ID.fill(0);
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
    const id = this.freeId;
    if (indirect) this.placeTable(at, id, count);
    else this.placeDirect(at, id, count);
    this.freeId = LINK[id] as number;
    this.freeCount -= needed;
    COUNT[id] = needed;
    WRITABLE[id] = writable;
    return id | ((GENERATION[id] as number) << 16);
  }

  private placeDirect(at: number, id: number, count: number): void {
    const readable = RECORDS[at] as number;
    for (let i = 0, word = at + 4; i < count; i++, word += 4) {
      const write = i < readable ? 0 : VIRTQ_DESC_F_WRITE;
      const more = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
      this.placeDesc(
        RECORDS[word] as number,
        RECORDS[word + 1] as number,
        RECORDS[word + 2] as number,
        id,
        write | more,
      );
    }
  }

  private placeTable(at: number, id: number, count: number): void {
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
    this.placeDesc(table * 4, 0, count * 16, id, VIRTQ_DESC_F_INDIRECT);
  }

  /** Writes the next ring descriptor; the flags of the first one since `publish` wait for it. */
  private placeDesc(low: number, high: number, length: number, id: number, kind: number): void {
    const slot = this.availSlot;
    const desc = DESC32 + slot * 4;
    const flags = kind | (this.availWrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED);
    U32[desc] = low;
    U32[desc + 1] = high;
    U32[desc + 2] = length;
    U16[DESC16 + slot * 8 + 6] = id;
    if (this.pendingSlot < 0) {
      this.pendingSlot = slot;
      this.pendingFlags = flags;
    } else {
      U16[DESC16 + slot * 8 + 7] = flags;
    }
    if (slot + 1 === this.size) {
      this.availSlot = 0;
      this.availWrap ^= 1;
    } else {
      this.availSlot = slot + 1;
    }
  }

  private publish(): boolean {
    if (this.pendingSlot < 0) return false;
    U16[DESC16 + this.pendingSlot * 8 + 7] = this.pendingFlags;
    this.pendingSlot = -1;
    return U16[DEVICE16 + 1] !== RING_EVENT_FLAGS_DISABLE;
  }

  /** Takes the chain at the take position, if it is available, its segments into CHAINS from word `at`; its number or -1. */
  private take(at: number): number {
    const chain = this.deviceFree;
    let slot = this.takeSlot;
    let wrap = this.takeWrap;
    let count = 0;
    this.segmentsEnd = at;
    this.writableCount = 0;
    this.bytes = 0;
    this.writableBytes = 0;
    for (;;) {
      const desc = DESC32 + slot * 4;
      const flags = U16[desc * 2 + 7] as number;
      if ((flags & AVAIL_AND_USED) !== (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED)) {
        if (count === 0) return -1;
        fail("PACKED_NOT_AVAILABLE");
      }
      count++;
      if (this.deviceInFlight + count > this.size) fail("RING_INDEX_JUMP");
      if (flags & VIRTQ_DESC_F_INDIRECT) this.walkTable(desc, flags, count);
      else this.push(desc, flags);
      slot++;
      if (slot === this.size) {
        slot = 0;
        wrap ^= 1;
      }
      if (!(flags & VIRTQ_DESC_F_NEXT)) {
        DEVICE_ID[chain] = U16[desc * 2 + 6] as number;
        break;
      }
      if (count === this.size) fail("CHAIN_TOO_LONG");
    }
    this.takeSlot = slot;
    this.takeWrap = wrap;
    this.deviceInFlight += count;
    this.deviceFree = DEVICE_LINK[chain] as number;
    DEVICE_COUNT[chain] = count;
    DEVICE_WRITABLE[chain] = this.writableBytes;
    return chain;
  }

  private walkTable(desc: number, flags: number, count: number): void {
    if (flags & VIRTQ_DESC_F_NEXT || count > 1) fail("INDIRECT_WITH_NEXT");
    const address = U32[desc] as number;
    const length = U32[desc + 2] as number;
    if (length === 0 || length % 16 !== 0) fail("INDIRECT_BAD_SIZE");
    const entries = length / 16;
    if (entries > 1024) fail("INDIRECT_TOO_LONG");
    if (!inGuest(address, U32[desc + 1] as number, length)) fail("INDIRECT_OUT_OF_GUEST");
    const table = address >>> 2;
    for (let entry = 0; entry < entries; entry++) {
      const word = table + entry * 4;
      this.push(word, U16[word * 2 + 7] as number);
    }
  }

  private push(desc: number, flags: number): void {
    const length = U32[desc + 2] as number;
    const address = U32[desc] as number;
    const write = (flags & VIRTQ_DESC_F_WRITE) !== 0;
    if (!write && this.writableCount > 0) fail("DESC_ORDER");
    if (length === 0) return;
    if (!inGuest(address, U32[desc + 1] as number, length)) fail("DESC_OUT_OF_GUEST");
    const bytes = this.bytes + length;
    if (bytes > CHAIN_BYTES_MAX) fail("CHAIN_BYTES_OVERFLOW");
    this.bytes = bytes;
    const end = this.segmentsEnd;
    CHAINS[end] = address;
    CHAINS[end + 1] = length;
    this.segmentsEnd = end + 2;
    if (write) {
      this.writableCount++;
      this.writableBytes += length;
    }
  }

  /** The device in the ring: takes a chain, uses it, and takes the next. */
  private serveUpTo(budget: number): number {
    for (let i = 0; i < budget; i++) {
      const chain = this.take(0);
      if (chain < 0) return i;
      this.complete(chain | ((DEVICE_GENERATION[chain] as number) << 16), this.echoes ? this.echo() : 0);
    }
    return budget;
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
    let taken = 0;
    for (let at = 0; taken < budget; taken++) {
      const chain = this.take(at + 3);
      if (chain < 0) break;
      CHAINS[at] = chain | ((DEVICE_GENERATION[chain] as number) << 16);
      CHAINS[at + 1] = (this.segmentsEnd - at - 3) / 2 - this.writableCount;
      CHAINS[at + 2] = this.writableCount;
      at = this.segmentsEnd;
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
      this.complete(CHAINS[at] as number, 0);
      at = end;
    }
    return seen >>> 0;
  }

  private complete(token: number, written: number): void {
    const chain = token & 0xffff;
    const count = DEVICE_COUNT[chain] as number;
    if (chain >= this.size || count === 0) fail("COMPLETE_UNKNOWN");
    const generation = DEVICE_GENERATION[chain] as number;
    if (generation !== token >>> 16) fail("STALE_TOKEN");
    if (written > (DEVICE_WRITABLE[chain] as number)) fail("COMPLETE_LEN_OVERFLOW");
    DEVICE_COUNT[chain] = 0;
    this.deviceInFlight -= count;
    DEVICE_GENERATION[chain] = generation === GENERATION_MAX ? 1 : generation + 1;
    DEVICE_LINK[chain] = this.deviceFree;
    this.deviceFree = chain;
    const slot = this.deviceUsedSlot;
    const flags = (this.deviceUsedWrap ? AVAIL_AND_USED : 0) | (written > 0 ? VIRTQ_DESC_F_WRITE : 0);
    U32[DESC32 + slot * 4 + 2] = written;
    U16[DESC16 + slot * 8 + 6] = DEVICE_ID[chain] as number;
    if (this.devicePendingSlot < 0) {
      this.devicePendingSlot = slot;
      this.devicePendingFlags = flags;
    } else {
      U16[DESC16 + slot * 8 + 7] = flags;
    }
    const next = slot + count;
    if (next < this.size) {
      this.deviceUsedSlot = next;
    } else {
      this.deviceUsedSlot = next - this.size;
      this.deviceUsedWrap ^= 1;
    }
  }

  private publishUsed(): boolean {
    if (this.devicePendingSlot < 0) return false;
    U16[DESC16 + this.devicePendingSlot * 8 + 7] = this.devicePendingFlags;
    this.devicePendingSlot = -1;
    return U16[DRIVER16 + 1] !== RING_EVENT_FLAGS_DISABLE;
  }

  private takeUsed(max: number): number {
    let taken = 0;
    for (; taken < max; taken++) {
      const slot = this.usedSlot;
      const flags = U16[DESC16 + slot * 8 + 7] as number;
      if ((flags & AVAIL_AND_USED) !== (this.usedWrap ? AVAIL_AND_USED : 0)) break;
      const id = U16[DESC16 + slot * 8 + 6] as number;
      if (id >= this.size) fail("USED_ID_RANGE");
      const count = COUNT[id] as number;
      if (count === 0) fail("USED_ID_NOT_INFLIGHT");
      const length = flags & VIRTQ_DESC_F_WRITE ? (U32[DESC32 + slot * 4 + 2] as number) : 0;
      if (length > (WRITABLE[id] as number)) fail("USED_LEN_OVERFLOW");
      const generation = GENERATION[id] as number;
      USED[2 * taken] = id | (generation << 16);
      USED[2 * taken + 1] = length;
      GENERATION[id] = generation === GENERATION_MAX ? 1 : generation + 1;
      this.freeCount += count;
      COUNT[id] = 0;
      LINK[id] = this.freeId;
      this.freeId = id;
      const next = slot + count;
      if (next < this.size) {
        this.usedSlot = next;
      } else {
        this.usedSlot = next - this.size;
        this.usedWrap ^= 1;
      }
    }
    return taken;
  }
}

function inGuest(low: number, high: number, length: number): boolean {
  return high === 0 && low + length <= GUEST_BYTES;
}
