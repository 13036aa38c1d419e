/**
 * One ring in either layout, filled by hand (§2.7, §2.8): what a probe says of a descriptor stands in memory, right or
 * wrong. The ring has eight descriptors.
 */
import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../../../src/spec/packed";
import { VIRTQ_DESC_F_NEXT } from "../../../src/spec/queue";
import { type RawDescriptor, type RawMemory, RawPacked, RawSplit } from "../../raw-ring";
import { areasOf } from "../../transport/device-bench";

export type Layout = "split" | "packed";
export const RING_SIZE = 8;

/** Where indirect tables of probes lie, and the first buffer. */
export const TABLE = 0x10000;
export const BUFFER = 0x8000;
/** Sixteen bytes that every probe may read or write. */
export const PLAIN: RawDescriptor = { addr: BUFFER, len: 16 };

/** The ring of one queue. */
export class ProbeRing {
  readonly layout: Layout;
  readonly split: RawSplit;
  readonly packed: RawPacked;
  private slot = 0;

  constructor(memory: RawMemory, layout: Layout) {
    this.layout = layout;
    this.split = new RawSplit(memory, RING_SIZE, areasOf("split"));
    this.packed = new RawPacked(memory, RING_SIZE, areasOf("packed"));
  }

  /** Makes a chain available in the next free descriptors; NEXT is set on all but the last one. */
  offer(...chain: readonly RawDescriptor[]): void {
    this.offerAs(chain.map((one, i) => linked(one, i < chain.length - 1)));
  }

  /** The same with the flags as they are given; packed descriptors become available by themselves. */
  offerAs(chain: readonly RawDescriptor[]): void {
    const head = this.slot;
    chain.forEach((one, i) => {
      const slot = head + i;
      if (this.layout === "split") this.split.desc(slot, { next: slot + 1, ...one });
      else this.packed.desc(slot, { id: head, ...one, flags: (one.flags ?? 0) | VIRTQ_DESC_F_AVAIL });
    });
    this.slot += chain.length;
    if (this.layout === "split") this.publish(head);
  }

  /** Puts a head into the split available ring, in range or not. */
  publish(head: number): void {
    const { split } = this;
    split.setAvailRing(split.availIdx % RING_SIZE, head);
    split.availIdx += 1;
  }

  /** Writes an indirect table: linked by NEXT in split, plain in packed (§2.8.7). */
  table(...entries: readonly RawDescriptor[]): void {
    entries.forEach((entry, i) => {
      if (this.layout === "packed") this.packed.desc(i, entry, TABLE);
      else this.split.desc(i, { next: i + 1, ...linked(entry, i < entries.length - 1) }, TABLE);
    });
  }

  /** How many chains the device has given back. */
  get used(): number {
    if (this.layout === "split") return this.split.usedIdx;
    const both = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;
    return Array.from({ length: RING_SIZE }, (_, i) => this.packed.flags(i)).filter(
      (flags) => (flags & both) === both,
    ).length;
  }
}

function linked(descriptor: RawDescriptor, isLinked: boolean): RawDescriptor {
  return isLinked ? { ...descriptor, flags: (descriptor.flags ?? 0) | VIRTQ_DESC_F_NEXT } : descriptor;
}
