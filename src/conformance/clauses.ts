/**
 * The clauses that the judge can see broken in a transcript: status, negotiation, configuration, initialisation,
 * reset and suspend (§2.1, §2.2, §2.4, §2.5, §3, §6, and the patch for issue 241 as SEED241). Data only, in our own
 * words; what breaks a clause is in rules/. The clauses that no transcript shows are in docs/conformance.md.
 */
import type { ClauseLevel } from "./finding";

/** A clause, and what to do about a breach of it. */
export interface Clause {
  /** Section of virtio 1.4; for SEED241 the one that the patch changes. */
  readonly section: string;
  readonly level: ClauseLevel;
  readonly side: "driver" | "device" | "both";
  /** The duty in one line. */
  readonly duty: string;
  /** How to mend a breach, for the author of that side. */
  readonly mend: string;
}

function clause(
  section: string,
  level: ClauseLevel,
  side: Clause["side"],
  duty: string,
  mend: string,
): Clause {
  return { section, level, side, duty, mend };
}

const status = {
  "STATUS-001": clause(
    "2.1.1",
    "MUST",
    "driver",
    "The status bits that a driver sets stand for steps that it has completed.",
    "Set ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, SUSPEND and FAILED alone; the other bits aren't the driver's.",
  ),
  "STATUS-002": clause(
    "2.1.1",
    "MUST NOT",
    "driver",
    "A set status bit is never cleared; only the whole byte, by a reset.",
    "Read the status, add one bit, and write the whole byte back.",
  ),
  "STATUS-003": clause(
    "2.1.1",
    "MUST",
    "driver",
    "After FAILED a device is reset before it is initialised again.",
    "Write 0 to the status, wait until it reads 0, and start with ACKNOWLEDGE.",
  ),
  "STATUS-005": clause(
    "2.1.2",
    "MUST NOT",
    "device",
    "No used buffer notification is sent before DRIVER_OK.",
    "Leave the queues alone and send nothing for them until the driver has set DRIVER_OK.",
  ),
  "STATUS-007": clause(
    "2.1.2",
    "MUST",
    "device",
    "DEVICE_NEEDS_RESET on a running device is followed by a configuration change notification.",
    "Set the bit first, then send the configuration change notification.",
  ),
  "STATUS-009": clause(
    "2.1",
    "MUST",
    "both",
    "SUSPEND has a meaning only where VIRTIO_F_SUSPEND was negotiated.",
    "Neither set nor show SUSPEND unless VIRTIO_F_SUSPEND is in the negotiated set.",
  ),
} as const;

const features = {
  "FEATURES-001": clause(
    "2.2.1",
    "MUST NOT",
    "driver",
    "No feature is accepted that was not offered.",
    "Read all feature words of the device and accept a subset of them.",
  ),
  "FEATURES-002": clause(
    "2.2.1",
    "MUST NOT",
    "driver",
    "No feature is accepted without the features that it rests on.",
    "Drop a feature whose prerequisite is not accepted, or accept the prerequisite as well.",
  ),
  "FEATURES-005": clause(
    "2.2.1",
    "MUST NOT",
    "driver",
    "No feature is accepted that is undocumented, reserved, or not for this transport or device type.",
    "Accept only features that the driver knows; never write the offer back as it was read.",
  ),
  "FEATURES-009": clause(
    "2.2.2",
    "MUST NOT",
    "device",
    "No feature is offered without the features that it rests on.",
    "Offer the prerequisite too, or neither.",
  ),
  "FEATURES-011": clause(
    "2.2.2",
    "MUST",
    "device",
    "FEATURES_OK stays clear when the accepted set can't be worked with.",
    "Check the accepted set when FEATURES_OK is written, and leave the bit clear if the set is not valid.",
  ),
  "FEATURES-012": clause(
    "2.2.2",
    "MUST NOT",
    "device",
    "No feature is offered that could not be honoured, reserved and undocumented bits included.",
    "Offer only bits that this specification defines for the device type and the transport.",
  ),
  "FEATURES-013": clause(
    "2.2.2",
    "SHOULD NOT",
    "device",
    "A set that was agreed to once is not refused after a reset.",
    "Forget refusals at a reset, and judge the same set in the same way every time.",
  ),
} as const;

