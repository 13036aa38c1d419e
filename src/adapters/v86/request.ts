/**
 * One chain as v86's device models see it, on a chain of the ring core: readers and writers that never pass its end.
 * It dies with its queue: what a model does to it after a reset reaches neither guest memory nor the new ring.
 *
 * Most requests are popped, used and replied to before the queue takes again. So the record is read where it stands, and
 * copied for those alone that live longer.
 */
import type { Core } from "../../core/core";
import type { Chain, ChainReader, ChainWriter } from "../../virtqueue/chain";
import type { DeviceQueue } from "../../virtqueue/device-queue";
import type { V86BufferChain } from "./emulator";

/** The take that a request comes from. */
export interface Origin {
  readonly core: Core;
  readonly queue: DeviceQueue;
  /**
   * Uses a chain with the next publish if it is the next one in row; else false.
   *
   * @param index which of the take's chains
   * @param at where its first entry stands in the flat list, until the queue takes again
   */
  replyInRow(index: number, at: number, written: number): boolean;
  /** The same for any chain, whenever. */
  replyLate(index: number, at: number, written: number): void;
  /** The segments of one of its chains, which last. */
  chain(index: number, at: number): Chain | undefined;
}

/** What most requests never need: their segments, and where reading and writing stand. */
interface Access {
  readonly chain: Chain;
  reader: ChainReader | undefined;
  writer: ChainWriter | undefined;
}

/** A chain that was popped; or, without a take, what a model gets that pops where nothing is. */
export class PoppedRequest implements V86BufferChain {
  // Declared only: a field that is defined is written twice.
  declare readonly length_readable: number;
  declare readonly length_writable: number;
  declare private readonly index: number;
  declare private readonly at: number;
  /** Until it is replied to. */
  declare private taken: Origin | undefined;
  declare private made: Access | undefined;

  /**
   * @param index which chain of the take it is
   * @param at where its first entry stands
   * @param readable its bytes, and `writable` likewise
   */
  constructor(taken?: Origin, index = 0, at = 0, readable = 0, writable = 0) {
    this.length_readable = readable;
    this.length_writable = writable;
    this.index = index;
    this.at = at;
    this.taken = taken;
    this.made = undefined;
  }

  /** The balloon alone asks for them. */
  get write_buffers(): V86BufferChain["write_buffers"] {
    const { taken } = this;
    const chain = this.access()?.chain;
    if (taken === undefined || chain === undefined) return [];
    return Array.from({ length: chain.writableCount }, (_, i) => {
      const { address, length } = chain.segment(chain.readableCount + i);
      return { addr_low: taken.core.guestAddress(address), len: length };
    });
  }

  get length_written(): number {
    return this.made?.writer === undefined ? 0 : this.made.writer.written;
  }

  get_next_blob(target: Uint8Array): number {
    const access = this.access();
    if (access === undefined) return 0;
    access.reader ??= access.chain.reader();
    return access.reader.read(target);
  }

  set_next_blob(source: Uint8Array): number {
    const access = this.access();
    if (access === undefined) return 0;
    access.writer ??= access.chain.writer();
    const part = source.subarray(0, access.writer.remaining);
    access.writer.write(part);
    return part.length;
  }

  /**
   * Uses the chain with the next publish, once: v86's console acknowledges some of its chains twice.
   *
   * @param queue where it was pushed
   * @returns false: it isn't the next one in row, so {@link replyLate} has to do it
   */
  replyInRow(queue: DeviceQueue): boolean {
    const { taken } = this;
    if (taken === undefined || taken.queue !== queue) return true;
    if (!taken.replyInRow(this.index, this.at, this.length_written)) return false;
    this.taken = undefined;
    return true;
  }

  /** The same for a chain that `replyInRow` refused. */
  replyLate(): void {
    const { taken } = this;
    this.taken = undefined;
    taken?.replyLate(this.index, this.at, this.length_written);
  }

  /** Taken from a queue that lives, and not replied to. */
  get isInFlight(): boolean {
    return this.taken?.queue.alive === true;
  }

  /** Its segments, while it is in flight. */
  private access(): Access | undefined {
    if (!this.isInFlight) return undefined;
    if (this.made === undefined) {
      const chain = this.taken?.chain(this.index, this.at);
      if (chain !== undefined) this.made = { chain, reader: undefined, writer: undefined };
    }
    return this.made;
  }
}
