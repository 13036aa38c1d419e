/**
 * The queue fields of the common configuration as a driver uses them (§4.1.4.3, §4.1.5.1.3): select, look, program,
 * enable. Each field is reached in its own width; queue_enable is never written with 0.
 */
import type { PortQueueSetup } from "../driver/port";
import { VirtioError } from "../errors";
import { VIRTIO_F_RING_PACKED, VIRTIO_F_RING_RESET } from "../spec/features";
import {
  VIRTIO_PCI_COMMON_ADM_Q_IDX,
  VIRTIO_PCI_COMMON_Q_AVAILLO,
  VIRTIO_PCI_COMMON_Q_DESCLO,
  VIRTIO_PCI_COMMON_Q_ENABLE,
  VIRTIO_PCI_COMMON_Q_MSIX,
  VIRTIO_PCI_COMMON_Q_RESET,
  VIRTIO_PCI_COMMON_Q_SELECT,
  VIRTIO_PCI_COMMON_Q_SIZE,
  VIRTIO_PCI_COMMON_Q_USEDLO,
} from "../spec/pci";
import {
  type AreaRegisters,
  type PortQueues,
  requireIdle,
  requireRoom,
  writeAreas,
} from "./mmio-port-queues";
import type { AcceptedFeatures } from "./pci-port-features";
import type { PortNotifyAddresses } from "./pci-port-notify";
import { MOST_QUEUES, requireIndex } from "./pci-port-registers";
import type { PortVectors } from "./pci-port-vectors";
import { type PortRegister, type PortWindow, registerAt } from "./pci-port-window";
import type { Sequence } from "./register-sequence";

const AREA_REGISTERS: AreaRegisters = {
  descriptor: VIRTIO_PCI_COMMON_Q_DESCLO,
  driver: VIRTIO_PCI_COMMON_Q_AVAILLO,
  device: VIRTIO_PCI_COMMON_Q_USEDLO,
};

/** The queues of a device behind its common configuration. */
export class ModernPciQueues implements PortQueues {
  readonly #common: PortWindow;
  readonly #select: PortRegister;
  readonly #size: PortRegister;
  readonly #vector: PortRegister;
  readonly #enable: PortRegister;
  readonly #reset: PortRegister;
  readonly #notify: PortNotifyAddresses;
  readonly #features: AcceptedFeatures;
  readonly #vectors: PortVectors;
  /** What queue_size showed before the driver wrote a size of its own to it. */
  readonly #maxima = new Map<number, number>();

  constructor(
    common: PortWindow,
    notify: PortNotifyAddresses,
    features: AcceptedFeatures,
    vectors: PortVectors,
  ) {
    this.#common = common;
    this.#select = registerAt(common, VIRTIO_PCI_COMMON_Q_SELECT, 2);
    this.#size = registerAt(common, VIRTIO_PCI_COMMON_Q_SIZE, 2);
    this.#vector = registerAt(common, VIRTIO_PCI_COMMON_Q_MSIX, 2);
    this.#enable = registerAt(common, VIRTIO_PCI_COMMON_Q_ENABLE, 2);
    this.#reset = registerAt(common, VIRTIO_PCI_COMMON_Q_RESET, 2);
    this.#notify = notify;
    this.#features = features;
    this.#vectors = vectors;
  }

  wereReset(): void {
    this.#maxima.clear();
    this.#notify.wereReset();
  }

  /** §4.1.4.3: the maximum is shown on reset; the register holds the driver's own size after that. */
  *maxSize(index: number): Sequence<number> {
    if (index >= MOST_QUEUES) return 0;
    yield this.#select.write(index);
    const shown = yield this.#size.read();
    return shown === 0 ? 0 : Math.max(shown, this.#maxima.get(index) ?? 0);
  }

  /** @throws VirtioError before anything but the selector is written, if this queue can't have that set-up */
  *enable(index: number, { size, areas }: PortQueueSetup): Sequence<void> {
    requireIndex(index);
    const vector = this.#vectors.queueVector(index);
    const maximum = yield* this.maxSize(index);
    requireIdle(index, "queue_enable", yield this.#enable.read(), "4.1.4.3.2");
    requireRoom(index, size, maximum, "4.1.5.1.3");
    this.#requirePower(index, size);
    this.#maxima.set(index, maximum);
    yield this.#size.write(size);
    yield* this.#vectors.mapQueue(this.#vector, index, vector);
    yield* writeAreas(this.#common, index, areas, AREA_REGISTERS);
    yield* this.#notify.find(index);
    yield this.#enable.write(1);
  }

  *isReady(index: number): Sequence<boolean> {
    requireIndex(index);
    yield this.#select.write(index);
    return (yield this.#enable.read()) !== 0;
  }

  *reset(index: number): Sequence<void> {
    this.#requireReset(index);
    yield this.#select.write(index);
    yield this.#reset.write(1);
  }

  *isInReset(index: number): Sequence<boolean> {
    this.#requireReset(index);
    yield this.#select.write(index);
    return (yield this.#reset.read()) !== 0;
  }

  /** §4.1.4.3.2: only a packed ring may have any size. */
  #requirePower(index: number, size: number): void {
    if ((size & (size - 1)) === 0 || this.#features.has(VIRTIO_F_RING_PACKED)) return;
    const text = `queue ${index}: ${size} descriptors are no power of two, and RING_PACKED (${VIRTIO_F_RING_PACKED}) is not accepted`;
    throw new VirtioError("QUEUE_SIZE_INVALID", text, { section: "4.1.4.3.2", queue: index });
  }

  /** queue_reset exists only with RING_RESET (§4.1.4.3), and in no device from before virtio 1.2. */
  #requireReset(index: number): void {
    requireIndex(index);
    const needed = VIRTIO_PCI_COMMON_ADM_Q_IDX;
    const { length } = this.#common;
    if (this.#features.has(VIRTIO_F_RING_RESET) && length >= needed) return;
    const text = `queue ${index} has no queue_reset: RING_RESET (${VIRTIO_F_RING_RESET}) has to be accepted, and the common configuration of ${length} bytes to have ${needed}`;
    throw new VirtioError("STATUS_SEQUENCE", text, { section: "4.1.4.3", queue: index });
  }
}