const seed241 = {
  "SEED241-002": clause(
    "2.2",
    "MUST",
    "device",
    "The device validates the accepted subset and completes the negotiation or leaves it incomplete.",
    "Judge the last accepted set at FEATURES_OK; show the bit only for a valid one.",
  ),
  "SEED241-004": clause(
    "2.2",
    "MUST",
    "driver",
    "Once the negotiation is complete, only a reset opens it again.",
    "Reset the device to negotiate another set.",
  ),
  "SEED241-005": clause(
    "2.2",
    "MUST NOT",
    "both",
    "Nothing counts as negotiated before the negotiation is complete: no ring layout, no queue reset.",
    "Use what hangs on a negotiated feature only after the status showed FEATURES_OK.",
  ),
  "SEED241-007": clause(
    "2.5.1",
    "SHOULD",
    "driver",
    "A feature is accepted before a configuration field that hangs on it is read.",
    "Write the driver feature words first, then read the field.",
  ),
  "SEED241-009": clause(
    "3.1.1",
    "MUST NOT",
    "driver",
    "No configuration field is written before FEATURES_OK.",
    "Write the field after the status showed FEATURES_OK.",
  ),
  "SEED241-010": clause(
    "3.1.1",
    "SHOULD",
    "driver",
    "In the negotiation step features are accepted first and fields that hang on them read then.",
    "Accept, look, and accept another subset if need be, before FEATURES_OK.",
  ),
  "SEED241-012": clause(
    "2.5.2",
    "MUST",
    "device",
    "A conditional field answers drivers that read it before they accept its feature.",
    "Give an offered field its value whether or not its feature was accepted yet.",
  ),
} as const;

const config = {
  "CONFIG-001": clause(
    "2.5.1",
    "MUST NOT",
    "driver",
    "A read of more than 32 bits is not taken for atomic.",
    "Read again while the generation before and after the read differ.",
  ),
  "CONFIG-002": clause(
    "2.5.1",
    "SHOULD",
    "driver",
    "A wide field is read between two reads of the generation, again if they differ.",
    "Read the generation, the whole field, and the generation again.",
  ),
  "CONFIG-003": clause(
    "2.5.1",
    "MUST",
    "driver",
    "An optional field is accessed only if its feature is offered.",
    "Check the offered features first; without the bit there is no such field.",
  ),
  "CONFIG-006": clause(
    "2.5.2",
    "MUST",
    "device",
    "Every field whose feature is offered can be read before FEATURES_OK.",
    "Answer configuration reads alike before and after FEATURES_OK.",
  ),
  "CONFIG-008": clause(
    "2.5",
    "MUST",
    "device",
    "The generation changes whenever two accesses may see different versions.",
    "Change the generation with every change of a configuration value.",
  ),
  "CONFIG-009": clause(
    "2.5.4",
    "SHOULD",
    "driver",
    "Legacy: capacity and mac are read again until two reads agree.",
    "Read the whole field twice, and go on reading until two values are equal.",
  ),
} as const;

