/**
 * What a simulation sends: chains of one shape, added in batches. Here is the arithmetic and every complaint about
 * numbers that can't work; nothing here touches a ring.
 */
import { VirtioError } from "../errors";
import { VIRTQ_SIZE_MAX } from "../spec/queue";

/** A workload as the user gives it; every part has a default. */
export interface WorkloadOptions {
  /** How many chains in all, 1…2^32-1. Default 100,000. */
  readonly chains?: number;
  /** Chains added for each publish, 1…what the queue holds. Default 32, or what the queue holds if that is less. */
  readonly batch?: number;
  /** Length in bytes of each device-readable buffer of a chain, 1…2^24 each. Default [16]. */
  readonly readable?: readonly number[];
  /** Length in bytes of each device-writable buffer of a chain, 1…2^24 each. Default [512]. */
  readonly writable?: readonly number[];
}

/** A checked workload. */
export interface Workload {
  readonly chains: number;
  readonly batch: number;
  readonly readable: readonly number[];
  readonly writable: readonly number[];
  /** Bytes of the readable and of the writable part of one chain. */
  readonly readableBytes: number;
  readonly writableBytes: number;
  /** Buffers of one chain: descriptors in the ring, or entries of its indirect table. */
  readonly buffers: number;
  /** Descriptors that one chain takes in the ring: `buffers`, or 1 with an indirect table. */
  readonly descriptors: number;
  /** Most chains in flight: what the queue holds, or fewer if their buffers would not fit into 64 MiB; at least `batch`. */
  readonly inFlight: number;
}

const DEFAULT_CHAINS = 100_000;
const DEFAULT_BATCH = 32;
const MAX_CHAINS = 0xffffffff;
const MAX_BUFFER = 0x1000000;
/** In-flight buffers stay below this, unless a batch alone needs more. */
const BUFFER_BUDGET = 0x4000000;
const MAX_BUFFER_BYTES = 0x10000000;

/**
 * Checks a workload against the queue that it is meant for.
 *
 * @param queueSize descriptors in the ring, 1…32768
 * @param indirect every chain takes one descriptor and an indirect table
 * @throws VirtioError BAD_ARGUMENT, naming the number and the bound that it breaks
 */
export function planWorkload(options: WorkloadOptions, queueSize: number, indirect: boolean): Workload {
  const readable = options.readable ?? [16];
  const writable = options.writable ?? [512];
  requireWhole("queue size", queueSize, 1, VIRTQ_SIZE_MAX, "2.6");
  const chains = requireWhole("chains", options.chains ?? DEFAULT_CHAINS, 1, MAX_CHAINS);
  for (const length of readable) requireWhole("a readable buffer's bytes", length, 1, MAX_BUFFER);
  for (const length of writable) requireWhole("a writable buffer's bytes", length, 1, MAX_BUFFER);
  const buffers = readable.length + writable.length;
  if (buffers === 0) throw bad("a chain needs at least one readable or writable buffer");
  if (buffers > queueSize) {
    throw bad(`a chain of ${buffers} buffers is longer than the queue size, ${queueSize}`, "2.7.5");
  }
  const descriptors = indirect ? 1 : buffers;
  const capacity = Math.floor(queueSize / descriptors);
  const readableBytes = sum(readable);
  const writableBytes = sum(writable);
  const bytes = readableBytes + writableBytes;
  const comfortable = Math.max(1, Math.min(capacity, Math.floor(BUFFER_BUDGET / bytes)));
  const batch = requireWhole("batch", options.batch ?? Math.min(DEFAULT_BATCH, comfortable), 1, MAX_CHAINS);
  if (batch > capacity) {
    const each = `${descriptors} descriptor${descriptors === 1 ? "" : "s"}`;
    throw bad(`batch ${batch}: a queue of ${queueSize} holds at most ${capacity} chains of ${each}`);
  }
  if (batch * bytes > MAX_BUFFER_BYTES) {
    throw bad(
      `a batch of ${batch} chains of ${bytes} bytes needs ${batch * bytes} bytes of guest memory, more than ${MAX_BUFFER_BYTES}`,
    );
  }
  return {
    chains,
    batch,
    readable,
    writable,
    readableBytes,
    writableBytes,
    buffers,
    descriptors,
    inFlight: Math.max(batch, comfortable),
  };
}

function requireWhole(what: string, value: number, min: number, max: number, section?: string): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw bad(`${what} must be a whole number from ${min} to ${max}, not ${value}`, section);
  }
  return value;
}

function bad(message: string, section = ""): VirtioError {
  return new VirtioError("BAD_ARGUMENT", message, { section });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
