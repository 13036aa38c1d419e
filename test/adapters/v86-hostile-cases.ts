/**
 * What a hostile guest does to one of our devices in v86, each with what must come of it: rings of the corpus, buffers
 * outside of v86's RAM, and registers against every rule. Those that hang or crash v86's own devices are among them.
 */
import { expect } from "vitest";
import type { Areas } from "../raw-ring";
import { corpusCase, titleOf } from "../reliability/corpus";
import { HOSTILE_DRIVERS } from "../reliability/hostile-drivers";
import { avail, type Hand, put } from "../reliability/stage";
import { AREAS, type HostileDriver, type Layout, SIZE } from "./v86-hostile-driver";

/** One case, from {@link HostileDriver.begin} on. */
export interface HostileCase {
  readonly title: string;
  play(driver: HostileDriver): Promise<void>;
}

const [NEXT, INDIRECT] = [1, 4];
const TABLE = 0x9000;
const LAYOUTS: readonly Layout[] = ["split", "packed"];
/** Cases of the corpus that end where its guest RAM does, and those whose chains a device would have to hold. */
const ELSEWHERE = ["D011", "D013", "D031", "D032", "D063"];

/** A ring that breaks the device. */
function breaks(
  title: string,
  layout: Layout,
  codes: readonly string[],
  poke: (hand: Hand) => void,
  ring?: readonly string[],
): HostileCase {
  return {
    title: `${title}, ${layout}`,
    play: async (driver) => {
      poke(await driver.live(layout, ring));
      await driver.served();
      await driver.expectBroken(layout, codes);
    },
  };
}

const corpusRings = Object.entries(HOSTILE_DRIVERS)
  .filter(([id]) => !ELSEWHERE.includes(id))
  .flatMap(([id, { poke }]) => {
    const { layout, expected, setup } = corpusCase(id);
    const ring = /^[SP]8N/.test(setup) ? [] : undefined;
    return LAYOUTS.filter((one) => layout === "both" || layout === one).map((one) =>
      breaks(titleOf(id), one, expected.error, poke, ring),
    );
  });

/** The end of guest RAM. */
const ramEnd = ({ split }: Hand) => split.memory.source().length;

function buffer(hand: Hand, addr: number, len: number, flags = 0): void {
  if (hand.layout === "packed") put(hand, 0, { addr, len, flags });
  else {
    hand.split.desc(0, { addr, len, flags });
    avail(hand, [0]);
  }
}

const OUTSIDE: readonly (readonly [where: string, poke: (hand: Hand) => void])[] = [
  ["into the VGA's window", (hand) => buffer(hand, 0x9fff1, 16)],
  ["in the VGA's window", (hand) => buffer(hand, 0xa0000, 16)],
  ["at the VGA's window's end", (hand) => buffer(hand, 0xbffff, 16)],
  ["behind RAM", (hand) => buffer(hand, ramEnd(hand), 1)],
  ["over the end of RAM", (hand) => buffer(hand, ramEnd(hand) - 15, 16)],
  ["over all of RAM", (hand) => buffer(hand, 0, 0xfffffff0)],
  ["over half of the address space", (hand) => buffer(hand, 0x1000, 0x7fffffff)],
];
const outside = OUTSIDE.flatMap(([where, poke]) =>
  LAYOUTS.map((layout) =>
    breaks(`a buffer ${where}`, layout, ["DESC_OUT_OF_GUEST", "DESC_ADDR_OVERFLOW"], poke),
  ),
);

const rings: readonly HostileCase[] = [
  ...corpusRings,
  ...outside,
  // A packed table's flags but WRITE are reserved and ignored (§2.8.7): there it is a good buffer.
  breaks("an indirect table that names itself", "split", ["INDIRECT_NESTED"], (hand) => {
    hand.split.desc(0, { addr: TABLE, len: 16, flags: INDIRECT }, TABLE);
    buffer(hand, TABLE, 16, INDIRECT);
  }),
  breaks("an index 50000 ahead", "split", ["RING_INDEX_JUMP"], ({ split }) => {
    split.availIdx = 50_000;
  }),
  breaks("a list that goes round", "packed", ["CHAIN_TOO_LONG"], (hand) => {
    for (let i = 0; i < SIZE; i++) put(hand, i, { flags: NEXT });
  }),
];

const setUps = (ramBytes: number): readonly (readonly [size: number, areas: Areas, code: string])[] => [
  [0, AREAS, "QUEUE_SIZE_INVALID"],
  [SIZE, { ...AREAS, descriptor: 0xa0000 }, "RING_OUT_OF_GUEST"],
  [SIZE, { ...AREAS, device: ramBytes }, "RING_OUT_OF_GUEST"],
  [SIZE, { ...AREAS, driver: 0x2001 }, "RING_ALIGN"],
];

/** What a driver does to the registers that it may not do; none of it breaks the device. */
const REGISTERS: Readonly<Record<string, (driver: HostileDriver, layout: Layout) => Promise<void>>> = {
  "PCI §4.1.4.4 driver: notifies a queue that isn't there": async (driver, layout) => {
    const hand = await driver.live(layout);
    for (const value of [1, 99, 0xffff]) driver.notify(value);
    await driver.expectUnharmed(0xf, new Array(3).fill("QUEUE_INDEX_RANGE"));
    await driver.serves(hand);
  },
  "QUEUE §4.1.4.3.2 driver: sets a queue up with size 0, or out of RAM": async (driver, layout) => {
    for (const [size, areas, code] of setUps(driver.ramBytes)) {
      await driver.negotiate(layout);
      driver.enable(size, areas);
      expect([await driver.port.queueReady(0), driver.violations.at(-1)]).toEqual([false, code]);
    }
    await driver.works(layout);
  },
  "FEAT §3.1.1 driver: changes the features after FEATURES_OK": async (driver, layout) => {
    const hand = await driver.live(layout);
    for (const word of [0, 1]) await driver.port.writeDriverFeatures(word, 0);
    expect(driver.violations).toContain("FEATURES_FROZEN");
    expect(driver.attached.device.ring?.layout).toBe(layout);
    await driver.serves(hand);
  },
  "STATUS §3.1.1 driver: sets DRIVER_OK without FEATURES_OK": async (driver, layout) => {
    for (const status of [0, 1, 3, 7]) await driver.port.writeStatus(status);
    await driver.expectUnharmed(3, ["STATUS_SEQUENCE"]);
    await driver.works(layout);
  },
};

const registers = Object.entries(REGISTERS).flatMap(([title, act]) =>
  LAYOUTS.map((layout) => ({
    title: `${title}, ${layout}`,
    play: (driver: HostileDriver) => act(driver, layout),
  })),
);

/** All of them. */
export const HOSTILE_CASES: readonly HostileCase[] = [...rings, ...registers];
