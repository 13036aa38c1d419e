/**
 * A small seeded generator of numbers (xoshiro128**), so that a program is its seed. Not for cryptography.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** @param seed any integer; @param stream which of its independent streams, any integer */
  constructor(seed: number, stream = 0) {
    // Spread the two numbers over four words with a Weyl sequence, so that neighbours have nothing in common.
    const words = [seed, stream, seed ^ 0x5bf03635, stream ^ 0x1b873593].map((word, i) => {
      let x = (word + Math.imul(i + 1, 0x9e3779b9)) >>> 0;
      x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      return (x ^ (x >>> 16)) >>> 0;
    });
    [this.#a, this.#b, this.#c, this.#d] = [words[0] ?? 1, words[1] ?? 2, words[2] ?? 3, (words[3] ?? 4) | 1];
    for (let i = 0; i < 8; i++) {
      this.u32();
    }
  }

  /** 0…2^32-1 */
  u32(): number {
    const x = Math.imul(this.#b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** 0…limit-1, limit 1…2^32 */
  below(limit: number): number {
    return Math.floor((this.u32() / 2 ** 32) * limit);
  }

  /** from…to, both included */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) {
      throw new RangeError("nothing to pick from");
    }
    return item;
  }
}
