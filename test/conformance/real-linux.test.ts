// What real guests break (test/interop/v86/linux-findings.json, upgraded-findings.json), as far as it needs no guest: each finding has its reason,
// the page says the same, and the simulated order `linux-current` finds and does what Linux was seen to do.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CLAUSES } from "../../src/conformance/clauses";
import { DRIVER_PROFILES } from "../../src/driver/profiles";
import type { DeviceType } from "../../src/negotiation/feature-table";
import { type Boot, type LinuxRecord, PAGE, page, RECORDS } from "../interop/v86/linux-record";
import { initialisationOrder } from "./initialisation-order";
import { LINUX_DRIVERS } from "./linux-drivers";
import { runLinux } from "./linux-run";

const read = (boot: Boot) => JSON.parse(readFileSync(RECORDS[boot], "utf8")) as LinuxRecord;
const records = { attached: read("attached"), upgraded: read("upgraded") };
const record = records.attached;
const GUEST = { transport: "pci", byteOrder: "little" } as const;
/** Kernels that know 64 features look at as many. */
const LINUX = { ...DRIVER_PROFILES["linux-current"], featureWords: 2 } as const;

it.each(Object.entries(records))(
  "every finding of the %s boot is of a judged clause, by a known guest or v86, and has a reason",
  (_, { findings, guests }) => {
    expect(findings.length).toBeGreaterThan(0);
    for (const { clause, level, section, by, reason } of findings) {
      expect(CLAUSES).toMatchObject({ [clause]: { level, section } });
      expect([...Object.keys(guests), "v86"]).toContain(by);
      expect(reason.length).toBeGreaterThan(20);
    }
  },
);

it("docs/linux.md says what is on record", async () => {
  const advice = "if the change is meant: npx vitest run test/conformance/real-linux.test.ts -u";
  await expect(page(records), advice).toMatchFileSnapshot(PAGE);
});

describe.each(Object.keys(LINUX_DRIVERS))("linux-current on %s", (type) => {
  it("breaks what Linux breaks over the modern interface, and nothing else", async () => {
    const own = record.findings.filter(
      ({ by, device, on }) => by === "Linux" && device === type && on.includes("packed"),
    );
    const { clauses } = await runLinux(LINUX, type, GUEST);
    expect(clauses).toEqual([...new Set(own.map(({ clause }) => clause))].sort());
  });

  it("takes the steps that Linux takes, in the same order", async () => {
    const { events } = await runLinux(LINUX, type, GUEST);
    const accesses = events.flatMap(({ side, access }) => (side === "device" && access ? [access] : []));
    expect(initialisationOrder(type as DeviceType, accesses).join(", ")).toEqual(record.orders.Linux?.[type]);
  });
});
