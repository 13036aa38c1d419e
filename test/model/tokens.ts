/**
 * Tokens: `slot | generation << 16`. A slot starts in generation 1; every release of it starts the next one, and 32767 is
 * followed by 1, so that a token is positive and an old one is told from the one in force. Generations outlive a reset.
 */
const GENERATION_MAX = 32767;

export class Tokens {
  readonly #generations: Uint16Array;

  constructor(size: number) {
    this.#generations = new Uint16Array(size).fill(1);
  }

  /** The token of a slot in its current generation. */
  of(slot: number): number {
    return slot | (this.#generation(slot) << 16);
  }

  /** Ends the slot's generation. */
  release(slot: number): void {
    const generation = this.#generation(slot);
    this.#generations[slot] = generation === GENERATION_MAX ? 1 : generation + 1;
  }

  #generation(slot: number): number {
    const generation = this.#generations[slot];
    if (generation === undefined) {
      throw new RangeError(`slot ${slot} of ${this.#generations.length}`);
    }
    return generation;
  }
}

/** The slot that a token names; it may be any u16. */
export function slotOf(token: number): number {
  return token & 0xffff;
}
