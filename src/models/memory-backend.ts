/** A block device's bytes in a buffer of the host. Synchronous; flush has nothing to do. */
import { VirtioError } from "../errors";
import { VIRTIO_BLK_SECTOR_SIZE } from "../spec/blk";
import type { BlkBackend, GuestBytes } from "./backend";

/** A disk in host memory. */
export class MemoryBackend implements BlkBackend {
  readonly sectors: number;
  /** The disk itself, not a copy: change it and the guest sees the change. */
  readonly bytes: Uint8Array;

  /**
   * @param bytes the disk, 512 bytes or a multiple
   * @throws VirtioError BAD_ARGUMENT when its length is 0 or no multiple of 512
   */
  constructor(bytes: Uint8Array) {
    if (bytes.length === 0 || bytes.length % VIRTIO_BLK_SECTOR_SIZE !== 0) {
      throw new VirtioError(
        "BAD_ARGUMENT",
        `a disk of ${bytes.length} bytes is not a whole number of ${VIRTIO_BLK_SECTOR_SIZE}-byte sectors`,
        { section: "5.2.4" },
      );
    }
    this.bytes = bytes;
    this.sectors = bytes.length / VIRTIO_BLK_SECTOR_SIZE;
  }

  read(sector: number, target: GuestBytes): void {
    let at = sector * VIRTIO_BLK_SECTOR_SIZE;
    for (const view of target.views()) {
      view.set(this.bytes.subarray(at, at + view.length));
      at += view.length;
    }
  }

  write(sector: number, source: GuestBytes): void {
    let at = sector * VIRTIO_BLK_SECTOR_SIZE;
    for (const view of source.views()) {
      this.bytes.set(view, at);
      at += view.length;
    }
  }

  flush(): void {}
}
