/**
 * The one measuring loop: rings take turns, sample by sample, so that whatever else the machine does meets them
 * alike, and a low quantile of the samples speaks. Before and after, every ring proves that it did the same work.
 */
import type { Ring } from "./ring";

/** Chains per sample, a multiple of every batch: some hundred microseconds. */
export const SAMPLE_CHAINS = 4096;
const WARM_UP_SAMPLES = 60;
const SAMPLES = 200;
/** The share of samples that may be faster than the one that speaks. */
const QUANTILE = 0.1;

/**
 * Nanoseconds per chain of each ring: driver, device and reclaim.
 *
 * @param rings at least one; those with an image must leave the same ring bytes
 * @returns one figure for each ring, in their order
 * @throws Error when two rings did different work
 */
export function measure(rings: readonly Ring[]): number[] {
  const samples = rings.map(() => new Float64Array(SAMPLES));
  for (let round = -WARM_UP_SAMPLES; round < SAMPLES; round++) {
    for (let turn = 0; turn < rings.length; turn++) {
      const i = (turn + round + WARM_UP_SAMPLES) % rings.length;
      const start = process.hrtime.bigint();
      rings[i]?.run(SAMPLE_CHAINS);
      const nanoseconds = Number(process.hrtime.bigint() - start);
      const own = samples[i];
      if (own && round >= 0) own[round] = nanoseconds / SAMPLE_CHAINS;
    }
  }
  expectSameWork(rings, (WARM_UP_SAMPLES + SAMPLES) * SAMPLE_CHAINS);
  return samples.map((own) => own.sort()[Math.floor(SAMPLES * QUANTILE)] as number);
}

function expectSameWork(rings: readonly Ring[], chains: number): void {
  const first = rings.find((ring) => ring.image());
  const image = first?.image();
  for (const ring of rings) {
    if (ring.tally.chains !== chains)
      throw new Error(`${ring.name}: ${ring.tally.chains} chains, not ${chains}`);
    const own = ring.image();
    if (!first || !own || !image) continue;
    const [counted, expected] = [JSON.stringify(ring.tally), JSON.stringify(first.tally)];
    if (counted !== expected) throw new Error(`${ring.name} counts ${counted}, ${first.name} ${expected}`);
    const differs = own.findIndex((byte, at) => byte !== image[at]);
    if (differs >= 0)
      throw new Error(`${ring.name} left another byte than ${first.name} at offset ${differs}`);
  }
}
