// Devices that live in WASM, for throughput: sink, echo and copy. What they do with one chain; the loop over chains is
// its layout's run.ts. They read the chain record, never the ring, so what was validated stays valid.
import { BACKEND_COPY, BACKEND_ECHO, SEGMENT_RECORD_BYTES } from "./abi";
import {
  chainError,
  chainReadableCount,
  chainWritableCount,
  firstSegment,
  segmentAddress,
  segmentRecordLength,
} from "./batch";
import { deviceInFlight } from "./device-state";
import { copyBytes } from "./memory";
import { copyBase, copyBytesTotal, copyPosition, isInOrder, setCopyPosition } from "./queue-state";
import { deviceLogRoom, deviceTouched } from "./touched";

/**
 * Serves one chain record.
 *
 * sink: reads and writes nothing. echo: the readable bytes come back in the writable ones, as far as they fit.
 * copy: readable bytes go into the copy buffer, writable bytes come out of it, round and round.
 *
 * @returns bytes written, from the first writable one on
 */
export function serve(q: usize, kind: u32, chain: usize): u32 {
  if (chainError(chain)) return 0;
  if (kind == BACKEND_ECHO) return echo(q, chain);
  if (kind == BACKEND_COPY && copyBytesTotal(q)) return copy(q, chain);
  return 0;
}

function echo(q: usize, chain: usize): u32 {
  let source = firstSegment(chain);
  let target = source + <usize>chainReadableCount(chain) * SEGMENT_RECORD_BYTES;
  const targetEnd = target + <usize>chainWritableCount(chain) * SEGMENT_RECORD_BYTES;
  const sourceEnd = target;
  let from: u32 = 0;
  let to: u32 = 0;
  let written: u32 = 0;
  while (source < sourceEnd && target < targetEnd) {
    const length = min(segmentRecordLength(source) - from, segmentRecordLength(target) - to);
    copyBytes(segmentAddress(target) + to, segmentAddress(source) + from, length);
    deviceTouched(q, segmentAddress(target) + to, length);
    written += length;
    from += length;
    to += length;
    if (from == segmentRecordLength(source)) {
      source += SEGMENT_RECORD_BYTES;
      from = 0;
    }
    if (to == segmentRecordLength(target)) {
      target += SEGMENT_RECORD_BYTES;
      to = 0;
    }
  }
  return written;
}

function copy(q: usize, chain: usize): u32 {
  const readable = chainReadableCount(chain);
  const count = readable + chainWritableCount(chain);
  const base = copyBase(q);
  const bytes = copyBytesTotal(q);
  let position = copyPosition(q);
  let written: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const segment = firstSegment(chain) + <usize>i * SEGMENT_RECORD_BYTES;
    const address = segmentAddress(segment);
    const total = segmentRecordLength(segment);
    for (let done: u32 = 0; done < total;) {
      const length = min(total - done, bytes - position);
      if (i < readable) copyBytes(base + position, address + done, length);
      else copyBytes(address + done, base + position, length);
      done += length;
      position += length;
      if (position == bytes) position = 0;
    }
    if (i >= readable) {
      written += total;
      deviceTouched(q, address, total);
    }
  }
  setCopyPosition(q, position);
  return written;
}

/** Whether the log takes what serving this chain writes. */
@inline
export function hasRoom(q: usize, chain: usize): bool {
  return deviceLogRoom(q, chainWritableCount(chain) + 2);
}

/** With IN_ORDER, whether chains that the host has taken must be used first. */
@inline
export function mustWait(q: usize): bool {
  return isInOrder(q) && deviceInFlight(q) != 0;
}
