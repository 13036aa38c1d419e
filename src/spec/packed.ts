// The packed virtqueue (§2.8, virtio 1.4): offsets and sizes in bytes, AVAIL and USED as flag masks.
export const PACKED_DESC_ADDR = 0;
export const PACKED_DESC_LEN = 8;
export const PACKED_DESC_ID = 12;
export const PACKED_DESC_FLAGS = 14;
export const VIRTQ_DESC_F_AVAIL = 0x80;
export const VIRTQ_DESC_F_USED = 0x8000;
export const PACKED_EVENT_OFF_WRAP = 0;
export const PACKED_EVENT_FLAGS = 2;
export const PACKED_EVENT_SIZE = 4;
export const PACKED_EVENT_ALIGN = 4;
export const RING_EVENT_FLAGS_ENABLE = 0;
export const RING_EVENT_FLAGS_DISABLE = 1;
export const RING_EVENT_FLAGS_DESC = 2;
