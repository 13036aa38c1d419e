/**
 * How the driver hears of a device on PCI (§4.1.4.5, §4.1.5.3, §4.1.5.4): the ISR status and the INTx line that follows
 * it, or messages of MSI-X once that is enabled. Reading the ISR status clears it and lowers the line.
 */
import type { InterruptKind } from "../device/interrupts";
import { VIRTIO_PCI_ISR_CONFIG, VIRTIO_PCI_ISR_QUEUE } from "../spec/pci";
import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, PCI_STATUS, PCI_STATUS_INTERRUPT } from "../spec/pci-header";
import type { PciConfigSpace } from "./pci-config-space";
import type { PciMsix } from "./pci-msix";
import type { PciRegister } from "./pci-register";

/** What interrupts rest on. */
export interface PciInterruptParts {
  readonly config: PciConfigSpace;
  /** Undefined for a device without MSI-X. */
  readonly msix: PciMsix | undefined;
  /** The vector that an event is mapped to. */
  vectorOf(kind: InterruptKind, queue: number): number;
  /** Hears of each change of the line, after it. */
  onLevel(level: boolean): void;
}

/** The interrupts of one device. */
export class PciInterrupts {
  /** The line is high. */
  level = false;
  private readonly parts: PciInterruptParts;
  private status = 0;

  constructor(parts: PciInterruptParts) {
    this.parts = parts;
  }

  /** The ISR status, without the effects of reading it. */
  get isr(): number {
    return this.status;
  }

  /** Something happened. */
  raise(kind: InterruptKind, queue = 0): void {
    const { msix } = this.parts;
    const isMessage = msix?.isEnabled === true;
    // §4.1.4.5.1: the configuration's bit is set in any case, a queue's only without MSI-X.
    if (kind === "config") this.become(this.status | VIRTIO_PCI_ISR_CONFIG);
    else if (!isMessage) this.become(this.status | VIRTIO_PCI_ISR_QUEUE);
    if (isMessage) msix.send(this.parts.vectorOf(kind, queue));
  }

  /** The device was reset. */
  reset(): void {
    this.parts.msix?.reset();
    this.become(0);
  }

  /** Sets bits of an image, in addition to those of what happened since. */
  restore(isr: number): void {
    this.become(this.status | isr);
  }

  /** ISR status at its place in a window. */
  register(at: number): PciRegister {
    return {
      at,
      bytes: 1,
      name: "ISR status",
      read: () => {
        const { status } = this;
        this.become(0);
        return status;
      },
    };
  }

  /** The command register or MSI-X's control has changed. */
  update(): void {
    const { config, msix, onLevel } = this.parts;
    const isPending = this.status !== 0 && msix?.isEnabled !== true;
    const status = config.get(PCI_STATUS, 2) & ~PCI_STATUS_INTERRUPT;
    config.put(PCI_STATUS, isPending ? status | PCI_STATUS_INTERRUPT : status, 2);
    const level = isPending && (config.get(PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE) === 0;
    if (level === this.level) return;
    this.level = level;
    onLevel(level);
  }

  private become(status: number): void {
    this.status = status;
    this.update();
  }
}
