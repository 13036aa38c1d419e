/**
 * The driver half of a packed virtqueue (§2.8.21, §2.8.22). The flags of the first descriptor that is pending are held back
 * until `publish`; everything behind it is in place by then, so that one store exposes all of it (§2.8.6, §2.8.21.1).
 */
import { PACKED_DESC_FLAGS, RING_EVENT_FLAGS_DISABLE, RING_EVENT_FLAGS_ENABLE } from "../../src/spec/packed";
import {
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
  VIRTQ_DESC_SIZE,
} from "../../src/spec/queue";
import { type AddedBuffer, type Element, ReferenceDriver, type UsedElement, writableBytesOf } from "./driver";
import {
  advance,
  availableBits,
  PackedRing,
  type Position,
  positionWord,
  readDescriptor,
  writeBody,
} from "./packed-ring";
import type { ResultName, RingOptions } from "./ring";

const START: Position = { slot: 0, wrap: 1 }; // §2.8.1: both wrap counters start at 1

export class PackedDriver extends ReferenceDriver {
  readonly #ring: PackedRing;
  #available: Position;
  #used: Position;
  /** Descriptors of the ring that are in flight. */
  #descriptors = 0;
  /** Buffer ids that are free, the next one last; with IN_ORDER they are handed out round robin. */
  #freeIds: number[];
  /** What `publish` has to expose: the flags of the first head, and how many descriptors. */
  #pending: { slot: number; flags: number; count: number } | undefined;

  constructor(options: RingOptions) {
    super(options);
    this.#ring = new PackedRing(this.ram, this.size, options.areas);
    const { slot, wrap } = { ...START, ...options.start };
    this.#available = { slot, wrap };
    this.#used = { slot, wrap };
    this.#freeIds = this.#allFree();
  }

  #allFree(): number[] {
    return Array.from({ length: this.size }, (_, i) => this.size - 1 - i);
  }

  protected free(): number {
    return this.size - this.#descriptors;
  }

  protected write(elements: readonly Element[], indirect: boolean): AddedBuffer {
    const id = this.#freeIds.pop() ?? 0;
    const list = indirect ? [this.#writeTable(elements, id)] : elements.map(directDescriptor);
    list.forEach(({ address, length, flags }, i) => {
      const position = advance(this.#available, i, this.size);
      writeBody(this.ram, this.#ring.descriptor(position.slot), { address, length, id });
      const next = i === list.length - 1 ? 0 : VIRTQ_DESC_F_NEXT;
      this.#setFlags(position.slot, flags | next | availableBits(position.wrap));
    });
    if (this.#pending !== undefined) {
      this.#pending.count += list.length;
    }
    this.#available = advance(this.#available, list.length, this.size);
    this.#descriptors += list.length;
    return { slot: id, count: list.length, writableBytes: writableBytesOf(elements) };
  }

  /** The first descriptor since the last `publish` waits; all others get their flags at once. */
  #setFlags(slot: number, flags: number): void {
    if (this.#pending === undefined) {
      this.#pending = { slot, flags, count: 0 };
    } else {
      this.#ring.setFlags(slot, flags);
    }
  }

  /** §2.8.7: consecutive entries, no flag but WRITE. The descriptor that points to them. */
  #writeTable(elements: readonly Element[], id: number): { address: number; length: number; flags: number } {
    const address = this.tableAddress(id);
    const table = this.ram.place(BigInt(address));
    elements.forEach((element, i) => {
      const entry = table + i * VIRTQ_DESC_SIZE;
      const { flags } = directDescriptor(element);
      writeBody(this.ram, entry, { address: element.address, length: element.length, id: 0 });
      this.ram.setU16(entry + PACKED_DESC_FLAGS, flags);
    });
    return { address, length: elements.length * VIRTQ_DESC_SIZE, flags: VIRTQ_DESC_F_INDIRECT };
  }

  protected expose(): boolean {
    if (this.#pending === undefined) {
      return false;
    }
    const { slot, flags, count } = this.#pending;
    this.#pending = undefined;
    this.#ring.setFlags(slot, flags);
    return this.#ring.deviceEvent().wants(this.#available, count, this.features.eventIdx ?? false);
  }

  protected nextUsed(): UsedElement | ResultName | undefined {
    if (!this.isUsed()) {
      return undefined;
    }
    const { id, length, flags } = readDescriptor(this.ram, this.#ring.descriptor(this.#used.slot));
    if (id >= this.size) {
      return "USED_ID_RANGE";
    }
    const buffer = this.inFlight.get(id);
    if (buffer === undefined) {
      return "USED_ID_NOT_INFLIGHT";
    }
    const isCounted = (flags & VIRTQ_DESC_F_WRITE) !== 0 || this.policies.lengthWithoutWrite === true; // §2.8.4
    const written = isCounted ? length : 0;
    const checked = this.usedLength(written, buffer);
    return typeof checked === "string" ? checked : { slot: id, length: checked };
  }

  /** §2.8.6: on by the length of *this* buffer's list, whatever list its slot once held. */
  protected reclaim({ slot, count }: AddedBuffer): void {
    this.#used = advance(this.#used, count, this.size);
    this.#descriptors -= count;
    if (this.features.inOrder) {
      this.#freeIds.unshift(slot);
    } else {
      this.#freeIds.push(slot);
    }
  }

  protected isUsed(): boolean {
    return this.#ring.isUsed(this.#used);
  }

  protected enable(ahead: number): void {
    if (this.features.eventIdx) {
      this.#ring.driverEvent().setPosition(advance(this.#used, ahead, this.size));
    } else {
      this.#ring.driverEvent().setFlags(RING_EVENT_FLAGS_ENABLE);
    }
  }

  protected disable(): void {
    this.#ring.driverEvent().setFlags(RING_EVENT_FLAGS_DISABLE);
  }

  protected restart(): void {
    this.#available = START;
    this.#used = START;
    this.#descriptors = 0;
    this.#freeIds = this.#allFree();
    this.#pending = undefined;
  }

  protected positions(): { available: number; used: number } {
    return { available: positionWord(this.#available), used: positionWord(this.#used) };
  }

  /** §2.9: the next descriptor that is not made available, and the wrap counter there. */
  protected nextWord(): number {
    return positionWord(this.#available);
  }
}

function directDescriptor({ address, length, isWritable }: Element): {
  address: number;
  length: number;
  flags: number;
} {
  return { address, length, flags: isWritable ? VIRTQ_DESC_F_WRITE : 0 };
}
