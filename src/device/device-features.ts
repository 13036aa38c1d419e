/**
 * The device's side of feature negotiation: the three sets, and the judgement at FEATURES_OK (§2.2.2, §3.1.1).
 * Offered never changes; accepted is what the driver feature words hold; negotiated exists from FEATURES_OK to reset.
 */
import { VirtioError } from "../errors";
import { nameAndBit } from "../negotiation/feature-names";
import { FeatureSet } from "../negotiation/feature-set";
import { type DeviceType, deviceTypeOf } from "../negotiation/feature-table";
import { missingPrerequisites, usableBits } from "../negotiation/prerequisites";
import { VIRTIO_F_VERSION_1 } from "../spec/features";
import type { FeaturesImage } from "./device-image-form";
import type { InterfaceEvidence } from "./legacy";
import type { DeviceModel } from "./model";
import type { DeviceProfile } from "./profiles";

/** The three sets of one device, and what is known of how the driver comes to them. */
export class DeviceFeatures {
  readonly type: DeviceType | undefined;
  readonly offered: FeatureSet;
  /** What the driver feature words hold now. */
  accepted = FeatureSet.empty;
  /** The accepted set that FEATURES_OK froze, or a legacy driver's at its first use. */
  negotiated: FeatureSet | undefined;
  /** Why the last FEATURES_OK was refused. */
  refusal: string | undefined;
  /** What legacy detection looks at. */
  window: InterfaceEvidence["window"];
  versionRegister: InterfaceEvidence["versionRegister"];
  private firstAccess: InterfaceEvidence["firstAccess"];
  private featuresWritten = false;
  /** Whether the driver was a legacy one when the features became final. */
  private finallyLegacy = false;
  /** The driver wrote another set after they were, and believes that it counts. */
  private writtenLate = false;
  private readonly model: DeviceModel;
  private readonly profile: DeviceProfile;

  /**
   * @param offer the reserved features that are offered beside the model's own
   * @throws VirtioError BAD_ARGUMENT if the offer contradicts itself or holds what can't be kept, UNKNOWN_NAME
   */
  constructor(model: DeviceModel, profile: DeviceProfile, offer: Iterable<string | number> | FeatureSet) {
    this.type = model.deviceType ?? deviceTypeOf(model.deviceId);
    this.model = model;
    this.profile = profile;
    this.offered = FeatureSet.from(model.offers, this.type).union(FeatureSet.from(offer, this.type));
    checkOffer(this.offered, model, this.type, profile);
  }

  /** Whether the driver is taken for a legacy one, by the profile's strategy and for good once features are final. */
  get isLegacy(): boolean {
    return this.negotiated === undefined ? this.looksLegacy(this.applied) : this.finallyLegacy;
  }

  /** The set that configuration values and a late negotiation follow. */
  get applied(): FeatureSet {
    return this.profile.configFollows === "accepted" ? this.accepted : (this.negotiated ?? FeatureSet.empty);
  }

  /** A word of the offer as the profile's registers show it. */
  readWord(index: number): number {
    return this.offered.word(this.wordIndex(index) ?? 4);
  }

  /** Replaces one word of the accepted set; the transports move 32 bits at a time (§2.2). */
  writeWord(index: number, value: number): void {
    this.firstAccess ??= "features";
    this.featuresWritten = true;
    const at = this.wordIndex(index);
    if (at === undefined) return;
    const written = this.accepted.withWord(at, value >>> 0);
    this.accepted =
      this.profile.policies.unofferedBits === "mask" ? written.intersect(this.offered) : written;
  }

  /** Which word an index means here: undefined for one that is not there. */
  wordIndex(index: number): number | undefined {
    const { count, beyond } = this.profile.featureWords;
    if (index < count) return index;
    return beyond === "last" ? count - 1 : undefined;
  }

  /**
   * The driver looks at the configuration.
   *
   * @returns whether it is taken for an acceptance of nothing (profile vdpa)
   */
  configRead(): boolean {
    const isFirst = !this.featuresWritten && this.firstAccess === undefined && this.negotiated === undefined;
    this.firstAccess ??= "config";
    return isFirst && this.profile.configReadFirst === "accepts-nothing";
  }

  /**
   * Judges the accepted set; on success it is negotiated from now on, else `refusal` says why not.
   *
   * @returns whether FEATURES_OK may be shown
   */
  confirm(): boolean {
    const { retryAfterRefusal } = this.profile.policies;
    const retried = this.refusal !== undefined && retryAfterRefusal === "refuse";
    const reasons = retried
      ? ["it was refused before and the device not reset since"]
      : this.objections(this.accepted);
    if (this.writtenLate) reasons.push("the set was written after its first use made the features final");
    this.refusal = reasons.length === 0 ? undefined : reasons.join("; ");
    if (reasons.length === 0) this.freeze(this.accepted);
    return reasons.length === 0;
  }