const init = {
  "INIT-001": clause(
    "3.1.1",
    "MUST",
    "driver",
    "The steps run in order: reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK, re-read, set-up, DRIVER_OK.",
    "Take one step after the other, each status bit with a write of its own.",
  ),
  "INIT-003": clause(
    "3.1.1",
    "MUST NOT",
    "driver",
    "No configuration field is written during the negotiation step.",
    "Only read while negotiating; write after the status showed FEATURES_OK.",
  ),
  "INIT-004": clause(
    "3.1.1",
    "MUST NOT",
    "driver",
    "No further features are accepted once FEATURES_OK was set.",
    "Settle the set before FEATURES_OK, or reset the device and start over.",
  ),
  "INIT-005": clause(
    "3.1.1",
    "MUST",
    "driver",
    "FEATURES_OK is read back, and its absence makes the device unusable.",
    "Read the status after writing FEATURES_OK; if the bit is missing, set FAILED or reset, and go no further.",
  ),
  "INIT-007": clause(
    "3.1.1",
    "MUST NOT",
    "driver",
    "An initialisation that went wrong for good is not carried on.",
    "After a refusal, FAILED or DEVICE_NEEDS_RESET touch nothing more until the device was reset.",
  ),
  "INIT-008": clause(
    "3.1.1",
    "MUST NOT",
    "driver",
    "No available buffer notification is sent before DRIVER_OK.",
    "Fill the queues if you like, and notify after DRIVER_OK was written.",
  ),
  "INIT-009": clause(
    "3.1.1",
    "MUST",
    "driver",
    "Queues are looked for and set up, and fields written, only after FEATURES_OK was confirmed.",
    "Move the set-up behind the status read that shows FEATURES_OK.",
  ),
  "INIT-010": clause(
    "3.1.2",
    "MUST",
    "driver",
    "Legacy: FEATURES_OK is neither written nor read back.",
    "Leave the two steps out when the device is used through the legacy interface.",
  ),
} as const;

const operation = {
  "OPERATION-002": clause(
    "3.2",
    "MUST",
    "device",
    "Setting DEVICE_NEEDS_RESET leads to a configuration change notification.",
    "Send the notification after the bit is set.",
  ),
} as const;

const reset = {
  "RESET-001": clause(
    "2.4.1",
    "MUST",
    "device",
    "After a reset the status returns to 0 and stays there until the driver writes it.",
    "Show 0 as soon as the reset is over, and forget every bit of the life before.",
  ),
  "RESET-002": clause(
    "2.4.1",
    "MUST NOT",
    "device",
    "Once the status reads 0 after a reset, no notification is sent until the driver initialises again.",
    "Drop pending notifications when the device is reset.",
  ),
  "RESET-003": clause(
    "2.4.2",
    "SHOULD",
    "driver",
    "A reset counts as over only when the status reads 0.",
    "After writing 0 read the status until it is 0, and do nothing else until then.",
  ),
} as const;

const suspend = {
  "SUSPEND-001": clause(
    "3.4.1",
    "SHOULD NOT",
    "driver",
    "SUSPEND is not set without DRIVER_OK, nor without VIRTIO_F_SUSPEND negotiated.",
    "Set SUSPEND only on a running device that negotiated VIRTIO_F_SUSPEND.",
  ),
  "SUSPEND-002": clause(
    "3.4.1",
    "MUST",
    "driver",
    "After setting SUSPEND the status is read until SUSPEND is set and DRIVER_OK clear.",
    "Poll the status, and write it again only when the device is suspended.",
  ),
  "SUSPEND-003": clause(
    "3.4.1",
    "MUST NOT",
    "driver",
    "No buffer is made available while the device suspends or is suspended.",
    "Hold buffers back until the device has resumed.",
  ),
  "SUSPEND-004": clause(
    "3.4.1",
    "MUST NOT",
    "driver",
    "No queue is notified while the device suspends or is suspended.",
    "Hold notifications back until the device has resumed.",
  ),
  "SUSPEND-005": clause(
    "3.4.1",
    "MUST NOT",
    "driver",
    "Nothing but the status is changed while the device suspends or is suspended.",
    "Hold configuration and queue changes back until the device has resumed.",
  ),
  "SUSPEND-006": clause(
    "3.4.1",
    "MUST",
    "driver",
    "After setting DRIVER_OK to resume, normal use waits for SUSPEND clear and DRIVER_OK set.",
    "Poll the status until the device has resumed.",
  ),
  "SUSPEND-007": clause(
    "3.4.2",
    "MUST",
    "device",
    "SUSPEND is disregarded until the initialisation is complete.",
    "Take the bit out of status writes that come before DRIVER_OK.",
  ),
  "SUSPEND-008": clause(
    "3.4.2",
    "SHOULD",
    "device",
    "Configuration writes are disregarded while suspended.",
    "Refuse every write but that of the status while suspended.",
  ),
  "SUSPEND-009": clause(
    "3.4.2",
    "MUST NOT",
    "device",
    "While suspended no queue is notified of and no configuration field changes.",
    "Finish and notify before showing the device suspended; hold changes back until it resumes.",
  ),
  "SUSPEND-010": clause(
    "3.4.2",
    "MUST NOT",
    "device",
    "While suspended no configuration change notification is sent.",
    "Keep the notification and send it on resume.",
  ),
  "SUSPEND-012": clause(
    "3.4.2",
    "MUST",
    "device",
    "SUSPEND leads to a suspended device or to DEVICE_NEEDS_RESET.",
    "Show SUSPEND when DRIVER_OK is dropped, or raise DEVICE_NEEDS_RESET.",
  ),
  "SUSPEND-013": clause(
    "3.4.2",
    "MUST",
    "device",
    "A resume leads to a running device or to DEVICE_NEEDS_RESET.",
    "Show DRIVER_OK when SUSPEND is dropped, or raise DEVICE_NEEDS_RESET.",
  ),
  "SUSPEND-015": clause(
    "3.4.2",
    "MUST",
    "device",
    "A suspended device stays so until the driver resumes or resets it.",
    "Drop SUSPEND only after the driver has set DRIVER_OK.",
  ),
} as const;

