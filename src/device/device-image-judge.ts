/**
 * Whether an image fits a device: the same device id and offer, features that this device would have agreed to, a
 * status that its table leads to, queues that the negotiated ring allows. Reads the device, changes nothing of it.
 */
import { hex } from "../negotiation/control-event";
import { FeatureSet } from "../negotiation/feature-set";
import { VIRTIO_F_RING_RESET } from "../spec/features";
import { VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK } from "../spec/status";
import { ringLayout } from "../virtqueue/layout";
import type { ConfigSpace } from "./config-space";
import type { DeviceFeatures } from "./device-features";
import type { DeviceImage, QueueRecord, SavedPhase } from "./device-image-form";
import { invalid } from "./image-shape";
import type { DeviceModel } from "./model";
import type { DeviceProfile } from "./profiles";
import type { DeviceQueues } from "./queues";
import { isReachable } from "./status-reach";

/** The device that an image has to fit. */
export interface JudgedDevice {
  readonly model: DeviceModel;
  readonly profile: DeviceProfile;
  readonly features: DeviceFeatures;
  readonly config: ConfigSpace;
  readonly queues: DeviceQueues;
  readonly byteOrder: "little" | "big";
}

/** What the phases ask of the rest. */
const WITH_RING: readonly SavedPhase[] = ["setup", "live", "suspending", "suspended", "resuming"];
const SUSPENDED: readonly SavedPhase[] = ["suspending", "suspended", "resuming"];
const AT_REST: readonly SavedPhase[] = ["suspended", "resuming"];
/** Nothing goes on from here but a reset: the queues' own state is not kept. */
const ENDED: readonly SavedPhase[] = ["needs-reset", "failed"];

/** Whether queues still count in this phase. */
export function goesOn(phase: SavedPhase): boolean {
  return !ENDED.includes(phase);
}

/** @throws VirtioError SNAPSHOT_INVALID */
export function judgeImage(image: DeviceImage, device: JudgedDevice): void {
  const { model } = device;
  if (image.deviceId !== model.deviceId)
    invalid(`image of device ID ${image.deviceId}, ${model.name} has ${model.deviceId}`);
  judgeFeatures(image, device);
  judgeStatus(image, device);
  judgeConfig(image, device);
  const { queues } = image;
  if (queues.length !== device.queues.length)
    invalid(`image of ${queues.length} queues, ${model.name} has ${device.queues.length}`);
  queues.forEach((record, index) => {
    if (record.index !== index) invalid(`queue ${record.index} in the place of queue ${index}`);
    judgeQueue(image, device, record);
  });
  if (image.model !== null && model.restore === undefined)
    invalid(`state of a model, and ${model.name} takes none`);
}

/** Any bit may come and go by itself: FEATURES_OK may never have been judged, and features be gone before DRIVER_OK. */
function storesStatus({ policies }: DeviceProfile): boolean {
  return policies.clearedStatusBit === "store";
}

function judgeFeatures({ status, phase, features: image }: DeviceImage, device: JudgedDevice): void {
  const { features, profile, byteOrder } = device;
  const { type, offered } = features;
  const named = (set: FeatureSet) => set.toString(type);
  const imageOffer = FeatureSet.fromWords(image.offered);
  if (!imageOffer.equals(offered))
    invalid(`image of a device that offers ${named(imageOffer)}; offered here: ${named(offered)}`);
  const accepted = FeatureSet.fromWords(image.accepted);
  const { count } = profile.featureWords;
  const beyond = accepted.bits().filter((bit) => bit >= 32 * count);
  if (beyond.length > 0) invalid(`bit ${beyond[0]} is accepted, there are ${count} feature words`);
  const unoffered = accepted.minus(offered);
  if (profile.policies.unofferedBits === "mask" && !unoffered.isEmpty)
    invalid(`${named(unoffered)} is accepted, offered is ${named(offered)}`);
  if (!image.featuresWritten && (!accepted.isEmpty || image.firstAccess === "features"))
    invalid(`${named(accepted)} is accepted, and no feature word was written`);
  if (image.isLegacy && (profile.legacy === undefined || image.negotiated === null))
    invalid(`image of a legacy driver in use, profile ${profile.name} knows none before features are final`);
  if (image.isLegacy && byteOrder === "big" && phase === "live")
    invalid(`image of a legacy driver in use, the rings of a ${byteOrder}-endian one can't be served`);
  if (image.writtenLate && image.negotiated === null)
    invalid("a set was written after the features became final, and none is negotiated");
  if (image.negotiated === null) return;
  const negotiated = FeatureSet.fromWords(image.negotiated);
  const alien = negotiated.minus(offered);
  if (!alien.isEmpty) invalid(`${named(alien)} is negotiated, offered is ${named(offered)}`);
  const isConfirmed = (status & FEATURES_OK) !== 0 && !storesStatus(profile);
  // The legacy interface has one word (§3.1.2); what the other words hold says nothing there.
  const reach = image.isLegacy ? FeatureSet.fromWords([offered.word(0)]) : offered;
  const late = profile.configFollows === "accepted" ? accepted.intersect(reach) : FeatureSet.empty;
  if (!negotiated.equals(accepted) && (isConfirmed || !negotiated.equals(late)))
    invalid(`${named(negotiated)} is negotiated, accepted is ${named(accepted)}`);
  const objections = isConfirmed ? features.objections(negotiated) : [];
  if (objections.length > 0) invalid(`FEATURES_OK with ${named(negotiated)}: ${objections.join("; ")}`);
}

