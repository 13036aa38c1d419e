/**
 * The level-triggered lines of v86's PCI bus. There are four for all devices, by device number and pin, and v86 lets
 * whoever lowers one lower it for all: those of ours that still want it raise it again then.
 */
import { PCI_INTERRUPT_LINE } from "../../spec/pci-header";
import type { V86Pci } from "./emulator";
import { intercept } from "./intercept";

/** Lines there are. */
export const LINES = 4;

/**
 * The line that a device's pin is wired to, as v86 computes it.
 *
 * @param pin 1…4: INTA#…INTD#
 * @returns 0…3
 */
export function lineOf(pciId: number, pin: number): number {
  return ((pin - 1 + ((pciId >> 3) - 1)) & 0xff) % LINES;
}

/** The pin of a device that is on the bus; 0 for none. */
export function pinOf(pci: V86Pci, pciId: number): number {
  return ((pci.device_spaces[pciId]?.[PCI_INTERRUPT_LINE >> 2] ?? 0) >> 8) & 0xff;
}

/** Which of our devices hold a line. */
export class InterruptLines {
  private readonly pci: V86Pci;
  private readonly high = new Set<number>();
  private readonly restore: () => void;

  constructor(pci: V86Pci) {
    this.pci = pci;
    this.restore = intercept(pci, "lower_irq", (lower) => (pciId) => {
      lower(pciId);
      this.raiseAgain(pciId);
    });
  }

  /** A device of ours drives its pin. */
  drive(pciId: number, level: boolean): void {
    const { pci, high } = this;
    if (level) {
      high.add(pciId);
      pci.raise_irq(pciId);
    } else {
      high.delete(pciId);
      pci.lower_irq(pciId);
    }
  }

  /** Leaves the bus as it was. */
  dispose(): void {
    this.restore();
    this.high.clear();
  }

  private raiseAgain(lowered: number): void {
    const { pci, high } = this;
    const line = lineOf(lowered, pinOf(pci, lowered));
    for (const pciId of high) if (lineOf(pciId, pinOf(pci, pciId)) === line) pci.raise_irq(pciId);
  }
}
