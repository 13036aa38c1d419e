/**
 * What misbehaving drivers do (§2.1.1, §2.2.1, §3.1.1), one small function each: right past the checks of the proper
 * steps, straight to the port. For trying devices and the lint; misdeed-table.ts says when.
 */
import { VirtioError } from "../errors";
import { hex } from "../negotiation/control-event";
import { nameAndBit } from "../negotiation/feature-names";
import { VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK, VIRTIO_CONFIG_S_ACKNOWLEDGE } from "../spec/status";
import { ringLayout } from "../virtqueue/layout";
import type { MisdeedStep } from "./driver-step";
import type { Initialisation } from "./initialisation";
import { accept, confirm, refuse } from "./steps";

/** The misdeeds. */
export const MISDEED_STEPS: Readonly<Record<MisdeedStep, (run: Initialisation) => Promise<void>>> = {
  "write-config-early": writeConfigEarly,
  "clear-status-bit": clearStatusBit,
  "set-up-queue-early": setUpQueueEarly,
  "accept-unoffered": acceptUnoffered,
  "confirm-anyway": confirmAnyway,
  "confirm-or-retry": confirmOrRetry,
  "accept-late": acceptLate,
  "repeat-features-ok": repeatFeaturesOk,
  "kick-early": async (run) => {
    misdeed(run, "notify", "queue 0", "notified before DRIVER_OK");
    await run.port.notify(0);
  },
};

async function writeConfigEarly(run: Initialisation): Promise<void> {
  const field = run.configLayout.find(
    ({ writable, anyOf }) =>
      writable === "after-features-ok" && anyOf.every((bit) => run.offered.has(bit, run.deviceType)),
  );
  const { offset = 0, bytes = 1, name = "offset 0" } = field ?? {};
  misdeed(run, "config", name, "written before FEATURES_OK");
  await run.port.writeConfig(offset, bytes === 2 || bytes === 4 ? bytes : 1, 1);
}

async function clearStatusBit(run: Initialisation): Promise<void> {
  const status = await run.readStatus();
  misdeed(run, "status", "status", `written without ACKNOWLEDGE: ${hex(status)}`);
  await run.port.writeStatus(status & ~VIRTIO_CONFIG_S_ACKNOWLEDGE);
  await run.port.writeStatus(status);
}

async function setUpQueueEarly(run: Initialisation): Promise<void> {
  misdeed(run, "queue", "queue 0", "enabled before FEATURES_OK");
  await run.port.enableQueue(0, { size: 1, areas: { descriptor: 0, driver: 0, device: 0 } });
}

/** The ring's bits first, since a device might act on one; a bit that nobody knows if all are offered. */
async function acceptUnoffered(run: Initialisation): Promise<void> {
  const bit = [34, 35, 29, 28, 38, 44].find((candidate) => !run.offered.has(candidate)) ?? 44;
  misdeed(run, "features", "accepted", `${nameAndBit(bit, run.deviceType)}, which was not offered`);
  run.choice = run.choice.with(bit);
  await accept(run);
}

async function confirmAnyway(run: Initialisation): Promise<void> {
  const status = await run.readStatus();
  if ((status & FEATURES_OK) !== 0) return confirm(run);
  misdeed(run, "status", "status", `FEATURES_OK was refused (${hex(status)}), and the driver goes on`);
  run.negotiated = run.accepted;
  run.ring = ringLayout(run.accepted);
}

async function confirmOrRetry(run: Initialisation): Promise<void> {
  const status = await run.readStatus();
  if ((status & FEATURES_OK) !== 0) return confirm(run);
  if (run.firstAccepted === undefined) throw refuse(run, status);
  misdeed(run, "status", "status", "FEATURES_OK was refused: tried again without a reset");
  run.choice = run.firstAccepted;
  await accept(run);
  await run.addStatus(FEATURES_OK);
  await confirm(run);
}

/** A bit more of what is offered, or one less if all of it was accepted. */
async function acceptLate(run: Initialisation): Promise<void> {
  const more = run.offered.minus(run.accepted).bits().at(-1);
  const bit = more ?? run.accepted.bits().at(-1) ?? 0;
  const set = more === undefined ? run.accepted.without(bit) : run.accepted.with(bit);
  const word = bit >>> 5;
  misdeed(run, "features", `accepted word ${word}`, `${hex(set.word(word), 8)} written after FEATURES_OK`);
  await run.port.writeDriverFeatures(word, set.word(word));
}

async function repeatFeaturesOk(run: Initialisation): Promise<void> {
  const status = await run.readStatus();
  if ((status & FEATURES_OK) === 0) throw new VirtioError("STATUS_SEQUENCE", "FEATURES_OK is not set");
  misdeed(run, "status", "status", "the same status once more");
  await run.port.writeStatus(status);
}

function misdeed(run: Initialisation, step: string, field: string, note: string): void {
  run.event({ step, field, section: "3.1.1", note: `on purpose: ${note}` });
}
