/**
 * A small block driver (§5.2.6): read, write, flush and get-id with many requests in flight on one queue.
 * Headers and status bytes lie in guest memory that is taken once; a request allocates nothing.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import {
  VIRTIO_BLK_ID_BYTES,
  VIRTIO_BLK_REQ_HEADER_SIZE,
  VIRTIO_BLK_REQ_SECTOR,
  VIRTIO_BLK_REQ_TYPE,
  VIRTIO_BLK_SECTOR_SIZE,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
} from "../spec/blk";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import type { VirtioDriver } from "./driver";
import type { Awaitable } from "./port";

/** The features that this driver knows; add the ring's. */
export const BLK_DRIVER_FEATURES: readonly string[] = ["SEG_MAX", "SIZE_MAX", "BLK_SIZE", "RO", "FLUSH"];

/** What a finished request came to: its token, VIRTIO_BLK_S_*, and the bytes of data that the device wrote. */
export type BlkCompletion = (token: number, status: number, bytes: number) => void;

/** How a block driver uses its queue. */
export interface BlkDriverOptions {
  /** Most requests in flight. Default: as many as the queue may hold. */
  readonly slots?: number;
  /** Put each request into an indirect table; the driver was made with `indirect` ≥ 3 then. Default false. */
  readonly indirect?: boolean;
}

/** A device-writable status that no device writes: it shows that none was written. */
const NO_STATUS = 0xff;

/** The element objects of one slot, filled in anew for each request. */
interface Slot {
  readonly header: { address: number; length: number };
  readonly data: { address: number; length: number };
  readonly status: { address: number; length: number };
}

/** Requests to one initialised block device. After a reset make a new one. */
export class BlkDriver {
  /** Size in sectors of 512 bytes. */
  readonly capacity: number;
  private readonly driver: VirtioDriver;
  private readonly core: Core;
  private readonly allocator: GuestAllocator;
  private readonly queue: DriverQueue;
  private readonly how: { readonly indirect: boolean };
  private readonly slots: readonly Slot[];
  private readonly freeSlots: Uint16Array;
  private freeCount: number;
  /** The slot of each chain, by the queue's slot of its token. */
  private readonly slotOfChain: Uint16Array;
  /** The slots of one `takeUsed`: their chains' slots in the queue are free for new requests from then on. */
  private readonly finished: Uint16Array;
  private readonly slab: number;
  private readonly headerWord: number;
  private readonly statusByte: number;
  // The lists that `add` takes, for each kind of request; their elements are changed, not the lists.
  private readonly one: [Slot["header"]];
  private readonly two: [Slot["header"], Slot["data"]];
  private readonly last: [Slot["status"]];
  private readonly dataAndLast: [Slot["data"], Slot["status"]];

  private constructor(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    queue: DriverQueue,
    capacity: number,
    options: BlkDriverOptions,
  ) {
    this.driver = driver;
    this.core = core;
    this.allocator = allocator;
    this.queue = queue;
    this.capacity = capacity;
    this.how = { indirect: options.indirect ?? false };
    const most = this.how.indirect ? queue.size : Math.max(1, queue.size >>> 1);
    const count = Math.min(options.slots ?? most, most);
    const headers = count * VIRTIO_BLK_REQ_HEADER_SIZE;
    this.slab = allocator.allocate(headers + count, VIRTIO_BLK_REQ_HEADER_SIZE);
    const linear = core.translate(this.slab, headers + count, { writable: true });
    this.headerWord = linear >>> 2;
    this.statusByte = linear + headers;
    this.slots = Array.from({ length: count }, (_, i) => ({
      header: { address: this.slab + i * VIRTIO_BLK_REQ_HEADER_SIZE, length: VIRTIO_BLK_REQ_HEADER_SIZE },
      data: { address: 0, length: 0 },
      status: { address: this.slab + headers + i, length: 1 },
    }));
    this.freeSlots = Uint16Array.from({ length: count }, (_, i) => count - 1 - i);
    this.freeCount = count;
    this.slotOfChain = new Uint16Array(queue.size);
    this.finished = new Uint16Array(queue.batch);
    const [first] = this.slots;
    if (first === undefined) throw new VirtioError("BAD_ARGUMENT", "a block driver needs at least one slot");
    this.one = [first.header];
    this.two = [first.header, first.data];
    this.last = [first.status];
    this.dataAndLast = [first.data, first.status];
  }

  /**
   * Takes over an initialised device: reads its size, and guest memory for headers and status bytes.
   *
   * @throws VirtioError QUEUE_NOT_READY if the device is not initialised, BAD_ARGUMENT if guest memory is too small
   */
  static async start(
    driver: VirtioDriver,
    core: Core,
    allocator: GuestAllocator,
    options: BlkDriverOptions = {},
  ): Promise<BlkDriver> {
    const queue = driver.queues[0];
    if (queue === undefined) throw new VirtioError("QUEUE_NOT_READY", "the block device is not initialised");
    const capacity = Number((await driver.readConfigField("capacity")) ?? 0);
    return new BlkDriver(driver, core, allocator, queue, capacity, options);
  }

