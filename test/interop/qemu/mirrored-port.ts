/**
 * A driver's port, with guest memory carried over where the device begins to look at it: at DRIVER_OK, and at each
 * available buffer notification.
 */
import type { Awaitable, TransportPort } from "../../../src/driver/port";
import { VIRTIO_CONFIG_S_DRIVER_OK } from "../../../src/spec/status";
import type { DriverQueue } from "../../../src/virtqueue/driver-queue";
import type { Mirror } from "./mirror";

/** One device's port and its guest's memory. */
export class MirroredPort {
  /** The same port, which the driver is to use. */
  readonly port: TransportPort;
  private readonly mirror: Mirror;
  private readonly queues: () => readonly DriverQueue[];
  private readonly notify: (kickValue: number) => Awaitable<void>;

  /** Takes the port over. @param queues the driver's */
  constructor(port: TransportPort, mirror: Mirror, queues: () => readonly DriverQueue[]) {
    const notify = port.notify.bind(port);
    const writeStatus = port.writeStatus.bind(port);
    this.mirror = mirror;
    this.queues = queues;
    this.notify = notify;
    this.port = Object.assign(port, {
      copiesMemory: true,
      notify: (kickValue: number) => {
        mirror.push();
        mirror.announce(queues()[kickValue & 0xffff]);
        return notify(kickValue);
      },
      writeStatus: (value: number) => {
        if ((value & VIRTIO_CONFIG_S_DRIVER_OK) !== 0) mirror.pushNew(queues());
        return writeStatus(value);
      },
    });
  }

  /**
   * Carries over what is left and notifies of it. The driver decided by what the device had asked for when memory was last
   * carried back; the device may have gone to sleep since, so it is notified in any case.
   */
  async settle(): Promise<void> {
    this.mirror.push();
    for (const queue of this.queues()) if (this.mirror.announce(queue)) await this.notify(queue.index);
  }
}