function judgeStatus({ status, phase, features, config }: DeviceImage, { profile }: JudgedDevice): void {
  if (!isReachable(profile, phase, status))
    invalid(`phase ${phase} with status ${hex(status)}, profile ${profile.name} never gets there`);
  const isSuspended = SUSPENDED.includes(phase);
  if (storesStatus(profile)) return;
  const hasRing = features.negotiated !== null;
  const mayHaveRing = WITH_RING.includes(phase) || ENDED.includes(phase) || profile.legacy !== undefined;
  if (hasRing ? !mayHaveRing : WITH_RING.includes(phase))
    invalid(`phase ${phase} ${hasRing ? "with" : "without"} negotiated features`);
  if (isSuspended && !FeatureSet.fromWords(features.negotiated ?? []).has("SUSPEND"))
    invalid(`phase ${phase}, and SUSPEND is not negotiated`);
  if (config.frozen !== isSuspended && !ENDED.includes(phase))
    invalid(`phase ${phase} with a configuration that ${config.frozen ? "stands still" : "moves"}`);
}

function judgeConfig({ config: image }: DeviceImage, { config }: JudgedDevice): void {
  const kept = image.kept.map(({ name, bytes }) => `${name} of ${bytes.length}`);
  const shape = [`${image.bytes.length} bytes`, ...kept].join(", ");
  if (shape !== config.shape) invalid(`configuration of ${shape}; here it is ${config.shape}`);
  if (image.seen.length !== image.bytes.length)
    invalid(`${image.seen.length} configuration bytes were seen, there are ${image.bytes.length}`);
}

function judgeQueue(
  image: DeviceImage,
  { queues, model, features }: JudgedDevice,
  record: QueueRecord,
): void {
  const { index, wasReset, setup } = record;
  const negotiated = image.features.negotiated && FeatureSet.fromWords(image.features.negotiated);
  if (wasReset && (setup !== null || !negotiated?.has(VIRTIO_F_RING_RESET)))
    invalid(`queue ${index} was reset, which takes RING_RESET, and can't be enabled at once`);
  if (setup === null) return;
  if (negotiated === null) invalid(`queue ${index} is enabled without negotiated features`);
  const needs = queues.slot(index)?.needs;
  if (needs !== undefined && !negotiated.has(needs, features.type))
    invalid(
      `queue ${index} is enabled and hangs on ${needs}, negotiated is ${negotiated.toString(features.type)}`,
    );
  const ring = ringLayout(negotiated);
  const { size } = setup;
  const most = queues.maxSize(index, ring);
  if (size < 1 || size > most) invalid(`queue ${index}: size ${size} is not within 1…${most}`);
  if (ring.layout === "split" && (size & (size - 1)) !== 0)
    invalid(
      `queue ${index}: size ${size} is no power of two, the next one is ${2 ** Math.ceil(Math.log2(size))}`,
    );
  if ((setup.image !== null) !== goesOn(image.phase))
    invalid(`queue ${index} ${setup.image === null ? "without" : "with"} its state in phase ${image.phase}`);
  const inFlight = Number(setup.image?.inFlight?.length ?? 0);
  if (inFlight > 0 && AT_REST.includes(image.phase))
    invalid(`queue ${index}: ${inFlight} chains in flight in phase ${image.phase}, 0 can be`);
  if (inFlight > 0 && model.restore === undefined)
    invalid(`queue ${index}: ${inFlight} chains in flight, and ${model.name} takes none over`);
}
