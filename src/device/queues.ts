/**
 * The virtqueues of one device: set-up as the driver asks for it (§2.6, §3.1.1 step 7), and whose turn it is.
 * A fault in a set-up is returned, never thrown; the queue then stays disabled.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { VIRTQ_SIZE_MAX } from "../spec/queue";
import { DeviceQueue, type DeviceQueueOptions } from "../virtqueue/device-queue";
import type { GuestAddress, RingLayout } from "../virtqueue/layout";
import { QueueTally } from "../virtqueue/queue-tally";
import type { QueueRecord } from "./device-image-form";
import type { QueueDeclaration } from "./model";

/** What the driver programs before it enables a queue. */
export interface QueueSetup {
  /** Descriptors; for split a power of two. */
  readonly size: number;
  /** Guest-physical addresses of the three areas. */
  readonly areas: {
    readonly descriptor: GuestAddress;
    readonly driver: GuestAddress;
    readonly device: GuestAddress;
  };
}

/** Hears of a breach on one queue. */
export type OnViolation = (error: VirtioError) => void;

/** How the device halves are made. */
export interface DeviceQueueSettings {
  /** Most chains per crossing into the core. */
  readonly batch?: number;
  readonly strictRing?: boolean;
  readonly recover?: boolean;
  readonly touched?: boolean;
  readonly onTouched?: NonNullable<DeviceQueueOptions["onTouched"]>;
}

/** One virtqueue. */
export interface QueueSlot {
  readonly index: number;
  readonly name: string;
  readonly maxSize: number;
  /** The feature that it hangs on, if any. */
  readonly needs: string | undefined;
  /** The device half; undefined while the queue is disabled. */
  queue: DeviceQueue | undefined;
  /** There may be something to take. */
  marked: boolean;
  /** Was reset by itself and may be enabled again while the device is live (§2.6.1). */
  wasReset: boolean;
}

/** All queues of one device. */
export class DeviceQueues {
  /** What all of them have done, in all their lives. */
  readonly tally = new QueueTally();
  private readonly slots: readonly QueueSlot[];
  private readonly core: Core;
  private readonly settings: DeviceQueueSettings;
  private last = -1;

  constructor(core: Core, declarations: readonly QueueDeclaration[], settings: DeviceQueueSettings) {
    this.core = core;
    this.settings = settings;
    this.slots = declarations.map(({ name, maxSize, needs }, index) => {
      if (!Number.isInteger(maxSize) || maxSize < 1 || maxSize > VIRTQ_SIZE_MAX) {
        throw new VirtioError(
          "BAD_ARGUMENT",
          `queue ${name}: size ${maxSize} is not within 1…${VIRTQ_SIZE_MAX}`,
        );
      }
      return { index, name, maxSize, needs, queue: undefined, marked: false, wasReset: false };
    });
  }

  get length(): number {
    return this.slots.length;
  }

  /** The queue, or undefined for an index that the device doesn't have. */
  slot(index: number): QueueSlot | undefined {
    return this.slots[index];
  }

  /** Most descriptors that the driver may choose now; 0 for no queue. A power of two unless packed was negotiated. */
  maxSize(index: number, ring: RingLayout | undefined): number {
    const maximum = this.slots[index]?.maxSize ?? 0;
    return maximum === 0 || ring?.layout === "packed" ? maximum : 2 ** (31 - Math.clz32(maximum));
  }

  /**
   * Enables a queue.
   *
   * @returns what is wrong with the set-up, or undefined when the queue is ready
   */
  enable(
    index: number,
    { size, areas }: QueueSetup,
    ring: RingLayout,
    onViolation: OnViolation,
  ): VirtioError | undefined {
    const slot = this.slots[index];
    if (slot === undefined) return this.noQueue(index);
    if (slot.queue !== undefined) {
      return fault("QUEUE_LOCKED", `queue ${index} is enabled: its set-up can't change`, index);
    }
    const maximum = this.maxSize(index, ring);
    if (!Number.isInteger(size) || size < 1 || size > maximum) {
      const text = `queue ${index}: size ${size} is not within 1…${maximum}`;
      return fault("QUEUE_SIZE_INVALID", text, index);
    }
    try {
      const { tally } = this;
      const options = { ...this.settings, index, ring, size, areas, onViolation, tally };
      slot.queue = new DeviceQueue(this.core, options);
    } catch (error) {
      if (error instanceof VirtioError) return error;
      throw error;
    }
    slot.wasReset = false;
    return undefined;
  }

