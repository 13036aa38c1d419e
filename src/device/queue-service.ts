/**
 * Serving the queues: whose turn it is, for how long, and when the driver is told (§2.3, §2.7.14, §2.8.21).
 */
import { VirtioError } from "../errors";
import type { DeviceState } from "./device-state";
import type { Interrupts } from "./interrupts";
import type { DeviceModel } from "./model";
import type { DeviceQueues, QueueSlot } from "./queues";

/** What the service needs of the device around it. */
export interface QueueServiceParts {
  readonly model: DeviceModel;
  readonly queues: DeviceQueues;
  readonly interrupts: Interrupts;
  readonly state: Readonly<DeviceState>;
  /** Most chains of one queue before it is the next one's turn. */
  readonly share: number;
  /** There is work that nobody was told of. */
  readonly onWork: (() => void) | undefined;
  /** The model failed. */
  needsReset(error: VirtioError): void;
  /** A queue is broken; its error was reported already. */
  breakDown(): void;
}

/** The host's side of the queues. */
export class QueueService {
  private readonly parts: QueueServiceParts;

  constructor(parts: QueueServiceParts) {
    this.parts = parts;
  }

  get hasWork(): boolean {
    return this.parts.state.isLive && this.parts.queues.hasWork;
  }

  /** Serves the queues in turn, up to `budget` chains. */
  process(budget: number): void {
    const { interrupts, queues, share, state } = this.parts;
    interrupts.hold();
    try {
      let left = budget;
      while (left > 0 && state.isLive) {
        const slot = queues.next();
        if (slot === undefined) break;
        left -= Math.max(1, this.serve(slot, Math.min(left, share)));
      }
    } finally {
      interrupts.release();
    }
  }

  /** Has the queue looked at. */
  mark(slot: QueueSlot): void {
    slot.marked = true;
    this.parts.onWork?.();
  }

  /** Has every enabled queue looked at, as DRIVER_OK asks for (§3.1). */
  markAll(): void {
    this.parts.queues.markAll();
    if (this.hasWork) this.parts.onWork?.();
  }

  /** Publishes what was completed in any queue. */
  publishAll(): void {
    const { queues } = this.parts;
    for (let index = 0; index < queues.length; index++) this.finish(index);
  }

  /** Publishes what was completed outside of `process`, and looks at the queue again. */
  finish(index: number): void {
    const slot = this.parts.queues.slot(index);
    const queue = slot?.queue;
    if (slot === undefined || queue === undefined || queue.error !== undefined) return;
    if (queue.publish()) this.parts.interrupts.raiseUsed(index);
    if (slot.queue === queue && !slot.marked && this.parts.state.isLive && queue.hasAvailable())
      this.mark(slot);
  }

  private serve(slot: QueueSlot, share: number): number {
    const { model, interrupts, state } = this.parts;
    const { queue } = slot;
    if (queue === undefined) return 0;
    queue.disarm();
    const { life } = state;
    const hadSome = queue.hasAvailable();
    let served = share;
    try {
      served = model.process(slot.index, queue, share);
    } catch (error) {
      this.parts.needsReset(asVirtioError(error, slot.index));
    }
    if (state.life !== life || slot.queue !== queue) return served;
    if (queue.error !== undefined) this.parts.breakDown();
    if (!state.isLive) return served;
    if (queue.publish()) interrupts.raiseUsed(slot.index);
    if (served < share) {
      // The driver may have added one before notifications were on again, so look once more (§2.7.14). What the
      // model left alone though it was there waits for `finish` or for the next notification.
      const isAvailable = queue.arm();
      slot.marked = isAvailable && (served > 0 || !hadSome);
    }
    return served;
  }
}

/** What a model threw, as the device reports it; anything but a VirtioError is a defect of the model. */
export function asVirtioError(error: unknown, queue?: number): VirtioError {
  if (error instanceof VirtioError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const internal = new VirtioError(
    "INTERNAL",
    `the device model failed: ${text}`,
    queue === undefined ? {} : { queue },
  );
  internal.cause = error;
  return internal;
}
