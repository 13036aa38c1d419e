/**
 * A set of feature bits: 128 bits on four u32 words, as the transports move them (§2.2).
 * Immutable. Bits are numbers 0…127, never masks; `1 << bit` is used within one word only.
 */
import { VirtioError } from "../errors";
import { FEATURE_BITS, type Feature, featureBit, featureName } from "./feature-names";
import type { DeviceType } from "./feature-table";

/** Four u32 words, bits 0–31 first. */
export type FeatureWords = readonly [number, number, number, number];

/** How many words a set has. */
export const FEATURE_WORDS = FEATURE_BITS / 32;

/** An immutable set of feature bits 0…127. */
export class FeatureSet {
  /** The set without a bit. */
  static readonly empty = new FeatureSet([0, 0, 0, 0]);

  /** The bits as the transports carry them. */
  readonly words: FeatureWords;

  private constructor(words: FeatureWords) {
    this.words = words;
    Object.freeze(words);
    Object.freeze(this);
  }

  /**
   * A set of bits or names; short names of a device type need {@link FeatureSet.from}.
   *
   * @throws VirtioError UNKNOWN_NAME or BAD_ARGUMENT
   */
  static of(...features: Feature[]): FeatureSet {
    return FeatureSet.from(features);
  }

  /**
   * A set of bits or names, or the set itself.
   *
   * @param features bits, names, or a set
   * @param type the device type whose short names count
   * @throws VirtioError UNKNOWN_NAME or BAD_ARGUMENT
   */
  static from(features: Iterable<Feature> | FeatureSet, type?: DeviceType): FeatureSet {
    if (features instanceof FeatureSet) return features;
    const words: [number, number, number, number] = [0, 0, 0, 0];
    for (const feature of features) {
      const bit = featureBit(feature, type);
      const word = (bit >>> 5) as 0 | 1 | 2 | 3;
      words[word] = (words[word] | (1 << (bit & 31))) >>> 0;
    }
    return new FeatureSet(words);
  }

  /**
   * A set from up to four u32 words, the lowest bits first; absent words are 0.
   *
   * @throws VirtioError BAD_ARGUMENT for more words or a value that is no u32
   */
  static fromWords(words: readonly number[]): FeatureSet {
    if (words.length > FEATURE_WORDS) {
      throw new VirtioError("BAD_ARGUMENT", `${words.length} feature words, at most ${FEATURE_WORDS} exist`);
    }
    for (const word of words) {
      if (word >>> 0 !== word) throw new VirtioError("BAD_ARGUMENT", `feature word ${word} is no u32`);
    }
    return new FeatureSet([words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0]);
  }

  /** Whether the bit is in the set. */
  has(feature: Feature, type?: DeviceType): boolean {
    const bit = featureBit(feature, type);
    return ((this.word(bit >>> 5) >>> (bit & 31)) & 1) === 1;
  }

  /** The u32 word of bits `32 * index`…`32 * index + 31`; 0 beyond the fourth. */
  word(index: number): number {
    return this.words[index] ?? 0;
  }

  /** The set with one word replaced, not ORed; words beyond the fourth change nothing. */
  withWord(index: number, value: number): FeatureSet {
    return this.map((word, i) => (i === index ? value : word));
  }

  with(...features: Feature[]): FeatureSet {
    return this.union(FeatureSet.from(features));
  }

  without(...features: Feature[]): FeatureSet {
    return this.minus(FeatureSet.from(features));
  }

  intersect(other: FeatureSet): FeatureSet {
    return this.map((word, i) => word & other.word(i));
  }

  union(other: FeatureSet): FeatureSet {
    return this.map((word, i) => word | other.word(i));
  }

  minus(other: FeatureSet): FeatureSet {
    return this.map((word, i) => word & ~other.word(i));
  }

  equals(other: FeatureSet): boolean {
    return this.words.every((word, i) => word === other.word(i));
  }

  isSubsetOf(other: FeatureSet): boolean {
    return this.minus(other).isEmpty;
  }

  get isEmpty(): boolean {
    return this.words.every((word) => word === 0);
  }

  /** The bit numbers, ascending. */
  bits(): number[] {
    const bits: number[] = [];
    for (let bit = 0; bit < FEATURE_BITS; bit++) {
      if ((this.word(bit >>> 5) >>> (bit & 31)) & 1) bits.push(bit);
    }
    return bits;
  }

  /** The short names, by ascending bit: "RING_PACKED", with a device type "MTU", else "bit 3". */
  names(type?: DeviceType): string[] {
    return this.bits().map((bit) => featureName(bit, type));
  }

  /** The names in one line, "(none)" for the empty set. */
  toString(type?: DeviceType): string {
    return this.isEmpty ? "(none)" : this.names(type).join(" | ");
  }

  toJSON(): string[] {
    return this.names();
  }

  private map(change: (word: number, index: number) => number): FeatureSet {
    const [a, b, c, d] = this.words;
    return new FeatureSet([change(a, 0) >>> 0, change(b, 1) >>> 0, change(c, 2) >>> 0, change(d, 3) >>> 0]);
  }
}
