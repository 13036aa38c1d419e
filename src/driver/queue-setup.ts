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

/** How queues are to be made. */
export interface QueueWishes {
  /** Descriptors wanted, 1…32768; the device may allow fewer. */
  readonly queueSize: number;
  /** Entries of each chain's indirect table; 0 for none. Only where INDIRECT_DESC is negotiated. */
  readonly indirect: number;
  /** Most chains per crossing into the core. */
  readonly batch?: number | undefined;
  readonly clampUsedLength?: boolean | undefined;
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
  private readonly owned: number[] = [];

  constructor(core: Core, allocator: GuestAllocator) {
    this.core = core;
    this.allocator = allocator;
  }

  /**
   * Makes queue `index` and has the device enable it.
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
    const size = chooseSize(maximum, wishes.queueSize, ring);
    const needs = ringAreas(ring.layout, size);
    const areas = {
      descriptor: this.allocate(needs.descriptor.bytes, needs.descriptor.align),
      driver: this.allocate(needs.driver.bytes, needs.driver.align),
      device: this.allocate(needs.device.bytes, needs.device.align),
    };
    const { batch, clampUsedLength, onViolation } = wishes;
    const entries = ring.indirect ? wishes.indirect : 0;
    const queue = new DriverQueue(this.core, {
      index,
      ring,
      size,
      areas,
      onViolation,
      ...(batch === undefined ? {} : { batch }),
      ...(clampUsedLength === undefined ? {} : { clampUsedLength }),
      ...(entries > 0
        ? { indirect: { entries, tables: this.allocate(size * entries * VIRTQ_DESC_SIZE, VIRTQ_DESC_SIZE) } }
        : {}),
    });
    this.queues.push(queue);
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
    const aborted = this.queues.flatMap((queue) =>
      queue.inFlightTokens().map((token) => ({ queue: queue.index, token })),
    );
    for (const queue of this.queues.splice(0)) queue.dispose();
    for (const address of this.owned.splice(0)) this.allocator.free(address);
    return aborted;
  }

  private allocate(bytes: number, align: number): number {
    const address = this.allocator.allocate(bytes, align);
    this.owned.push(address);
    return address;
  }
}

/** The wanted size within the device's; for split the largest power of two in that (§2.7). */
function chooseSize(maximum: number, wanted: number, ring: RingLayout): number {
  const size = Math.min(maximum, wanted);
  return ring.layout === "split" ? 2 ** (31 - Math.clz32(size)) : size;
}