  /**
   * Takes what is in force as final without FEATURES_OK: a legacy driver used the device (§3.1.2). Nobody can be
   * refused here, so what was not offered doesn't count, nor what the one word of the legacy interface can't say.
   */
  finalise(): void {
    const { applied, offered, isLegacy } = this;
    const final = applied.intersect(isLegacy ? FeatureSet.fromWords([offered.word(0)]) : offered);
    this.ask(final);
    this.freeze(final);
  }

  /** Another set was written after the features became final. */
  lateWrite(): void {
    this.writtenLate = true;
  }

  /** FEATURES_OK was taken back by a driver that clears bits, on a device that lets it. */
  reopen(): void {
    this.negotiated = undefined;
    this.writtenLate = false;
  }

  /** Back to where nothing was accepted; no refusal is remembered (§2.2.2, the same set is to be agreed again). */
  reset(): void {
    this.accepted = FeatureSet.empty;
    this.negotiated = undefined;
    this.refusal = undefined;
    this.firstAccess = undefined;
    this.featuresWritten = false;
    this.finallyLegacy = false;
    this.writtenLate = false;
  }

  /** The sets and the evidence as plain data. */
  save(): FeaturesImage {
    const { offered, accepted, negotiated, featuresWritten } = this;
    return {
      offered: offered.words,
      accepted: accepted.words,
      negotiated: negotiated?.words ?? null,
      isLegacy: negotiated !== undefined && this.finallyLegacy,
      firstAccess: this.firstAccess ?? null,
      featuresWritten,
      window: this.window ?? null,
      refusal: this.refusal ?? null,
      writtenLate: this.writtenLate,
    };
  }

  /** Takes over an image that was judged. */
  restore(image: FeaturesImage): void {
    this.accepted = FeatureSet.fromWords(image.accepted);
    this.negotiated = image.negotiated === null ? undefined : FeatureSet.fromWords(image.negotiated);
    this.finallyLegacy = image.isLegacy;
    this.firstAccess = image.firstAccess ?? undefined;
    this.featuresWritten = image.featuresWritten;
    this.window = image.window ?? undefined;
    this.refusal = image.refusal ?? undefined;
    this.writtenLate = image.writtenLate;
  }

  private freeze(set: FeatureSet): void {
    this.finallyLegacy = this.looksLegacy(set);
    this.negotiated = set;
  }

  /** @param accepted what the device itself knows of: nothing before FEATURES_OK where the words wait until then */
  private looksLegacy(accepted: FeatureSet): boolean {
    const { featuresWritten, firstAccess, window, versionRegister } = this;
    const evidence = { accepted, featuresWritten, firstAccess, window, versionRegister };
    return this.profile.legacy?.isLegacy(evidence) ?? false;
  }

  /** What speaks against an accepted set at FEATURES_OK. */
  objections(accepted: FeatureSet): string[] {
    const reasons: string[] = [];
    const { offered, type, profile } = this;
    if (profile.validates === "with-version-1" && !accepted.has(VIRTIO_F_VERSION_1)) {
      this.ask(accepted);
      return reasons;
    }
    for (const bit of accepted.minus(offered).bits())
      reasons.push(`${nameAndBit(bit, type)} was not offered`);
    for (const bit of FeatureSet.from(profile.mustAccept).intersect(offered).minus(accepted).bits()) {
      reasons.push(`${nameAndBit(bit, type)} must be accepted`);
    }
    for (const { text } of missingPrerequisites(accepted, type)) reasons.push(text);
    if (this.looksLegacy(accepted)) {
      // §3.1.2: the legacy interface has one feature word.
      const beyond = accepted.bits().filter((bit) => bit >= 32);
      for (const bit of beyond) reasons.push(`${nameAndBit(bit, type)} needs VERSION_1 (32)`);
    }
    if (reasons.length > 0) return reasons;
    const objection = this.ask(accepted);
    return objection === undefined ? [] : [objection];
  }

  /** The model's objection to a set; what it throws is one, too. */
  private ask(set: FeatureSet): string | undefined {
    try {
      return this.model.validate?.(set);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

/** §2.2.2: no bit without its prerequisites, and none that the device could not keep. */
function checkOffer(
  offered: FeatureSet,
  model: DeviceModel,
  type: DeviceType | undefined,
  profile: DeviceProfile,
): void {
  const faults = missingPrerequisites(offered, type, "offer").map(({ text }) => text);
  for (const bit of FeatureSet.from(profile.mustOffer).minus(offered).bits()) {
    faults.push(`${nameAndBit(bit, type)} must be offered`);
  }
  const ownBits = usableBits(FeatureSet.from(model.offers, type), type);
  for (const bit of offered.minus(ownBits).minus(FeatureSet.from(profile.honours)).bits()) {
    faults.push(`${nameAndBit(bit, type)} could not be kept`);
  }
  const { count } = profile.featureWords;
  for (const bit of offered.bits().filter((bit) => bit >= 32 * count)) {
    faults.push(`${nameAndBit(bit, type)} lies beyond the ${count} feature words of profile ${profile.name}`);
  }
  if (faults.length > 0) {
    throw new VirtioError("BAD_ARGUMENT", `${model.name} can't offer this: ${faults.join("; ")}`, {
      section: "2.2.2",
    });
  }
}
