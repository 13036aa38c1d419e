/**
 * The modern interface of virtio-pci as a driver uses it (§4.1.4.3): features, status and configuration. Its queues are in
 * pci-port-modern-queues.ts.
 */
import type { Awaitable } from "../driver/port";
import * as pci from "../spec/pci";
import type { AcceptedFeatures } from "./pci-port-features";
import { ModernPciQueues } from "./pci-port-modern-queues";
import { PortNotifyAddresses } from "./pci-port-notify";
import type { PciRegisters } from "./pci-port-registers";
import type { PortStructures } from "./pci-port-structures";
import type { PortVectors } from "./pci-port-vectors";
import {
  configWindow,
  type PortRegister,
  type PortWindow,
  registerAt,
  type Windows,
} from "./pci-port-window";
import type { RegisterBus } from "./register-bus";
import type { Sequence } from "./register-sequence";

/** Where the configuration would be if there were any. */
const NO_CONFIGURATION = { bar: 0, offset: 0, length: 0 };

/** The registers of a device that has the capabilities. */
export class ModernPciRegisters implements PciRegisters {
  readonly status: PortRegister;
  readonly isr: PortRegister;
  readonly configVector: PortRegister;
  readonly config: RegisterBus;
  readonly queues: ModernPciQueues;
  readonly #common: PortWindow;
  readonly #notify: PortNotifyAddresses;

  constructor(
    windows: Windows,
    structures: PortStructures,
    features: AcceptedFeatures,
    vectors: PortVectors,
  ) {
    const { common, notify, isr, device = NO_CONFIGURATION } = structures;
    const window = windows(common);
    this.#common = window;
    this.status = registerAt(window, pci.VIRTIO_PCI_COMMON_STATUS, 1);
    this.isr = registerAt(windows(isr), 0, 1);
    this.configVector = registerAt(window, pci.VIRTIO_PCI_COMMON_MSIX, 2);
    this.config = configWindow(windows(device), true);
    this.#notify = new PortNotifyAddresses(window, windows(notify), notify, features);
    this.queues = new ModernPciQueues(window, this.#notify, features, vectors);
  }

  *offered(word: number): Sequence<number> {
    yield this.#common.write(pci.VIRTIO_PCI_COMMON_DFSELECT, 4, word);
    return (yield this.#common.read(pci.VIRTIO_PCI_COMMON_DF, 4)) >>> 0;
  }

  *accept(word: number, value: number): Sequence<void> {
    yield this.#common.write(pci.VIRTIO_PCI_COMMON_GFSELECT, 4, word);
    yield this.#common.write(pci.VIRTIO_PCI_COMMON_GF, 4, value >>> 0);
  }

  generation(): Awaitable<number> {
    return this.#common.read(pci.VIRTIO_PCI_COMMON_CFGGENERATION, 1);
  }

  notify(kickValue: number): Awaitable<void> {
    return this.#notify.send(kickValue);
  }
}
