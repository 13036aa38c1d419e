/**
 * The queues of virtio-mmio, version 2 (§4.2.2, §4.2.3.2): size, three 64-bit addresses, QueueReady and QueueReset.
 * Nothing is programmed while QueueReady is not zero (§4.2.2.2). Whether a set-up is sound is the device's to judge.
 */
import type { VirtioDevice } from "../device/device";
import type { QueueSetup } from "../device/queues";
import { VirtioError } from "../errors";
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
import { judgeProgrammed, type MmioImage, type MmioQueuesImage } from "./mmio-image";
import { MmioQueueSelect } from "./mmio-queue-select";
import type { MmioRegister } from "./mmio-register";

/** What is programmed for a queue. */
interface QueueFields {
  size: number;
  /** The halves of the addresses, in the order of {@link HALVES}. */
  readonly halves: Uint32Array;
  /** A queue reset is under way: QueueReset reads 1. */
  isResetting: boolean;
}

const HALVES = [
  { at: VIRTIO_MMIO_QUEUE_DESC_LOW, name: "QueueDescLow" },
  { at: VIRTIO_MMIO_QUEUE_DESC_HIGH, name: "QueueDescHigh" },
  { at: VIRTIO_MMIO_QUEUE_DRIVER_LOW, name: "QueueDriverLow" },
  { at: VIRTIO_MMIO_QUEUE_DRIVER_HIGH, name: "QueueDriverHigh" },
  { at: VIRTIO_MMIO_QUEUE_DEVICE_LOW, name: "QueueDeviceLow" },
  { at: VIRTIO_MMIO_QUEUE_DEVICE_HIGH, name: "QueueDeviceHigh" },
] as const;

const fresh = (): QueueFields => ({
  size: 0,
  halves: new Uint32Array(HALVES.length),
  isResetting: false,
});

/** The queue registers of one device. */
export class MmioQueues {
  private readonly device: VirtioDevice;
  private readonly select: MmioQueueSelect<QueueFields>;

  constructor(device: VirtioDevice) {
    this.device = device;
    this.select = new MmioQueueSelect(device, fresh);
  }

  /** The device was reset; it has stopped its queues itself. */
  reset(): void {
    this.select.reset();
  }

  save(): MmioQueuesImage {
    return { ...this.select.save(({ size, halves }) => [size, ...halves]), guestPageSize: 0 };
  }

  /** @throws VirtioError SNAPSHOT_INVALID; nothing has changed then */
  judge(image: MmioImage): void {
    judgeProgrammed(image, (index) => setupOf(fieldsOf(image.queues.programmed[index] ?? [])));
  }

  restore(image: MmioQueuesImage): void {
    this.select.restore(image, fieldsOf);
  }

  registers(): MmioRegister[] {
    const { device, select } = this;
    return [
      ...select.registers("QueueSize"),
      {
        at: VIRTIO_MMIO_QUEUE_READY,
        name: "QueueReady",
        read: () => (device.queueReady(select.index) ? 1 : 0),
        write: (value) => this.writeReady(value),
      },
      {
        at: VIRTIO_MMIO_QUEUE_RESET,
        name: "QueueReset",
        read: () => (select.fields?.isResetting === true ? 1 : 0),
        write: (value) => this.writeReset(value),
      },
      ...HALVES.map(({ at, name }, half) => ({
        at,
        name,
        write: (value: number) =>
          select.program(name, value, ({ halves }) => halves.fill(value, half, half + 1)),
      })),
    ];
  }

  private writeReady(value: number): void {
    const { device, select } = this;
    const { index } = select;
    if (value > 1) device.violation(noBit("QueueReady", value, index));
    else if (value === 0) device.disableQueue(index);
    else if (!device.queueReady(index)) {
      device.enableQueue(index, setupOf(select.fields ?? fresh()));
    }
  }

  /** §2.6.1: the device has let go of the queue when this returns, so that only a listener to its events sees the 1. */
  private writeReset(value: number): void {
    const { device, select } = this;
    const { index, fields } = select;
    if (value > 1) device.violation(noBit("QueueReset", value, index));
    if (value !== 1) return;
    const wasReady = device.queueReady(index);
    if (fields !== undefined) fields.isResetting = wasReady;
    try {
      device.resetQueue(index);
    } finally {
      if (fields !== undefined) fields.isResetting = false;
    }
    if (wasReady && !device.queueReady(index)) select.resetSelected();
  }
}

function fieldsOf([size = 0, ...halves]: readonly number[]): QueueFields {
  return { size, halves: Uint32Array.from(halves), isResetting: false };
}

function setupOf({ size, halves }: QueueFields): QueueSetup {
  const areas = {
    descriptor: address(halves, 0),
    driver: address(halves, 1),
    device: address(halves, 2),
  };
  return { size, areas };
}

function address(halves: Uint32Array, area: 0 | 1 | 2): bigint {
  return (BigInt(halves[2 * area + 1] ?? 0) << 32n) | BigInt(halves[2 * area] ?? 0);
}

/** The section defines 0 and 1 alone: anything else is not stored. */
function noBit(name: string, value: number, queue: number): VirtioError {
  const reason = `${name} ${value} of queue ${queue} is neither 0 nor 1`;
  return new VirtioError("BAD_ARGUMENT", reason, { section: "4.2.2", queue });
}
