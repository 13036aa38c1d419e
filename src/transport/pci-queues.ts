/**
 * The fields about a virtqueue in the common configuration (§4.1.4.3), and the vector that it shares with the legacy
 * window. A queue is enabled once; from then on only a reset, its own or the device's, disables it.
 */
import type { VirtioDevice } from "../device/device";
import type { QueueSetup } from "../device/queues";
import { VirtioError } from "../errors";
import { VIRTIO_F_NOTIF_CONFIG_DATA } from "../spec/features";
import {
  VIRTIO_MSI_NO_VECTOR,
  VIRTIO_PCI_COMMON_Q_AVAILHI,
  VIRTIO_PCI_COMMON_Q_AVAILLO,
  VIRTIO_PCI_COMMON_Q_DESCHI,
  VIRTIO_PCI_COMMON_Q_DESCLO,
  VIRTIO_PCI_COMMON_Q_ENABLE,
  VIRTIO_PCI_COMMON_Q_MSIX,
  VIRTIO_PCI_COMMON_Q_NDATA,
  VIRTIO_PCI_COMMON_Q_NOFF,
  VIRTIO_PCI_COMMON_Q_RESET,
  VIRTIO_PCI_COMMON_Q_SELECT,
  VIRTIO_PCI_COMMON_Q_SIZE,
  VIRTIO_PCI_COMMON_Q_USEDHI,
  VIRTIO_PCI_COMMON_Q_USEDLO,
  VIRTIO_PCI_QUEUE_ADDR_SHIFT,
  VIRTIO_PCI_VRING_ALIGN,
} from "../spec/pci";
import { judgeProgrammed } from "./device-part";
import { legacyAreas } from "./legacy-queue-areas";
import type { PciImage, PciQueueImage } from "./pci-image";
import type { PciNotifyAddresses } from "./pci-notify";
import type { PciRegister } from "./pci-register";
import type { PciVectors } from "./pci-vectors";
import { freshQueue, type ProgrammedQueue, ProgrammedQueues, setupOf } from "./programmed-queues";

/** What is programmed for a queue, through either window. */
export interface PciQueue extends ProgrammedQueue {
  /** What the driver wrote to queue_size; until then the largest size counts. */
  size: number | undefined;
  vector: number;
  /** The page that a legacy driver gave. */
  page: number;
}

const HALVES = [
  { at: VIRTIO_PCI_COMMON_Q_DESCLO, name: "queue_desc, low half" },
  { at: VIRTIO_PCI_COMMON_Q_DESCHI, name: "queue_desc, high half" },
  { at: VIRTIO_PCI_COMMON_Q_AVAILLO, name: "queue_driver, low half" },
  { at: VIRTIO_PCI_COMMON_Q_AVAILHI, name: "queue_driver, high half" },
  { at: VIRTIO_PCI_COMMON_Q_USEDLO, name: "queue_device, low half" },
  { at: VIRTIO_PCI_COMMON_Q_USEDHI, name: "queue_device, high half" },
] as const;

const fresh = (): PciQueue => ({
  ...freshQueue(),
  size: undefined,
  vector: VIRTIO_MSI_NO_VECTOR,
  page: 0,
});

/** The queues of one device. */
export class PciQueues extends ProgrammedQueues<PciQueue> {
  private readonly vectors: PciVectors;
  private readonly addresses: PciNotifyAddresses;

  constructor(device: VirtioDevice, vectors: PciVectors, addresses: PciNotifyAddresses) {
    super(device, fresh, { select: "4.1.4.3", locked: "4.1.4.3.2" });
    this.vectors = vectors;
    this.addresses = addresses;
  }

  /** The vector of a queue's used buffers. */
  vectorOf(queue: number): number {
    return this.all[queue]?.vector ?? VIRTIO_MSI_NO_VECTOR;
  }

  /** What is programmed, as an image has it. */
  save(): PciQueueImage[] {
    return this.all.map(({ size, vector, page, halves }) => ({
      size: size ?? null,
      vector,
      page,
      halves: [...halves],
    }));
  }

  /** Holds what is programmed against the queues in use, however they were enabled. @throws VirtioError SNAPSHOT_INVALID */
  judge({ queues, device }: PciImage): void {
    judgeProgrammed(device, (index) => {
      const { size, page, halves } = queues[index] ?? { size: null, page: 0, halves: [] };
      const most = this.device.queueCapacity(index);
      const modern = setupOf({ ...freshQueue(), halves: Uint32Array.from(halves) }, size ?? most);
      return page === 0 ? [modern] : [modern, legacySetup(page, most)];
    });
  }

  /** Takes over what was judged. */
  restore(image: readonly PciQueueImage[]): void {
    this.reset();
    this.all.forEach((queue, index) => {
      const { size, vector, page, halves } = image[index] ?? {};
      queue.size = size ?? undefined;
      queue.vector = vector ?? VIRTIO_MSI_NO_VECTOR;
      queue.page = page ?? 0;
      queue.halves.set(halves ?? []);
    });
  }

