/**
 * A device's registers, with guest memory carried over where the device begins to look at it: at DRIVER_OK, and at each
 * available buffer notification.
 */
import { VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_MMIO_STATUS } from "../../../src/spec/mmio";
import { VIRTIO_CONFIG_S_DRIVER_OK } from "../../../src/spec/status";
import type { RegisterBus } from "../../../src/transport/register-bus";
import type { DriverQueue } from "../../../src/virtqueue/driver-queue";
import type { Mirror } from "./mirror";
import type { QtestBus } from "./qtest-bus";

/** One device's bus and its guest's memory. */
export class MirroredBus implements RegisterBus {
  private readonly bus: QtestBus;
  private readonly mirror: Mirror;
  private readonly queues: () => readonly DriverQueue[];

  /** @param queues the driver's */
  constructor(bus: QtestBus, mirror: Mirror, queues: () => readonly DriverQueue[]) {
    this.bus = bus;
    this.mirror = mirror;
    this.queues = queues;
  }

  read(offset: number, bytes: 1 | 2 | 4): number {
    return this.bus.read(offset, bytes);
  }

  write(offset: number, bytes: 1 | 2 | 4, value: number): void {
    if (offset === VIRTIO_MMIO_QUEUE_NOTIFY) {
      this.mirror.push();
      this.mirror.announce(this.queues()[value]);
    } else if (offset === VIRTIO_MMIO_STATUS && (value & VIRTIO_CONFIG_S_DRIVER_OK) !== 0) {
      this.mirror.pushNew(this.queues());
    }
    this.bus.write(offset, bytes, value);
  }

  /**
   * Carries over what is left and notifies of it. The driver decided by what the device had asked for when memory was last
   * carried back; the device may have gone to sleep since, so it is notified in any case.
   */
  settle(): void {
    this.mirror.push();
    for (const queue of this.queues()) {
      if (this.mirror.announce(queue)) this.bus.write(VIRTIO_MMIO_QUEUE_NOTIFY, 4, queue.index);
    }
  }
}
