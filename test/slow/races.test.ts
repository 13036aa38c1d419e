/** Ten million races of a publish against an arm, over all kinds of suppression: none may lose the wake-up. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { NodeRace } from "../shared/node-race";
import { RACES, raceOften } from "../shared/race";

/** Races of each kind; ten million of all. */
const MANY = 10_000_000 / RACES.length;

let workers: NodeRace;
beforeAll(async () => {
  workers = await NodeRace.start();
});
afterAll(() => workers.end());

it.each(RACES)(
  "§2.7.13.4.1, §2.7.14, §2.8.17, $layout, $notify: no wake-up is lost in millions of races",
  async (kind) => {
    const tally = await raceOften(kind, MANY, workers.run);
    console.log(`${kind.layout}, ${kind.notify}: ${JSON.stringify(tally)}`);
    expect(tally.lost).toBe(0);
    expect(tally.notified + tally.lookedAgain + tally.both).toBe(tally.races);
  },
);
