// The memory balloon (§5.5, virtio 1.4): queue indices, the size of its pages, statistics.
export const VIRTIO_BALLOON_INFLATEQ = 0;
export const VIRTIO_BALLOON_DEFLATEQ = 1;
export const VIRTIO_BALLOON_STATSQ = 2;
export const VIRTIO_BALLOON_PAGE_BYTES = 4096;
export const VIRTIO_BALLOON_PFN_BYTES = 4;
export const VIRTIO_BALLOON_STAT_BYTES = 10;
export const VIRTIO_BALLOON_S_SWAP_IN = 0;
export const VIRTIO_BALLOON_S_SWAP_OUT = 1;
export const VIRTIO_BALLOON_S_MAJFLT = 2;
export const VIRTIO_BALLOON_S_MINFLT = 3;
export const VIRTIO_BALLOON_S_MEMFREE = 4;
export const VIRTIO_BALLOON_S_MEMTOT = 5;
export const VIRTIO_BALLOON_S_AVAIL = 6;
export const VIRTIO_BALLOON_S_CACHES = 7;
export const VIRTIO_BALLOON_S_HTLB_PGALLOC = 8;
export const VIRTIO_BALLOON_S_HTLB_PGFAIL = 9;