const reserved = {
  "RESERVED-001": clause(
    "6.1",
    "MUST",
    "driver",
    "VERSION_1 is accepted where it is offered.",
    "Accept VERSION_1, or use the legacy interface of a transitional device.",
  ),
  "RESERVED-003": clause(
    "6.1",
    "SHOULD",
    "driver",
    "ACCESS_PLATFORM is accepted where it is offered.",
    "Accept ACCESS_PLATFORM and pass addresses as the platform gives them.",
  ),
  "RESERVED-006": clause(
    "6.1",
    "SHOULD",
    "driver",
    "RING_PACKED is accepted where it is offered.",
    "Support packed rings and accept RING_PACKED.",
  ),
  "RESERVED-007": clause(
    "6.1",
    "SHOULD",
    "driver",
    "ORDER_PLATFORM is accepted where it is offered.",
    "Accept ORDER_PLATFORM and use the barriers of real hardware.",
  ),
  "RESERVED-010": clause(
    "6.1",
    "MUST NOT",
    "driver",
    "SR_IOV is not accepted off PCI.",
    "Take SR_IOV out of the accepted set on other transports.",
  ),
  "RESERVED-013": clause(
    "6.1",
    "SHOULD",
    "driver",
    "NOTIF_CONFIG_DATA is accepted where it is offered.",
    "Accept NOTIF_CONFIG_DATA and notify with the data that the device gives.",
  ),
  "RESERVED-014": clause(
    "6.2",
    "MUST",
    "device",
    "VERSION_1 is offered.",
    "Offer VERSION_1; a device without it is a legacy device.",
  ),
  "RESERVED-023": clause(
    "6.2",
    "MUST NOT",
    "device",
    "SR_IOV is not offered off PCI.",
    "Take SR_IOV out of the offer on other transports.",
  ),
  "RESERVED-024": clause(
    "6",
    "MUST NOT",
    "both",
    "ADMIN_VQ is neither offered nor accepted off PCI.",
    "Take ADMIN_VQ out of the set on other transports.",
  ),
  "RESERVED-029": clause(
    "6.3",
    "MUST",
    "device",
    "Legacy: a transitional device offers ANY_LAYOUT and bit 30.",
    "Offer both on the legacy interface.",
  ),
  "RESERVED-031": clause(
    "6.3",
    "SHOULD NOT",
    "driver",
    "Bit 30 is not accepted: it is offered to find drivers that echo the offer.",
    "Accept only features that the driver knows.",
  ),
} as const;

/** Every clause that is judged, by id. */
export const CLAUSES = {
  ...status,
  ...features,
  ...seed241,
  ...config,
  ...init,
  ...operation,
  ...reset,
  ...suspend,
  ...reserved,
} as const satisfies Readonly<Record<string, Clause>>;

/** The id of a judged clause. */
export type ClauseId = keyof typeof CLAUSES;
