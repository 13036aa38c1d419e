/**
 * Available buffer notifications of virtio-pci (§4.1.4.4, §4.1.5.2): each queue has an address, or all have one, and what
 * is written there says which queue it is: its index, or with NOTIF_CONFIG_DATA the value that the device chose for it.
 */
import type { VirtioDevice } from "../device/device";
import { VirtioError } from "../errors";
import { VIRTIO_F_NOTIF_CONFIG_DATA, VIRTIO_F_NOTIFICATION_DATA } from "../spec/features";
import { lowBytes, wrongAlign, wrongWidth } from "./pci-register";
import type { PciStructure } from "./pci-structure";

/** What a notification structure is made with. */
export interface PciNotifyOptions {
  /**
   * Bytes between the addresses of two queues: 0 for one address, else a power of two, at least 2, or 4 for a device
   * that offers NOTIFICATION_DATA. Default 4.
   */
  readonly notifyOffMultiplier?: number;
  /** queue_notif_config_data of a queue, a u16, each another. Default its index. */
  readonly notifConfigData?: (queue: number) => number;
}

/** Where queues are notified, and by which value. */
export class PciNotifyAddresses {
  /** notify_off_multiplier */
  readonly multiplier: number;
  private readonly data: readonly number[];

  /** @throws VirtioError BAD_ARGUMENT for a multiplier or data that the section doesn't allow */
  constructor(device: VirtioDevice, { notifyOffMultiplier = 4, notifConfigData }: PciNotifyOptions) {
    this.multiplier = notifyOffMultiplier;
    const least = device.offered.has(VIRTIO_F_NOTIFICATION_DATA) ? 4 : 2;
    if (notifyOffMultiplier !== 0 && !isPowerFrom(least, notifyOffMultiplier))
      bad(`notify_off_multiplier ${notifyOffMultiplier} is neither 0 nor a power of two from ${least} on`);
    this.data = Array.from({ length: device.queueCount }, (_, queue) => notifConfigData?.(queue) ?? queue);
    this.data.forEach((value, queue) => {
      if (!Number.isInteger(value) || value < 0 || value > 0xffff)
        bad(`queue_notif_config_data ${value} of queue ${queue} is no u16`);
      if (this.data.indexOf(value) !== queue)
        bad(`queue_notif_config_data ${value} is that of queues ${this.data.indexOf(value)} and ${queue}`);
    });
  }

  /** queue_notify_off: with one address for all, 0. */
  notifyOff(queue: number): number {
    return this.multiplier === 0 || queue >= this.data.length ? 0 : queue;
  }

  /** queue_notif_config_data; 0 for no queue. */
  configData(queue: number): number {
    return this.data[queue] ?? 0;
  }

  /** The queue that has this data, or undefined. */
  queueOf(data: number): number | undefined {
    const queue = this.data.indexOf(data);
    return queue < 0 ? undefined : queue;
  }
}

/** The notification structure of one device. */
export class PciNotify implements PciStructure {
  readonly name = "the notification structure";
  readonly window = "modern";
  readonly length: number;
  private readonly device: VirtioDevice;
  private readonly addresses: PciNotifyAddresses;

  constructor(device: VirtioDevice, addresses: PciNotifyAddresses) {
    this.device = device;
    this.addresses = addresses;
    // §4.1.4.4.1: room for 32 bits at the last queue's address.
    this.length = Math.max(0, device.queueCount - 1) * addresses.multiplier + 4;
  }

  /** There is nothing to be read. */
  read(): number {
    return 0;
  }

  write(offset: number, value: number, bytes: 1 | 2 | 4): void {
    const { device, addresses } = this;
    const { multiplier } = addresses;
    const access = { how: "write", offset, bytes, place: this.name } as const;
    const withData = device.negotiated?.has(VIRTIO_F_NOTIFICATION_DATA) ?? false;
    const wanted = withData ? 4 : 2;
    const addressed = multiplier === 0 ? undefined : offset / multiplier;
    if (bytes !== wanted) device.violation(wrongWidth(access, `notifications are ${wanted} wide`));
    else if (multiplier === 0 ? offset !== 0 : !Number.isInteger(addressed))
      device.violation(wrongAlign(access, `no queue's address; those are ${multiplier} apart`));
    else this.notify(value, addressed);
  }

  /** @param addressed the queue whose address was written to, if each has one */
  private notify(value: number, addressed: number | undefined): void {
    const { device, addresses } = this;
    const named = lowBytes(value, 2);
    const byData = device.negotiated?.has(VIRTIO_F_NOTIF_CONFIG_DATA) ?? false;
    const queue = byData ? addresses.queueOf(named) : named;
    if (queue === undefined) {
      const reason = `notification ${named} is no queue's queue_notif_config_data`;
      device.violation(new VirtioError("QUEUE_INDEX_RANGE", reason, { section: "4.1.5.2.1" }));
    } else if (addressed !== undefined && addressed !== queue && queue < device.queueCount) {
      const reason = `queue ${queue} notified at the address of queue ${addressed}`;
      device.violation(new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.5.2", queue }));
    } else device.notify(value - named + queue);
  }
}

function isPowerFrom(least: number, value: number): boolean {
  return Number.isInteger(Math.log2(value)) && value >= least && value <= 0x8000_0000;
}

function bad(reason: string): never {
  throw new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.4.4.1" });
}
