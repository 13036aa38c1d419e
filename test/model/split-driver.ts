/**
 * The driver half of a split virtqueue (§2.7.13, §2.7.14). It writes the descriptor table and the available ring, and takes
 * nothing from them back: what is in flight is known from its own notes.
 */
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { VIRTQ_AVAIL_F_NO_INTERRUPT, VIRTQ_USED_F_NO_NOTIFY } from "../../src/spec/split";
import { type AddedBuffer, type Element, ReferenceDriver, type UsedElement, writableBytesOf } from "./driver";
import { needEvent } from "./event";
import type { ResultName, RingOptions } from "./ring";
import { SplitRing, writeDescriptor } from "./split-ring";

export class SplitDriver extends ReferenceDriver {
  readonly #ring: SplitRing;
  /** Index of the next chain, and the one that avail.idx in memory holds. */
  #availIdx: number;
  #publishedIdx: number;
  #usedIdx: number;
  /** Free descriptors, the next one last. With IN_ORDER the next one is always one more than the last, modulo size. */
  #freeList: number[] = [];
  /** By head: the descriptors of the chain, in chain order. */
  #chains = new Map<number, number[]>();
  /** Descriptors in flight. */
  #taken = new Set<number>();

  constructor(options: RingOptions) {
    super(options);
    this.#ring = new SplitRing(this.ram, this.size, options.areas);
    const { idx = 0 } = options.start ?? {};
    this.#availIdx = idx;
    this.#publishedIdx = idx;
    this.#usedIdx = idx;
    this.#freeList = this.#allFree();
  }

  protected free(): number {
    return this.#freeList.length;
  }

  protected write(elements: readonly Element[], indirect: boolean): AddedBuffer {
    const descriptors = this.#allocate(indirect ? 1 : elements.length);
    const [head = 0] = descriptors;
    if (indirect) {
      this.#writeTable(elements, this.ram.place(BigInt(this.tableAddress(head))));
      writeDescriptor(this.ram, this.#ring.descriptor(head), {
        address: this.tableAddress(head),
        length: elements.length * VIRTQ_DESC_SIZE,
        flags: VIRTQ_DESC_F_INDIRECT,
        next: 0,
      });
    } else {
      this.#writeChain(elements, descriptors);
    }
    this.#chains.set(head, descriptors);
    this.#ring.setAvailHead(this.#availIdx, head); // §2.7.13.2
    this.#availIdx = (this.#availIdx + 1) & 0xffff;
    return { slot: head, count: descriptors.length, writableBytes: writableBytesOf(elements) };
  }

  /** §2.7.13.1: NEXT on all but the last. */
  #writeChain(elements: readonly Element[], descriptors: readonly number[]): void {
    elements.forEach(({ address, length, isWritable }, i) => {
      const next = descriptors[i + 1];
      const flags = (isWritable ? VIRTQ_DESC_F_WRITE : 0) | (next === undefined ? 0 : VIRTQ_DESC_F_NEXT);
      writeDescriptor(this.ram, this.#ring.descriptor(descriptors[i] ?? 0), {
        address,
        length,
        flags,
        next: next ?? 0,
      });
    });
  }

  /** §2.7.5.3: entries 0, 1, 2… linked by `next` within the table. */
  #writeTable(elements: readonly Element[], table: number): void {
    elements.forEach(({ address, length, isWritable }, i) => {
      const isLast = i === elements.length - 1;
      const flags = (isWritable ? VIRTQ_DESC_F_WRITE : 0) | (isLast ? 0 : VIRTQ_DESC_F_NEXT);
      writeDescriptor(this.ram, table + i * VIRTQ_DESC_SIZE, {
        address,
        length,
        flags,
        next: isLast ? 0 : i + 1,
      });
    });
  }

  #allFree(): number[] {
    return Array.from({ length: this.size }, (_, i) => this.size - 1 - i);
  }

  #allocate(count: number): number[] {
    const descriptors = this.#freeList.splice(-count).reverse();
    for (const descriptor of descriptors) {
      this.#taken.add(descriptor);
    }
    return descriptors;
  }

  protected reclaim({ slot }: AddedBuffer): void {
    const descriptors = this.#chains.get(slot) ?? [];
    this.#chains.delete(slot);
    for (const descriptor of descriptors) {
      this.#taken.delete(descriptor);
    }
    if (this.features.inOrder) {
      this.#freeList.unshift(...[...descriptors].reverse()); // table order, wrapping (§2.7.5)
    } else {
      this.#freeList.push(...[...descriptors].reverse());
    }
    this.#usedIdx = (this.#usedIdx + 1) & 0xffff;
  }

  protected expose(): boolean {
    const old = this.#publishedIdx;
    const next = this.#availIdx;
    if (next === old) {
      return false; // at most `size` chains are pending, so that equal means none
    }
    this.#ring.setAvailIdx(next); // §2.7.13.3
    this.#publishedIdx = next;
    return this.features.eventIdx
      ? needEvent(this.#ring.availEvent(), next, old) // §2.7.13.4.1
      : (this.#ring.usedFlags() & VIRTQ_USED_F_NO_NOTIFY) === 0;
  }

  protected nextUsed(): UsedElement | ResultName | undefined {
    const newlyUsed = (this.#ring.usedIdx() - this.#usedIdx) & 0xffff;
    if (newlyUsed > this.inFlight.size) {
      return "USED_INDEX_JUMP";
    }
    if (newlyUsed === 0) {
      return undefined;
    }
    const { id, length } = this.#ring.usedElement(this.#usedIdx);
    if (id >= this.size) {
      return "USED_ID_RANGE";
    }
    const buffer = this.inFlight.get(id);
    if (buffer === undefined) {
      return this.#taken.has(id) ? "USED_ID_NOT_HEAD" : "USED_ID_NOT_INFLIGHT";
    }
    const checked = this.usedLength(length, buffer);
    if (typeof checked === "string") {
      return checked;
    }
    if (this.features.inOrder && this.batchLength(id) > newlyUsed) {
      return "USED_INDEX_JUMP";
    }
    return { slot: id, length: checked };
  }

  protected isUsed(): boolean {
    return this.#ring.usedIdx() !== this.#usedIdx;
  }

  /** §2.7.7: the event word with EVENT_IDX (the flags stay 0 then), else the flag. */
  protected enable(ahead: number): void {
    if (this.features.eventIdx) {
      this.#ring.setUsedEvent((this.#usedIdx + ahead) & 0xffff);
    } else {
      this.#ring.setAvailFlags(0);
    }
  }

  protected disable(): void {
    if (!this.features.eventIdx) {
      this.#ring.setAvailFlags(VIRTQ_AVAIL_F_NO_INTERRUPT);
    }
  }

  protected restart(): void {
    this.#availIdx = 0;
    this.#publishedIdx = 0;
    this.#usedIdx = 0;
    this.#freeList = this.#allFree();
    this.#chains.clear();
    this.#taken.clear();
  }

  protected positions(): { available: number; used: number } {
    return { available: this.#availIdx, used: this.#usedIdx };
  }

  /** §2.9: all 16 bits of the available index. */
  protected nextWord(): number {
    return this.#availIdx;
  }
}
