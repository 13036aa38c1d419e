/**
 * The legacy interface of a transitional device, BAR 0 in I/O space (§4.1.4.10): a header, and the device-specific
 * configuration right behind it, which moves by four bytes while MSI-X is enabled. Reads are of any width.
 */
import type { VirtioDevice } from "../device/device";
import {
  VIRTIO_MSI_CONFIG_VECTOR,
  VIRTIO_MSI_QUEUE_VECTOR,
  VIRTIO_PCI_CONFIG_WITH_MSIX,
  VIRTIO_PCI_CONFIG_WITHOUT_MSIX,
  VIRTIO_PCI_ISR,
  VIRTIO_PCI_QUEUE_NOTIFY,
  VIRTIO_PCI_QUEUE_NUM,
  VIRTIO_PCI_QUEUE_PFN,
  VIRTIO_PCI_QUEUE_SEL,
  VIRTIO_PCI_STATUS,
} from "../spec/pci";
import type { PciDeviceFields } from "./pci-device-fields";
import type { PciInterrupts } from "./pci-interrupts";
import type { PciMsix } from "./pci-msix";
import { legacySetup, type PciQueues } from "./pci-queues";
import { lowBytes, type PciRegister, readOnly, wrongWidth } from "./pci-register";
import type { PciStructure } from "./pci-structure";
import type { PciVectors } from "./pci-vectors";

/** What the window shows; all of it but its shape is shared with the modern interface. */
export interface LegacyWindowParts {
  readonly device: VirtioDevice;
  readonly fields: PciDeviceFields;
  readonly queues: PciQueues;
  readonly interrupts: PciInterrupts;
  readonly vectors: PciVectors;
  readonly msix: PciMsix | undefined;
}

/** The window of one device. */
export class PciLegacyWindow implements PciStructure {
  readonly name = "the legacy window";
  readonly window = "legacy";
  readonly length: number;
  private readonly device: VirtioDevice;
  private readonly msix: PciMsix | undefined;
  private readonly registers: readonly PciRegister[];

  constructor(parts: LegacyWindowParts) {
    const { device, fields, queues, interrupts, vectors, msix } = parts;
    this.device = device;
    this.msix = msix;
    this.length = VIRTIO_PCI_CONFIG_WITH_MSIX + device.configLength;
    this.registers = [
      ...fields.legacyFeatureRegisters(),
      ...queueRegisters(device, queues),
      fields.statusRegister(VIRTIO_PCI_STATUS),
      interrupts.register(VIRTIO_PCI_ISR),
      vectors.register(VIRTIO_MSI_CONFIG_VECTOR),
      queues.vectorRegister(VIRTIO_MSI_QUEUE_VECTOR),
    ];
  }

  read(offset: number, bytes: 1 | 2 | 4): number {
    const { header } = this;
    if (offset >= header) return this.device.readConfig(offset - header, bytes);
    let value = 0;
    for (const register of this.touched(offset, bytes)) {
      const whole = register.read?.() ?? 0;
      for (let i = 0; i < register.bytes; i++) {
        const at = register.at + i - offset;
        if (at >= 0 && at < bytes) value += ((whole >>> (8 * i)) & 0xff) * 2 ** (8 * at);
      }
    }
    for (let at = Math.max(0, header - offset); at < bytes; at++)
      value += this.device.readConfig(offset + at - header, 1) * 2 ** (8 * at);
    return value;
  }

  write(offset: number, value: number, bytes: 1 | 2 | 4): void {
    const { header, device } = this;
    if (offset >= header) {
      device.writeConfig(offset - header, bytes, value);
      return;
    }
    const cut = this.touched(offset, bytes).find(
      ({ at, bytes: its }) => at < offset || at + its > offset + bytes,
    );
    if (cut !== undefined || offset + bytes > header) {
      const access = { how: "write", offset, bytes, place: this.name } as const;
      const wanted =
        cut === undefined ? `the header ends at ${header}` : `${cut.name} takes ${cut.bytes} at ${cut.at}`;
      device.violation(wrongWidth(access, wanted));
      return;
    }
    for (const { at, bytes: its, name, write } of this.touched(offset, bytes)) {
      const part = lowBytes(value >>> (8 * (at - offset)), its);
      if (write === undefined) device.violation(readOnly(name, part));
      else write(part);
    }
  }

  /** Where the device-specific configuration begins now. */
  private get header(): number {
    return this.msix?.isEnabled === true ? VIRTIO_PCI_CONFIG_WITH_MSIX : VIRTIO_PCI_CONFIG_WITHOUT_MSIX;
  }

  private touched(offset: number, bytes: number): PciRegister[] {
    const { header } = this;
    return this.registers.filter(
      ({ at, bytes: its }) => at < header && at < offset + bytes && offset < at + its,
    );
  }
}

function queueRegisters(device: VirtioDevice, queues: PciQueues): PciRegister[] {
  return [
    {
      at: VIRTIO_PCI_QUEUE_PFN,
      bytes: 4,
      name: "queue address",
      read: () => (queues.isReady ? (queues.fields?.page ?? 0) : 0),
      write: (page) => writePage(device, queues, page),
    },
    {
      at: VIRTIO_PCI_QUEUE_NUM,
      bytes: 2,
      name: "queue_size",
      read: () => device.queueMaxSize(queues.index),
    },
    queues.selectRegister(VIRTIO_PCI_QUEUE_SEL),
    { at: VIRTIO_PCI_QUEUE_NOTIFY, bytes: 2, name: "queue notify", write: (index) => device.notify(index) },
  ];
}

/** §4.1.5.1.3.1: the size is not the driver's to choose; page 0 stops the queue. */
function writePage(device: VirtioDevice, queues: PciQueues, page: number): void {
  const { index } = queues;
  if (page === 0) {
    device.disableQueue(index);
    return;
  }
  queues.program("queue address", page, (fields) => {
    fields.page = page;
    device.enableQueue(index, legacySetup(page, device.queueCapacity(index)));
  });
}
