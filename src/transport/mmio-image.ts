/**
 * The registers of a virtio-mmio window as plain data, with the image of the device behind it: what a guest that goes on
 * after any of its accesses may still ask for (§4.2.2). Guest memory and the interrupt controller are the emulator's.
 */
import type { DeviceImage } from "../device/device-image-form";
import { readSealed, type Sealed } from "../device/image-seal";
import { invalid, listOf, oneOf, record, whole } from "../device/image-shape";
import { DEVICE_PART } from "./device-part";

/** A window as plain data: JSON-safe, versioned, checked. `JSON.stringify` of it is its text form. */
export interface MmioImage extends Sealed {
  readonly schema: "virtq.mmio/1";
  /** The Version register. */
  readonly version: 1 | 2;
  readonly interruptStatus: number;
  readonly deviceFeaturesSel: number;
  readonly driverFeaturesSel: number;
  /** 0 in version 1. */
  readonly shmSel: number;
  readonly queues: MmioQueuesImage;
  readonly device: DeviceImage;
}

/** The queue registers. */
export interface MmioQueuesImage {
  readonly queueSel: number;
  /** Bytes; 0 in version 2. */
  readonly guestPageSize: number;
  /**
   * By queue: QueueSize and the halves of the addresses in the order of their registers, or QueueNum, QueueAlign, QueuePFN
   * and what GuestPageSize was then.
   */
  readonly programmed: readonly (readonly number[])[];
}

const U32 = whole(0xffffffff);
const WORDS_OF_A_QUEUE = { 1: 4, 2: 7 } as const;

const IMAGE = record<MmioImage>({
  schema: oneOf("virtq.mmio/1"),
  version: oneOf(1, 2),
  interruptStatus: whole(3),
  deviceFeaturesSel: U32,
  driverFeaturesSel: U32,
  shmSel: U32,
  queues: record<MmioQueuesImage>({
    queueSel: U32,
    guestPageSize: U32,
    programmed: listOf(listOf(U32)),
  }),
  device: DEVICE_PART,
  checksum: U32,
});

/**
 * Reads an image for a window of this version and so many queues; the device judges its own part.
 *
 * @throws VirtioError SNAPSHOT_INVALID
 */
export function readMmioImage(given: unknown, version: 1 | 2, queueCount: number): MmioImage {
  const image = readSealed(given, "virtq.mmio/1", IMAGE);
  if (image.version !== version) invalid(`version ${image.version}, the window has ${version}`);
  const { programmed } = image.queues;
  if (programmed.length !== queueCount) invalid(`${programmed.length} queues, the device has ${queueCount}`);
  const words = WORDS_OF_A_QUEUE[version];
  const wrong = programmed.findIndex((queue) => queue.length !== words);
  if (wrong >= 0)
    invalid(`${programmed[wrong]?.length} words of queue ${wrong}, version ${version} has ${words}`);
  return image;
}
