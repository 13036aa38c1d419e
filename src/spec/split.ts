// The split virtqueue (§2.7, virtio 1.4): offsets and sizes in bytes.
export const VIRTQ_DESC_ADDR = 0;
export const VIRTQ_DESC_LEN = 8;
export const VIRTQ_DESC_FLAGS = 12;
export const VIRTQ_DESC_NEXT = 14;
export const VIRTQ_AVAIL_FLAGS = 0;
export const VIRTQ_AVAIL_IDX = 2;
export const VIRTQ_AVAIL_RING = 4;
export const VIRTQ_AVAIL_ENTRY_SIZE = 2;
export const VIRTQ_AVAIL_ALIGN = 2;
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
export const VIRTQ_USED_FLAGS = 0;
export const VIRTQ_USED_IDX = 2;
export const VIRTQ_USED_RING = 4;
export const VIRTQ_USED_ENTRY_SIZE = 8;
export const VIRTQ_USED_ALIGN = 4;
export const VIRTQ_USED_F_NO_NOTIFY = 1;