  /** The fields about a virtqueue in the common configuration. */
  registers(): PciRegister[] {
    return [
      this.selectRegister(VIRTIO_PCI_COMMON_Q_SELECT),
      {
        at: VIRTIO_PCI_COMMON_Q_SIZE,
        bytes: 2,
        name: "queue_size",
        read: () => this.shownSize(),
        write: (value) => this.writeSize(value),
      },
      this.vectorRegister(VIRTIO_PCI_COMMON_Q_MSIX),
      {
        at: VIRTIO_PCI_COMMON_Q_ENABLE,
        bytes: 2,
        name: "queue_enable",
        read: () => (this.isReady ? 1 : 0),
        write: (value) => this.writeEnable(value),
      },
      ...HALVES.map(
        ({ at, name }, half): PciRegister => ({
          at,
          bytes: 4,
          name,
          read: () => this.fields?.halves[half] ?? 0,
          write: (value) => this.programHalf(name, half, value),
        }),
      ),
      {
        at: VIRTIO_PCI_COMMON_Q_NOFF,
        bytes: 2,
        name: "queue_notify_off",
        read: () => this.addresses.notifyOff(this.index),
      },
      {
        at: VIRTIO_PCI_COMMON_Q_NDATA,
        bytes: 2,
        name: "queue_notif_config_data",
        read: () =>
          this.isNegotiated(VIRTIO_F_NOTIF_CONFIG_DATA) ? this.addresses.configData(this.index) : 0,
      },
      {
        at: VIRTIO_PCI_COMMON_Q_RESET,
        bytes: 2,
        name: "queue_reset",
        read: () => (this.fields?.isResetting === true ? 1 : 0),
        write: (value) => {
          if (this.isBit("queue_reset", value, "4.1.4.3") && value === 1) this.resetQueue();
        },
      },
    ];
  }

  /** queue_select at its place in a window. */
  selectRegister(at: number): PciRegister {
    return {
      at,
      bytes: 2,
      name: "queue_select",
      read: () => this.index,
      write: (index) => this.select(index),
    };
  }

  /** queue_msix_vector at its place in a window. It may be mapped anew while the queue is enabled. */
  vectorRegister(at: number): PciRegister {
    const name = "queue_msix_vector";
    return {
      at,
      bytes: 2,
      name,
      read: () => this.vectorOf(this.index),
      write: (vector) => {
        const store = (fields: PciQueue) => {
          fields.vector = this.vectors.granted(name, vector);
        };
        this.program(name, vector, store, "never");
      },
    };
  }

  /** §4.1.4.3.1: the largest size or what the driver chose; 0 for no queue, and for what this ring can't have. */
  private shownSize(): number {
    const most = this.device.queueMaxSize(this.index);
    const { size = most } = this.fields ?? {};
    return this.fits(size) ? size : 0;
  }

  private writeSize(value: number): void {
    this.program("queue_size", value, (fields) => {
      fields.size = value;
      if (this.fits(value)) return;
      const { index, device } = this;
      const kind = device.ring?.layout === "packed" ? "" : ", a power of two";
      const reason = `queue_size ${value} of queue ${index}: it is within 1…${device.queueCapacity(index)}${kind}`;
      device.violation(new VirtioError("QUEUE_SIZE_INVALID", reason, { section: "4.1.4.3.2", queue: index }));
    });
  }

  /** Whether a size is one for the ring as it is negotiated now: without RING_PACKED a power of two. */
  private fits(size: number): boolean {
    const isFree = this.device.ring?.layout === "packed" || (size & (size - 1)) === 0;
    return isFree && size >= 1 && size <= this.device.queueCapacity(this.index);
  }

  private writeEnable(value: number): void {
    const { device, index } = this;
    if (!this.isBit("queue_enable", value, "4.1.4.3")) return;
    if (value === 1) this.enable(this.fields?.size ?? device.queueCapacity(index));
    else {
      const reason = `queue_enable 0 of queue ${index}: it is reset instead, by itself or with the device`;
      device.violation(new VirtioError("BAD_ARGUMENT", reason, { section: "4.1.4.3.2", queue: index }));
    }
  }

  private isNegotiated(feature: number): boolean {
    return this.device.negotiated?.has(feature) ?? false;
  }
}

/** What a legacy driver's page sets up (§4.1.5.1.3.1). @param size descriptors, which are not the driver's to choose */
export function legacySetup(page: number, size: number): QueueSetup {
  const address = BigInt(page) << BigInt(VIRTIO_PCI_QUEUE_ADDR_SHIFT);
  return { size, areas: legacyAreas(address, size, VIRTIO_PCI_VRING_ALIGN) };
}
