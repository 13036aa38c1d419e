/** What a device counts, for people and for tests: a table of console.table has it in a line. */

/** Numbers that only grow, over all queues and through resets. */
export interface DeviceCounters {
  /** Chains used. */
  readonly chains: number;
  /** Readable bytes of them. */
  readonly bytesToDevice: number;
  /** Bytes written to them. */
  readonly bytesFromDevice: number;
  /** Available buffer notifications received. */
  readonly availableNotifications: number;
  /** Used buffer notifications sent. */
  readonly usedNotifications: number;
  /** Times that the driver was shown used buffers and wanted no notification. */
  readonly usedSuppressed: number;
  /** What the model had to give up. */
  readonly drops: number;
  /** Breaches of the driver. */
  readonly violations: number;
}
