// Every Linux order on every model, over PCI's and MMIO's word order and on guests of both byte orders, judged: the
// findings are those of linux-findings.json, each with its reason, and no other.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DRIVER_PROFILES } from "../../src/driver/profiles";
import { LINUX_DRIVERS } from "./linux-drivers";
import { runLinux } from "./linux-run";

type Expected = Record<string, Record<string, { clause: string; reason: string }[]>>;
const expected: Expected = JSON.parse(
  readFileSync(new URL("./linux-findings.json", import.meta.url), "utf8"),
);

const GUESTS = ["pci", "mmio"].flatMap((transport) =>
  (["little", "big"] as const).map((byteOrder) => ({ transport, byteOrder })),
);

describe.each(Object.keys(DRIVER_PROFILES).filter((name) => name.startsWith("linux-")))("%s", (profile) => {
  it.each(Object.keys(LINUX_DRIVERS))("on %s: the findings of the list, and no other", async (device) => {
    const rows = expected[profile]?.[device] ?? [];
    for (const guest of GUESTS) {
      const { clauses } = await runLinux(profile, device, guest);
      expect(clauses, JSON.stringify(guest)).toEqual(rows.map(({ clause }) => clause).sort());
    }
    for (const { reason } of rows) expect(reason.length).toBeGreaterThan(20);
  });
});

it("the list names no profile and no device that there isn't", () => {
  expect(Object.keys(DRIVER_PROFILES)).toEqual(expect.arrayContaining(Object.keys(expected)));
  for (const devices of Object.values(expected)) {
    expect(Object.keys(LINUX_DRIVERS)).toEqual(expect.arrayContaining(Object.keys(devices)));
  }
});
