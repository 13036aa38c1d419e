/**
 * The device half of a packed virtqueue (§2.8.1 to §2.8.10). A list takes as many slots as it has descriptors; its one used
 * descriptor overwrites the next slot in *used* order, which may once have held another list. The flags of the first used
 * descriptor that is pending are held back until `publish`, so that one store exposes a batch.
 */
import { RING_EVENT_FLAGS_DISABLE, RING_EVENT_FLAGS_ENABLE } from "../../src/spec/packed";
import { VIRTQ_DESC_F_WRITE, VIRTQ_DESC_SIZE } from "../../src/spec/queue";
import { type FoundChain, type HeldChain, ReferenceDevice } from "./device";
import {
  advance,
  type PackedDescriptor,
  PackedRing,
  type Position,
  positionWord,
  readDescriptor,
  usedBits,
} from "./packed-ring";
import type { ResultName, RingOptions } from "./ring";
import { ChainWalk, hasNext, isIndirect, tableError } from "./walk";

const START: Position = { slot: 0, wrap: 1 }; // §2.8.1: both wrap counters start at 1

export class PackedDevice extends ReferenceDevice {
  readonly #ring: PackedRing;
  #available: Position;
  #used: Position;
  /** Buffer ids are the driver's and may repeat, so chains have slots of our own; the next free one last. */
  #freeSlots: number[];
  /** The first used descriptor since the last `publish`. */
  #heldBack: { slot: number; flags: number } | undefined;

  constructor(options: RingOptions) {
    super(options);
    this.#ring = new PackedRing(this.ram, this.size, options.areas);
    const { slot, wrap } = { ...START, ...options.start };
    this.#available = { slot, wrap };
    this.#used = { slot, wrap };
    this.#freeSlots = this.#allFree();
  }

  #allFree(): number[] {
    return Array.from({ length: this.size }, (_, i) => this.size - 1 - i);
  }

  protected find(): FoundChain | ResultName | undefined {
    if (!this.#ring.isAvailable(this.#available)) {
      return undefined;
    }
    const walk = new ChainWalk(this.ram);
    let firstError: ResultName | undefined;
    // count: descriptors of the list up to and with this one
    for (let count = 1; ; count++) {
      const position = advance(this.#available, count - 1, this.size);
      const endless = this.#listError(position, count);
      if (endless !== undefined) {
        return endless; // without its end a list has no id that could be returned
      }
      const descriptor = readDescriptor(this.ram, this.#ring.descriptor(position.slot));
      firstError ??= this.#accept(walk, descriptor, count > 1);
      if (firstError !== undefined && !this.policies.recover) {
        return firstError;
      }
      if (!hasNext(descriptor)) {
        return { id: descriptor.id, count, walk, ...(firstError && { error: firstError }) };
      }
      if (count === this.size) {
        return "CHAIN_TOO_LONG";
      }
    }
  }

  /** May a list that has come this far have a descriptor at this position? */
  #listError(position: Position, count: number): ResultName | undefined {
    if (this.outstanding + count > this.size) {
      return "RING_INDEX_JUMP"; // it overruns what the driver has not got back
    }
    // §2.8.6: the head is made available last, so that all others are by then, in the lap of their own slot
    return this.#ring.isAvailable(position) ? undefined : "PACKED_NOT_AVAILABLE";
  }

  #accept(walk: ChainWalk, descriptor: PackedDescriptor, insideList: boolean): ResultName | undefined {
    if (!isIndirect(descriptor)) {
      return walk.accept(descriptor);
    }
    return tableError(descriptor, this.ram, this.tableRules, insideList) ?? this.#walkTable(walk, descriptor);
  }

  /** §2.8.7: all entries, one after the other; of their flags WRITE alone counts. */
  #walkTable(walk: ChainWalk, { address, length }: PackedDescriptor): ResultName | undefined {
    const table = this.ram.place(address);
    for (let offset = 0; offset < length; offset += VIRTQ_DESC_SIZE) {
      const error = walk.accept(readDescriptor(this.ram, table + offset));
      if (error !== undefined) {
        return error;
      }
    }
    return undefined;
  }

  protected hold({ count }: FoundChain): number {
    this.#available = advance(this.#available, count, this.size);
    return this.#freeSlots.pop() ?? 0;
  }

  protected giveBack({ slot, count }: HeldChain): void {
    const { slot: next, wrap } = this.#available;
    const isLapBefore = next < count;
    this.#available = {
      slot: isLapBefore ? next - count + this.size : next - count,
      wrap: isLapBefore ? (wrap === 1 ? 0 : 1) : wrap,
    };
    this.#freeSlots.push(slot);
  }

  /** Last in, first out; with IN_ORDER round robin. */
  protected freeSlot(slot: number): void {
    if (this.features.inOrder) {
      this.#freeSlots.unshift(slot);
    } else {
      this.#freeSlots.push(slot);
    }
  }

  protected writeUsed(id: number, written: number, count: number): void {
    const { slot, wrap } = this.#used;
    this.#ring.setUsed(slot, id, written);
    const flags = usedBits(wrap) | (written > 0 ? VIRTQ_DESC_F_WRITE : 0); // §2.8.4
    if (this.#heldBack === undefined) {
      this.#heldBack = { slot, flags };
    } else {
      this.#ring.setFlags(slot, flags);
    }
    this.#used = advance(this.#used, count, this.size);
  }

  protected expose(count: number): boolean {
    if (this.#heldBack !== undefined) {
      this.#ring.setFlags(this.#heldBack.slot, this.#heldBack.flags);
      this.#heldBack = undefined;
    }
    return this.#ring.driverEvent().wants(this.#used, count, this.features.eventIdx ?? false);
  }

  protected isAvailable(): boolean {
    return this.#ring.isAvailable(this.#available);
  }

  protected enable(): void {
    if (this.features.eventIdx) {
      this.#ring.deviceEvent().setPosition(this.#available);
    } else {
      this.#ring.deviceEvent().setFlags(RING_EVENT_FLAGS_ENABLE);
    }
  }

  protected disable(): void {
    this.#ring.deviceEvent().setFlags(RING_EVENT_FLAGS_DISABLE);
  }

  protected restart(): void {
    this.#available = START;
    this.#used = START;
    this.#freeSlots = this.#allFree();
    this.#heldBack = undefined;
  }

  protected positions(): { available: number; used: number } {
    return { available: positionWord(this.#available), used: positionWord(this.#used) };
  }

  protected further(position: number, count: number): number {
    const from: Position = { slot: position & 0x7fff, wrap: position >> 15 === 1 ? 1 : 0 };
    return positionWord(advance(from, count, this.size));
  }
}
