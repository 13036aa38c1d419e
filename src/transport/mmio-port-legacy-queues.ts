/**
 * The queue registers of legacy virtio-mmio, version 1 (§4.2.4): a queue is one run of pages, and its page number says
 * that it is in use. Where the used ring begins follows from QueueAlign (§2.7.2).
 */
import type { PortQueueSetup } from "../driver/port";
import { VirtioError } from "../errors";
import {
  VIRTIO_MMIO_GUEST_PAGE_SIZE,
  VIRTIO_MMIO_QUEUE_ALIGN,
  VIRTIO_MMIO_QUEUE_PFN,
  VIRTIO_MMIO_QUEUE_SEL,
  VIRTIO_MMIO_QUEUE_SIZE,
  VIRTIO_MMIO_QUEUE_SIZE_MAX,
} from "../spec/mmio";
import { legacyAreas } from "./legacy-queue-areas";
import { type MmioPortQueues, requireIdle, requireRoom } from "./mmio-port-queues";
import type { RegisterBus } from "./register-bus";
import type { Sequence } from "./register-sequence";

/** Bytes of a page, and of the used ring's alignment: what src/driver/queue-setup.ts allocates by. */
const PAGE_SIZE = 4096;

/** The queue registers of version 1. */
export class LegacyPortQueues implements MmioPortQueues {
  readonly #bus: RegisterBus;
  #knowsPageSize = false;

  constructor(bus: RegisterBus) {
    this.#bus = bus;
  }

  /** The device may have forgotten the page size. */
  wereReset(): void {
    this.#knowsPageSize = false;
  }

  *maxSize(index: number): Sequence<number> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    // §4.2.4: QueueNumMax may be read only while QueuePFN is 0.
    requireIdle(index, "QueuePFN", yield this.#bus.read(VIRTIO_MMIO_QUEUE_PFN, 4), "4.2.3.2");
    return yield this.#bus.read(VIRTIO_MMIO_QUEUE_SIZE_MAX, 4);
  }

  /** @throws VirtioError RING_ALIGN before any access; QUEUE_LOCKED, QUEUE_SIZE_INVALID before the queue is changed */
  *enable(index: number, setup: PortQueueSetup): Sequence<void> {
    const bus = this.#bus;
    const page = legacyPage(index, setup, "4.2.4");
    if (!this.#knowsPageSize) yield bus.write(VIRTIO_MMIO_GUEST_PAGE_SIZE, 4, PAGE_SIZE);
    this.#knowsPageSize = true;
    requireRoom(index, setup.size, yield* this.maxSize(index), "4.2.2.2");
    yield bus.write(VIRTIO_MMIO_QUEUE_SIZE, 4, setup.size);
    yield bus.write(VIRTIO_MMIO_QUEUE_ALIGN, 4, PAGE_SIZE);
    yield bus.write(VIRTIO_MMIO_QUEUE_PFN, 4, page);
  }

  *isReady(index: number): Sequence<boolean> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    return (yield this.#bus.read(VIRTIO_MMIO_QUEUE_PFN, 4)) !== 0;
  }

  *disable(index: number): Sequence<void> {
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_SEL, 4, index);
    yield this.#bus.write(VIRTIO_MMIO_QUEUE_PFN, 4, 0);
    yield this.#bus.read(VIRTIO_MMIO_QUEUE_PFN, 4);
  }

  // biome-ignore lint/correctness/useYield: there is no register to reach
  *reset(index: number): Sequence<void> {
    const text = `queue ${index} can't be reset by itself: version 1 has no QueueReset, version 2 has`;
    throw new VirtioError("STATUS_SEQUENCE", text, { section: "4.2.4", queue: index });
  }

  // biome-ignore lint/correctness/useYield: there is no register to reach
  *isInReset(): Sequence<boolean> {
    return false;
  }
}

/**
 * The page that a queue begins on, if its areas lie as the legacy interface has them (§2.7.2).
 *
 * @throws VirtioError RING_ALIGN if they don't
 */
export function legacyPage(index: number, { size, areas }: PortQueueSetup, section: string): number {
  const wanted = legacyAreas(BigInt(areas.descriptor), size, PAGE_SIZE);
  const isInPlace = BigInt(areas.driver) === wanted.driver && BigInt(areas.device) === wanted.device;
  // §4.1.4.10, §4.2.4: page 0 would say that the queue is not in use.
  const page = Number(areas.descriptor) / PAGE_SIZE;
  if (Number.isInteger(page) && page > 0 && page <= 0xffffffff && isInPlace) return page;
  const given = `${areas.descriptor}, ${areas.driver}, ${areas.device}`;
  const text = `queue ${index}: areas at ${given} are no run of pages from page 1 on: the legacy layout wants them at ${areas.descriptor}, ${wanted.driver}, ${wanted.device}`;
  throw new VirtioError("RING_ALIGN", text, { section, queue: index });
}
