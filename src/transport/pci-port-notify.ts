/**
 * Available buffer notifications over virtio-pci (§4.1.4.4, §4.1.5.2): where each queue's go, how wide they are, and by
 * what they name the queue. Settled when the queue is set up, so that a notification is one write.
 */
import type { Awaitable } from "../driver/port";
import { VirtioError } from "../errors";
import { VIRTIO_F_NOTIF_CONFIG_DATA, VIRTIO_F_NOTIFICATION_DATA } from "../spec/features";
import { VIRTIO_PCI_COMMON_Q_NDATA, VIRTIO_PCI_COMMON_Q_NOFF, VIRTIO_PCI_COMMON_Q_RESET } from "../spec/pci";
import type { AcceptedFeatures } from "./pci-port-features";
import type { NotifyStructure } from "./pci-port-structures";
import type { PortWindow } from "./pci-port-window";
import type { Sequence } from "./register-sequence";

/** Where and how one queue is notified. */
interface NotifyAddress {
  /** Bytes from the start of the notification structure. */
  readonly offset: number;
  /** 4 with NOTIFICATION_DATA, 2 without. */
  readonly bytes: 2 | 4;
  /** 16 bits: the queue's index, or what the device calls it (NOTIF_CONFIG_DATA). */
  readonly name: number;
}

/** The Queue Notify addresses of one device. */
export class PortNotifyAddresses {
  readonly #common: PortWindow;
  readonly #window: PortWindow;
  readonly #structure: NotifyStructure;
  readonly #features: AcceptedFeatures;
  readonly #addresses = new Map<number, NotifyAddress>();

  constructor(
    common: PortWindow,
    window: PortWindow,
    structure: NotifyStructure,
    features: AcceptedFeatures,
  ) {
    this.#common = common;
    this.#window = window;
    this.#structure = structure;
    this.#features = features;
  }

  wereReset(): void {
    this.#addresses.clear();
  }

  /**
   * Finds out how the selected queue is notified.
   *
   * @throws VirtioError PCI_CAPABILITY if its address lies outside the structure or askew, or the device has no name for it
   *   though NOTIF_CONFIG_DATA was accepted
   */
  *find(index: number): Sequence<void> {
    const bytes = this.#features.has(VIRTIO_F_NOTIFICATION_DATA) ? 4 : 2;
    const notifyOff = yield this.#common.read(VIRTIO_PCI_COMMON_Q_NOFF, 2);
    const offset = notifyOff * this.#structure.multiplier;
    this.#check(index, notifyOff, offset, bytes);
    const name = this.#features.has(VIRTIO_F_NOTIF_CONFIG_DATA) ? yield* this.#name(index) : index;
    this.#addresses.set(index, { offset, bytes, name });
  }

  /**
   * Notifies the queue that the low 16 bits name.
   *
   * @param kickValue the index, or with NOTIFICATION_DATA the 32 bits of §2.9
   * @throws VirtioError QUEUE_NOT_READY for a queue that was not set up
   */
  send(kickValue: number): Awaitable<void> {
    const index = kickValue & 0xffff;
    const address = this.#addresses.get(index);
    if (address === undefined) {
      const text = `queue ${index} is notified and was not set up: ${this.#addresses.size} queues were`;
      throw new VirtioError("QUEUE_NOT_READY", text, { section: "4.1.5.2", queue: index });
    }
    const { offset, bytes, name } = address;
    return this.#window.write(offset, bytes, bytes === 4 ? ((kickValue & 0xffff0000) | name) >>> 0 : name);
  }

  /** queue_notif_config_data of the selected queue. */
  *#name(queue: number): Sequence<number> {
    const { length } = this.#common;
    const needed = VIRTIO_PCI_COMMON_Q_RESET;
    if (length >= needed) return yield this.#common.read(VIRTIO_PCI_COMMON_Q_NDATA, 2);
    const text = `queue ${queue} has no queue_notif_config_data: the common configuration has ${length} bytes, ${needed} are needed`;
    throw new VirtioError("PCI_CAPABILITY", text, { section: "4.1.4.3", queue });
  }

  /** §4.1.4.4.1: what a device must hold to. */
  #check(queue: number, notifyOff: number, offset: number, bytes: number): void {
    const { length } = this.#window;
    const { multiplier, offset: start } = this.#structure;
    if (offset + bytes <= length && (start + offset) % bytes === 0) return;
    const text = `queue ${queue}: ${bytes} bytes at queue_notify_off ${notifyOff} * ${multiplier} from ${start} on, the structure has ${length} and they have to be aligned`;
    throw new VirtioError("PCI_CAPABILITY", text, { section: "4.1.4.4", queue });
  }
}
