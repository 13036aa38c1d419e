/**
 * The queues of virtio-mmio, version 2 (§4.2.2, §4.2.3.2): size, three 64-bit addresses, QueueReady and QueueReset.
 * Nothing is programmed while QueueReady is not zero (§4.2.2.2). Whether a set-up is sound is the device's to judge.
 */
import type { VirtioDevice } from "../device/device";
import {
  VIRTIO_MMIO_QUEUE_DESC_HIGH,
  VIRTIO_MMIO_QUEUE_DESC_LOW,
  VIRTIO_MMIO_QUEUE_DEVICE_HIGH,
  VIRTIO_MMIO_QUEUE_DEVICE_LOW,
  VIRTIO_MMIO_QUEUE_DRIVER_HIGH,
  VIRTIO_MMIO_QUEUE_DRIVER_LOW,
  VIRTIO_MMIO_QUEUE_READY,
  VIRTIO_MMIO_QUEUE_RESET,
} from "../spec/mmio";
import { judgeProgrammed } from "./device-part";
import type { MmioImage, MmioQueuesImage } from "./mmio-image";
import { MMIO_QUEUE_SECTIONS, queueSelectRegisters } from "./mmio-queue-select";
import type { MmioRegister } from "./mmio-register";
import { freshQueue, type ProgrammedQueue, ProgrammedQueues, setupOf } from "./programmed-queues";

/** What is programmed for a queue. */
interface MmioQueue extends ProgrammedQueue {
  size: number;
}

const HALVES = [
  { at: VIRTIO_MMIO_QUEUE_DESC_LOW, name: "QueueDescLow" },
  { at: VIRTIO_MMIO_QUEUE_DESC_HIGH, name: "QueueDescHigh" },
  { at: VIRTIO_MMIO_QUEUE_DRIVER_LOW, name: "QueueDriverLow" },
  { at: VIRTIO_MMIO_QUEUE_DRIVER_HIGH, name: "QueueDriverHigh" },
  { at: VIRTIO_MMIO_QUEUE_DEVICE_LOW, name: "QueueDeviceLow" },
  { at: VIRTIO_MMIO_QUEUE_DEVICE_HIGH, name: "QueueDeviceHigh" },
] as const;

/** The queue registers of one device. */
export class MmioQueues {
  private readonly device: VirtioDevice;
  private readonly queues: ProgrammedQueues<MmioQueue>;

  constructor(device: VirtioDevice) {
    this.device = device;
    this.queues = new ProgrammedQueues(device, () => ({ size: 0, ...freshQueue() }), MMIO_QUEUE_SECTIONS);
  }

  /** The device was reset; it has stopped its queues itself. */
  reset(): void {
    this.queues.reset();
  }

  save(): MmioQueuesImage {
    const { index, all } = this.queues;
    return {
      queueSel: index,
      guestPageSize: 0,
      programmed: all.map(({ size, halves }) => [size, ...halves]),
    };
  }

  /** @throws VirtioError SNAPSHOT_INVALID; nothing has changed then */
  judge(image: MmioImage): void {
    judgeProgrammed(image.device, (index) => {
      const queue = queueOf(image.queues.programmed[index] ?? []);
      return [setupOf(queue, queue.size)];
    });
  }

  restore(image: MmioQueuesImage): void {
    this.queues.goOn(image.queueSel, image.programmed.map(queueOf));
  }

  registers(): MmioRegister[] {
    const { device, queues } = this;
    return [
      ...queueSelectRegisters(device, queues, "QueueSize"),
      {
        at: VIRTIO_MMIO_QUEUE_READY,
        name: "QueueReady",
        read: () => (queues.isReady ? 1 : 0),
        write: (value) => this.writeReady(value),
      },
      {
        at: VIRTIO_MMIO_QUEUE_RESET,
        name: "QueueReset",
        read: () => (queues.fields?.isResetting === true ? 1 : 0),
        write: (value) => {
          if (queues.isBit("QueueReset", value, "4.2.2") && value === 1) queues.resetQueue();
        },
      },
      ...HALVES.map(({ at, name }, half) => ({
        at,
        name,
        write: (value: number) => queues.programHalf(name, half, value),
      })),
    ];
  }

  private writeReady(value: number): void {
    const { device, queues } = this;
    if (!queues.isBit("QueueReady", value, "4.2.2")) return;
    if (value === 0) device.disableQueue(queues.index);
    else queues.enable(queues.fields?.size ?? 0);
  }
}

function queueOf([size = 0, ...halves]: readonly number[]): MmioQueue {
  return { ...freshQueue(), size, halves: Uint32Array.from(halves) };
}
