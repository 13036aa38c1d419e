/**
 * The queues of virtio-mmio, version 1 (§4.2.4): GuestPageSize, QueueAlign and QueuePFN, with the three areas of a queue
 * one behind the other as legacy drivers lay them out (§2.7.2). Non-zero QueuePFN means in use; 0 stops the queue.
 */
import type { VirtioDevice } from "../device/device";
import type { QueueSetup } from "../device/queues";
import { VirtioError } from "../errors";
import { VIRTIO_MMIO_GUEST_PAGE_SIZE, VIRTIO_MMIO_QUEUE_ALIGN, VIRTIO_MMIO_QUEUE_PFN } from "../spec/mmio";
import { judgeProgrammed } from "./device-part";
import { legacyAreas } from "./legacy-queue-areas";
import type { MmioImage, MmioQueuesImage } from "./mmio-image";
import { MMIO_QUEUE_SECTIONS, queueSelectRegisters } from "./mmio-queue-select";
import type { MmioRegister } from "./mmio-register";
import { QueueSelect } from "./queue-select";

/** What is programmed for a queue. */
interface QueueFields {
  size: number;
  /** Bytes. */
  align: number;
  /** The page that the queue begins at, while it is in use. */
  pfn: number;
  /** What GuestPageSize was when the page was told, bytes: a later one doesn't move the queue. */
  pageSize: number;
}

const fresh = (): QueueFields => ({ size: 0, align: 0, pfn: 0, pageSize: 0 });

/** The legacy queue registers of one device. */
export class MmioLegacyQueues {
  private readonly device: VirtioDevice;
  private readonly select: QueueSelect<QueueFields>;
  /** Bytes. Outlives a reset: Linux writes it once when it finds the device, and resets the device afterwards. */
  private pageSize = 0;

  constructor(device: VirtioDevice) {
    this.device = device;
    this.select = new QueueSelect(device, fresh, MMIO_QUEUE_SECTIONS);
  }

  /** The device was reset: QueuePFN is 0 for all queues. */
  reset(): void {
    this.select.reset();
  }

  save(): MmioQueuesImage {
    const { index, all } = this.select;
    const programmed = all.map(({ size, align, pfn, pageSize }) => [size, align, pfn, pageSize]);
    return { queueSel: index, guestPageSize: this.pageSize, programmed };
  }

  /** @throws VirtioError SNAPSHOT_INVALID; nothing has changed then */
  judge(image: MmioImage): void {
    judgeProgrammed(image.device, (index) => {
      const fields = fieldsOf(image.queues.programmed[index] ?? []);
      return misfit(fields) === undefined ? [setupOf(fields)] : [];
    });
  }

  restore(image: MmioQueuesImage): void {
    this.pageSize = image.guestPageSize;
    this.select.goOn(image.queueSel, image.programmed.map(fieldsOf));
  }

  registers(): MmioRegister[] {
    const { select } = this;
    return [
      ...queueSelectRegisters(this.device, select, "QueueNum"),
      {
        at: VIRTIO_MMIO_GUEST_PAGE_SIZE,
        name: "GuestPageSize",
        write: (value) => {
          this.pageSize = value;
        },
      },
      {
        at: VIRTIO_MMIO_QUEUE_ALIGN,
        name: "QueueAlign",
        write: (value) =>
          select.program("QueueAlign", value, (fields) => {
            fields.align = value;
          }),
      },
      {
        at: VIRTIO_MMIO_QUEUE_PFN,
        name: "QueuePFN",
        read: () => (this.device.queueReady(select.index) ? (select.fields?.pfn ?? 0) : 0),
        write: (value) => this.writePfn(value),
      },
    ];
  }

  private writePfn(pfn: number): void {
    const { device, select, pageSize } = this;
    const { index } = select;
    if (pfn === 0) {
      device.disableQueue(index);
      return;
    }
    select.program("QueuePFN", pfn, (fields) => {
      const wanted = { ...fields, pfn, pageSize };
      const wrong = misfit(wanted);
      if (wrong !== undefined) {
        const reason = `QueuePFN ${pfn} of queue ${index}: ${wrong}`;
        device.violation(new VirtioError("BAD_ARGUMENT", reason, { section: "4.2.4", queue: index }));
        return;
      }
      Object.assign(fields, wanted);
      device.enableQueue(index, setupOf(wanted));
    });
  }
}

function fieldsOf([size = 0, align = 0, pfn = 0, pageSize = 0]: readonly number[]): QueueFields {
  return { size, align, pfn, pageSize };
}

function setupOf({ size, align, pfn, pageSize }: QueueFields): QueueSetup {
  return { size, areas: legacyAreas(BigInt(pfn) * BigInt(pageSize), size, align) };
}

/** §4.2.4: why no place follows from these, if so. */
function misfit({ align, pageSize }: QueueFields): string | undefined {
  return notPowerOfTwo("GuestPageSize", pageSize) ?? notPowerOfTwo("QueueAlign", align);
}

function notPowerOfTwo(name: string, value: number): string | undefined {
  const isPower = value !== 0 && (value & (value - 1)) === 0;
  return isPower ? undefined : `${name} ${value} is no power of two`;
}
