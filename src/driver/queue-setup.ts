/**
 * A driver's queues (§3.1.1 step 7, §4.2.3.2): their size, guest memory for rings and indirect tables, and what
 * becomes of the buffers when the device is reset.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { VIRTQ_DESC_SIZE } from "../spec/queue";
import { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import { type RingLayout, ringAreas } from "../virtqueue/layout";
import type { TransportPort } from "./port";

/** The Queue Align of the legacy interface (§2.7.2). */
const LEGACY_ALIGN = 4096;

/** How queues are to be made. */
export interface QueueWishes {
  /** Descriptors wanted, 1…32768; the device may allow fewer, or have a size of its own. */
  readonly queueSize: number;
  /** Entries of each chain's indirect table; 0 for none. Only where INDIRECT_DESC is negotiated. */
  readonly indirect: number;
  /** Most chains per crossing into the core. */
  readonly batch?: number | undefined;
  readonly clampUsedLength?: boolean | undefined;
  readonly lengthWithoutWrite?: boolean | undefined;
  /** One run of pages, as the legacy interface wants it (§2.7.2). */
  readonly isLegacy: boolean;
  readonly onViolation: (error: VirtioError) => void;
}

/** A buffer that was in flight when the device was reset: the device has let go of it and said nothing of it. */
export interface AbortedBuffer {
  readonly queue: number;
  readonly token: number;
}

/** The queues of one driver between two resets. */
export class QueueSet {
  readonly queues: DriverQueue[] = [];
  private readonly core: Core;
  private readonly allocator: GuestAllocator;
  /** Guest memory by queue. */
  private readonly owned: number[][] = [];

  constructor(core: Core, allocator: GuestAllocator) {
    this.core = core;
    this.allocator = allocator;
  }

  /**
   * Makes queue `index` and has the device enable it: the next one, or one that was released.
   *
   * @param maximum most descriptors that the device allows, ≥ 1
   * @returns its size
   * @throws VirtioError QUEUE_NOT_READY if the device doesn't take it, BAD_ARGUMENT if guest memory is too small
   */
  async add(
    port: TransportPort,
    index: number,
    maximum: number,
    ring: RingLayout,
    wishes: QueueWishes,
  ): Promise<number> {
    const size = port.fixedQueueSize ? maximum : chooseSize(maximum, wishes.queueSize, ring);
    const areas = this.place(index, ring, size, wishes.isLegacy);
    const { batch, clampUsedLength, lengthWithoutWrite, onViolation } = wishes;
    const entries = ring.indirect ? wishes.indirect : 0;
    const queue = new DriverQueue(this.core, {
      index,
      ring,
      size,
      areas,
      onViolation,
      touched: port.copiesMemory ?? false,
      ...(batch === undefined ? {} : { batch }),
      ...(clampUsedLength === undefined ? {} : { clampUsedLength }),
      ...(lengthWithoutWrite === undefined ? {} : { lengthWithoutWrite }),
      ...(entries > 0
        ? {
            indirect: {
              entries,
              tables: this.allocate(index, size * entries * VIRTQ_DESC_SIZE, VIRTQ_DESC_SIZE),
            },
          }
        : {}),
    });
    this.queues[index] = queue;
    await port.enableQueue(index, { size, areas });
    if (await port.queueReady(index)) return size;
    throw new VirtioError(
      "QUEUE_NOT_READY",
      `the device did not enable queue ${index} of ${size} descriptors`,
      {
        section: "3.1.1",
        queue: index,
      },
    );
  }

  /** Lets go of all queues and their memory; only after the device was reset (§2.4.2, §3.3.1). */
  release(): AbortedBuffer[] {
    const aborted = this.owned.flatMap((_, index) => this.releaseQueue(index));
    this.queues.length = 0;
    this.owned.length = 0;
    return aborted;
  }

  /** Lets go of one queue and its memory; only after the device has reset it (§2.6.1). It stays listed, disposed. */
  releaseQueue(index: number): AbortedBuffer[] {
    const queue = this.queues[index];
    const tokens = queue?.alive ? queue.inFlightTokens() : [];
    queue?.dispose();
    for (const address of this.owned[index]?.splice(0) ?? []) this.allocator.free(address);
    return tokens.map((token) => ({ queue: index, token }));
  }

  private place(index: number, ring: RingLayout, size: number, isLegacy: boolean) {
    const { descriptor, driver, device } = ringAreas(ring.layout, size);
    if (isLegacy) {
      // §2.7.2: descriptors and available ring together, the used ring on the next page.
      const used = Math.ceil((descriptor.bytes + driver.bytes) / LEGACY_ALIGN) * LEGACY_ALIGN;
      const bytes = used + device.bytes;
      // §4.2.4: page 0 would say that there is no queue. What lies there is kept, so that the next piece is another.
      const base = this.allocate(index, bytes, LEGACY_ALIGN) || this.allocate(index, bytes, LEGACY_ALIGN);
      return { descriptor: base, driver: base + descriptor.bytes, device: base + used };
    }
    return {
      descriptor: this.allocate(index, descriptor.bytes, descriptor.align),
      driver: this.allocate(index, driver.bytes, driver.align),
      device: this.allocate(index, device.bytes, device.align),
    };
  }

  private allocate(index: number, bytes: number, align: number): number {
    const address = this.allocator.allocate(bytes, align);
    this.owned[index] ??= [];
    this.owned[index].push(address);
    return address;
  }
}

/** The wanted size within the device's; for split the largest power of two in that (§2.7). */
function chooseSize(maximum: number, wanted: number, ring: RingLayout): number {
  const size = Math.min(maximum, wanted);
  return ring.layout === "split" ? 2 ** (31 - Math.clz32(size)) : size;
}
