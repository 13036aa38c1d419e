// Every clause of these areas of the catalogue is tested under its id. An id that can't be tested would stand here, with why.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

/** How many clauses an area has. */
const AREAS = { MMIO: 54, VIRTQUEUE: 4, NOTIFICATIONS: 2, "QUEUE-RESET": 7 };

const files = readdirSync("test", { recursive: true, encoding: "utf8" });
const tests = files.filter((name) => name.endsWith(".test.ts")).map((name) => join("test", name));
/** Ids in titles; comments count for nothing. */
const named = new Set(
  tests.flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line))
      .flatMap((line) => line.match(/\b[A-Z][A-Z-]*[A-Z]-\d{3}\b/g) ?? []),
  ),
);

it.each(Object.entries(AREAS))("every clause of %s has a test", (area, count) => {
  const ids = Array.from({ length: count }, (_, i) => `${area}-${`${i + 1}`.padStart(3, "0")}`);
  expect(ids.filter((id) => !named.has(id))).toEqual([]);
  expect([...named].filter((id) => id.startsWith(`${area}-`) && !ids.includes(id))).toEqual([]);
});
