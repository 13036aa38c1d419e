/**
 * QueueSel and what hangs on it in both versions of virtio-mmio (§4.2.2, §4.2.4): the selected queue, its largest size,
 * and what the driver has programmed for it. The device judges those values when the queue is enabled, not before.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import { VIRTIO_MMIO_QUEUE_SEL, VIRTIO_MMIO_QUEUE_SIZE, VIRTIO_MMIO_QUEUE_SIZE_MAX } from "../spec/mmio";
import type { MmioQueuesImage } from "./mmio-image";
import type { MmioRegister } from "./mmio-register";

/** The programmed values of all queues of a device, and which queue is selected. */
export class MmioQueueSelect<Fields extends { size: number }> {
  /** The selected index, a u32; there may be no such queue. */
  index = 0;
  private readonly device: VirtioDevice;
  private readonly fresh: () => Fields;
  private queues: Fields[] = [];

  /** @param fresh a queue's values as a reset leaves them */
  constructor(device: VirtioDevice, fresh: () => Fields) {
    this.device = device;
    this.fresh = fresh;
    this.reset();
  }

  /** What is programmed for the selected queue; undefined if there is none. */
  get fields(): Fields | undefined {
    return this.queues[this.index];
  }

  /** Forgets what was programmed for all queues (§2.4.1). The selection stays. */
  reset(): void {
    this.queues = Array.from({ length: this.device.queueCount }, this.fresh);
  }

  /** What is programmed for every queue, as `wordsOf` says it. */
  save(wordsOf: (fields: Fields) => number[]): Pick<MmioQueuesImage, "queueSel" | "programmed"> {
    return { queueSel: this.index, programmed: this.queues.map(wordsOf) };
  }

  restore({ queueSel, programmed }: MmioQueuesImage, fieldsOf: (words: readonly number[]) => Fields): void {
    this.index = queueSel;
    this.queues = programmed.map(fieldsOf);
  }

  /** Forgets what was programmed for the selected queue, which is one of the device's (§2.6.1). */
  resetSelected(): void {
    this.queues[this.index] = this.fresh();
  }

  /** Changes a programmed value of the selected queue, unless now is not the time for it. */
  program(name: string, value: number, store: (fields: Fields) => void): void {
    const { fields } = this;
    const refusal = this.refusal(name, value);
    if (refusal !== undefined) this.device.violation(refusal);
    else if (fields !== undefined) store(fields);
  }

  /** QueueSel, QueueSizeMax and QueueSize, of which the legacy names are QueueNumMax and QueueNum. */
  registers(noun: "QueueSize" | "QueueNum"): MmioRegister[] {
    return [
      { at: VIRTIO_MMIO_QUEUE_SEL, name: "QueueSel", write: (value) => this.select(value) },
      {
        at: VIRTIO_MMIO_QUEUE_SIZE_MAX,
        name: `${noun}Max`,
        read: () => this.device.queueMaxSize(this.index),
      },
      {
        at: VIRTIO_MMIO_QUEUE_SIZE,
        name: noun,
        write: (value) =>
          this.program(noun, value, (fields) => {
            fields.size = value; // whole: 0x10000 is too large, not 0
          }),
      },
    ];
  }

  private select(index: number): void {
    this.index = index;
  }

  private refusal(name: string, value: number): VirtioError | undefined {
    const { index, device } = this;
    const attempt = `${name} ${value} of queue ${index}`;
    if (index >= this.queues.length) {
      const reason = `${attempt}: the device has ${this.queues.length} queues`;
      return new VirtioError("QUEUE_INDEX_RANGE", reason, { section: "4.2.2" });
    }
    if (device.queueReady(index)) {
      const reason = `${attempt} while the queue is ready`;
      return new VirtioError("QUEUE_LOCKED", reason, { section: "4.2.2.2", queue: index });
    }
    const { phase } = device;
    if (phase === "resetting") return untimely(attempt, "before the reset was over", "2.4.2", index);
    if (phase === "suspending" || phase === "suspended" || phase === "resuming") {
      return untimely(attempt, "while the device is suspended", "3.4.1", index);
    }
    return undefined;
  }
}

function untimely(attempt: string, when: string, section: string, queue: number): VirtioError {
  return new VirtioError("STATUS_SEQUENCE", `${attempt} ${when}`, { section, queue });
}
