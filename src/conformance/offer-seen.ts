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
    if (this.told !== undefined) return true;
    const isDoubtful = bit >= 64 && this.repeats && this.words[3] === undefined;
    return this.words[bit >>> 5] !== undefined && !isDoubtful;
  }

  /** Words 2 and 3 were both read, and are word 1 again. */
  get isAlias(): boolean {
    return this.words[2] !== undefined && this.words[3] !== undefined && this.repeats;
  }

  /** Devices that know two words alone show the second again for the others: that is no offer. */
  private get repeats(): boolean {
    const [, second = 0, ...high] = this.words;
    return second !== 0 && high.every((word) => word === undefined || word === second);
  }

  private fromWords(): FeatureSet {
    const words = this.repeats ? this.words.slice(0, 2) : this.words;
    return FeatureSet.fromWords(words.map((word) => word ?? 0));
  }
}
