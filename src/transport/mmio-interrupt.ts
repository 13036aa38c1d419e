/**
 * InterruptStatus and InterruptACK (§4.2.2, §4.2.3.4): one bit for used buffers of any queue, one for the configuration,
 * and a line that is high while either is set. A bit stays until it is acknowledged; reading changes nothing.
 */
import type { InterruptKind } from "../device/interrupts";
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import {
  VIRTIO_MMIO_INT_CONFIG,
  VIRTIO_MMIO_INT_VRING,
  VIRTIO_MMIO_INTERRUPT_ACK,
  VIRTIO_MMIO_INTERRUPT_STATUS,
} from "../spec/mmio";
import type { MmioRegister } from "./mmio-register";

const DEFINED = VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG;

/** The interrupt of one device. */
export class MmioInterrupt {
  private status = 0;
  private readonly onLevel: (level: boolean) => void;

  /** @param onLevel hears of each change of the line, after it */
  constructor(onLevel: (level: boolean) => void) {
    this.onLevel = onLevel;
  }

  /** InterruptStatus. */
  get bits(): number {
    return this.status;
  }

  /** Whether the line is high. */
  get level(): boolean {
    return this.status !== 0;
  }

  /** Something happened. */
  raise(kind: InterruptKind): void {
    this.become(this.status | (kind === "config" ? VIRTIO_MMIO_INT_CONFIG : VIRTIO_MMIO_INT_VRING));
  }

  /** §4.2.2.1: a reset of the device clears all bits. */
  reset(): void {
    this.become(0);
  }

  /** Sets bits of an image, in addition to those of what happened since. */
  restore(bits: number): void {
    this.become(this.status | bits);
  }

  registers(violation: (error: VirtioError) => void): MmioRegister[] {
    return [
      { at: VIRTIO_MMIO_INTERRUPT_STATUS, name: "InterruptStatus", read: () => this.status },
      {
        at: VIRTIO_MMIO_INTERRUPT_ACK,
        name: "InterruptACK",
        write: (value) => {
          const undefinedBits = (value & ~DEFINED) >>> 0;
          if (undefinedBits !== 0) violation(unknownBits(value, undefinedBits));
          this.become(this.status & ~value);
        },
      },
    ];
  }

  private become(status: number): void {
    const before = this.level;
    this.status = status;
    if (this.level !== before) this.onLevel(this.level);
  }
}

function unknownBits(value: number, bits: number): VirtioError {
  const reason = `InterruptACK ${hex(value)} has undefined bits ${hex(bits)}; those of ${hex(DEFINED)} count`;
  return new VirtioError("RESERVED_FLAGS", reason, { section: "4.2.2.2" });
}
