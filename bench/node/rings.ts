/** Every ring that Node can measure, and a user's own from a file. */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { RingAdapter } from "../ring";
import { RINGS } from "../rings/registry";
import { NATIVE_RINGS } from "./native";
import { SHARED_RINGS } from "./shared";
import { V86_RING } from "./v86";

export const NODE_RINGS: readonly RingAdapter[] = [...RINGS, ...NATIVE_RINGS, V86_RING, ...SHARED_RINGS];

/**
 * Finds a ring by its name, or loads it.
 *
 * @param ring a name, or the path of a module whose `ring` is an adapter
 * @throws Error that says what is wrong with the module
 */
export async function ringOf(ring: string): Promise<RingAdapter> {
  const known = NODE_RINGS.find(({ name }) => name === ring);
  return known ?? loadRing(ring);
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
