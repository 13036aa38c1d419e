/** A rule of the specification that a driver or a device broke, as src/conformance reports it. */

/** How strong a clause is (RFC 2119). MAY clauses can't be broken. */
export type ClauseLevel = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT";

/** One clause that was not kept, once. */
export interface Finding {
  /** Id in clauses.ts: "FEATURES-001", "SEED241-007". */
  readonly clause: string;
  /** Section of virtio 1.4: "2.2.1"; for SEED241 the section that the patch for issue 241 changes. */
  readonly section: string;
  readonly level: ClauseLevel;
  /** Who broke it. */
  readonly side: "driver" | "device";
  /** What happened, with both values: what was there or allowed, and what was done. */
  readonly what: string;
  /** How to mend it, for the author of that side. */
  readonly mend: string;
  /** `seq` of the event that showed it. */
  readonly seq: number;
}
