/**
 * What a device type brings along: its features, queues, configuration and what it does with a chain (§5).
 * Everything that is the same for all types (status, negotiation, queue set-up, notifications) is VirtioDevice.
 */
import type { Core } from "../core/core";
import { nearest, VirtioError } from "../errors";
import { CONFIG_LAYOUTS, type ConfigLayout } from "../negotiation/config-table";
import type { FeatureSet } from "../negotiation/feature-set";
import type { DeviceType } from "../negotiation/feature-table";
import type { DeviceQueue } from "../virtqueue/device-queue";

/** A configuration value: a number or bigint is written little-endian, bytes as they are (§2.5). */
export type ConfigValue = number | bigint | Uint8Array;

/** One field of the device-specific configuration (§2.5). */
export interface ConfigField extends Omit<ConfigLayout, "writable"> {
  /** When the driver may write it; `true` is "after-features-ok", absent is never. */
  readonly writable?: ConfigLayout["writable"] | true;
  /**
   * The value, or what gives it anew at each access. `accepted` is what the driver feature words hold then, for
   * fields that show zero until their bit is accepted (§5.2.5, zoned).
   */
  readonly value: ConfigValue | ((accepted: FeatureSet) => ConfigValue);
}

/** A virtqueue of a device type. */
export interface QueueDeclaration {
  readonly name: string;
  /** Most descriptors, 1…32768. For split the largest power of two in it counts. */
  readonly maxSize: number;
  /** The queue exists only if this is negotiated; its index stays its own (§5.5.2). Until then it shows its size. */
  readonly needs?: string;
}

/** What a model may do with the device around it, from DRIVER_OK until the next reset. */
export interface DeviceContext {
  /** The negotiated set. */
  readonly negotiated: FeatureSet;
  readonly core: Core;
  /** False once the device was reset: guest memory and queues are then out of bounds (§2.4.1). */
  readonly alive: boolean;
  /**
   * The device half of a queue.
   *
   * @param index queue index, < number of queues
   * @throws VirtioError QUEUE_NOT_READY if the driver didn't enable it, or the device was reset
   */
  queue(index: number): DeviceQueue;
  /**
   * Publishes what was completed on a queue outside of `process`, sends a used buffer notification if the driver
   * wants one, and has the device look at the queue again. Without effect after a reset.
   */
  finish(index: number): void;
  /**
   * Waits for a backend. Only one of `then` and `failed` is called, and neither after a reset: late results are
   * dropped. What they throw makes the device need a reset. `device.idle()` waits for all of these.
   */
  later<T>(work: Promise<T>, then: (result: T) => void, failed: (reason: unknown) => void): void;
  /** Says that a configuration value has changed; the driver is notified (§3.2). */
  configChanged(): void;
  /** Gives up: DEVICE_NEEDS_RESET until the driver resets the device (§2.1.2). */
  needsReset(error: VirtioError): void;
}

/** A device type, to be put into a VirtioDevice. */
export interface DeviceModel {
  /** For messages. */
  readonly name: string;
  /** Device ID (§5); 0 for a device that no driver should find. */
  readonly deviceId: number;
  /** Whose short feature names `offers` and `anyOf` use; default: by the device ID. */
  readonly deviceType?: DeviceType;
  readonly queues: readonly QueueDeclaration[];
  /** Device-type features offered; the ring's features are the device's option. */
  readonly offers: readonly (string | number)[];
  readonly config: readonly ConfigField[];
  /** Its configuration is little-endian on the legacy interface, too (the balloon's, §5.5.4). Default false. */
  readonly littleEndianConfig?: boolean;
  /** What it had to give up so far, whoever sent it: frames of a network device, for example. Only grows. */
  readonly drops?: number;
  /** Judges an accepted set that is otherwise fine; a sentence, given or thrown, refuses FEATURES_OK (§2.2.2). */
  validate?(accepted: FeatureSet): string | undefined;
  /** DRIVER_OK arrived. Set up, don't serve. */
  start?(context: DeviceContext): void;
  /**
   * Takes and serves chains of one queue; what it can't finish now it finishes later with `context.later`.
   * Completed chains are published by the device when this returns.
   *
   * @param budget most chains to take, ≥ 1
   * @returns chains taken; fewer than `budget` means that the queue is drained or that the model wants no more now,
   *   `budget` that it wants to go on at its next turn, be it in the middle of a chain
   */
  process(index: number, queue: DeviceQueue, budget: number): number;
  /** The driver wrote a writable field, of which `value` is now the whole value; or it had, in a restored image. */
  configWritten?(name: string, value: number | bigint): void;
  /**
   * SUSPEND was set and no answer of `later` is waited for any more (§3.4.1): complete what is held, and let nothing
   * come out until `resume`. The device shows itself suspended when this has returned, or its Promise settled, and no
   * chain is held. Called once more then if some were. A throw or a rejection makes the device need a reset.
   */
  suspend?(): void | Promise<void>;
  /** DRIVER_OK was set again. The device is live when this has returned, or its Promise settled. */
  resume?(): void | Promise<void>;
  /**
   * What the model has beside what the device keeps, as JSON. A model with this answers for its chains in flight and
   * for what its backend still works on: their tokens stay valid in the restored device. Without it a device can be
   * saved only while none are.
   */
  save?(): unknown;
  /**
   * Takes over what `save` gave, before `start`; null if the saved model had no `save`. A throw refuses the image, and
   * the model must be as it was then.
   */
  restore?(state: unknown): void;
  /** The device was reset: forget all requests. With a Promise the reset is over when it settles (§2.4). */
  reset?(): void | Promise<void>;
}

/**
 * The configuration of a known device type with the values that a model has; fields without one read as zero.
 *
 * @param values by field name, for example `{ capacity: () => backend.sectors }`
 * @throws VirtioError UNKNOWN_NAME naming the nearest field
 */
export function configFields(
  type: DeviceType,
  values: Readonly<Record<string, ConfigField["value"]>>,
): ConfigField[] {
  const layouts = CONFIG_LAYOUTS[type];
  const names = layouts.map(({ name }) => name);
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const hint = nearest(unknown, names);
    const text = `${type} has no configuration field "${unknown}"`;
    throw new VirtioError("UNKNOWN_NAME", hint === undefined ? text : `${text}: did you mean ${hint}?`, {
      section: "2.5",
    });
  }
  return layouts.map((layout) => ({ ...layout, value: values[layout.name] ?? 0 }));
}
