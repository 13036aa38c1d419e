/**
 * One control register of virtio-mmio (§4.2.2, §4.2.4), as the parts of the transport contribute them. Its direction
 * follows from what it has: without `write` it is read-only (R), without `read` write-only (W).
 */

/** A 32-bit register at its place in the window. */
export interface MmioRegister {
  /** Offset from the start of the window, a multiple of 4 below 0x100. */
  readonly at: number;
  /** As §4.2.2 has it, for messages. */
  readonly name: string;
  /** A u32. */
  readonly read?: () => number;
  /** @param value a u32 */
  readonly write?: (value: number) => void;
}
