/**
 * What a model sees of its device, from DRIVER_OK to the next reset. After the reset the same object still exists in
 * late callbacks, and does nothing any more.
 */
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import type { FeatureSet } from "../negotiation/feature-set";
import type { DeviceState } from "./device-state";
import type { Interrupts } from "./interrupts";
import type { LateWork } from "./late-work";
import type { DeviceContext } from "./model";
import { asVirtioError, type QueueService } from "./queue-service";
import type { DeviceQueues } from "./queues";

/** What a context is made from. */
export interface ContextParts {
  readonly core: Core;
  readonly negotiated: FeatureSet;
  readonly state: DeviceState;
  readonly queues: DeviceQueues;
  readonly service: QueueService;
  readonly interrupts: Interrupts;
  readonly late: LateWork;
  configChanged(): void;
  needsReset(error: VirtioError): void;
  /** A suspend may be able to finish. */
  onQuiet(): void;
}

/** The context of the life that the device is in now. */
export function deviceContext(parts: ContextParts): DeviceContext {
  const { core, negotiated, state, queues, service, interrupts, late } = parts;
  const { life } = state;
  const isAlive = () => state.life === life;
  const needsReset = (error: VirtioError) => {
    if (isAlive()) parts.needsReset(error);
  };
  /** A late answer runs like `process`: notifications after it, and no exception gets out. */
  const safely = <T>(answer: (value: T) => void) => {
    return (value: T) => {
      interrupts.hold();
      try {
        answer(value);
      } catch (error) {
        needsReset(asVirtioError(error));
      } finally {
        interrupts.release();
      }
    };
  };
  return {
    core,
    negotiated,
    get alive() {
      return isAlive();
    },
    queue: (index) => {
      const queue = isAlive() ? queues.slot(index)?.queue : undefined;
      if (queue !== undefined) return queue;
      throw new VirtioError("QUEUE_NOT_READY", `queue ${index} is not enabled`, {
        section: "2.6",
        queue: index,
      });
    },
    finish: (index) => {
      if (!isAlive()) return;
      service.finish(index);
      if (state.phase === "suspending") parts.onQuiet();
    },
    later: (work, then, failed) => {
      state.outstanding++;
      const settled = <T>(answer: (value: T) => void) =>
        safely((value: T) => {
          state.outstanding--;
          try {
            answer(value);
          } finally {
            if (state.phase === "suspending") parts.onQuiet();
          }
        });
      late.follow(work, isAlive, settled(then), settled(failed));
    },
    configChanged: () => {
      if (isAlive()) parts.configChanged();
    },
    needsReset,
  };
}
