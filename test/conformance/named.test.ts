// Every clause of these areas of the catalogue is tested under its id. An id that can't be tested stands here, with why.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

/** How many clauses an area has. */
const AREAS = { MMIO: 54, PCI: 102, VIRTQUEUE: 4, NOTIFICATIONS: 2, "QUEUE-RESET": 7 };
/** Clauses about what there isn't here. */
const NOT_BUILT: Readonly<Record<string, string>> = {
  "PCI-024": "the best structure first: there is one of each type",
  "PCI-051": "fewer administration virtqueues: there are none, and ADMIN_VQ is not offered",
  "PCI-068": "the vendor's capability: there is none",
  "PCI-090":
    "disarming a legacy driver, which a device may: a modern function has no I/O BAR 0 where it could",
};

const files = readdirSync("test", { recursive: true, encoding: "utf8" });
const tests = files
  .filter((name) => name.endsWith(".test.ts") && !name.endsWith("named.test.ts"))
  .map((name) => join("test", name));
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
  const isExcused = (id: string) => id in NOT_BUILT;
  expect(ids.filter((id) => !named.has(id) && !isExcused(id))).toEqual([]);
  expect(ids.filter((id) => named.has(id) && isExcused(id))).toEqual([]);
  expect([...named].filter((id) => id.startsWith(`${area}-`) && !ids.includes(id))).toEqual([]);
});
