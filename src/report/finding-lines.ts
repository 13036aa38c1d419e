/** Findings without their transcript: a clause, who broke it and what happened, each in a paragraph of its own. */
import type { Finding } from "../conformance/finding";
import { wrap } from "./wrap";

/**
 * Draws findings, equal ones once.
 *
 * @param width columns
 */
export function findingLines(findings: readonly Finding[], width: number): string[] {
  const lines = findings.map(({ clause, level, section, side, what }) => {
    const where = section === "" ? "" : ` §${section}`;
    return wrap(`! ${clause} ${level}${where} ${side}: ${what}`, width, "  ");
  });
  return [...new Set(lines)];
}
