/**
 * A virtio-pci function as plain data (docs/decisions/0006): what the driver wrote to its registers, with the image of the
 * device behind them. Guest memory and the interrupt controller are the emulator's.
 */
import type { DeviceImage } from "../device/device-image-form";
import { readSealed, type Sealed } from "../device/image-seal";
import { invalid, listOf, nullOr, oneOf, record, whole } from "../device/image-shape";
import { VIRTIO_MSI_NO_VECTOR, VIRTIO_PCI_ISR_CONFIG, VIRTIO_PCI_ISR_QUEUE } from "../spec/pci";
import { PCI_MSIX_ENTRY_CTRL_MASKBIT } from "../spec/pci-header";
import { DEVICE_PART } from "./device-part";
import { ADDRESS_HALVES } from "./programmed-queues";

/** A function as plain data: JSON-safe, versioned, checked. `JSON.stringify` of it is its text form. */
export interface PciImage extends PciRegistersImage, Sealed {
  readonly schema: "virtq.pci/1";
  /** ISR status. */
  readonly isr: number;
  readonly device: DeviceImage;
}

/** What the registers hold that nothing but accesses of the driver, and messages that wait, change. */
export interface PciRegistersImage {
  /** All 256 bytes: command, base addresses, the interrupt line, MSI-X's control, the window of §4.1.4.9. */
  readonly config: readonly number[];
  readonly deviceFeatureSelect: number;
  readonly driverFeatureSelect: number;
  readonly queueSelect: number;
  /** The vector of configuration changes; 0xffff: none. */
  readonly configVector: number;
  /** What is programmed, by queue. */
  readonly queues: readonly PciQueueImage[];
  /** The MSI-X table as words, and the vectors whose message waits. */
  readonly table: readonly number[];
  readonly pending: readonly number[];
}

/** What is programmed for a queue, enabled or not. */
export interface PciQueueImage {
  /** Descriptors, as written; null if nothing was. */
  readonly size: number | null;
  readonly vector: number;
  /** The page of a legacy driver. */
  readonly page: number;
  /** The halves of the three addresses. */
  readonly halves: readonly number[];
}

const U16 = whole(0xffff);
const U32 = whole(0xffff_ffff);

const IMAGE = record<PciImage>({
  schema: oneOf("virtq.pci/1"),
  config: listOf(whole(0xff)),
  deviceFeatureSelect: U32,
  driverFeatureSelect: U32,
  queueSelect: U16,
  configVector: U16,
  isr: whole(VIRTIO_PCI_ISR_QUEUE | VIRTIO_PCI_ISR_CONFIG),
  queues: listOf(record<PciQueueImage>({ size: nullOr(U16), vector: U16, page: U32, halves: listOf(U32) })),
  table: listOf(U32),
  pending: listOf(U16),
  device: DEVICE_PART,
  checksum: U32,
});

/** What an image has to fit. */
export interface PciImageFrame {
  /** The first byte of configuration space that differs where the driver has nothing to say. */
  misfit(config: readonly number[]): number | undefined;
  readonly queues: number;
  readonly vectors: number;
}

/**
 * Reads an image, or its text, for a transport of this frame.
 *
 * @throws VirtioError SNAPSHOT_INVALID for what is damaged or doesn't fit
 */
export function readPciImage(given: unknown, { misfit, queues, vectors }: PciImageFrame): PciImage {
  const image = readSealed(given, "virtq.pci/1", IMAGE);
  const at = misfit(image.config);
  if (at !== undefined)
    invalid(`configuration space is another one from byte ${at} on, of ${image.config.length}`);
  if (image.queues.length !== queues) invalid(`image of ${image.queues.length} queues, there are ${queues}`);
  const isVector = (vector: number) => vector < vectors || vector === VIRTIO_MSI_NO_VECTOR;
  const stray = [image.configVector, ...image.queues.map(({ vector }) => vector)].find((v) => !isVector(v));
  if (stray !== undefined) invalid(`vector ${stray} is mapped, there are ${vectors}`);
  const broken = image.queues.findIndex(({ halves }) => halves.length !== ADDRESS_HALVES);
  if (broken >= 0) invalid(`queue ${broken} has not ${ADDRESS_HALVES} halves of addresses`);
  judgeMsix(image, vectors);
  return image;
}

function judgeMsix({ table, pending }: PciImage, vectors: number): void {
  if (table.length !== 4 * vectors)
    invalid(`MSI-X table of ${table.length} words, here it has ${4 * vectors}`);
  for (let vector = 0; vector < vectors; vector++) {
    const [low = 0, , , control = 0] = table.slice(4 * vector, 4 * vector + 4);
    if ((low & 3) !== 0 || control > PCI_MSIX_ENTRY_CTRL_MASKBIT)
      invalid(`MSI-X vector ${vector}: address ${low} and control ${control} can't be written`);
  }
  pending.forEach((vector, i) => {
    if (vector >= vectors || vector <= (pending[i - 1] ?? -1))
      invalid(`pending vector ${vector} in place ${i}: they ascend and are below ${vectors}`);
  });
}
