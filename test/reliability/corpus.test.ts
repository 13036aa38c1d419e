/**
 * Every ring and transport case of the corpus has a test of its name, and no test names a case that is not there.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RING_CASES, TRANSPORT_CASES } from "./corpus";

const folder = new URL("./", import.meta.url);

/** Ids that a file declares: arguments of the case functions, and keys of its tables of cases. */
function declared(file: string): string[] {
  const text = readFileSync(new URL(file, folder), "utf8");
  const calls = text.matchAll(/(?:deviceCase|driverCase|mmioCase|run|titleOf)\(\s*"([DRT]\d{3})"/g);
  const keys = text.matchAll(/^ {2}([DR]\d{3}): \{/gm);
  return [...calls, ...keys].flatMap((match) => match[1] ?? []);
}

test("every case whose side is the device or the driver under test, or a transport, has a test", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && name !== "corpus.test.ts");
  const ids = new Set(files.flatMap(declared));
  expect([...ids].sort()).toEqual([...RING_CASES, ...TRANSPORT_CASES].map(({ id }) => id).sort());
  expect([RING_CASES.length, TRANSPORT_CASES.length]).toEqual([106, 29]);
});
