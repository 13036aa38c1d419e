/** What is known of a device's offer: told beforehand, or read word by word by the driver (§2.2). */
import { FEATURE_WORDS, FeatureSet } from "../negotiation/feature-set";

/** The offer as far as it is known. */
export class OfferSeen {
  /** The bits known to be offered. */
  set: FeatureSet;
  private readonly told: FeatureSet | undefined;
  private readonly words: (number | undefined)[] = new Array<undefined>(FEATURE_WORDS).fill(undefined);

  /** @param told the whole offer, if it is known from elsewhere */
  constructor(told?: FeatureSet) {
    this.told = told;
    this.set = told ?? FeatureSet.empty;
  }

  /** The driver read a word. */
  read(index: number, value: number): void {
    if (index < 0 || index >= FEATURE_WORDS || this.words[index] === value >>> 0) return;
    this.words[index] = value >>> 0;
    if (this.told === undefined) this.set = this.fromWords();
  }

  /** The bits of `set` that are known not to be offered. */
  lacking(set: FeatureSet): FeatureSet {
    return set.minus(this.set).without(...set.bits().filter((bit) => !this.knows(bit)));
  }

  /** Whether it is known if the bit is offered. */
  knows(bit: number): boolean {
    return this.told !== undefined || this.words[bit >>> 5] !== undefined;
  }

  /** Devices that know two words alone show the second again for the others: that is no offer. */
  private fromWords(): FeatureSet {
    const [first, second, ...high] = this.words;
    const isAlias =
      second !== undefined && second !== 0 && high.every((w) => w === undefined || w === second);
    const words = [first, second, ...(isAlias ? [] : high)];
    return FeatureSet.fromWords(words.map((word) => word ?? 0));
  }
}
