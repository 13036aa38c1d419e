/** `virtq/conformance`: the lint that judges a transcript by the specification's clauses, and what tries it. */
export { CLAUSES, type Clause, type ClauseId } from "./conformance/clauses";
export type { JudgeContext } from "./conformance/context";
export {
  compareFindings,
  type ExpectedFinding,
  type ExpectedFindingsFile,
  type Surprise,
} from "./conformance/expected";
export type { Finding } from "./conformance/finding";
export { Judge, judge, type NumberedEvent } from "./conformance/judge";
export { MISDEEDS, type Misdeed } from "./driver/misdeed-table";
export { misbehaving } from "./driver/profiles";
export { tapPort } from "./trace/port-tap";
