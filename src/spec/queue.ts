// Numbers that both ring layouts share (§2.6, virtio 1.4).
export const VIRTQ_SIZE_MAX = 32768;
export const VIRTQ_DESC_SIZE = 16;
export const VIRTQ_DESC_ALIGN = 16;
export const VIRTQ_DESC_F_NEXT = 1;
export const VIRTQ_DESC_F_WRITE = 2;
export const VIRTQ_DESC_F_INDIRECT = 4;
