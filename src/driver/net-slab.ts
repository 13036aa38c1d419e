/**
 * Buffers of one size for one queue, in guest memory that is taken once: free ones, and which chain holds which.
 * The lists that `add` takes are made once too, so that nothing is allocated per frame.
 */
import type { Core } from "../core/core";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";

interface Element {
  readonly address: number;
  length: number;
}

/** What a slab is made of. */
export interface NetSlabShape {
  /** How many buffers. */
  readonly count: number;
  /** Bytes of each. */
  readonly bytes: number;
  /** Bytes of the header in front. */
  readonly headerBytes: number;
  /** Put header and frame into an indirect table; else they are one buffer element. */
  readonly indirect: boolean;
}

const NONE: readonly Element[] = [];

/** The buffers of one queue. */
export class NetSlab {
  readonly bytes: number;
  private readonly queue: DriverQueue;
  private readonly allocator: GuestAllocator;
  private readonly address: number;
  private readonly linear: number;
  private readonly headerBytes: number;
  private readonly how: { readonly indirect: boolean };
  private readonly lists: readonly (readonly Element[])[];
  private readonly freeBuffers: Uint16Array;
  private freeCount: number;
  /** The buffer of each chain, by the queue's slot of its token. */
  private readonly bufferOfChain: Uint16Array;

  /** @throws VirtioError BAD_ARGUMENT if guest memory is too small */
  constructor(core: Core, allocator: GuestAllocator, queue: DriverQueue, shape: NetSlabShape) {
    const { count, bytes, headerBytes, indirect } = shape;
    this.queue = queue;
    this.allocator = allocator;
    this.bytes = bytes;
    this.headerBytes = headerBytes;
    this.how = { indirect };
    this.address = allocator.allocate(count * bytes);
    this.linear = core.translate(this.address, count * bytes, { writable: true });
    this.lists = Array.from({ length: count }, (_, i) => {
      const address = this.address + i * bytes;
      if (!indirect || bytes === headerBytes) return [{ address, length: bytes }];
      return [
        { address, length: headerBytes },
        { address: address + headerBytes, length: bytes - headerBytes },
      ];
    });
    this.freeBuffers = Uint16Array.from({ length: count }, (_, i) => count - 1 - i);
    this.freeCount = count;
    this.bufferOfChain = new Uint16Array(queue.size);
  }

  /** Buffers that the device has. */
  get inFlight(): number {
    return this.lists.length - this.freeCount;
  }

  /** Linear address of the buffer that {@link addReadable} or {@link addWritable} takes next; -1 if all are in flight. */
  next(): number {
    return this.freeCount === 0 ? -1 : this.linear + (this.freeBuffers[this.freeCount - 1] ?? 0) * this.bytes;
  }

  /** Adds the next buffer for the device to read, `length` bytes of it, header included. @returns a token, 0 if full */
  addReadable(length: number): number {
    const list = this.lists[this.freeBuffers[this.freeCount - 1] ?? 0] ?? NONE;
    const last = list[list.length - 1];
    if (this.freeCount === 0 || last === undefined) return 0;
    last.length = this.how.indirect ? length - this.headerBytes : length;
    return this.sent(this.queue.add(list, NONE, this.how));
  }

  /** Adds the next buffer for the device to write. @returns a token, 0 if full */
  addWritable(): number {
    if (this.freeCount === 0) return 0;
    const list = this.lists[this.freeBuffers[this.freeCount - 1] ?? 0] ?? NONE;
    return this.sent(this.queue.add(NONE, list, this.how));
  }

  /**
   * Takes a used chain's buffer back. Do so for all of a `takeUsed` before anything is added: new chains get their slots.
   *
   * @returns its linear address
   */
  takeBack(token: number): number {
    const buffer = this.bufferOfChain[this.queue.slot(token)] ?? 0;
    this.freeBuffers[this.freeCount++] = buffer;
    return this.linear + buffer * this.bytes;
  }

  /** Gives the guest memory back. */
  dispose(): void {
    this.allocator.free(this.address);
  }

  private sent(token: number): number {
    if (token === 0) return 0;
    this.bufferOfChain[this.queue.slot(token)] = this.freeBuffers[--this.freeCount] ?? 0;
    return token;
  }
}
