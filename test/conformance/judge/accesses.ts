/**
 * Accesses and notifications as short words, to write down what a driver and a device did. Values are what was read
 * or written; nothing behind this answers anything by itself.
 */
import type { NumberedEvent } from "../../../src/conformance/judge";
import type { ControlEvent, RegisterAccess } from "../../../src/negotiation/control-event";
import { FEATURE_WORDS, FeatureSet } from "../../../src/negotiation/feature-set";

/** What happened once; the place is given by `events`. */
export type Happening = Omit<ControlEvent, "section">;

const access = (register: RegisterAccess): Happening => ({
  side: "driver",
  step: register.register,
  access: register,
});
const read = (register: RegisterAccess["register"], value: number, more: Partial<RegisterAccess> = {}) =>
  access({ register, how: "read", value, ...more });
const write = (register: RegisterAccess["register"], value: number, more: Partial<RegisterAccess> = {}) =>
  access({ register, how: "write", value, ...more });

/** The status is written. */
export const set = (value: number) => write("status", value);
/** The status is read and shows `value`. */
export const shows = (value: number) => read("status", value);
/** A word of the offer is read. */
export const offers = (index: number, value: number) => read("device-features", value, { index });
/** A word of the driver's features is written. */
export const accepts = (index: number, value: number) => write("driver-features", value, { index });
/** `bytes` of the configuration are read. */
export const reads = (index: number, bytes: 1 | 2 | 4, value = 0) => read("config", value, { index, bytes });
/** `bytes` of the configuration are written. */
export const writes = (index: number, bytes: 1 | 2 | 4, value = 0) =>
  write("config", value, { index, bytes });
export const generation = (value: number) => read("config-generation", value);
export const findsQueue = (index = 0, size = 64) => read("queue-size", size, { index });
export const enables = (index = 0, size = 64) => write("queue-enable", size, { index });
export const stops = (index = 0) => write("queue-enable", 0, { index });
export const ready = (index = 0, value = 1) => read("queue-enable", value, { index });
export const resetsQueue = (index = 0) => write("queue-reset", 1, { index });
export const notifies = (value = 0) => write("notify", value);
/** The device notifies the driver. */
export const exposed = (queue = 0): Happening => ({
  side: "device",
  step: "exposed",
  field: `queue ${queue}`,
});
export const notice = (field: "used" | "config"): Happening => ({ side: "device", step: "interrupt", field });

/** All words of an offer, read. */
export function offersAll(offered: FeatureSet, words = FEATURE_WORDS): Happening[] {
  return Array.from({ length: words }, (_, index) => offers(index, offered.word(index)));
}

/** A set, written word by word. */
export function acceptsAll(accepted: FeatureSet, order: readonly number[] = [0, 1]): Happening[] {
  return order.map((index) => accepts(index, accepted.word(index)));
}

/** The happenings in order, numbered. */
export function events(...happenings: readonly (Happening | readonly Happening[])[]): NumberedEvent[] {
  return happenings.flat().map((happening, seq) => ({ section: "", ...happening, seq }));
}

/** A set of features of no particular type. */
export const features = (...names: (string | number)[]) => FeatureSet.of(...names);
