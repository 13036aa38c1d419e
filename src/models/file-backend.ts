/**
 * A block device's bytes in a file (Node only). Synchronous: one vectored system call moves a request between the
 * file and the guest's own memory, so nothing is buffered here and any size of file costs the same memory.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readvSync, writevSync } from "node:fs";
import { VirtioError } from "../errors";
import { VIRTIO_BLK_SECTOR_SIZE } from "../spec/blk";
import type { BlkBackend, GuestBytes } from "./backend";

/** How to open the file. */
export interface FileBackendOptions {
  /** Make a new file of this many sectors instead of opening one; it must not exist yet. */
  readonly create?: number;
  /** Open for reading alone. Writes then fail with VIRTIO_BLK_S_IOERR; offer VIRTIO_BLK_F_RO too. */
  readonly readOnly?: boolean;
}

/** A disk in a file. `close()` it when the device is gone. */
export class FileBackend implements BlkBackend {
  readonly path: string;
  readonly sectors: number;
  private readonly fd: number;

  /**
   * @param path the file
   * @throws VirtioError BAD_ARGUMENT when its size is 0 or no multiple of 512; the system's error when it can't be opened
   */
  constructor(path: string, options: FileBackendOptions = {}) {
    this.path = path;
    if (options.create !== undefined) {
      this.fd = openSync(path, "wx+");
      ftruncateSync(this.fd, options.create * VIRTIO_BLK_SECTOR_SIZE);
      this.sectors = options.create;
      return;
    }
    this.fd = openSync(path, options.readOnly ? "r" : "r+");
    const size = fstatSync(this.fd).size;
    if (size === 0 || size % VIRTIO_BLK_SECTOR_SIZE !== 0) {
      closeSync(this.fd);
      throw new VirtioError(
        "BAD_ARGUMENT",
        `${path}: ${size} bytes are not a whole number of ${VIRTIO_BLK_SECTOR_SIZE}-byte sectors`,
        { section: "5.2.4" },
      );
    }
    this.sectors = size / VIRTIO_BLK_SECTOR_SIZE;
  }

  read(sector: number, target: GuestBytes): void {
    transfer(this.path, readvSync, this.fd, sector * VIRTIO_BLK_SECTOR_SIZE, target);
  }

  write(sector: number, source: GuestBytes): void {
    transfer(this.path, writevSync, this.fd, sector * VIRTIO_BLK_SECTOR_SIZE, source);
  }

  flush(): void {
    fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }
}

type VectoredCall = (fd: number, buffers: readonly Uint8Array[], position: number) => number;

/** Repeats a vectored call until every byte has moved: the system may move fewer than asked. */
function transfer(path: string, call: VectoredCall, fd: number, position: number, bytes: GuestBytes): void {
  let rest = bytes.views();
  let at = position;
  let left = bytes.length;
  while (left > 0) {
    const moved = named(path, () => call(fd, rest, at));
    if (moved === 0) {
      throw new VirtioError(
        "BUFFER_TOO_SHORT",
        `${path} ended at byte ${at}, ${left} bytes before the end of the request: it was truncated in mid-run`,
      );
    }
    at += moved;
    left -= moved;
    if (left > 0) rest = skip(rest, moved);
  }
}

/** System errors of calls on an open file don't say which one. */
function named<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { path }) : error;
  }
}

function skip(views: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = bytes;
  for (const view of views) {
    if (left >= view.length) left -= view.length;
    else {
      rest.push(view.subarray(left));
      left = 0;
    }
  }
  return rest;
}
