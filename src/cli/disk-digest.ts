/** Two disks from outside: their SHA-256, and where they differ. Read in pieces, so size costs no memory. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/** A disk in a file (its path) or in memory. */
export type DiskContents = string | Uint8Array;

const PIECE = 1024 * 1024;

/** Hears now and then how many bytes have been read, and may let others run. */
export type Breathe = (bytes: number) => Promise<void> | void;

/** SHA-256 of a disk, in hexadecimal. */
export async function sha256(disk: DiskContents, breathe: Breathe): Promise<string> {
  const hash = createHash("sha256");
  let done = 0;
  for (const piece of piecesOf(disk)) {
    hash.update(piece);
    done += piece.length;
    await breathe(done);
  }
  return hash.digest("hex");
}

/** How two disks differ. */
export interface Difference {
  /** Bytes that differ; those that only one has included. */
  readonly bytes: number;
  readonly offset: number;
  readonly expected: number | null;
  readonly actual: number | null;
}

/** Compares byte by byte; undefined if they are the same. */
export async function compareDisks(
  expected: DiskContents,
  actual: DiskContents,
  breathe: Breathe,
): Promise<Difference | undefined> {
  let first: Omit<Difference, "bytes"> | undefined;
  let bytes = 0;
  let offset = 0;
  const others = piecesOf(actual);
  for (const piece of piecesOf(expected)) {
    const other = others.next().value ?? new Uint8Array(0);
    if (Buffer.compare(piece, other) !== 0) {
      for (let i = 0; i < Math.max(piece.length, other.length); i++) {
        if (piece[i] === other[i]) continue;
        bytes++;
        first ??= { offset: offset + i, expected: piece[i] ?? null, actual: other[i] ?? null };
      }
    }
    offset += piece.length;
    await breathe(offset);
  }
  return first && { ...first, bytes };
}

/** Pieces of equal length but for the last; each is valid until the next one. */
function* piecesOf(disk: DiskContents): Generator<Uint8Array, undefined> {
  if (typeof disk !== "string") {
    for (let at = 0; at < disk.length; at += PIECE) yield disk.subarray(at, at + PIECE);
    return;
  }
  const buffer = new Uint8Array(PIECE);
  const file = openSync(disk, "r");
  try {
    for (;;) {
      let filled = 0;
      for (let read = -1; read !== 0 && filled < PIECE; filled += read) {
        read = readSync(file, buffer, filled, PIECE - filled, null);
      }
      if (filled === 0) return;
      yield buffer.subarray(0, filled);
    }
  } finally {
    closeSync(file);
  }
}
