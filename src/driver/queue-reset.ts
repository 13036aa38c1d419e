/**
 * The reset of one queue while the device lives on (§2.6.1): ask, wait until the device shows that it is over, take the
 * buffers back, and set the queue up again. The transport's side of it is in its port (§4.1.4.3.2, §4.2.2.2).
 */
import { VirtioError } from "../errors";
import { VIRTIO_F_RING_RESET } from "../spec/features";
import { VIRTQ_SIZE_MAX } from "../spec/queue";
import type { Initialisation } from "./initialisation";
import type { TransportPort } from "./port";
import type { AbortedBuffer } from "./queue-setup";

/** What becomes of a queue that is reset. */
export interface QueueResetOptions {
  /** Descriptors wanted from now on, 1…32768; the device may allow fewer. Default: as at the initialisation. */
  readonly queueSize?: number;
  /** False leaves the queue disabled; a later `resetQueue` sets it up again. Default true. */
  readonly enable?: boolean;
}

/** The queue resets of one driver. */
export class QueueResets {
  private readonly mostReads: number;
  private readonly underWay = new Set<number>();

  /** @param mostReads how often the device is asked until a reset counts as hung, ≥ 1 */
  constructor(mostReads: number) {
    this.mostReads = mostReads;
  }

  /**
   * Resets a queue and sets it up again; one that is disabled already is only set up.
   *
   * @param isCurrent whether the device has not been reset as a whole meanwhile
   * @returns the buffers that were in flight
   * @throws VirtioError as VirtioDriver.resetQueue
   */
  async reset(
    run: Initialisation,
    index: number,
    options: QueueResetOptions,
    isCurrent: () => boolean,
  ): Promise<AbortedBuffer[]> {
    const reset = new QueueReset(run, index, isCurrent);
    reset.check(options);
    this.requireOver(index);
    this.underWay.add(index);
    try {
      const aborted = run.queues[index]?.alive ? await reset.carryOut(this.mostReads) : [];
      if (options.enable !== false) await reset.enable(options.queueSize);
      return aborted;
    } finally {
      if (isCurrent()) this.underWay.delete(index);
    }
  }

  /** After a reset of the device. */
  forget(): void {
    this.underWay.clear();
  }

  /** @throws VirtioError STATUS_SEQUENCE while the queue's reset is under way, or any queue's if none is named */
  requireOver(index = this.underWay.values().next().value): void {
    if (index === undefined || !this.underWay.has(index)) return;
    throw queueResetError("STATUS_SEQUENCE", index, `the reset of queue ${index} is not over`);
  }
}

/** One of them. */
class QueueReset {
  private readonly run: Initialisation;
  private readonly port: TransportPort;
  private readonly index: number;
  private readonly isCurrent: () => boolean;

  constructor(run: Initialisation, index: number, isCurrent: () => boolean) {
    this.run = run;
    this.port = run.port;
    this.index = index;
    this.isCurrent = isCurrent;
  }

  /** @throws VirtioError QUEUE_INDEX_RANGE, STATUS_SEQUENCE, BAD_ARGUMENT: the caller's mistakes, before any access */
  check({ queueSize }: QueueResetOptions): void {
    const { run, port, index } = this;
    if (run.queues[index] === undefined) {
      throw this.error("QUEUE_INDEX_RANGE", `queue ${index}: the driver has ${run.queues.length}`);
    }
    if (run.negotiated?.has(VIRTIO_F_RING_RESET) !== true) {
      throw this.error("STATUS_SEQUENCE", `queue ${index} can't be reset: RING_RESET is not negotiated`);
    }
    if (port.resetQueue === undefined) {
      const text = `queue ${index} can't be reset: transport ${port.transport} has no queue reset`;
      throw this.error("STATUS_SEQUENCE", text);
    }
    if (queueSize === undefined) return;
    if (!Number.isInteger(queueSize) || queueSize < 1 || queueSize > VIRTQ_SIZE_MAX) {
      throw this.error("BAD_ARGUMENT", `queue ${index}: size ${queueSize} is not within 1…${VIRTQ_SIZE_MAX}`);
    }
  }

  /**
   * Asks for the reset and waits until it is over; the buffers are the driver's again then, and not before.
   *
   * @throws VirtioError DEVICE_NEEDS_RESET if it never ends, or the queue is still enabled after it
   */
  async carryOut(mostReads: number): Promise<AbortedBuffer[]> {
    const { run, port, index } = this;
    this.event("asks for a reset");
    await port.resetQueue?.(index);
    for (let reads = 1; await port.queueInReset?.(index); reads++) {
      if (reads >= mostReads) {
        const text = `the device did not finish the reset of queue ${index}: under way after ${reads} reads`;
        throw this.error("DEVICE_NEEDS_RESET", text);
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.requireCurrent();
    }
    this.requireCurrent();
    // Some devices offer RING_RESET and do nothing: such a queue is still the device's.
    if (await port.queueReady(index)) {
      const text = `the device did not reset queue ${index}: it is still enabled after the reset`;
      throw this.error("DEVICE_NEEDS_RESET", text);
    }
    this.requireCurrent();
    const aborted = run.releaseQueue(index);
    const { length } = aborted;
    const what = length === 0 ? "" : `; ${length} buffers in flight were aborted`;
    this.event(`read back: the reset is over${what}`);
    return aborted;
  }

  /**
   * Sets the queue up as at first (§2.6.1), perhaps with another size.
   *
   * @throws VirtioError QUEUE_NOT_READY if the device doesn't take it, BAD_ARGUMENT if guest memory is too small; the queue
   *   stays disabled then
   */
  async enable(queueSize: number | undefined): Promise<void> {
    const { run, port, index } = this;
    const { ring } = run;
    const maximum = await port.queueMaxSize(index);
    this.requireCurrent();
    if (ring === undefined || maximum === 0) {
      throw this.error("QUEUE_NOT_READY", `queue ${index} is gone after its reset: it may have ${maximum}`);
    }
    try {
      const size = await run.addQueue(index, maximum, ring, queueSize);
      this.requireCurrent();
      this.event(`${ring.layout} ring`, `at most ${maximum}`, `${size} descriptors`);
    } catch (error) {
      // A reset of the device takes the queue along, when it has been read back; that, not the queue, is what went wrong.
      this.requireCurrent();
      run.releaseQueue(index);
      throw error;
    }
  }

  private requireCurrent(): void {
    if (this.isCurrent()) return;
    throw this.error("STATUS_SEQUENCE", `the device was reset while queue ${this.index} was`);
  }

  private error(code: VirtioError["code"], text: string): VirtioError {
    return queueResetError(code, this.index, text);
  }

  private event(note: string, before?: string, after?: string): void {
    const change = before === undefined || after === undefined ? {} : { before, after };
    this.run.event({ step: "queue", field: `queue ${this.index}`, ...change, section: "2.6.1", note });
  }
}

function queueResetError(code: VirtioError["code"], queue: number, text: string): VirtioError {
  return new VirtioError(code, text, { section: "2.6.1", queue });
}
