/**
 * A few property programs on the WebAssembly core, release and shared build, against the reference rings: the quick form of
 * test/slow/property.test.ts, with other seeds.
 */
import { expect, it } from "vitest";
import { MODEL, RELEASE, SHARED } from "../rings";
import { runTwins } from "./twins";

it.each([
  [RELEASE, 1],
  [SHARED, 2],
] as const)("$name does what the reference rings do", (right, seed) => {
  const { operations, overwritten } = runTwins({ left: MODEL, right, seed, operations: 25_000 });
  expect(operations).toBeGreaterThanOrEqual(25_000);
  expect(overwritten).toBeGreaterThan(500);
});
