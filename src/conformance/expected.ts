/**
 * Findings that are known and have a reason, checked in beside the tests: what Linux does against a SHOULD, say.
 * A list is right when nothing else is found and nothing in it is missing.
 */
import type { Finding } from "./finding";

/** A finding that is expected of a run. */
export interface ExpectedFinding {
  /** Id of the clause. */
  readonly clause: string;
  readonly side: Finding["side"];
  /** Part of the finding's `what`, if the clause alone would allow too much. */
  readonly what?: string;
  /** Why it is so, and why that is accepted. */
  readonly reason: string;
}

/** The file of expected findings: a list for each driver profile, by its name. */
export interface ExpectedFindingsFile {
  readonly schema: "virtq.expected-findings/1";
  readonly profiles: Readonly<Record<string, readonly ExpectedFinding[]>>;
}

/** How a run differs from what was expected of it; both empty: not at all. */
export interface Surprise {
  /** Findings that no entry speaks of. */
  readonly unexpected: readonly Finding[];
  /** Entries that nothing was found for: the list has grown old. */
  readonly absent: readonly ExpectedFinding[];
}

/** Compares the findings of a run with what is expected of it; one entry stands for any number of findings. */
export function compareFindings(
  findings: readonly Finding[],
  expected: readonly ExpectedFinding[],
): Surprise {
  return {
    unexpected: findings.filter((finding) => !expected.some((entry) => speaksOf(entry, finding))),
    absent: expected.filter((entry) => !findings.some((finding) => speaksOf(entry, finding))),
  };
}

function speaksOf({ clause, side, what = "" }: ExpectedFinding, finding: Finding): boolean {
  return finding.clause === clause && finding.side === side && finding.what.includes(what);
}
