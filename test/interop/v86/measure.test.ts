/**
 * The measurement of `npm run bench:v86`, a round of it: what the guest does is done over every kind of rings, and how many
 * notifications that takes is as it should be. Never how long.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { GuestMissing } from "./apt";
import { findGuestFiles } from "./packages";
import { LIMIT } from "./patience";
import { type Measured, measureRings, PINGS, type Sample } from "./rings-measured";

const files = findGuestFiles();
const ROUNDS = 1;

describe.skipIf(files instanceof GuestMissing)("rings in turns, in one boot", () => {
  let measured: Measured | undefined;

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    measured = await measureRings(files, ROUNDS);
  }, LIMIT);

  it("carry the same frames, none of them lost", () => {
    expect(measured).toMatchObject({ pings: 4 * ROUNDS * (PINGS + 1), broken: 0, drops: 0 });
    const chains = measured?.works.map(({ rings }) => rings.map(({ samples }) => total(samples, "chains")));
    for (const count of chains?.flat() ?? []) expect(count).toBeGreaterThanOrEqual(2 * PINGS * ROUNDS);
  });

  it("need no more notifications than v86's own, and our device needs fewer interrupts", () => {
    for (const { work, rings } of measured?.works ?? []) {
      const per = (what: "kicks" | "interrupts") =>
        rings.map(({ samples }) => total(samples, what) / total(samples, "chains"));
      const [kicks, interrupts] = [per("kicks"), per("interrupts")];
      console.log(work, { rings: rings.map(({ name }) => name), kicks, interrupts });
      for (const one of kicks) expect(one).toBeLessThan(1);
      expect(interrupts.at(-1)).toBeLessThan(0.9 * (interrupts[0] ?? 0));
    }
  });
});

function total(samples: readonly Sample[], what: "chains" | "kicks" | "interrupts"): number {
  return samples.reduce((sum, sample) => sum + sample[what], 0);
}
