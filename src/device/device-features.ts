/**
 * The device's side of feature negotiation: the three sets, and the judgement at FEATURES_OK (§2.2.2, §3.1.1).
 * Offered never changes; accepted is what the driver feature words hold; negotiated exists from FEATURES_OK to reset.
 */
import { VirtioError } from "../errors";
import { nameAndBit } from "../negotiation/feature-names";
import { FeatureSet } from "../negotiation/feature-set";
import { type DeviceType, deviceTypeOf } from "../negotiation/feature-table";
import { missingPrerequisites, usableBits } from "../negotiation/prerequisites";
import type { DeviceModel } from "./model";
import type { DeviceProfile } from "./profiles";

/** The three sets of one device. */
export class DeviceFeatures {
  readonly type: DeviceType | undefined;
  readonly offered: FeatureSet;
  /** What the driver feature words hold now. */
  accepted = FeatureSet.empty;
  /** The accepted set that FEATURES_OK froze. */
  negotiated: FeatureSet | undefined;
  /** Why the last FEATURES_OK was refused. */
  refusal: string | undefined;
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

  /** Replaces one word of the accepted set; the transports move 32 bits at a time (§2.2). */
  writeWord(index: number, value: number): void {
    const written = this.accepted.withWord(index, value >>> 0);
    this.accepted = this.profile.unofferedBits === "mask" ? written.intersect(this.offered) : written;
  }

  /**
   * Judges the accepted set; on success it is negotiated from now on, else `refusal` says why not.
   *
   * @returns whether FEATURES_OK may be shown
   */
  confirm(): boolean {
    const retried = this.refusal !== undefined && this.profile.retryAfterRefusal === "refuse";
    const reasons = retried ? ["it was refused before and the device not reset since"] : this.objections();
    this.refusal = reasons.length === 0 ? undefined : reasons.join("; ");
    this.negotiated = reasons.length === 0 ? this.accepted : undefined;
    return reasons.length === 0;
  }

  /** Back to where nothing was accepted; no refusal is remembered (§2.2.2, the same set is to be agreed again). */
  reset(): void {
    this.accepted = FeatureSet.empty;
    this.negotiated = undefined;
    this.refusal = undefined;
  }

  private objections(): string[] {
    const reasons: string[] = [];
    const { accepted, offered, type } = this;
    for (const bit of accepted.minus(offered).bits())
      reasons.push(`${nameAndBit(bit, type)} was not offered`);
    for (const bit of FeatureSet.from(this.profile.mustAccept).intersect(offered).minus(accepted).bits()) {
      reasons.push(`${nameAndBit(bit, type)} must be accepted`);
    }
    for (const { text } of missingPrerequisites(accepted, type)) reasons.push(text);
    if (reasons.length > 0) return reasons;
    try {
      const objection = this.model.validate?.(accepted);
      return objection === undefined ? [] : [objection];
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
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
  if (faults.length > 0) {
    throw new VirtioError("BAD_ARGUMENT", `${model.name} can't offer this: ${faults.join("; ")}`, {
      section: "2.2.2",
    });
  }
}
