/**
 * A whole device saved to plain data and restored, all or nothing (docs/decisions/0006). Guest memory and what backends
 * hold are the owner's to save; the image is about the device in between.
 */
import { VirtioError } from "../errors";
import { hex, setNames } from "../negotiation/control-event";
import { ringLayout } from "../virtqueue/layout";
import type { ConfigRegisters } from "./config-registers";
import { type DeviceImage, readImage } from "./device-image-form";
import { goesOn, type JudgedDevice, judgeImage } from "./device-image-judge";
import type { DeviceReporter, DeviceState } from "./device-state";
import { sealed } from "./image-seal";
import { invalid } from "./image-shape";
import type { Interrupts } from "./interrupts";
import type { Lifecycle } from "./lifecycle";
import type { QueueRegisters } from "./queue-registers";
import { asVirtioError } from "./queue-service";

/** A handler that is under way, or a model's call, is in no image. */
const SERVED = "it is being served: not from within a handler or a model";

/** The device around its image. */
export interface ImagedDevice extends JudgedDevice {
  readonly state: DeviceState;
  readonly configRegisters: ConfigRegisters;
  readonly queueRegisters: QueueRegisters;
  readonly interrupts: Interrupts;
  readonly life: Lifecycle;
  readonly report: DeviceReporter;
  /** The model failed to take a configuration value. */
  needsReset(error: VirtioError): void;
}

/** Why the device can't be saved now, if it can't. */
export function hindrance({ state, model, queues, interrupts }: ImagedDevice): VirtioError | undefined {
  const { phase, outstanding } = state;
  const { broken, inFlight } = queues;
  if (interrupts.held) return busy(SERVED);
  if (phase === "resetting") return busy("its reset is not over");
  if (!goesOn(phase)) return undefined;
  if (broken !== undefined)
    return busy(
      `queue ${broken} is broken, and the driver took DEVICE_NEEDS_RESET back: a reset comes first`,
    );
  if (model.save !== undefined || inFlight + outstanding === 0) return undefined;
  return busy(
    `${inFlight} chains and ${outstanding} answers are out, and the model saves none: wait for process() and idle()`,
  );
}

/** @throws VirtioError DEVICE_BUSY while something is under way that no image can hold */
export function saveDevice(device: ImagedDevice): DeviceImage {
  const { state, model, features, config, configRegisters, queues, interrupts } = device;
  const { phase, status } = state;
  const reason = hindrance(device);
  if (reason !== undefined || phase === "resetting") throw reason; // of a reset it has one
  return sealed({
    schema: "virtq.device/1",
    deviceId: model.deviceId,
    status,
    phase,
    features: features.save(),
    config: { ...config.save(), notices: configRegisters.notices, noticeWaits: interrupts.configWaits },
    queues: queues.save(goesOn(phase)),
    model: asJson(model.save?.()),
  });
}

/**
 * Reads an image that a device can take now. Changes nothing, and doesn't look at guest memory.
 *
 * @throws VirtioError SNAPSHOT_INVALID, or DEVICE_BUSY for a device in use
 */
export function judgedImage(device: ImagedDevice, given: unknown): DeviceImage {
  const { state, interrupts } = device;
  const image = readImage(given);
  judgeImage(image, device);
  if (interrupts.held) throw busy(SERVED);
  if (state.phase === "reset" && state.status === 0) return image;
  throw busy(
    `phase ${state.phase}, status ${hex(state.status)}: an image goes into a device after its reset`,
  );
}

/**
 * Puts an image into a device that nobody uses yet. What is refused changes nothing.
 *
 * @throws VirtioError SNAPSHOT_INVALID, or DEVICE_BUSY for a device in use
 */
export function restoreDevice(device: ImagedDevice, given: unknown): void {
  const { state, model, features, config, configRegisters, queues, queueRegisters, interrupts } = device;
  const image = judgedImage(device, given);
  // From here on nothing may fail but what is taken back.
  const sets = features.save();
  features.restore(image.features);
  const { negotiated } = features;
  const ring = negotiated && ringLayout(negotiated);
  try {
    if (ring) queues.restore(image.queues, ring, (index) => queueRegisters.violationOf(index));
    model.restore?.(image.model);
  } catch (error) {
    queues.reset();
    features.restore(sets);
    invalid(error instanceof Error ? error.message : String(error), error);
  }
  state.status = image.status;
  state.phase = image.phase;
  state.negotiated = negotiated;
  state.ring = ring;
  configRegisters.notices = image.config.notices;
  config.restore(image.config, (name, value) => {
    try {
      model.configWritten?.(name, value);
    } catch (error) {
      device.needsReset(asVirtioError(error));
    }
  });
  tell(device);
  if (image.config.noticeWaits) interrupts.raiseConfig();
  device.life.wake();
}

function tell({ report, state, features }: ImagedDevice): void {
  report.event({
    step: "restore",
    field: "status",
    before: hex(0),
    after: hex(state.status),
    section: "2.1",
    sets: setNames(features.type, features.offered, features.accepted, features.negotiated),
    note: `restored from an image, phase ${state.phase}`,
  });
}

function busy(reason: string): VirtioError {
  return new VirtioError("DEVICE_BUSY", `the device can't be saved or restored now: ${reason}`);
}

/** A model's state, cut to what JSON carries; without any, null. */
function asJson(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state) ?? "null");
}
