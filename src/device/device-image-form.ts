/**
 * What a device image is made of, and whether something is one: fields, version and checksum (docs/decisions/0006).
 * Whether it fits a device is device-image-judge.ts.
 */
import type { FeatureWords } from "../negotiation/feature-set";
import type { QueueImage } from "../virtqueue/queue-image";
import { anything, fourOf, listOf, nullOr, oneOf, record, type Shape, text, whole } from "./image-shape";
import { readSealed } from "./sealed-image";
import { PHASES } from "./status";

/** Where a device can be saved: anywhere but in the middle of a reset, which its model still works on. */
export type SavedPhase = (typeof PHASES)[number];

/** A device as plain data: JSON-safe, versioned, checked. `JSON.stringify` of it is its text form. */
export interface DeviceImage {
  readonly schema: "virtq.device/1";
  /** Device ID (§5). */
  readonly deviceId: number;
  /** The status register, and where the device stands, which the byte alone doesn't say. */
  readonly status: number;
  readonly phase: SavedPhase;
  readonly features: FeaturesImage;
  readonly config: ConfigImage;
  /** All queues, by index. */
  readonly queues: readonly QueueRecord[];
  /** What the model's own `save` gave, as JSON; null without one. */
  readonly model: unknown;
  /** FNV-1a over all the rest. */
  readonly checksum: number;
}

/** The three sets as words, and what is known of how the driver came to them. */
export interface FeaturesImage {
  readonly offered: FeatureWords;
  readonly accepted: FeatureWords;
  readonly negotiated: FeatureWords | null;
  /** Whether the driver was taken for a legacy one when the features became final. */
  readonly isLegacy: boolean;
  readonly firstAccess: "config" | "features" | null;
  readonly featuresWritten: boolean;
  readonly window: "legacy" | "modern" | null;
  /** Why the last FEATURES_OK was refused. */
  readonly refusal: string | null;
  /** Whether another set was written after the features became final. */
  readonly writtenLate: boolean;
}

/** The configuration space: what the driver has seen of it, and what it wrote. */
export interface ConfigImage {
  /** The generation, and the notifications counted for profiles that show those instead. */
  readonly generation: number;
  readonly notices: number;
  /** A value changed since the generation was last read. */
  readonly changed: boolean;
  /** Values stand still, for a suspended driver (§3.4.1). */
  readonly frozen: boolean;
  /** A change notification waits for DRIVER_OK. */
  readonly noticeWaits: boolean;
  /** All bytes as they were last shown, and as they were when the generation was last read. */
  readonly bytes: readonly number[];
  readonly seen: readonly number[];
  /** The bytes of each writable field that keeps its own value. */
  readonly kept: readonly { readonly name: string; readonly bytes: readonly number[] }[];
}

/** One queue. */
export interface QueueRecord {
  readonly index: number;
  /** Was reset by itself (§2.6.1). */
  readonly wasReset: boolean;
  /** Null while the queue is disabled. */
  readonly setup: QueueRecordSetup | null;
}

/** An enabled queue. */
export interface QueueRecordSetup {
  /** Descriptors. */
  readonly size: number;
  /** Guest addresses of the areas. */
  readonly areas: { readonly descriptor: number; readonly driver: number; readonly device: number };
  /** The device half; null if it is of no use before the next reset: after DEVICE_NEEDS_RESET and FAILED. */
  readonly image: QueueImage | null;
}

const BYTE = whole(0xff);
const U32 = whole(0xffffffff);
const FLAG = oneOf(false, true);
const WORDS = fourOf(U32);
const ADDRESS = whole(Number.MAX_SAFE_INTEGER);

const FEATURES = record<FeaturesImage>({
  offered: WORDS,
  accepted: WORDS,
  negotiated: nullOr(WORDS),
  isLegacy: FLAG,
  firstAccess: oneOf("config", "features", null),
  featuresWritten: FLAG,
  window: oneOf("legacy", "modern", null),
  refusal: nullOr(text),
  writtenLate: FLAG,
});

const CONFIG = record<ConfigImage>({
  generation: U32,
  notices: BYTE,
  changed: FLAG,
  frozen: FLAG,
  noticeWaits: FLAG,
  bytes: listOf(BYTE),
  seen: listOf(BYTE),
  kept: listOf(record({ name: text, bytes: listOf(BYTE) })),
});

const SETUP = record<QueueRecordSetup>({
  size: whole(0xffff),
  areas: record({ descriptor: ADDRESS, driver: ADDRESS, device: ADDRESS }),
  image: nullOr(anything as Shape<QueueImage>), // DeviceQueue.restore judges it
});

const IMAGE = record<DeviceImage>({
  schema: oneOf("virtq.device/1"),
  deviceId: U32,
  status: BYTE,
  phase: oneOf(...PHASES),
  features: FEATURES,
  config: CONFIG,
  queues: listOf(record<QueueRecord>({ index: whole(0xffff), wasReset: FLAG, setup: nullOr(SETUP) })),
  model: anything,
  checksum: U32,
});

/**
 * Reads an image, or its text: no byte may be missing, added or changed.
 *
 * @param given anything; it is copied, so nobody can change it afterwards
 * @throws VirtioError SNAPSHOT_INVALID
 */
export function readImage(given: unknown): DeviceImage {
  return readSealed(given, "virtq.device/1", IMAGE);
}
