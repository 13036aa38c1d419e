/** What a report says of a negotiation, and what the user wanted that it has to give: the same for every simulation. */
import type { VirtioDevice } from "../device/device";
import type { InitializeResult, VirtioDriver } from "../driver/driver";
import { VirtioError } from "../errors";
import { featureBit } from "../negotiation/feature-names";
import type { FeatureSet } from "../negotiation/feature-set";
import { VIRTIO_F_RING_PACKED } from "../spec/features";
import type { Transcript } from "../trace/transcript";
import type { DriverQueue } from "../virtqueue/driver-queue";
import { findingsOf } from "./findings";
import type { SimReport } from "./metrics";

/** The part of a report that a negotiation alone decides. */
export type Agreement = Pick<
  SimReport,
  "layout" | "reason" | "offered" | "accepted" | "negotiated" | "transcript" | "findings"
>;

/** Both sides after `initialize`, and what was heard of it. */
export interface AgreementParts {
  readonly device: VirtioDevice;
  readonly driver: VirtioDriver;
  readonly result: InitializeResult;
  readonly transcript: Transcript;
  /** The device's name in the transcript, if there are several. */
  readonly label?: string | undefined;
}

/** Says what was agreed on, or why nothing was. */
export function agreementOf({ device, driver, result, transcript, label }: AgreementParts): Agreement {
  const names = (set: FeatureSet | undefined) => set?.names(device.model.deviceType) ?? [];
  return {
    layout: result.ok ? result.ring.layout : null,
    reason: reasonOf(device, result),
    offered: names(device.offered),
    accepted: names(driver.accepted),
    negotiated: names(driver.negotiated),
    transcript: transcript.events,
    findings: findingsOf({ device, driver, label }, transcript.events),
  };
}

/** Why this layout, in one sentence; why none after a refusal. */
function reasonOf(device: VirtioDevice, result: InitializeResult): string {
  if (!result.ok) return result.reason;
  if (result.ring.layout === "packed") return result.ring.reason;
  const isOffered = device.offered.has(VIRTIO_F_RING_PACKED);
  return `${result.ring.reason}: ${isOffered ? "offered, but not accepted by the driver" : "not offered"}`;
}

/**
 * Checks that a queue became what the user asked for.
 *
 * @throws VirtioError QUEUE_SIZE_INVALID when the layout can't have that size, INDIRECT_NOT_NEGOTIATED
 */
export function checkWishes(
  queue: DriverQueue,
  device: VirtioDevice,
  { queueSize, indirect }: { readonly queueSize: number; readonly indirect: boolean },
): void {
  const { ring, size } = queue;
  if (size !== queueSize) {
    const text = `queue size ${queueSize}: the ${ring.layout} layout was negotiated and needs a power of two, such as ${size} or ${2 * size}`;
    throw new VirtioError("QUEUE_SIZE_INVALID", text, { section: "2.7" });
  }
  if (!indirect || ring.indirect) return;
  const isOffered = device.offered.has(featureBit("INDIRECT_DESC"));
  const why = isOffered ? "the driver did not accept it" : "the device did not offer it";
  throw new VirtioError("INDIRECT_NOT_NEGOTIATED", `indirect tables need INDIRECT_DESC negotiated: ${why}`, {
    section: "2.7.5.3.1",
  });
}
