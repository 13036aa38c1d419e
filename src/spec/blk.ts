// The block device (§5.2, virtio 1.4): sizes in bytes, request types, status values, offsets in the request header.
export const VIRTIO_BLK_SECTOR_SIZE = 512;
export const VIRTIO_BLK_T_IN = 0;
export const VIRTIO_BLK_T_OUT = 1;
export const VIRTIO_BLK_T_FLUSH = 4;
export const VIRTIO_BLK_T_GET_ID = 8;
export const VIRTIO_BLK_T_GET_LIFETIME = 10;
export const VIRTIO_BLK_T_DISCARD = 11;
export const VIRTIO_BLK_T_WRITE_ZEROES = 13;
export const VIRTIO_BLK_T_SECURE_ERASE = 14;
export const VIRTIO_BLK_T_ZONE_REPORT = 16;
export const VIRTIO_BLK_S_OK = 0;
export const VIRTIO_BLK_S_IOERR = 1;
export const VIRTIO_BLK_S_UNSUPP = 2;
export const VIRTIO_BLK_REQ_TYPE = 0;
export const VIRTIO_BLK_REQ_SECTOR = 8;
export const VIRTIO_BLK_REQ_HEADER_SIZE = 16;
export const VIRTIO_BLK_ID_BYTES = 20;
