/**
 * What a driver has accepted, as its port sees it pass (§4.1.4.3): some registers exist, and some have another width, by
 * what is negotiated. What is written after FEATURES_OK changes nothing until that is refused or the device reset.
 */
import { FEATURE_WORDS, FeatureSet } from "../negotiation/feature-set";
import { VIRTIO_CONFIG_S_FEATURES_OK } from "../spec/status";

/** The accepted features of one device. */
export class AcceptedFeatures {
  readonly #words: number[] = new Array(FEATURE_WORDS).fill(0);
  #final: FeatureSet | undefined;

  accept(word: number, value: number): void {
    if (word < FEATURE_WORDS) this.#words[word] = value >>> 0;
  }

  wereReset(): void {
    this.#words.fill(0);
    this.#final = undefined;
  }

  /** The status as the driver writes it, or the device shows it. */
  sawStatus(status: number): void {
    if ((status & VIRTIO_CONFIG_S_FEATURES_OK) === 0) this.#final = undefined;
    else this.#final ??= FeatureSet.fromWords(this.#words);
  }

  has(bit: number): boolean {
    return (this.#final ?? FeatureSet.fromWords(this.#words)).has(bit);
  }
}
