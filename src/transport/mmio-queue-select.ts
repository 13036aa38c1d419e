/**
 * The registers that hang on the selected queue in both versions of virtio-mmio (§4.2.2, §4.2.4): QueueSel, the largest
 * size and the size that the driver wants.
 */
import type { VirtioDevice } from "../device/device";
import { VIRTIO_MMIO_QUEUE_SEL, VIRTIO_MMIO_QUEUE_SIZE, VIRTIO_MMIO_QUEUE_SIZE_MAX } from "../spec/mmio";
import type { MmioRegister } from "./mmio-register";
import type { QueueSections, QueueSelect } from "./queue-select";

/** Where virtio-mmio has the rules of programming a queue. */
export const MMIO_QUEUE_SECTIONS: QueueSections = { select: "4.2.2", locked: "4.2.2.2" };

/** QueueSel, QueueSizeMax and QueueSize, of which the legacy names are QueueNumMax and QueueNum. */
export function queueSelectRegisters(
  device: VirtioDevice,
  select: QueueSelect<{ size: number }>,
  noun: "QueueSize" | "QueueNum",
): MmioRegister[] {
  return [
    { at: VIRTIO_MMIO_QUEUE_SEL, name: "QueueSel", write: (index) => select.select(index) },
    {
      at: VIRTIO_MMIO_QUEUE_SIZE_MAX,
      name: `${noun}Max`,
      read: () => device.queueMaxSize(select.index),
    },
    {
      at: VIRTIO_MMIO_QUEUE_SIZE,
      name: noun,
      write: (value) =>
        select.program(noun, value, (fields) => {
          fields.size = value; // whole: 0x10000 is too large, not 0
        }),
    },
  ];
}
