// Devices that live in WASM, for throughput: sink, echo and copy. They take, serve and complete in one call.
// They read the chain records, never the ring, so what was validated stays valid.
import { BUFFER_TOO_SHORT, IN_ORDER_VIOLATION } from "../src/spec/result";
import { BACKEND_COPY, BACKEND_ECHO, SEGMENT_RECORD_BYTES } from "./abi";
import {
  chainError,
  chainReadableCount,
  chainToken,
  chainWritableCount,
  firstChain,
  firstSegment,
  segmentAddress,
  segmentRecordLength,
  setCompletion,
} from "./batch";
import { copyBytes } from "./memory";
import { deviceInFlight } from "./device-state";
import {
  batch,
  blame,
  copyBase,
  copyBytesTotal,
  copyPosition,
  isInOrder,
  isLogged,
  setCopyPosition,
} from "./queue-state";
import {
  completeBatch as packedCompleteBatch,
  take as packedTake,
  undo as packedUndo,
} from "./packed/device";
import { completeBatch as splitCompleteBatch, take as splitTake, undo as splitUndo } from "./split/device";
import { deviceLogRoom, deviceTouched } from "./touched";

/**
 * Serves one chain record.
 *
 * sink: reads and writes nothing. echo: the readable bytes come back in the writable ones, as far as they fit.
 * copy: readable bytes go into the copy buffer, writable bytes come out of it, round and round.
 *
 * @returns bytes written, from the first writable one on
 */
function serve(q: usize, kind: u32, chain: usize): u32 {
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


@inline
function nextChain(chain: usize): usize {
  return (
    firstSegment(chain) +
    <usize>(chainReadableCount(chain) + chainWritableCount(chain)) * SEGMENT_RECORD_BYTES
  );
}

/** Chains per inner round: one with touched ranges on, so that a full log stops before anything is consumed. */
@inline
function round(q: usize, left: u32): u32 {
  return isLogged(q) ? 1 : min(left, batch(q));
}

/** Whether the log takes what serving this chain writes. */
@inline
function hasRoom(q: usize, chain: usize): bool {
  return deviceLogRoom(q, chainWritableCount(chain) + 2);
}

/** With IN_ORDER, whether chains that the host has taken must be used first. */
@inline
function mustWait(q: usize): bool {
  return isInOrder(q) && deviceInFlight(q) != 0;
}

/** Takes, serves and completes up to `budget` chains of a split queue; their number, or the first error. */
export function splitRun(q: usize, kind: u32, budget: u32): i32 {
  if (mustWait(q)) return blame(q, IN_ORDER_VIOLATION, deviceInFlight(q), 0);
  let served: u32 = 0;
  while (served < budget) {
    const taken = splitTake(q, round(q, budget - served));
    if (taken <= 0) return served ? served : taken;
    let chain = firstChain(q);
    for (let i: i32 = 0; i < taken; i++) {
      const next = nextChain(chain);
      if (isLogged(q) && !hasRoom(q, chain)) {
        splitUndo(q, chainToken(chain));
        return served ? served : BUFFER_TOO_SHORT;
      }
      setCompletion(q, i, chainToken(chain), serve(q, kind, chain));
      chain = next;
    }
    splitCompleteBatch(q, taken);
    served += taken;
  }
  return served;
}

/** Takes, serves and completes up to `budget` chains of a packed queue; their number, or the first error. */
export function packedRun(q: usize, kind: u32, budget: u32): i32 {
  if (mustWait(q)) return blame(q, IN_ORDER_VIOLATION, deviceInFlight(q), 0);
  let served: u32 = 0;
  while (served < budget) {
    const taken = packedTake(q, round(q, budget - served));
    if (taken <= 0) return served ? served : taken;
    let chain = firstChain(q);
    for (let i: i32 = 0; i < taken; i++) {
      const next = nextChain(chain);
      if (isLogged(q) && !hasRoom(q, chain)) {
        packedUndo(q, chainToken(chain));
        return served ? served : BUFFER_TOO_SHORT;
      }
      setCompletion(q, i, chainToken(chain), serve(q, kind, chain));
      chain = next;
    }
    packedCompleteBatch(q, taken);
    served += taken;
  }
  return served;
}
