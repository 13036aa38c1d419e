/**
 * Shapes of plain data: each function takes a value that came from anywhere and gives it back typed, made anew from
 * nothing but the parts that it knows, or throws. Says nothing about what the values mean.
 */
import { VirtioError } from "../errors";

/** Judges `value`, which stands at `at` in the image. @throws VirtioError SNAPSHOT_INVALID */
export type Shape<T> = (value: unknown, at: string) => T;

/** @throws VirtioError SNAPSHOT_INVALID */
export function invalid(message: string, cause?: unknown): never {
  const error = new VirtioError("SNAPSHOT_INVALID", message);
  if (cause !== undefined) error.cause = cause;
  throw error;
}

/** A whole number 0…`max`. */
export function whole(max: number): Shape<number> {
  return (value, at) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
    return invalid(`${at} is ${show(value)}, not a whole number in 0…${max}`);
  };
}

/** One of some constants. */
export function oneOf<const T extends string | number | boolean | null>(...known: readonly T[]): Shape<T> {
  return (value, at) => {
    const found = known.find((constant) => constant === value);
    return found === undefined ? invalid(`${at} is ${show(value)}, known is ${known.join(", ")}`) : found;
  };
}

/** Any text. */
export const text: Shape<string> = (value, at) =>
  typeof value === "string" ? value : invalid(`${at} is ${show(value)}, not text`);

/** Any JSON value; whoever reads it judges it. */
export const anything: Shape<unknown> = (value) => value;

/** The shape, or null. */
export function nullOr<T>(shape: Shape<T>): Shape<T | null> {
  return (value, at) => (value === null ? null : shape(value, at));
}

/** A list of as many items as it likes. */
export function listOf<T>(shape: Shape<T>): Shape<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) return invalid(`${at} is ${show(value)}, not a list`);
    return value.map((item: unknown, i) => shape(item, `${at}[${i}]`));
  };
}

/** A list of exactly four items. */
export function fourOf<T>(shape: Shape<T>): Shape<readonly [T, T, T, T]> {
  return (value, at) => {
    const list = listOf(shape)(value, at);
    const [a, b, c, d] = list;
    if (list.length !== 4 || a === undefined || b === undefined || c === undefined || d === undefined)
      return invalid(`${at} has ${list.length} items, not 4`);
    return [a, b, c, d];
  };
}

/** An object with exactly these fields. */
export function record<T extends object>(fields: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return invalid(`${at} is ${show(value)}, not an object`);
    const given = new Map<string, unknown>(Object.entries(value));
    const unknown = [...given.keys()].find((name) => !names.includes(name as keyof T & string));
    if (unknown !== undefined) return invalid(`${at} has a field ${unknown}, known are ${names.join(", ")}`);
    const missing = names.find((name) => !given.has(name));
    if (missing !== undefined) return invalid(`${at} has no field ${missing}`);
    return Object.fromEntries(
      names.map((name) => [name, fields[name](given.get(name), `${at}.${name}`)]),
    ) as T;
  };
}

/** A short form for messages. */
function show(value: unknown): string {
  const whole = JSON.stringify(value) ?? typeof value;
  return whole.length > 40 ? `${whole.slice(0, 40)}…` : whole;
}
