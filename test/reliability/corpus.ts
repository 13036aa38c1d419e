/**
 * The corpus of hostile input, this project's own copy (adversarial.json), and which of its cases concern the rings and the transports.
 */
import { readFileSync } from "node:fs";
import type { ResultName } from "../model/ring";

/** One case: a set-up profile, what is done in words, and what must come of it. */
export interface CorpusCase {
  readonly id: string;
  readonly side: string;
  readonly layout: string;
  readonly setup: string;
  readonly action: string;
  readonly expected: {
    readonly result: string;
    readonly error: readonly ResultName[];
    readonly mustNot: readonly string[];
    readonly deviceStatus: string;
  };
}

const corpus = JSON.parse(readFileSync(new URL("./adversarial.json", import.meta.url), "utf8")) as {
  readonly cases: readonly CorpusCase[];
};

/** The cases whose side is the device half or the driver half of a ring. */
export const RING_CASES: readonly CorpusCase[] = corpus.cases.filter(
  ({ side }) => side === "device-under-test" || side === "driver-under-test",
);

/** The cases whose side is a transport. */
export const TRANSPORT_CASES: readonly CorpusCase[] = corpus.cases.filter(({ side }) => side === "transport");

/** A ring or transport case by its id. */
export function corpusCase(id: string): CorpusCase {
  const found = [...RING_CASES, ...TRANSPORT_CASES].find((c) => c.id === id);
  if (!found) throw new Error(`no ring or transport case ${id} in the corpus`);
  return found;
}

/** A test's title: the id first, so that a test is found by it. */
export function titleOf(id: string): string {
  return `${id} ${corpusCase(id).action.replaceAll("%", "%%")}`;
}
