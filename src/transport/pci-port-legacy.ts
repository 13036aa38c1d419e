/**
 * The legacy interface of virtio-pci as a driver uses it (§4.1.4.10): one header in the I/O space of BAR 0, 32 feature
 * bits, a queue that is one run of pages and has the size that the device gives it, and no generation.
 */
import type { Awaitable, PortQueueSetup } from "../driver/port";
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import * as pci from "../spec/pci";
import { PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_SPACE_IO } from "../spec/pci-header";
import { legacyPage } from "./mmio-port-legacy-queues";
import { type PortQueues, requireIdle } from "./mmio-port-queues";
import type { PciBus } from "./pci-bus";
import { type FunctionIdentity, isTransitional } from "./pci-port-identity";
import { MOST_QUEUES, type PciRegisters, requireIndex } from "./pci-port-registers";
import type { PortVectors } from "./pci-port-vectors";
import { configWindow, type PortRegister, registerAt, type Windows } from "./pci-port-window";
import type { RegisterBus } from "./register-bus";
import type { Sequence } from "./register-sequence";

/** The registers of a legacy device, or of a transitional one as a legacy driver knows it. */
export class LegacyPciRegisters implements PciRegisters {
  readonly status: PortRegister;
  readonly isr: PortRegister;
  readonly configVector: PortRegister;
  readonly config: RegisterBus;
  readonly queues: PortQueues;
  readonly #offered: PortRegister;
  readonly #accepted: PortRegister;
  readonly #notify: PortRegister;

  /** @param length bytes of BAR 0 */
  constructor(windows: Windows, length: number, vectors: PortVectors) {
    const header = windows({ bar: 0, offset: 0, length });
    const configAt = headerBytes(vectors);
    this.#offered = registerAt(header, pci.VIRTIO_PCI_HOST_FEATURES, 4);
    this.#accepted = registerAt(header, pci.VIRTIO_PCI_GUEST_FEATURES, 4);
    this.#notify = registerAt(header, pci.VIRTIO_PCI_QUEUE_NOTIFY, 2);
    this.status = registerAt(header, pci.VIRTIO_PCI_STATUS, 1);
    this.isr = registerAt(header, pci.VIRTIO_PCI_ISR, 1);
    this.configVector = registerAt(header, pci.VIRTIO_MSI_CONFIG_VECTOR, 2);
    this.config = configWindow(windows({ bar: 0, offset: configAt, length: length - configAt }), false);
    this.queues = new LegacyPciQueues(header, vectors);
  }

  /** Features from 32 on can't be reached: they are not offered. */
  *offered(word: number): Sequence<number> {
    return word === 0 ? (yield this.#offered.read()) >>> 0 : 0;
  }

  /** @throws VirtioError FEATURES_REFUSED for a feature that can't be reached */
  *accept(word: number, value: number): Sequence<void> {
    if (word === 0) yield this.#accepted.write(value >>> 0);
    else if (value !== 0) {
      const text = `features ${hex(value >>> 0, 8)} of word ${word} can't be accepted: the legacy interface has word 0`;
      throw new VirtioError("FEATURES_REFUSED", text, { section: "4.1.4.10" });
    }
  }

  generation(): number {
    return 0;
  }

  notify(kickValue: number): Awaitable<void> {
    return this.#notify.write(kickValue);
  }
}

/** The queues of the legacy header. */
class LegacyPciQueues implements PortQueues {
  readonly #select: PortRegister;
  readonly #size: PortRegister;
  readonly #page: PortRegister;
  readonly #vector: PortRegister;
  readonly #vectors: PortVectors;

  constructor(header: RegisterBus, vectors: PortVectors) {
    this.#select = registerAt(header, pci.VIRTIO_PCI_QUEUE_SEL, 2);
    this.#size = registerAt(header, pci.VIRTIO_PCI_QUEUE_NUM, 2);
    this.#page = registerAt(header, pci.VIRTIO_PCI_QUEUE_PFN, 4);
    this.#vector = registerAt(header, pci.VIRTIO_MSI_QUEUE_VECTOR, 2);
    this.#vectors = vectors;
  }

  wereReset(): void {}

  *maxSize(index: number): Sequence<number> {
    if (index >= MOST_QUEUES) return 0;
    yield this.#select.write(index);
    return yield this.#size.read();
  }

  /** @throws VirtioError RING_ALIGN or BAD_ARGUMENT before any access; QUEUE_LOCKED, QUEUE_SIZE_INVALID before a change */
  *enable(index: number, setup: PortQueueSetup): Sequence<void> {
    requireIndex(index);
    const page = legacyPage(index, setup, "4.1.5.1.3.1");
    const vector = this.#vectors.queueVector(index);
    const size = yield* this.maxSize(index);
    requireIdle(index, "Queue Address", yield this.#page.read(), "4.1.4.10");
    if (setup.size !== size) {
      const text = `queue ${index}: ${setup.size} descriptors, a legacy device's ${size} can't be changed`;
      throw new VirtioError("QUEUE_SIZE_INVALID", text, { section: "4.1.5.1.3.1", queue: index });
    }
    yield* this.#vectors.mapQueue(this.#vector, index, vector);
    yield this.#page.write(page);
  }

  *isReady(index: number): Sequence<boolean> {
    requireIndex(index);
    yield this.#select.write(index);
    return (yield this.#page.read()) !== 0;
  }

  // biome-ignore lint/correctness/useYield: there is no register to reach
  *reset(index: number): Sequence<void> {
    const text = `queue ${index} can't be reset by itself: the legacy interface has no queue_reset`;
    throw new VirtioError("STATUS_SEQUENCE", text, { section: "4.1.4.10", queue: index });
  }

  // biome-ignore lint/correctness/useYield: there is no register to reach
  *isInReset(): Sequence<boolean> {
    return false;
  }
}

/**
 * How many bytes BAR 0 gives to the legacy interface, if the function has one (§4.1.2.3, §4.1.5.1.1.1).
 *
 * @throws VirtioError PCI_ID if it is not transitional, PCI_CAPABILITY without I/O space in BAR 0
 */
export async function legacyWindow(
  bus: PciBus,
  identity: FunctionIdentity,
  vectors: PortVectors,
): Promise<number> {
  if (!isTransitional(identity)) {
    const { pciDeviceId, revision } = identity;
    const text = `device ${hex(pciDeviceId, 4)} of revision ${revision} has no legacy interface: transitional devices have ${hex(pci.VIRTIO_PCI_DEVICE_ID_MIN, 4)}…${hex(pci.VIRTIO_PCI_MODERN_DEVICE_ID - 1, 4)} and revision 0`;
    throw new VirtioError("PCI_ID", text, { section: "4.1.2.3" });
  }
  const [base, size] = [await bus.readConfig(PCI_BASE_ADDRESS_0, 4), await bus.barSize(0)];
  const needed = headerBytes(vectors);
  if ((base & PCI_BASE_ADDRESS_SPACE_IO) !== 0 && size >= needed) return size;
  const text = `BAR 0 reads ${hex(base, 8)} and has ${size} bytes: the legacy interface is I/O space of ${needed} or more`;
  throw new VirtioError("PCI_CAPABILITY", text, { section: "4.1.4.10" });
}

/** The header, and with MSI-X on its two vectors: the configuration begins behind that. */
function headerBytes({ isEnabled }: PortVectors): number {
  return isEnabled ? pci.VIRTIO_PCI_CONFIG_WITH_MSIX : pci.VIRTIO_PCI_CONFIG_WITHOUT_MSIX;
}
