/** Every ring that Node can measure, and a user's own from a file. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { STACKS } from "../end-to-end/adapters";
import type { StackAdapter } from "../end-to-end/stack";
import type { RingAdapter } from "../ring";
import { RINGS } from "../rings/registry";
import { busyRing } from "../slow";
import { NATIVE_RINGS } from "./native";
import { SHARED_RINGS } from "./shared";
import { V86_RING } from "./v86";

export const NODE_RINGS: readonly RingAdapter[] = [...RINGS, ...NATIVE_RINGS, V86_RING, ...SHARED_RINGS];

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

/** The files that hold rings in JavaScript, one scope each, beside this one in dist/ (tsup.config.ts). */
const RING_FILES: Readonly<Record<string, string>> = {
  "js-plain-split": "bench-js-plain-split.js",
  "js-plain-packed": "bench-js-plain-packed.js",
  "js-tuned-split": "bench-js-tuned-split.js",
  "js-device": "bench-js-tuned-split.js",
  "js-tuned-packed": "bench-js-tuned-packed.js",
};

/**
 * Flags of V8 for a ring's process. Rings in JavaScript have its limit of inlining raised, ours and users' have its
 * defaults: `js-plain-packed` is a few bytes over that limit, which would make it an eighth slower, and an unfair opponent.
 */
export function engineFlags(ring: string): readonly string[] {
  return RING_FILES[ring] === undefined ? [] : ["--max-inlined-bytecode-size-cumulative=1400"];
}

/**
 * Finds a ring as {@link ringOf}, and takes one in JavaScript from a file of its own where there is one: as fast as its
 * author wrote it, whatever else this program holds.
 */
export async function ringToMeasure(ring: string): Promise<RingAdapter | StackAdapter> {
  const url = new URL(`./${RING_FILES[ring] ?? ""}`, import.meta.url);
  if (RING_FILES[ring] === undefined || !existsSync(url)) return ringOf(ring);
  const exported = Object.values((await import(url.href)) as Record<string, unknown>);
  const found = exported.filter(isAdapter).find(({ name }) => name === ring);
  if (found === undefined) throw new Error(`${url.pathname} has no ring ${ring}`);
  return found;
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
