/** Every ring that Node can measure, and a user's own from a file. */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { STACKS } from "../end-to-end/adapters";
import type { StackAdapter } from "../end-to-end/stack";
import type { RingAdapter } from "../ring";
import { RINGS } from "../rings/registry";
import { busyRing } from "../slow";
import { NATIVE_RINGS } from "./native";
import { V86_RING } from "./v86";

export const NODE_RINGS: readonly RingAdapter[] = [...RINGS, ...NATIVE_RINGS, V86_RING];

/** The names that `--rings` knows: of rings, and of whole stacks. */
export const NAMES: readonly string[] = [...NODE_RINGS, ...STACKS].map(({ name }) => name);

/**
 * Finds a ring or stack by its name, or loads it.
 *
 * @param ring a name, or the path of a module whose `ring` is an adapter
 * @throws Error that says what is wrong with the module
 */
export async function ringOf(ring: string): Promise<RingAdapter | StackAdapter> {
  const known = [...NODE_RINGS, ...STACKS].find(({ name }) => name === ring);
  return known ?? busyRing(ring) ?? loadRing(ring);
}

/** Loads a user's ring; errors as {@link ringOf}. */
export async function loadRing(path: string): Promise<RingAdapter> {
  const module = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  const ring = module.ring ?? module.default;
  if (!isAdapter(ring)) {
    throw new Error(
      `${path} exports no ring: it needs \`export const ring = { name, open(workload) }\`, see virtq/bench`,
    );
  }
  return ring;
}

function isAdapter(value: unknown): value is RingAdapter {
  const ring = value as Partial<RingAdapter> | undefined | null;
  return typeof ring?.name === "string" && typeof ring.open === "function";
}
