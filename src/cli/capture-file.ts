/** Captures on a disk: read through a window, so size costs no memory, and written in large pieces. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { CaptureSource } from "../capture/source";

const WINDOW = 1024 * 1024;

/** A file that a capture is read from. */
export class CaptureFile implements CaptureSource {
  readonly size: number;
  private readonly file: number;
  private window: Uint8Array = new Uint8Array(WINDOW);
  private start = 0;
  private filled = 0;

  /** @param size bytes of the file, as it was checked */
  constructor(path: string, size: number) {
    this.size = size;
    this.file = openSync(path, "r");
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < this.start || offset + length > this.start + this.filled) this.fill(offset, length);
    const at = offset - this.start;
    return this.window.subarray(at, Math.min(at + length, this.filled));
  }

  close(): void {
    closeSync(this.file);
  }

  private fill(offset: number, length: number): void {
    if (length > this.window.length) this.window = new Uint8Array(length);
    this.start = offset;
    this.filled = 0;
    for (let read = -1; read !== 0 && this.filled < this.window.length; this.filled += read) {
      const { file, window, filled } = this;
      read = readSync(file, window, filled, window.length - filled, offset + filled);
    }
  }
}

/** A new file that grows at its end. */
export class AppendFile {
  private readonly file: number;
  private readonly piece = new Uint8Array(WINDOW);
  private filled = 0;

  /** @throws when the file exists */
  constructor(path: string) {
    this.file = openSync(path, "wx");
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.piece.length - this.filled);
      this.piece.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === this.piece.length) this.flush();
    }
  }

  /** Writes what is left and closes; nothing may be written afterwards. */
  close(): void {
    try {
      this.flush();
    } finally {
      closeSync(this.file);
    }
  }

  private flush(): void {
    for (let at = 0; at < this.filled; ) at += writeSync(this.file, this.piece, at, this.filled - at);
    this.filled = 0;
  }
}