  /** All queues as plain data. @param goOn whether their chains still count */
  save(goOn: boolean): QueueRecord[] {
    return this.slots.map(({ index, wasReset, queue }) => {
      if (queue === undefined) return { index, wasReset, setup: null };
      const { descriptor, driver, device } = queue.areas;
      const areas = { descriptor: Number(descriptor), driver: Number(driver), device: Number(device) };
      return { index, wasReset, setup: { size: queue.size, areas, image: goOn ? queue.save() : null } };
    });
  }

  /**
   * Enables queues as an image has them, all or none; before, none was enabled.
   *
   * @throws VirtioError SNAPSHOT_INVALID, or what is wrong with a set-up
   */
  restore(records: readonly QueueRecord[], ring: RingLayout, onViolation: (i: number) => OnViolation): void {
    try {
      for (const { index, wasReset, setup } of records) {
        const slot = this.slots[index];
        if (slot === undefined) throw this.noQueue(index);
        slot.wasReset = wasReset;
        if (setup === null) continue;
        const { size, areas, image } = setup;
        const { tally } = this;
        const options = {
          ...this.settings,
          index,
          ring,
          size,
          areas,
          onViolation: onViolation(index),
          tally,
        };
        slot.queue =
          image === null
            ? new DeviceQueue(this.core, options)
            : DeviceQueue.restore(this.core, options, image);
      }
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  /** Disables one queue and forgets all of its state; nothing of it is touched from then on (§2.6.1). */
  disable(slot: QueueSlot): void {
    slot.queue?.dispose();
    slot.queue = undefined;
    slot.marked = false;
  }

  /** Disables all queues (§2.4.1). */
  reset(): void {
    for (const slot of this.slots) {
      this.disable(slot);
      slot.wasReset = false;
    }
    this.last = -1;
  }

  /** The indices of the enabled queues. */
  enabled(): number[] {
    return this.slots.filter(({ queue }) => queue !== undefined).map(({ index }) => index);
  }

  /** Has the device look at every enabled queue. */
  markAll(): void {
    for (const slot of this.slots) slot.marked = slot.queue !== undefined;
  }

  /** Whether the device holds no chain of any queue that is whole. */
  get isQuiet(): boolean {
    return this.slots.every(({ queue }) => !queue || queue.error !== undefined || queue.inFlight === 0);
  }

  /** The index of a queue that the driver broke; undefined if there is none. */
  get broken(): number | undefined {
    return this.slots.find(({ queue }) => queue?.error !== undefined)?.index;
  }

  /** Chains that the device holds, of all queues. */
  get inFlight(): number {
    return this.slots.reduce((sum, { queue }) => sum + (queue?.inFlight ?? 0), 0);
  }

  /** The queues that are whole and have nothing that the device could take. */
  drained(): DeviceQueue[] {
    return this.slots.flatMap(({ queue }) =>
      queue !== undefined && queue.error === undefined && !queue.hasAvailable() ? [queue] : [],
    );
  }

  /** Whether a queue waits for its turn. */
  get hasWork(): boolean {
    return this.slots.some(({ marked }) => marked);
  }

  /** The next queue that waits, round and round, or undefined. */
  next(): QueueSlot | undefined {
    for (let i = 1; i <= this.slots.length; i++) {
      const slot = this.slots[(this.last + i) % this.slots.length];
      if (slot?.marked) {
        this.last = slot.index;
        return slot;
      }
    }
    return undefined;
  }

  noQueue(index: number): VirtioError {
    return fault("QUEUE_INDEX_RANGE", `queue ${index}: the device has ${this.slots.length}`);
  }
}

function fault(
  code: "QUEUE_INDEX_RANGE" | "QUEUE_LOCKED" | "QUEUE_SIZE_INVALID",
  message: string,
  queue?: number,
): VirtioError {
  return new VirtioError(code, message, { section: "2.6", ...(queue === undefined ? {} : { queue }) });
}
