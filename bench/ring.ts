/**
 * What the measuring loop knows of a ring: it moves chains from the driver to the device and back, and says
 * afterwards what it did. Driver, device and reclaim are in it, as DESIGN's "ns per chain" asks.
 */

/** The work of a run, equal for two rings that did the same. */
export interface Tally {
  /** Chains that came back to the driver. */
  chains: number;
  /** Bytes that the device was given to read, and to write. */
  readable: number;
  writable: number;
  /** Bytes that the device says it wrote, as the driver read them. */
  used: number;
}

export interface Ring {
  readonly name: string;
  /** Moves `chains` chains, a multiple of the batch, through the ring and back. */
  run(chains: number): void;
  /** What all runs so far did. */
  readonly tally: Tally;
  /** The three ring areas as they are now, to compare with another ring's, or undefined if it has none. */
  image(): Uint8Array | undefined;
}

export function emptyTally(): Tally {
  return { chains: 0, readable: 0, writable: 0, used: 0 };
}
