/**
 * What the device halves of some queues count. One tally may outlive its queues: a device keeps one for all of its own,
 * through their resets.
 */

/** Numbers that only grow. */
export class QueueTally {
  /** Chains used. */
  chains = 0;
  /** Readable bytes of those chains; of those taken before a snapshot, none. */
  bytesToDevice = 0;
  /** Bytes that were written to them, as their used lengths say. */
  bytesFromDevice = 0;
  /** Times that used chains were shown and the driver was to be notified. */
  usedNotifications = 0;
  /** Times that used chains were shown and the driver wanted no notification. */
  usedSuppressed = 0;
}
