/**
 * The steps that driver profiles are made of (§3.1.1), one small function each. A step that gives up throws a
 * VirtioError; the driver then sets FAILED and reports it. New orders need new lists, new deeds a new step here.
 */
import { VirtioError } from "../errors";
import { type ControlEvent, hex } from "../negotiation/control-event";
import { FeatureSet } from "../negotiation/feature-set";
import { dropUnmet, missingPrerequisites, usableBits } from "../negotiation/prerequisites";
import { statusNames } from "../negotiation/status-names";
import { VIRTIO_F_VERSION_1 } from "../spec/features";
import {
  VIRTIO_CONFIG_S_ACKNOWLEDGE,
  VIRTIO_CONFIG_S_DRIVER,
  VIRTIO_CONFIG_S_DRIVER_OK,
  VIRTIO_CONFIG_S_FEATURES_OK,
} from "../spec/status";
import { ringLayout } from "../virtqueue/layout";
import type { DriverStep, MisdeedStep } from "./driver-step";
import type { Initialisation } from "./initialisation";

/** How often "accept-until-stable" accepts before it gives up. */
const ROUNDS = 16;

/** The deeds. */
export const STEPS: Readonly<
  Record<Exclude<DriverStep, MisdeedStep>, (run: Initialisation) => Promise<void>>
> = {
  reset: (run) => run.reset(),
  acknowledge: (run) => run.addStatus(VIRTIO_CONFIG_S_ACKNOWLEDGE),
  driver: (run) => run.addStatus(VIRTIO_CONFIG_S_DRIVER),
  "read-offer": readOffer,
  intersect,
  "drop-unmet": dropUnmetBits,
  "accept-version-1": acceptVersion1,
  accept,
  validate,
  "accept-if-changed": async (run) => {
    if (!run.choice.equals(run.accepted)) await accept(run);
  },
  "accept-until-stable": acceptUntilStable,
  "features-ok": featuresOk,
  confirm,
  probe,
  queues,
  fill: async (run) => run.options.fill?.(run.queues),
  "driver-ok": (run) => run.addStatus(VIRTIO_CONFIG_S_DRIVER_OK),
};

/** Reads all words. Devices that know two windows alone show the second one again for the others: that is no offer. */
async function readOffer(run: Initialisation): Promise<void> {
  const words: number[] = [];
  for (let word = 0; word < run.profile.featureWords; word++)
    words.push(await run.port.readDeviceFeatures(word));
  const [, second = 0, third, fourth] = words;
  const isAlias = second !== 0 && third === second && fourth === second;
  run.offered = FeatureSet.fromWords(isAlias ? words.slice(0, 2) : words);
  run.event({
    step: "features",
    field: "offered",
    after: count(run.offered),
    section: "2.2.1",
    note: isAlias ? "words 2 and 3 repeat word 1: not taken for an offer" : "read",
    sets: run.sets(),
  });
}

/** What both sides know (§2.2.1); bits that no driver may accept are left out whoever wants them. */
async function intersect(run: Initialisation): Promise<void> {
  const { deviceType, offered, port } = run;
  const common = run.supports.intersect(offered);
  run.choice = usableBits(common, deviceType, port.transport, run.isLegacy);
  const unknown = offered.minus(run.supports);
  run.event({
    step: "features",
    field: "choice",
    after: count(run.choice),
    section: "2.2.1",
    note: unknown.isEmpty ? "all that is offered" : `not used: ${unknown.toString(deviceType)}`,
  });
  requireFeatures(run);
}

/** A device may offer a bit without what it rests on; the driver must not accept it then (§2.2.1). */
async function dropUnmetBits(run: Initialisation): Promise<void> {
  const missing = missingPrerequisites(run.choice, run.deviceType);
  if (missing.length === 0) return;
  run.choice = dropUnmet(run.choice, run.deviceType);
  const note = missing.map(({ text }) => text).join("; ");
  const after = count(run.choice);
  run.event({ step: "features", field: "choice", after, section: "2.2.1", note });
  requireFeatures(run);
}

/** What the driver can't do without (§2.2.1: FAILED if there is no fallback). */
function requireFeatures(run: Initialisation): void {
  const lacking = run.requires.minus(run.choice);
  if (lacking.isEmpty) return;
  const text = lacking.toString(run.deviceType);
  throw new VirtioError("FEATURES_REFUSED", `the driver can't do without ${text}`, { section: "2.2.1" });
}

/**
 * Linux on a big-endian guest: a device that goes by VERSION_1 must know of it before the configuration is read, or
 * answers in the guest's byte order. Nothing to do without a `validate`, without the offer, or on other guests.
 */
async function acceptVersion1(run: Initialisation): Promise<void> {
  const isNeeded = run.byteOrder === "big" && run.options.validate !== undefined;
  if (!isNeeded || !run.choice.has(VIRTIO_F_VERSION_1)) return;
  const { choice } = run;
  run.choice = FeatureSet.of(VIRTIO_F_VERSION_1);
  await accept(run);
  run.choice = choice;
}

