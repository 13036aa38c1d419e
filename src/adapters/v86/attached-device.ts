/** One device on v86's bus: the device half, its registers behind ports, and its line. */
import type { Core } from "../../core/core";
import { VirtioDevice } from "../../device/device";
import type { DeviceCounters } from "../../device/device-counters";
import { VirtioError } from "../../errors";
import { PciTransport } from "../../transport/pci";
import type { TouchedRange } from "../../virtqueue/ring-half";
import type { NamedSpec } from "./attach-options";
import type { V86Bus } from "./bus";

/** What a device is put together from. */
export interface AttachedParts {
  readonly spec: NamedSpec;
  readonly core: Core;
  readonly bus: V86Bus;
  readonly onTouched: (ranges: readonly TouchedRange[]) => void;
  readonly onWork: () => void;
}

/** What a device counts, and how often it raised its line: what the guest's processor has to do with it. */
export interface AttachedCounters extends DeviceCounters {
  readonly interrupts: number;
}

/** A device in a snapshot. */
export interface DeviceRecord {
  readonly name: string;
  /** PCI device number, which the guest knows it by. */
  readonly slot: number;
  /** What the driver programmed, and the device. */
  readonly pci: unknown;
}

/** A device that is attached. */
export class AttachedDevice {
  readonly name: string;
  readonly device: VirtioDevice;
  readonly pci: PciTransport;
  /** Its PCI device number, 1…31. */
  readonly slot: number;
  private raised = 0;

  /** @throws VirtioError as the constructors of VirtioDevice and PciTransport, and when the bus is full */
  constructor({ spec, core, bus, onTouched, onWork }: AttachedParts) {
    const { name, model, profile, transitional = false, offer, onEvent, onViolation } = spec;
    this.name = name;
    this.device = new VirtioDevice(core, model, {
      profile,
      onTouched,
      onWork,
      ...(offer && { offer }),
      ...(onEvent && { onEvent }),
      ...(onViolation && { onViolation }),
    });
    const slot = bus.freeSlot();
    this.slot = slot;
    this.pci = new PciTransport(this.device, {
      transitional,
      structures: { kind: "io" },
      vectors: 0,
      onInterrupt: (level) => {
        if (level) this.raised++;
        bus.drive(slot, level);
      },
    });
    bus.plug(name, slot, this.pci);
  }

  /** What it has done since it was attached, as plain data. */
  get counters(): AttachedCounters {
    return { ...this.device.counters, interrupts: this.raised };
  }

  /** @throws VirtioError DEVICE_BUSY naming the device, when it can't be saved now */
  save(): DeviceRecord {
    const { name, slot, pci } = this;
    return this.named(() => ({ name, slot, pci: pci.save() }));
  }

  /** Judges a record for a device after its reset, before guest RAM is there. @throws VirtioError SNAPSHOT_INVALID naming it */
  judge({ pci }: DeviceRecord): void {
    this.named(() => this.pci.judge(pci));
  }

  /** Goes on where a record left the device, behind guest RAM. @throws VirtioError SNAPSHOT_INVALID naming it */
  restore({ pci }: DeviceRecord): void {
    this.named(() => this.pci.restore(pci));
  }

  /** As when the machine is switched on. */
  reset(): void {
    this.pci.reset();
  }

  /** What goes wrong in there says whose it is. */
  private named<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof VirtioError)) throw error;
      const named = new VirtioError(error.code, `${this.name}: ${error.message}`, { section: error.section });
      named.cause = error;
      throw named;
    }
  }
}
