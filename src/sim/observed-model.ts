/** A device model with somebody looking on: how often the device has something to publish is known nowhere else. */
import type { DeviceModel } from "../device/model";

/**
 * The same model, which also calls `onServed` after each `process` that took chains.
 */
export function observed(model: DeviceModel, onServed: (chains: number) => void): DeviceModel {
  return {
    name: model.name,
    deviceId: model.deviceId,
    ...(model.deviceType === undefined ? {} : { deviceType: model.deviceType }),
    queues: model.queues,
    offers: model.offers,
    config: model.config,
    littleEndianConfig: model.littleEndianConfig ?? false,
    validate: (accepted) => model.validate?.(accepted),
    start: (context) => model.start?.(context),
    process(index, queue, budget) {
      const served = model.process(index, queue, budget);
      if (served > 0) onServed(served);
      return served;
    },
    configWritten: (name, value) => model.configWritten?.(name, value),
    suspend: () => model.suspend?.(),
    resume: () => model.resume?.(),
    reset: () => model.reset?.(),
  };
}