/** Accepts, looks, accepts a different subset, and repeats (the patch for issue 241). */
async function acceptUntilStable(run: Initialisation): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    await accept(run);
    await validate(run);
    if (run.choice.equals(run.accepted)) return;
  }
  const text = `the driver still drops features after accepting ${ROUNDS} times`;
  throw new VirtioError("FEATURES_REFUSED", text, { section: "3.1.1" });
}

/** Writes the chosen set: words 2 and 3 only if they hold or held a bit, and before the others (see readOffer). */
export async function accept(run: Initialisation): Promise<void> {
  const { choice, port, profile } = run;
  const high = [2, 3].filter((word) => choice.word(word) !== 0 || run.accepted.word(word) !== 0);
  const order = profile.wordOrder[port.transport] ?? profile.wordOrder.default;
  const note = run.firstAccepted === undefined ? "accepts" : "accepts again";
  run.accepted = choice;
  run.firstAccepted ??= choice;
  const after = count(choice);
  run.event({ step: "features", field: "accepted", after, section: "3.1.1", note, sets: run.sets() });
  for (const word of [...high, ...order]) {
    await port.writeDriverFeatures(word, choice.word(word));
  }
}

/** The driver looks at the configuration and may drop bits (§3.1.1 step 4, patch for issue 241). */
async function validate(run: Initialisation): Promise<void> {
  const { deviceType } = run;
  const dropped = FeatureSet.from((await run.options.validate?.(run.validation())) ?? [], deviceType);
  const before = run.choice;
  run.choice = before.minus(dropped);
  const note = run.choice.equals(before) ? "nothing dropped" : `drops ${dropped.toString(deviceType)}`;
  run.event({ step: "validate", section: "3.1.1", note });
}

/** Not written on the legacy interface, where nothing ends the negotiation (§3.1.2). */
async function featuresOk(run: Initialisation): Promise<void> {
  if (run.isLegacy) {
    const note = "FEATURES_OK is left out: VERSION_1 is not offered";
    run.event({ step: "status", field: "status", section: "3.1.2", note });
  } else await run.addStatus(VIRTIO_CONFIG_S_FEATURES_OK);
}

/** Only a status that shows FEATURES_OK makes the accepted set the negotiated one (§3.1.1 step 6). */
export async function confirm(run: Initialisation): Promise<void> {
  if (run.isLegacy) {
    const note = "a legacy driver's features are final when it uses the device";
    agree(run, { step: "features", field: "negotiated", section: "3.1.2", note });
    return;
  }
  const status = await run.readStatus();
  if ((status & VIRTIO_CONFIG_S_FEATURES_OK) === 0) throw refuse(run, status);
  const note = `${statusNames(VIRTIO_CONFIG_S_FEATURES_OK)} confirmed`;
  agree(run, { step: "status", field: "status", after: hex(status), section: "3.1.1", note });
}

/** What a driver says when FEATURES_OK did not stay. */
export function refuse(run: Initialisation, status: number): VirtioError {
  const note = "FEATURES_OK was refused";
  run.event({ step: "status", field: "status", after: hex(status), section: "3.1.1", note });
  const why = run.port.refusal?.();
  const text = `the device refused FEATURES_OK: status ${hex(status)}, accepted ${run.accepted.toString(run.deviceType)}`;
  return new VirtioError("FEATURES_REFUSED", why === undefined ? text : `${text}: ${why}`, {
    section: "3.1.1",
  });
}

function agree(run: Initialisation, event: Omit<ControlEvent, "side" | "sets">): void {
  run.negotiated = run.accepted;
  run.ring = ringLayout(run.negotiated);
  run.event({ ...event, sets: run.sets() });
  run.event({ step: "layout", field: "ring", after: run.ring.layout, section: "2.6", note: run.ring.reason });
}

/** The driver's own set-up, with the negotiated set known and before any queue (§3.1.1 step 7). */
async function probe(run: Initialisation): Promise<void> {
  await run.options.probe?.(run.validation());
}

/** Finds the queues and sets each one up; the first that doesn't exist ends the search. */
async function queues(run: Initialisation): Promise<void> {
  const { ring, port } = run;
  if (ring === undefined)
    throw new VirtioError("STATUS_SEQUENCE", "no ring before FEATURES_OK", { section: "3.1.1" });
  const most = run.options.queues ?? 65536;
  for (let index = 0; index < most; index++) {
    const maximum = await port.queueMaxSize(index);
    if (maximum === 0) break;
    const size = await run.addQueue(index, maximum, ring);
    run.event({
      step: "queue",
      field: `queue ${index}`,
      before: `at most ${maximum}`,
      after: `${size} descriptors`,
      section: "3.1.1",
      note: `${ring.layout} ring`,
    });
  }
}

function count(set: FeatureSet): string {
  const { length } = set.bits();
  return length === 1 ? "1 feature" : `${length} features`;
}
