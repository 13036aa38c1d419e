// docs/conformance.md says what is judged and what isn't: no clause of the ten areas is left out or told twice, and
// the judged ones stand there as they stand in clauses.ts.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CLAUSES } from "../../../src/conformance/clauses";
import { compareFindings, type ExpectedFindingsFile } from "../../../src/conformance/expected";
import type { Finding } from "../../../src/conformance/finding";
import { DRIVER_PROFILES } from "../../../src/driver/profiles";

const text = readFileSync("docs/conformance.md", "utf8");
const sectionOf = (title: string) => text.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
const rowsOf = (title: string) => sectionOf(title).match(/^\| [A-Z0-9]+-\d+ .*$/gm) ?? [];
const idOf = (row: string) => row.split(" ")[1] ?? "";

/** How many clauses each area has. */
const AREAS = {
  STATUS: 10,
  FEATURES: 19,
  SEED241: 12,
  CONFIG: 11,
  INIT: 13,
  OPERATION: 2,
  CLEANUP: 3,
  RESET: 3,
  SUSPEND: 15,
  RESERVED: 31,
};

it("docs/conformance.md: the judged clauses are those of clauses.ts, word by word", () => {
  const rows = Object.entries(CLAUSES).map(
    ([id, { section, level, side, duty }]) => `| ${id} | ${section} | ${level} | ${side} | ${duty} |`,
  );
  expect([...rowsOf("Judged")].sort()).toEqual(rows.sort());
});

it("docs/conformance.md: every clause of the ten areas is judged or says why not, once", () => {
  const every = Object.entries(AREAS).flatMap(([area, count]) =>
    Array.from({ length: count }, (_, i) => `${area}-${`${i + 1}`.padStart(3, "0")}`),
  );
  expect([...rowsOf("Judged"), ...rowsOf("Not judged")].map(idOf).sort()).toEqual(every.sort());
});

it("docs/conformance.md: evidence is named for judged clauses", () => {
  for (const row of rowsOf("What counts as evidence"))
    expect(CLAUSES).toHaveProperty(idOf(row).replace(",", ""));
});

it("expected-findings.json: known profiles, judged clauses, and a reason each", () => {
  const path = "test/conformance/expected-findings.json";
  const file = JSON.parse(readFileSync(path, "utf8")) as ExpectedFindingsFile;
  expect(file.schema).toBe("virtq.expected-findings/1");
  for (const [profile, entries] of Object.entries(file.profiles)) {
    expect(DRIVER_PROFILES).toHaveProperty(profile);
    for (const { clause, side, reason } of entries) {
      expect(CLAUSES).toHaveProperty(clause);
      expect(["driver", "device"]).toContain(side);
      expect(reason.length).toBeGreaterThan(20);
    }
  }
});

it("compareFindings: what is new, what has gone", () => {
  const finding = (clause: string, what: string): Finding => ({
    clause,
    what,
    section: "2.2.1",
    level: "SHOULD",
    side: "driver",
    mend: "",
    seq: 0,
  });
  const found = [finding("RESERVED-006", "RING_PACKED (34) is offered"), finding("SEED241-007", "mtu read")];
  const packed = { clause: "RESERVED-006", side: "driver", reason: "an old kernel" } as const;
  const status = {
    clause: "SEED241-007",
    side: "driver",
    what: "status read",
    reason: "looks first",
  } as const;
  expect(compareFindings(found, [packed, status])).toEqual({ unexpected: [found[1]], absent: [status] });
  expect(compareFindings(found, [packed, { ...status, what: "mtu" }])).toEqual({
    unexpected: [],
    absent: [],
  });
  expect(compareFindings(found, [{ ...packed, side: "device" }]).absent).toHaveLength(1);
});
