/**
 * One chain as v86's device models see it, on a chain of the ring core: readers and writers that never pass its end.
 * It dies with its queue: what a model does to it after a reset reaches neither guest memory nor the new ring.
 */
import type { Core } from "../../core/core";
import type { Chain, ChainReader, ChainWriter } from "../../virtqueue/chain";
import type { DeviceQueue } from "../../virtqueue/device-queue";
import type { V86BufferChain } from "./emulator";

/** A chain that was popped; or, without one, what a model gets that pops where nothing is. */
export class PoppedRequest implements V86BufferChain {
  readonly length_readable: number;
  readonly length_writable: number;
  private readonly core: Core;
  private readonly taken: { readonly queue: DeviceQueue; readonly chain: Chain } | undefined;
  private readonly reader: ChainReader | undefined;
  private readonly writer: ChainWriter | undefined;
  private isReplied = false;

  /** @param taken a chain that lasts, and the queue that it was taken from */
  constructor(core: Core, taken?: { readonly queue: DeviceQueue; readonly chain: Chain }) {
    const chain = taken?.chain;
    this.core = core;
    this.taken = taken;
    this.reader = chain?.reader();
    this.writer = chain?.writer();
    this.length_readable = chain?.readableBytes ?? 0;
    this.length_writable = chain?.writableBytes ?? 0;
  }

  /** Made when they are asked for: the balloon alone does. */
  get write_buffers(): V86BufferChain["write_buffers"] {
    const chain = this.taken?.chain;
    return Array.from({ length: chain?.writableCount ?? 0 }, (_, i) => {
      const { address = 0, length = 0 } = chain?.segment((chain?.readableCount ?? 0) + i) ?? {};
      return { addr_low: this.core.guestAddress(address), len: length };
    });
  }

  get length_written(): number {
    return this.writer?.written ?? 0;
  }

  get_next_blob(target: Uint8Array): number {
    return this.isInFlight ? (this.reader?.read(target) ?? 0) : 0;
  }

  set_next_blob(source: Uint8Array): number {
    if (!this.isInFlight || this.writer === undefined) return 0;
    const part = source.subarray(0, this.writer.remaining);
    this.writer.write(part);
    return part.length;
  }

  /**
   * Uses the chain, once: v86's console acknowledges some of its chains twice.
   *
   * @param queue where it was pushed
   */
  reply(queue: DeviceQueue): void {
    if (this.taken?.queue !== queue || this.isReplied) return;
    this.isReplied = true;
    queue.complete(this.taken.chain.token, this.length_written);
  }

  /** Gives the chain back as if it had not been taken. */
  undo(queue: DeviceQueue): void {
    if (this.taken?.queue === queue && !this.isReplied) queue.undo(this.taken.chain.token);
  }

  /** Taken from a queue that lives, and not replied to. */
  get isInFlight(): boolean {
    return this.taken?.queue.alive === true && !this.isReplied;
  }
}
