// Every judged clause: what breaks it is found, with the clauses that the same deed breaks and no others; what comes
// near to it is not.
import { describe, expect, it } from "vitest";
import { CLAUSES, type ClauseId } from "../../../src/conformance/clauses";
import { judge } from "../../../src/conformance/judge";
import { events } from "./accesses";
import { CASES } from "./cases";

const idsOf = (findings: readonly { clause: string }[]) => findings.map(({ clause }) => clause).sort();

describe.each(CASES)("$clause $name", ({ clause, context, side = "driver", also = [], breach, conforms }) => {
  const { section, level } = CLAUSES[clause];

  it(`${clause} §${section} is found`, () => {
    const findings = judge(events(breach), context);
    expect(idsOf(findings)).toEqual([clause, ...also].sort());
    const found = findings.find((finding) => finding.clause === clause);
    expect(found).toMatchObject({ section, level, side, mend: CLAUSES[clause].mend });
    expect(found?.seq).toBeLessThan(breach.length);
  });

  it(`${clause} §${section} is not found where it is kept`, () => {
    expect(judge(events(conforms), context)).toEqual([]);
  });
});

it("has a case for every clause", () => {
  const tested = new Set<ClauseId>(CASES.map(({ clause }) => clause));
  expect(Object.keys(CLAUSES).filter((id) => !tested.has(id as ClauseId))).toEqual([]);
});
