/**
 * The files of `virtq sim --disk` and `--pcap`: every complaint about them before anything runs, and a result that is
 * either whole or not there.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { VIRTIO_BLK_SECTOR_SIZE } from "../spec/blk";
import { UsageError } from "./usage-error";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "no permission",
  EEXIST: "it exists already",
  EISDIR: "it is a directory",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a part of its path is no directory",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};

/** A system error in words. */
export function systemReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && REASONS[code]) || message;
}

/** A system error in words, and the file that it is about if it says so. */
export function systemText(error: unknown): string {
  const { path, dest } = error as NodeJS.ErrnoException & { dest?: string };
  const file = dest ?? path;
  return file === undefined ? systemReason(error) : `${file}: ${systemReason(error)}`;
}

/**
 * Checks a file that is to be read.
 *
 * @param what it is to be, for messages: "disk"
 * @returns its size in bytes
 * @throws UsageError when it can't be read, is no regular file, or empty
 */
export function checkInput(path: string, what: string): number {
  let stats: Stats;
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    stats = statSync(path);
  } catch (error) {
    throw new UsageError(`can't read the ${what} ${path}: ${systemReason(error)}`);
  }
  if (!stats.isFile()) throw new UsageError(`can't read the ${what} ${path}: it is not a regular file`);
  if (stats.size === 0) throw new UsageError(`the ${what} ${path} is empty`);
  return stats.size;
}

/**
 * Checks a disk image.
 *
 * @returns its size in bytes
 * @throws UsageError when it can't be read, is no regular file, empty, or no whole number of sectors
 */
export function checkImage(path: string): number {
  const bytes = checkInput(path, "disk");
  const rest = bytes % VIRTIO_BLK_SECTOR_SIZE;
  if (rest !== 0) {
    throw new UsageError(
      `the disk ${path} is truncated or no disk: its ${bytes} bytes are ${rest} more than a multiple of ${VIRTIO_BLK_SECTOR_SIZE}`,
    );
  }
  return bytes;
}

/**
 * Checks that a file can be made.
 *
 * @throws UsageError when it exists or its folder can't be written
 */
export function checkOutput(path: string): void {
  if (existsSync(path)) throw new UsageError(`${path} exists already: nothing is written over`);
  try {
    if (!statSync(dirname(path)).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`can't write ${path}: ${systemReason(error)}`);
  }
}

/** Files under names of their own, which are gone when the command ends, whichever way. */
export class ScratchFiles {
  private readonly paths = new Set<string>();
  private folder: string | undefined;
  private readonly onSignal = (signal: NodeJS.Signals) => {
    this.removeAll();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };

  constructor() {
    process.once("SIGINT", this.onSignal).once("SIGTERM", this.onSignal);
  }

  /** A free name beside `path`, so that the finished file can be given that name; without it in the system's folder. */
  name(path?: string): string {
    const unique = `${process.pid}-${this.paths.size}`;
    this.folder ??= path === undefined ? mkdtempSync(join(tmpdir(), "virtq-")) : undefined;
    const name =
      path === undefined
        ? join(this.folder ?? tmpdir(), `scratch-${unique}`)
        : join(dirname(path), `.${basename(path)}.virtq-${unique}`);
    this.paths.add(name);
    return name;
  }

  /** Removes one, if it was made. */
  remove(name: string): void {
    rmSync(name, { force: true });
  }

  /**
   * Gives a finished file its real name.
   *
   * @throws UsageError when a file of that name has come meanwhile: it stays as it is
   */
  keep(name: string, path: string): void {
    try {
      linkSync(name, path);
    } catch (error) {
      // Some file systems have no hard links; a rename would write over what is there.
      if ((error as NodeJS.ErrnoException).code === "EEXIST" || existsSync(path)) {
        throw new UsageError(`${path} exists already: nothing is written over`);
      }
      renameSync(name, path);
    }
    this.remove(name);
  }

  /** Removes all that is left. */
  removeAll(): void {
    for (const name of this.paths) this.remove(name);
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
    process.off("SIGINT", this.onSignal).off("SIGTERM", this.onSignal);
  }
}
