/** The exact counters of one ring on one workload, per chain. */

/** Counts of one side, per chain. */
export interface SideCounts {
  readonly instructions: number;
  readonly loads: number;
  readonly stores: number;
  /** Distinct 64-byte lines of a batch, divided by its chains. */
  readonly lines: number;
}

export interface CounterRow {
  readonly ring: string;
  readonly chain: string;
  readonly batch: number;
  readonly notify: string;
  readonly driver: SideCounts;
  readonly device: SideCounts;
  /** Lines of the rings that change hands between driver and device. */
  readonly transfers: number;
  /** Bursts that a PCI device would read from, and write to, the driver's memory. */
  readonly pciReads: number;
  readonly pciWrites: number;
  /** Notifications asked for by the publishes. */
  readonly availableNotifications: number;
  readonly usedNotifications: number;
}
