/**
 * The one protocol of the benchmark: a ring is an adapter that opens for a workload and then runs chains. What it
 * says about a run is a time and a checksum; equal checksums mean that the same chains went the same way.
 */

/** One chain as the driver submits it; lengths in bytes. */
export interface Shape {
  readonly name: string;
  readonly readable: readonly number[];
  readonly writable: readonly number[];
  /** Through an indirect table (§2.7.5.3, §2.8.7). */
  readonly indirect: boolean;
}

/** What a ring has to do: the same for every ring of a table. */
export interface Workload {
  /** Descriptors of the ring, 8…32768, a power of two. */
  readonly queueSize: number;
  /** Queues that take turns, batch by batch, 1…64. */
  readonly queues: number;
  /** Chains for each publish, 1…256. */
  readonly batch: number;
  readonly shape: Shape;
  /** `sink` touches no payload; `echo` copies the readable bytes into the writable ones; the others are for whole stacks. */
  readonly device: "sink" | "echo" | "blk-read" | "blk-write" | "net";
  /** How notifications are asked for: not at all, by the flags, or by the event index (both sides arm each batch). */
  readonly notify: "off" | "flags" | "event-idx";
  /** What payload and turns are drawn from: u32. */
  readonly seed: number;
  /**
   * `batch` submission records, chain after chain, each
   * { readableCount, writableCount, flags (1: indirect), 0, counts × { address low, address high, length, 0 } }.
   */
  readonly submissions: Uint32Array<ArrayBuffer>;
}

/** One timed run. */
export interface Sample {
  /** Nanoseconds of the run, proofs apart. */
  readonly ns: number;
  /** {@link checksum} of what the run did. */
  readonly checksum: number;
}

/** A ring that was opened for one workload. */
export interface Ring {
  /**
   * Moves chains from the driver to the device and back, `batch` of them at a time; chain i is submission i modulo
   * `batch`.
   *
   * @param chains a multiple of the batch
   */
  run(chains: number): Sample | Promise<Sample>;
  /** The bytes of the ring areas, to compare with another ring's. */
  image?(): Uint8Array;
  /** Gives back what it holds. */
  close?(): void;
}

/** How a ring gets into the table. */
export interface RingAdapter {
  /** As in `--rings`. */
  readonly name: string;
  /** Why this workload is beyond the ring; undefined: it isn't. */
  refuses?(workload: Workload): string | undefined;
  /**
   * Makes the ring ready.
   *
   * @throws NotMeasured when something is missing on this machine
   */
  open(workload: Workload): Ring | Promise<Ring>;
}

/** What is missing on this machine, in words that follow "not measured: ". */
export class NotMeasured extends Error {
  constructor(why: string) {
    super(why);
    this.name = "NotMeasured";
  }
}

/** What a run did; sums are modulo 2^32. */
export interface Work {
  /** Chains that came back to the driver. */
  readonly chains: number;
  /** Sum of the used lengths, as the driver read them. */
  readonly used: number;
  /** Sum of {@link seenOf} over every segment of every chain, as the device read it. */
  readonly seen: number;
}

/** What one segment adds to `seen`: u32. */
export function seenOf(address: number, length: number, isWritable: boolean): number {
  return (address + Math.imul(3, length) + (isWritable ? 1 : 0)) >>> 0;
}

/** One number for a run's work: u32. */
export function checksum({ chains, used, seen }: Work): number {
  return (Math.imul(chains, 0x9e3779b1) ^ Math.imul(used, 0x85ebca6b) ^ Math.imul(seen, 0xc2b2ae35)) >>> 0;
}

/** The checksum that a run of `chains` chains must have. */
export function expectedChecksum(workload: Workload, chains: number): number {
  const { batch, shape, submissions, device } = workload;
  const segments = shape.readable.length + shape.writable.length;
  let seen = 0;
  for (let chain = 0, at = 0; chain < batch; chain++, at += 4) {
    for (let i = 0; i < segments; i++) {
      at += 4;
      const [address = 0, , length = 0] = submissions.subarray(at, at + 3);
      seen += seenOf(address, length, i >= shape.readable.length);
    }
  }
  const sum = (lengths: readonly number[]) => lengths.reduce((a, b) => a + b, 0);
  const used = device === "echo" ? Math.min(sum(shape.readable), sum(shape.writable)) : 0;
  return checksum({ chains, used: Math.imul(chains, used), seen: Math.imul(chains / batch, seen) });
}
