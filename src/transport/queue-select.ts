/**
 * The selected queue and what the driver has programmed for each, as the transports of registers have it (§4.1.4.3,
 * §4.2.2, §4.2.4). The device judges those values when the queue is enabled, not before.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";

/** Where a transport's rules stand, for messages. */
export interface QueueSections {
  /** Of the selection. */
  readonly select: string;
  /** That a queue in use is not programmed. */
  readonly locked: string;
}

/** The programmed values of all queues of a device, and which queue is selected. */
export class QueueSelect<Queue> {
  /** The selected index; there may be no such queue. */
  index = 0;
  protected readonly device: VirtioDevice;
  private readonly fresh: () => Queue;
  private readonly sections: QueueSections;
  private queues: Queue[] = [];

  /** @param fresh a queue's values as a reset leaves them */
  constructor(device: VirtioDevice, fresh: () => Queue, sections: QueueSections) {
    this.device = device;
    this.fresh = fresh;
    this.sections = sections;
    this.reset();
  }

  /** What is programmed for the selected queue; undefined if there is none. */
  get fields(): Queue | undefined {
    return this.queues[this.index];
  }

  /** What is programmed, by queue. */
  get all(): readonly Queue[] {
    return this.queues;
  }

  /** Whether the selected queue is enabled. */
  get isReady(): boolean {
    return this.device.queueReady(this.index);
  }

  select(index: number): void {
    this.index = index;
  }

  /** Forgets what was programmed for all queues (§2.4.1). The selection stays. */
  reset(): void {
    this.queues = Array.from({ length: this.device.queueCount }, this.fresh);
  }

  /** Forgets what was programmed for the selected queue (§2.6.1). */
  resetSelected(): void {
    if (this.index < this.queues.length) this.queues[this.index] = this.fresh();
  }

  /**
   * Changes a programmed value of the selected queue, unless now is not the time for it.
   *
   * @param lock whether the queue must be disabled for that
   */
  program(
    name: string,
    value: number,
    store: (fields: Queue) => void,
    lock: "while-ready" | "never" = "while-ready",
  ): void {
    const { fields } = this;
    const refusal = this.refusal(name, value, lock === "while-ready");
    if (refusal !== undefined) this.device.violation(refusal);
    else if (fields !== undefined) store(fields);
  }

  private refusal(name: string, value: number, isLocked: boolean): VirtioError | undefined {
    const { index, device, sections } = this;
    const attempt = `${name} ${value} of queue ${index}`;
    if (index >= this.queues.length) {
      const reason = `${attempt}: the device has ${this.queues.length} queues`;
      return new VirtioError("QUEUE_INDEX_RANGE", reason, { section: sections.select });
    }
    if (isLocked && this.isReady) {
      const reason = `${attempt} while the queue is ready`;
      return new VirtioError("QUEUE_LOCKED", reason, { section: sections.locked, queue: index });
    }
    return untimely(device, attempt, index);
  }
}

/** What is wrong with programming anything now: the device's reset is not over, or its driver has it suspended. */
export function untimely(device: VirtioDevice, attempt: string, queue?: number): VirtioError | undefined {
  const { phase } = device;
  const error = (when: string, section: string) => {
    const details = { section, ...(queue === undefined ? {} : { queue }) };
    return new VirtioError("STATUS_SEQUENCE", `${attempt} ${when}`, details);
  };
  if (phase === "resetting") return error("before the reset was over", "2.4.2");
  const isSuspended = phase === "suspending" || phase === "suspended" || phase === "resuming";
  return isSuspended ? error("while the device is suspended", "3.4.1") : undefined;
}
