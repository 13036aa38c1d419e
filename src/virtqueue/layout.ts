/**
 * The layout gate: what a ring looks like, from *negotiated* features alone (§2.6, §2.7, §2.8, §2.9).
 * The only place in the project that asks for VIRTIO_F_RING_PACKED. Offered and accepted sets have no say here.
 */
import type { FeatureSet } from "../negotiation/feature-set";
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_IN_ORDER,
  VIRTIO_F_INDIRECT_DESC,
  VIRTIO_F_NOTIFICATION_DATA,
  VIRTIO_F_NOTIFY_ON_EMPTY,
  VIRTIO_F_RING_PACKED,
  VIRTIO_F_VERSION_1,
} from "../spec/features";
import { PACKED_EVENT_ALIGN, PACKED_EVENT_SIZE } from "../spec/packed";
import { VIRTQ_DESC_ALIGN, VIRTQ_DESC_SIZE } from "../spec/queue";
import {
  VIRTQ_AVAIL_ALIGN,
  VIRTQ_AVAIL_ENTRY_SIZE,
  VIRTQ_AVAIL_RING,
  VIRTQ_USED_ALIGN,
  VIRTQ_USED_ENTRY_SIZE,
  VIRTQ_USED_RING,
} from "../spec/split";

/** A guest-physical address: a number up to 2^53-1, or a bigint up to 2^64-1. */
export type GuestAddress = number | bigint;

/** The ring layout and its options, the same for every queue of a device until its reset. */
export interface RingLayout {
  readonly layout: "split" | "packed";
  /** VIRTIO_F_EVENT_IDX: notifications are asked for by position (§2.7.7, §2.8.10). */
  readonly eventIdx: boolean;
  /** VIRTIO_F_INDIRECT_DESC: a descriptor may name a table (§2.7.5.3, §2.8.7). */
  readonly indirect: boolean;
  /** VIRTIO_F_IN_ORDER: buffers are used in the order they were made available (§2.7.9, §2.8.8). */
  readonly inOrder: boolean;
  /** VIRTIO_F_NOTIFICATION_DATA: a notification carries the ring position (§2.9). */
  readonly notificationData: boolean;
  /** VIRTIO_F_NOTIFY_ON_EMPTY, on the legacy interface alone (§6.3). */
  readonly notifyOnEmpty: boolean;
  /** Why this layout, for people. */
  readonly reason: string;
}

/** Size and alignment of one area, in bytes. */
export interface RingArea {
  readonly bytes: number;
  readonly align: number;
}

/** The three areas of a virtqueue (§2.6). */
export interface RingAreas {
  readonly descriptor: RingArea;
  readonly driver: RingArea;
  readonly device: RingArea;
}

/**
 * Turns negotiated features into a ring layout.
 *
 * @param negotiated the set that FEATURES_OK confirmed (or first use, on the legacy interface)
 */
export function ringLayout(negotiated: FeatureSet): RingLayout {
  const packed = negotiated.has(VIRTIO_F_RING_PACKED);
  return Object.freeze({
    layout: packed ? "packed" : "split",
    eventIdx: negotiated.has(VIRTIO_F_EVENT_IDX),
    indirect: negotiated.has(VIRTIO_F_INDIRECT_DESC),
    inOrder: negotiated.has(VIRTIO_F_IN_ORDER),
    notificationData: negotiated.has(VIRTIO_F_NOTIFICATION_DATA),
    notifyOnEmpty: negotiated.has(VIRTIO_F_NOTIFY_ON_EMPTY) && !negotiated.has(VIRTIO_F_VERSION_1),
    reason: `VIRTIO_F_RING_PACKED (bit ${VIRTIO_F_RING_PACKED}) was ${packed ? "" : "not "}negotiated`,
  });
}

/**
 * Sizes and alignments of a queue's areas (§2.7, §2.8).
 *
 * @param layout as the gate gave it
 * @param size queue size in descriptors, 1…32768
 */
export function ringAreas(layout: "split" | "packed", size: number): RingAreas {
  const descriptor = { bytes: size * VIRTQ_DESC_SIZE, align: VIRTQ_DESC_ALIGN };
  if (layout === "packed") {
    const event = { bytes: PACKED_EVENT_SIZE, align: PACKED_EVENT_ALIGN };
    return { descriptor, driver: event, device: event };
  }
  const event = 2; // used_event and avail_event stand behind their rings
  return {
    descriptor,
    driver: { bytes: VIRTQ_AVAIL_RING + size * VIRTQ_AVAIL_ENTRY_SIZE + event, align: VIRTQ_AVAIL_ALIGN },
    device: { bytes: VIRTQ_USED_RING + size * VIRTQ_USED_ENTRY_SIZE + event, align: VIRTQ_USED_ALIGN },
  };
}
