/**
 * The operations that a program is made of, what it takes to apply one to a pair of halves, and whether two answers are the
 * same. Everything that an operation needs is in it: it can be applied to both twins and printed.
 */
import type { BufferRequest, ResultName, Rings, Segment, TakenChain, UsedBuffer } from "../model/ring";

/** The rows of the coverage table. */
export const OPERATION_NAMES = [
  "add",
  "driver publish",
  "take used",
  "driver arm",
  "driver disarm",
  "has used",
  "driver reset",
  "take",
  "undo",
  "complete",
  "device publish",
  "device arm",
  "device disarm",
  "has available",
  "device reset",
] as const;

export type OperationName = (typeof OPERATION_NAMES)[number];

export type Operation =
  | { readonly name: "add"; readonly chains: readonly BufferRequest[] }
  | { readonly name: "take used" | "take"; readonly max: number }
  | { readonly name: "driver arm"; readonly ahead: number }
  | { readonly name: "undo"; readonly token: number }
  | { readonly name: "complete"; readonly token: number; readonly written: number }
  | {
      readonly name:
        | "driver publish"
        | "driver disarm"
        | "has used"
        | "driver reset"
        | "device publish"
        | "device arm"
        | "device disarm"
        | "has available"
        | "device reset";
    };

/** What any operation answers, in one shape, so that it can be compared. */
export interface Answer {
  readonly error?: ResultName | undefined;
  readonly flag?: boolean;
  readonly kickValue?: number;
  readonly added?: number;
  readonly tokens?: readonly number[];
  readonly used?: readonly UsedBuffer[];
  readonly chains?: readonly TakenChain[];
}

/** True for an operation of the driver half. */
export function isOfDriver(name: OperationName): boolean {
  return OPERATION_NAMES.indexOf(name) < OPERATION_NAMES.indexOf("take");
}

/** Does it. */
export function apply({ driver, device }: Rings, operation: Operation): Answer {
  switch (operation.name) {
    case "add":
      return driver.add(operation.chains);
    case "driver publish": {
      const { notify, kickValue } = driver.publish();
      return notify ? { flag: true, kickValue } : { flag: false }; // no notification, no value
    }
    case "take used":
      return driver.takeUsed(operation.max);
    case "driver arm":
      return { flag: driver.arm(operation.ahead) };
    case "driver disarm":
      driver.disarm();
      return {};
    case "has used":
      return { flag: driver.hasUsed() };
    case "driver reset":
      driver.reset();
      return {};
    case "take":
      return device.take(operation.max);
    case "undo":
      return { error: device.undo(operation.token) };
    case "complete":
      return { error: device.complete(operation.token, operation.written) };
    case "device publish":
      return { flag: device.publish() };
    case "device arm":
      return { flag: device.arm() };
    case "device disarm":
      device.disarm();
      return {};
    case "has available":
      return { flag: device.hasAvailable() };
    case "device reset":
      device.reset();
      return {};
  }
}

/** True when two answers say the same. */
export function sameAnswer(a: Answer, b: Answer): boolean {
  return (
    a.error === b.error &&
    a.flag === b.flag &&
    a.kickValue === b.kickValue &&
    a.added === b.added &&
    sameList(a.tokens, b.tokens, (x, y) => x === y) &&
    sameList(a.used, b.used, (x, y) => x.token === y.token && x.length === y.length) &&
    sameList(a.chains, b.chains, sameChain)
  );
}

function sameChain(a: TakenChain, b: TakenChain): boolean {
  return (
    a.token === b.token &&
    a.error === b.error &&
    a.readableBytes === b.readableBytes &&
    a.writableBytes === b.writableBytes &&
    sameList(a.readable, b.readable, sameSegment) &&
    sameList(a.writable, b.writable, sameSegment)
  );
}

function sameSegment(a: Segment, b: Segment): boolean {
  return a.address === b.address && a.length === b.length;
}

function sameList<T>(
  a: readonly T[] | undefined,
  b: readonly T[] | undefined,
  same: (x: T, y: T) => boolean,
): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) {
    return a === b;
  }
  for (let i = 0; i < a.length; i++) {
    if (!same(a[i] as T, b[i] as T)) {
      return false;
    }
  }
  return true;
}

/** True when two states agree in every field. */
export function sameState(
  a: { available: number; used: number; inFlight: number; free?: number; error: ResultName | undefined },
  b: { available: number; used: number; inFlight: number; free?: number; error: ResultName | undefined },
): boolean {
  return (
    a.available === b.available &&
    a.used === b.used &&
    a.inFlight === b.inFlight &&
    a.free === b.free &&
    a.error === b.error
  );
}

/** An operation, an answer or a set-up as one line for a message. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, item) => (typeof item === "bigint" ? `${item}n` : item)) ?? "undefined";
}