  /** Requests in flight. */
  get inFlight(): number {
    return this.slots.length - this.freeCount;
  }

  /**
   * Reads sectors into guest memory.
   *
   * @param sector first sector of 512 bytes
   * @param address guest-physical address of the buffer
   * @param length bytes, a multiple of 512
   * @returns a token, 0 if nothing more fits now
   * @throws VirtioError BAD_ARGUMENT for a range outside the disk (§5.2.6.1)
   */
  read(sector: number, address: number, length: number): number {
    this.checkRange(sector, length);
    return this.add(VIRTIO_BLK_T_IN, sector, address, length);
  }

  /** Writes sectors from guest memory; as {@link read}. */
  write(sector: number, address: number, length: number): number {
    this.checkRange(sector, length);
    return this.add(VIRTIO_BLK_T_OUT, sector, address, length);
  }

  /** Has the device make finished writes durable; only with FLUSH negotiated. @returns a token, 0 if full */
  flush(): number {
    return this.add(VIRTIO_BLK_T_FLUSH, 0, 0, 0);
  }

  /** Asks for the device's name into 20 bytes of guest memory. @returns a token, 0 if full */
  getId(address: number): number {
    return this.add(VIRTIO_BLK_T_GET_ID, 0, address, VIRTIO_BLK_ID_BYTES);
  }

  /** Shows the device what was added since, and notifies it if it wants that. */
  submit(): Awaitable<void> {
    return this.driver.kick(this.queue.index);
  }

  /**
   * Takes finished requests.
   *
   * @param done called for each; it may add requests
   * @returns how many there were
   * @throws VirtioError DEVICE_NEEDS_RESET once the device said so
   */
  poll(done: BlkCompletion): number {
    this.driver.poll();
    const { queue } = this;
    let total = 0;
    for (let taken = queue.takeUsed(); taken > 0; taken = queue.takeUsed()) {
      for (let i = 0; i < taken; i++) {
        this.finished[i] = this.slotOfChain[queue.slot(queue.used.token(i))] ?? 0;
      }
      for (let i = 0; i < taken; i++) {
        this.finish(this.finished[i] ?? 0, queue.used.token(i), queue.used.length(i), done);
      }
      total += taken;
    }
    return total;
  }

  /** Gives the guest memory back, after the device was reset or all requests have finished. */
  dispose(): void {
    this.allocator.free(this.slab);
  }

  private add(type: number, sector: number, address: number, length: number): number {
    if (this.freeCount === 0) return 0;
    const index = this.freeSlots[this.freeCount - 1] ?? 0;
    const slot = this.slots[index];
    if (slot === undefined) return 0;
    const words = this.core.words();
    const at = this.headerWord + index * (VIRTIO_BLK_REQ_HEADER_SIZE >>> 2);
    words[at + (VIRTIO_BLK_REQ_TYPE >>> 2)] = type;
    words[at + 1] = 0;
    words[at + (VIRTIO_BLK_REQ_SECTOR >>> 2)] = sector >>> 0;
    words[at + (VIRTIO_BLK_REQ_SECTOR >>> 2) + 1] = Math.floor(sector / 0x100000000);
    this.core.bytes()[this.statusByte + index] = NO_STATUS;
    slot.data.address = address;
    slot.data.length = length;
    const token = this.addChain(type, slot);
    if (token === 0) return 0;
    this.freeCount--;
    this.slotOfChain[this.queue.slot(token)] = index;
    return token;
  }

  private addChain(type: number, { header, data, status }: Slot): number {
    const { queue, how, one, two, last, dataAndLast } = this;
    if (data.length === 0) {
      one[0] = header;
      last[0] = status;
      return queue.add(one, last, how);
    }
    if (type === VIRTIO_BLK_T_OUT) {
      two[0] = header;
      two[1] = data;
      last[0] = status;
      return queue.add(two, last, how);
    }
    one[0] = header;
    dataAndLast[0] = data;
    dataAndLast[1] = status;
    return queue.add(one, dataAndLast, how);
  }

  private finish(index: number, token: number, length: number, done: BlkCompletion): void {
    const status = this.core.bytes()[this.statusByte + index] ?? NO_STATUS;
    this.freeSlots[this.freeCount++] = index;
    done(token, status, Math.max(0, length - 1));
  }

  private checkRange(sector: number, length: number): void {
    const sectors = length / VIRTIO_BLK_SECTOR_SIZE;
    if (Number.isInteger(sector) && Number.isInteger(sectors) && sector >= 0 && sectors > 0) {
      if (sector + sectors <= this.capacity) return;
    }
    const text = `${length} bytes at sector ${sector} are not sectors of a disk of ${this.capacity}`;
    throw new VirtioError("BAD_ARGUMENT", text, { section: "5.2.6.1" });
  }
}
