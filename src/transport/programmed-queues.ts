/**
 * Queues as virtio-pci and virtio-mmio (version 2) have them set up: three 64-bit addresses in halves, an enable
 * register, and a reset of one queue (§2.6.1, §4.1.4.3, §4.2.2). Whether a set-up is sound is the device's to judge.
 */
import { VirtioError } from "../errors";
import { QueueSelect } from "./queue-select";

/** What is programmed for a queue, whatever the transport. */
export interface ProgrammedQueue {
  /** Low and high half of each address: of the descriptor, the driver and the device area. */
  readonly halves: Uint32Array;
  /** A queue reset is under way. */
  isResetting: boolean;
}

/** Halves of addresses that a queue has. */
export const ADDRESS_HALVES = 6;

/** A queue's values as a reset leaves them. */
export const freshQueue = (): ProgrammedQueue => ({
  halves: new Uint32Array(ADDRESS_HALVES),
  isResetting: false,
});

/** All queues of a device, one of them selected. */
export class ProgrammedQueues<Queue extends ProgrammedQueue> extends QueueSelect<Queue> {
  /** @param half 0…5, in the order of {@link ProgrammedQueue.halves} */
  programHalf(name: string, half: number, value: number): void {
    this.program(name, value, ({ halves }) => halves.fill(value, half, half + 1));
  }

  /** Enables the selected queue as it is programmed; one that is enabled stays as it is. */
  enable(size: number): void {
    if (this.isReady) return;
    const { halves } = this.fields ?? freshQueue();
    const areas = { descriptor: address(halves, 0), driver: address(halves, 1), device: address(halves, 2) };
    this.device.enableQueue(this.index, { size, areas });
  }

  /** Resets the selected queue. The device has let go of it when this returns, so only a listener sees the 1. */
  resetQueue(): void {
    const { device, index, fields } = this;
    const wasReady = this.isReady;
    if (fields !== undefined) fields.isResetting = wasReady;
    try {
      device.resetQueue(index);
    } finally {
      if (fields !== undefined) fields.isResetting = false;
    }
    if (wasReady && !this.isReady) this.resetSelected();
  }

  /**
   * Tells of a value that a register doesn't define: it takes 0 and 1, anything else is not stored.
   *
   * @returns whether the value is one of the two
   */
  isBit(name: string, value: number, section: string): boolean {
    if (value <= 1) return true;
    const reason = `${name} ${value} of queue ${this.index} is neither 0 nor 1`;
    this.device.violation(new VirtioError("BAD_ARGUMENT", reason, { section, queue: this.index }));
    return false;
  }
}

function address(halves: Uint32Array, area: 0 | 1 | 2): bigint {
  return (BigInt(halves[2 * area + 1] ?? 0) << 32n) | BigInt(halves[2 * area] ?? 0);
}
