/** What `--disk` is held against: the same file to the same kind of place with a loop and a buffer, no device in it. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";

/**
 * Copies with the given block size and takes the time.
 *
 * @param target the path of a file that does not exist yet, or the memory to copy to
 * @returns seconds
 */
export function plainCopy(source: string, target: string | Uint8Array, blockSize: number): number {
  const block = new Uint8Array(blockSize);
  const from = openSync(source, "r");
  const to = typeof target === "string" ? openSync(target, "wx") : undefined;
  try {
    const started = performance.now();
    let at = 0;
    for (let read = readSync(from, block, 0, blockSize, at); read > 0; ) {
      if (to !== undefined) writeSync(to, block, 0, read, at);
      else if (typeof target !== "string") target.set(block.subarray(0, read), at);
      at += read;
      read = readSync(from, block, 0, blockSize, at);
    }
    return (performance.now() - started) / 1000;
  } finally {
    closeSync(from);
    if (to !== undefined) closeSync(to);
  }
}
