/**
 * From the core's numbers to what the halves of test/model/ring.ts answer: result codes by name, positions as in vhost.
 */
import { VirtioError } from "../src/errors";
import * as result from "../src/spec/result";
import type { ResultName } from "./model/ring";

const names = new Map(Object.entries(result).map(([name, code]) => [code, name as ResultName]));

/** The name of a negative result. */
export function nameOf(code: number): ResultName {
  const name = names.get(code);
  if (!name) throw new Error(`result ${code} has no name`);
  return name;
}

/** The code of the caller's mistake that a public method threw. */
export function codeOf(cause: unknown): ResultName {
  if (cause instanceof VirtioError) return cause.code as ResultName;
  throw cause;
}

/** The name of a result, if it is negative. */
export function errorOf(code: number): ResultName | undefined {
  return code < 0 ? nameOf(code) : undefined;
}

/** A position: the index in split, slot and wrap counter in packed. */
export function position(layout: "split" | "packed", at: number, wrap: number): number {
  return layout === "split" ? at : at | (wrap << 15);
}
