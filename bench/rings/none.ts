/**
 * No ring: the floor of the table. What remains of a ring's work when there is no ring in between: each
 * submission is read once, and its lengths are summed.
 */
import { now } from "../clock";
import { checksum, type Ring, type RingAdapter, type Sample, seenOf, type Workload } from "../ring";
import { submissionWords } from "../workload";

export const NONE: RingAdapter = { name: "none", open: (workload) => new NoRing(workload) };

class NoRing implements Ring {
  readonly #workload: Workload;
  #length = 0;

  constructor(workload: Workload) {
    this.#workload = workload;
  }

  run(chains: number): Sample {
    const { batch, device, shape } = this.#workload;
    const rounds = chains / batch;
    const start = now();
    for (let round = 0; round < rounds; round++) this.#read();
    const ns = now() - start;
    if (this.#length < 0) throw new Error("lengths are never negative");
    const writable = shape.writable.reduce((sum, length) => sum + length, 0);
    const used = device === "echo" ? Math.imul(chains, writable) : 0;
    return { ns, checksum: checksum({ chains, used, seen: Math.imul(rounds, this.#seen()) }) };
  }

  #read(): void {
    const { submissions: records, shape } = this.#workload;
    const words = submissionWords(shape);
    let length = 0;
    for (let at = 0; at < records.length; at += words) {
      const end = at + words;
      for (let segment = at + 4; segment < end; segment += 4) length += records[segment + 2] as number;
    }
    this.#length = length;
  }

  #seen(): number {
    const { submissions: records, shape } = this.#workload;
    const words = submissionWords(shape);
    let seen = 0;
    for (let at = 0; at < records.length; at += words) {
      for (let segment = at + 4; segment < at + words; segment += 4) {
        const isWritable = segment >= at + 4 + 4 * shape.readable.length;
        seen += seenOf(records[segment] as number, records[segment + 2] as number, isWritable);
      }
    }
    return seen >>> 0;
  }
}
