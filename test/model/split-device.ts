/**
 * The device half of a split virtqueue (§2.7.5 to §2.7.8). It writes the used ring and nothing else, and reads each word of
 * a chain once.
 */
import { VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from "../../src/spec/split";
import { type FoundChain, ReferenceDevice } from "./device";
import { needEvent } from "./event";
import type { ResultName, RingOptions } from "./ring";
import { readDescriptor, type SplitDescriptor, SplitRing } from "./split-ring";
import { ChainWalk, hasNext, isIndirect, tableError } from "./walk";

export class SplitDevice extends ReferenceDevice {
  readonly #ring: SplitRing;
  /** Index of the next chain to take. */
  #availIdx: number;
  /** Index of the next used element to write, and the one that used.idx in memory holds. */
  #usedIdx: number;
  #publishedIdx: number;

  constructor(options: RingOptions) {
    super(options);
    this.#ring = new SplitRing(this.ram, this.size, options.areas);
    const { idx = 0 } = options.start ?? {};
    this.#availIdx = idx;
    this.#usedIdx = idx;
    this.#publishedIdx = idx;
  }

  protected find(): FoundChain | ResultName | undefined {
    const available = (this.#ring.availIdx() - this.#availIdx) & 0xffff;
    if (this.outstanding + available > this.size) {
      return "RING_INDEX_JUMP"; // more chains than the queue has room for (§2.7.6)
    }
    if (available === 0) {
      return undefined;
    }
    const head = this.#ring.availHead(this.#availIdx);
    if (head >= this.size) {
      return "DESC_INDEX_RANGE";
    }
    if (this.held.has(head)) {
      return "HEAD_IN_FLIGHT";
    }
    const walk = new ChainWalk(this.ram);
    const error = this.#walkRing(walk, head);
    if (error !== undefined && !this.policies.recover) {
      return error;
    }
    return { id: head, count: 1, walk, ...(error && { error }) };
  }

  /** §2.7.5: along `next`, at most `size` descriptors; the last one may point to a table. */
  #walkRing(walk: ChainWalk, head: number): ResultName | undefined {
    let index = head;
    for (let visited = 1; ; visited++) {
      const descriptor = readDescriptor(this.ram, this.#ring.descriptor(index));
      if (isIndirect(descriptor)) {
        return (
          tableError(descriptor, this.ram, this.tableRules) ?? this.#walkTable(walk, descriptor, visited - 1)
        );
      }
      const error = walk.accept(descriptor);
      if (error !== undefined || !hasNext(descriptor)) {
        return error;
      }
      if (descriptor.next >= this.size) {
        return "DESC_NEXT_RANGE";
      }
      if (visited === this.size) {
        return "CHAIN_TOO_LONG";
      }
      index = descriptor.next;
    }
  }

  /** §2.7.5.3: along `next` within the table, from entry 0, after `direct` descriptors of the ring. */
  #walkTable(walk: ChainWalk, { address, length }: SplitDescriptor, direct: number): ResultName | undefined {
    const table = this.ram.place(address);
    const entries = length / VIRTQ_DESC_SIZE;
    const limit = this.policies.strictRing ? Math.min(entries, this.size - direct) : entries;
    let index = 0;
    for (let visited = 1; ; visited++) {
      const entry = readDescriptor(this.ram, table + VIRTQ_DESC_SIZE * index);
      if (isIndirect(entry)) {
        return "INDIRECT_NESTED";
      }
      const error = walk.accept(entry);
      if (error !== undefined || !hasNext(entry)) {
        return error;
      }
      if (entry.next >= entries) {
        return "DESC_NEXT_RANGE";
      }
      if (visited === limit) {
        return "CHAIN_TOO_LONG";
      }
      index = entry.next;
    }
  }

  /** A head names its chain for as long as it is in flight. */
  protected hold({ id }: FoundChain): number {
    this.#availIdx = (this.#availIdx + 1) & 0xffff;
    return id;
  }

  protected giveBack(): void {
    this.#availIdx = (this.#availIdx - 1) & 0xffff;
  }

  protected freeSlot(): void {}

  protected writeUsed(id: number, written: number, count: number): void {
    this.#ring.setUsedElement(this.#usedIdx, id, written); // §2.7.8
    this.#usedIdx = (this.#usedIdx + count) & 0xffff;
  }

  protected expose(): boolean {
    const old = this.#publishedIdx;
    const next = this.#usedIdx;
    this.#ring.setUsedIdx(next);
    this.#publishedIdx = next;
    return this.features.eventIdx
      ? needEvent(this.#ring.usedEvent(), next, old) // §2.7.7.2
      : (this.#ring.availFlags() & VIRTQ_AVAIL_F_NO_INTERRUPT) === 0;
  }

  protected isAvailable(): boolean {
    return this.#ring.availIdx() !== this.#availIdx;
  }

  /** §2.7.10: the event word with EVENT_IDX (the flags stay 0 then), else the flag. */
  protected enable(): void {
    if (this.features.eventIdx) {
      this.#ring.setAvailEvent(this.#availIdx);
    } else {
      this.#ring.setUsedFlags(0);
    }
  }

  protected disable(): void {
    if (!this.features.eventIdx) {
      this.#ring.setUsedFlags(VIRTQ_USED_F_NO_NOTIFY);
    }
  }

  protected restart(): void {
    this.#availIdx = 0;
    this.#usedIdx = 0;
    this.#publishedIdx = 0;
  }

  protected positions(): { available: number; used: number } {
    return { available: this.#availIdx, used: this.#usedIdx };
  }

  protected further(position: number, count: number): number {
    return (position + count) & 0xffff;
  }
}
