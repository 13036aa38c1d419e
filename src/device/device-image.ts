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
import { invalid } from "./image-shape";
import type { Interrupts } from "./interrupts";
import type { Lifecycle } from "./lifecycle";
import type { QueueRegisters } from "./queue-registers";
import { asVirtioError } from "./queue-service";
import { sealed } from "./sealed-image";

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

/** @throws VirtioError DEVICE_BUSY while something is under way that no image can hold */
export function saveDevice(device: ImagedDevice): DeviceImage {
  const { state, model, features, config, configRegisters, queues, interrupts } = device;
  const { phase, status } = state;
  assertIdle(device);
  if (phase === "resetting") throw busy("its reset is not over");
  const goOn = goesOn(phase);
  const { inFlight } = queues;
  if (goOn && model.save === undefined && inFlight + state.outstanding > 0) {
    throw busy(
      `${inFlight} chains and ${state.outstanding} answers are out, and the model saves none: wait for process() and idle()`,
    );
  }
  return sealed({
    schema: "virtq.device/1",
    deviceId: model.deviceId,
    status,
    phase,
    features: features.save(),
    config: { ...config.save(), notices: configRegisters.notices, noticeWaits: interrupts.configWaits },
    queues: queues.save(goOn),
    model: asJson(model.save?.()),
  });
}

/**
 * Puts an image into a device that nobody uses yet. What is refused changes nothing.
 *
 * @throws VirtioError SNAPSHOT_INVALID, or DEVICE_BUSY for a device in use
 */
export function restoreDevice(device: ImagedDevice, given: unknown): void {
  const { state, model, features, config, configRegisters, queues, queueRegisters, interrupts } = device;
  const image = readImage(given);
  judgeImage(image, device);
  assertIdle(device);
  if (state.phase !== "reset" || state.status !== 0)
    throw busy(
      `phase ${state.phase}, status ${hex(state.status)}: an image goes into a device after its reset`,
    );
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

/** A handler that is under way, or a model's call, is in no image. */
function assertIdle({ interrupts }: ImagedDevice): void {
  if (interrupts.held) throw busy("it is being served: not from within a handler or a model");
}

function busy(reason: string): VirtioError {
  return new VirtioError("DEVICE_BUSY", `the device can't be saved or restored now: ${reason}`);
}

/** A model's state, cut to what JSON carries; without any, null. */
function asJson(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state) ?? "null");
}
