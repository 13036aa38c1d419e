/**
 * The round of a ring with both halves at hand: submit a batch, serve it, take it back. Only that is timed. Behind the
 * clock the last batch is looked at, and one more is served by a device that tells what it was given.
 */
import { now } from "../clock";
import { checksum, type Ring, type Sample, type Workload } from "../ring";

export abstract class Loopback implements Ring {
  protected readonly workload: Workload;

  constructor(workload: Workload) {
    this.workload = workload;
  }

  /** Adds a batch and publishes it; chains that fitted. */
  protected abstract submit(): number;
  /** Takes, serves, uses and publishes up to a batch; chains served. */
  protected abstract serve(): number;
  /** Takes a batch back; chains that came. */
  protected abstract reclaim(): number;
  /** As `serve`, but gives the sum of `seenOf` over what the device was given. */
  protected abstract witness(): number;
  /** Sum of the lengths of the batch taken back last; throws if its tokens aren't those of the batch submitted. */
  protected abstract usedLengths(): number;
  /** The ring areas as they are now. */
  abstract image(): Uint8Array;

  run(chains: number): Sample {
    const { batch } = this.workload;
    const rounds = chains / batch;
    const start = now();
    for (let round = 0; round < rounds; round++) this.round(batch);
    const ns = now() - start;
    const used = this.usedLengths();
    const seen = this.prove();
    return {
      ns,
      checksum: checksum({ chains, used: Math.imul(rounds, used), seen: Math.imul(rounds, seen) }),
    };
  }

  /** One batch, there and back. */
  protected round(batch: number): void {
    if (this.submit() !== batch) throw new Error("the ring was full");
    if (this.serve() !== batch) throw new Error("a chain was not served");
    if (this.reclaim() !== batch) throw new Error("a chain did not come back");
  }

  private prove(): number {
    this.submit();
    const seen = this.witness();
    this.reclaim();
    this.usedLengths();
    return seen;
  }
}
