/**
 * The race that a lost wake-up needs, again and again: one side publishes and decides whether to notify, while the other
 * arms and looks again. Both at once may see each other, or one of the two; if neither does, the second would sleep
 * although there is work. Counted, so that nothing depends on how long anything takes.
 *
 * A round is one chain: its driver's publish against the device's arm, then the device's publish against the driver's.
 */
import * as abi from "../../assembly/abi";
import { type Half, type Meeting, makeMeeting, openHalf, type Role, WORD } from "../../bench/shared/meeting";
import { workloadOf } from "../../bench/workload";
import { deviceVerbs, driverVerbs } from "../../src/core/exports";

/** What came of the races that one side armed in. */
export interface Tally {
  races: number;
  /** The publisher saw that notifications were armed; the other side did not see its work. */
  notified: number;
  /** The other way round. */
  lookedAgain: number;
  /** Each saw the other: proof that they were at it at the same time. */
  both: number;
  /** Neither: the wake-up is lost. */
  lost: number;
}

export interface RaceRequest {
  readonly role: Role;
  readonly meeting: Meeting;
  /** Less than 2^28. */
  readonly rounds: number;
}

/** What is negotiated in a race. */
export const RACES = (["split", "packed"] as const).flatMap((layout) =>
  (["flags", "event-idx"] as const).map((notify) => ({ layout, notify })),
);

export type RaceKind = (typeof RACES)[number];

/** A fresh ring to race on. */
export function raceMeeting({ layout, notify }: RaceKind, module?: WebAssembly.Module): Meeting {
  const shape = { name: "1", readable: [64], writable: [], indirect: false };
  return makeMeeting({ layout, inOrder: false }, workloadOf({ shape, batch: 1, notify }), module);
}

/** Asks both workers to run one race; what came of both directions together. */
export type RunRace = (meeting: Meeting, rounds: number) => Promise<readonly Tally[]>;

/** Rounds on one ring: three times round the 16 bits of a split index. */
const ROUNDS = 200_000;

export function noTally(): Tally {
  return { races: 0, notified: 0, lookedAgain: 0, both: 0, lost: 0 };
}

/** Whether the two sides really were at it at the same time. */
export function isRaced({ notified, lookedAgain, both }: Tally): boolean {
  return notified > 0 && lookedAgain > 0 && both > 0;
}

export function addTally(to: Tally, { races, notified, lookedAgain, both, lost }: Tally): void {
  to.races += races;
  to.notified += notified;
  to.lookedAgain += lookedAgain;
  to.both += both;
  to.lost += lost;
}

/** Races at least `races` times, and until the two sides really met. */
export async function raceOften(
  kind: RaceKind,
  races: number,
  run: RunRace,
  module?: WebAssembly.Module,
): Promise<Tally> {
  const sum = noTally();
  while (sum.races < races || !isRaced(sum)) {
    const rounds = Math.min(ROUNDS, Math.ceil(races / 2));
    for (const tally of await run(raceMeeting(kind, module), rounds)) addTally(sum, tally);
  }
  return sum;
}

/** Runs one side of a race; the other runs in another worker. */
export function race({ role, meeting, rounds }: RaceRequest): Tally {
  const half = openHalf(meeting, role);
  const pace = new Pace(meeting.words, role);
  return role === "driver"
    ? raceAsDriver(half, meeting, pace, rounds)
    : raceAsDevice(half, meeting, pace, rounds);
}

function raceAsDriver({ core, place: { q } }: Half, { kind }: Meeting, pace: Pace, rounds: number): Tally {
  const driver = driverVerbs(core.exports, kind.layout);
  const tally = noTally();
  driver.disarm(q);
  for (let round = 0; round < rounds; round++) {
    expectOne("add", driver.add(q, 1));
    pace.meet(0);
    pace.dawdle(PUBLISHER);
    pace.meet(driver.publish(q));
    pace.meet(0); // the device has served it meanwhile
    pace.dawdle(ARMER);
    const again = driver.arm(q, 0);
    count(tally, pace.meet(0), again);
    driver.disarm(q);
    expectOne("takeUsed", driver.takeUsed(q, 1));
  }
  return tally;
}

function raceAsDevice({ core, place: { q } }: Half, { kind }: Meeting, pace: Pace, rounds: number): Tally {
  const device = deviceVerbs(core.exports, kind.layout);
  const tally = noTally();
  device.disarm(q);
  for (let round = 0; round < rounds; round++) {
    pace.meet(0);
    pace.dawdle(ARMER);
    const again = device.arm(q);
    count(tally, pace.meet(0), again);
    device.disarm(q);
    expectOne("run", device.run(q, abi.BACKEND_SINK, 1));
    pace.meet(0);
    pace.dawdle(PUBLISHER);
    pace.meet(device.publish(q));
  }
  return tally;
}

function count(tally: Tally, notified: number, again: number): void {
  tally.races++;
  if (notified === 1 && again === 1) tally.both++;
  else if (notified === 1) tally.notified++;
  else if (again === 1) tally.lookedAgain++;
  else tally.lost++;
}

function expectOne(verb: string, result: number): void {
  if (result !== 1) throw new Error(`${verb}: ${result}`);
}

/** Turns of dawdling, at most: the publisher leads by the time that a line takes to the other core. */
const PUBLISHER = 31;
const ARMER = 31;
/**
 * Looks at the other side's word before the processor is given away, and for how long. Many: a scheduler puts threads that
 * never rest on cores of their own, and a race needs two.
 */
const LOOKS = 1_000_000;
const NAP_MS = 0.1;

/** Brings two workers to one point, and lets them leave it at times that differ a little. */
class Pace {
  readonly #words: Int32Array;
  readonly #own: number;
  readonly #other: number;
  #step = 0;
  #random: number;

  constructor(words: Int32Array, role: Role) {
    this.#words = words;
    [this.#own, this.#other] =
      role === "driver" ? [WORD.driverStep, WORD.deviceStep] : [WORD.deviceStep, WORD.driverStep];
    this.#random = role === "driver" ? 0x2545f491 : 0x1b873593;
  }

  /** Waits until the other side has come as far; gives the bit that it brought along. */
  meet(bit: number): number {
    const step = ++this.#step;
    // Two words in turn: the other side may be a step ahead by the time that its bit is read.
    const turn = step & 1;
    Atomics.store(this.#words, this.#own + turn, (step << 1) | bit);
    for (let looks = 1; ; looks++) {
      const word = Atomics.load(this.#words, this.#other + turn);
      if (word >> 1 === step) return word & 1;
      if (looks % LOOKS === 0) Atomics.wait(this.#words, this.#other + turn, word, NAP_MS);
    }
  }

  /** Takes up to `most` turns of time, at random. */
  dawdle(most: number): void {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    for (let turns = x & most; turns > 0; turns--) Atomics.load(this.#words, this.#own);
  }
}
