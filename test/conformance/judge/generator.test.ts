// Generated runs: one that keeps every clause has no finding, and one breach put into it is found by its clause, with
// the clauses that the same deed breaks and no others, whatever went before and comes after.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLAUSES } from "../../../src/conformance/clauses";
import { judge } from "../../../src/conformance/judge";
import { events } from "./accesses";
import { BREACHES, type Breach } from "./breaches";
import { Choices } from "./choices";
import { GeneratedRun, type Injection, type Wishes } from "./generator";

const choices = fc.array(fc.nat({ max: 0xffff }), { minLength: 100, maxLength: 500, size: "max" });
const nothing: Injection = () => false;
const judged = (run: GeneratedRun) =>
  judge(events(run.happenings), run.context)
    .map(({ clause }) => clause)
    .sort();

/** A run with the breach at one of the places where it can be; `done` says whether there was one. */
function broken(list: readonly number[], skip: number, breach: Breach): { run: GeneratedRun; done: boolean } {
  let left = skip;
  let done = breach.stages.length === 0;
  const inject: Injection = (stage, run) => {
    if (done || !breach.stages.includes(stage) || left-- > 0) return false;
    done = true;
    if (breach.does(run) === false) done = false;
    return done;
  };
  const run = new GeneratedRun(new Choices(list), breach.wishes ?? {}, inject).generate();
  return { run, done };
}

describe("a run without a breach", () => {
  it.each([
    ["modern", {}],
    ["suspending", { features: ["SUSPEND"] }],
    ["legacy", { legacy: true }],
  ] as readonly (readonly [string, Wishes])[])("has no finding: %s", (_, wishes) => {
    fc.assert(
      fc.property(choices, (list) => {
        expect(judged(new GeneratedRun(new Choices(list), wishes, nothing).generate())).toEqual([]);
      }),
      { numRuns: 700 },
    );
  });
});

describe("a run with one breach", () => {
  it.each(BREACHES.map((breach, index) => [breach.clause, index, breach] as const))(
    "is found by %s alone (row %i)",
    (clause, _, breach) => {
      let injected = 0;
      const tries = fc.property(choices, fc.nat({ max: 3 }), (list, skip) => {
        const { run, done } = broken(list, skip, breach);
        if (done) injected++;
        expect(judged(run)).toEqual(done ? [clause, ...(breach.also ?? [])].sort() : []);
      });
      // Some breaches fit few runs: more are made until there were enough.
      for (let round = 0; injected <= 5 && round < 20; round++) fc.assert(tries, { numRuns: 60 });
      expect(injected).toBeGreaterThan(5);
    },
  );

  it("is tried for every clause", () => {
    const tried = new Set(BREACHES.flatMap(({ clause, also = [] }) => [clause, ...also]));
    expect(Object.keys(CLAUSES).filter((id) => !tried.has(id as keyof typeof CLAUSES))).toEqual([]);
  });
});
