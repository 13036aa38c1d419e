/** What each ring of a table is held against. */

const REFERENCES: readonly (readonly [pattern: RegExp, reference: string])[] = [
  [/^wasm-device-in-wasm$/, ""],
  [/^(?:wasm-device-.*|js-device|v86)$/, "wasm-device-in-wasm"],
  [/^wasm-split$/, ""],
  [/^(?:copy|stack-.*)$/, "copy"],
  [/^wasm-packed$/, "wasm-split"],
  [/-packed(?:-in-order)?(?:-scalar)?$/, "wasm-packed"],
];

/** The ring whose time is 1 in the row of `ring`, or "" for those that are the measure themselves. */
export function referenceOf(ring: string): string {
  const twin = / \((?:again|slowed)\)$/;
  if (twin.test(ring)) return ring.replace(twin, "");
  return REFERENCES.find(([pattern]) => pattern.test(ring))?.[1] ?? "wasm-split";
}
