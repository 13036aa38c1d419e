/**
 * No ring: the floor of the table. What remains of a ring's work when there is no ring in between: each
 * submission is read once, and its lengths are summed.
 */
import { emptyTally, type Ring } from "./ring";
import { type Shape, submissions, submissionWords } from "./workload";

export class NoRing implements Ring {
  readonly name = "none";
  readonly tally = emptyTally();
  readonly #records: Uint32Array;
  readonly #words: number;

  constructor(shape: Shape, batch: number) {
    this.#records = submissions(shape, batch);
    this.#words = submissionWords(shape);
  }

  run(chains: number): void {
    const records = this.#records;
    let readable = 0;
    let writable = 0;
    for (let chain = 0, at = 0; chain < chains; chain++) {
      const first = at + 4 + 4 * (records[at] as number);
      const end = at + this.#words;
      for (let segment = at + 4; segment < first; segment += 4) readable += records[segment + 2] as number;
      for (let segment = first; segment < end; segment += 4) writable += records[segment + 2] as number;
      at = end === records.length ? 0 : end;
    }
    this.tally.chains += chains;
    this.tally.readable += readable;
    this.tally.writable += writable;
    this.tally.used += writable;
  }

  image(): undefined {
    return undefined;
  }
}
