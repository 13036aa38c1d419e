/**
 * Golden split rings, one descriptor a buffer: a queue of 8 filled and drained, then three buffers under armed or disabled
 * notifications. By hand from §2.7.5 to §2.7.10 and §2.9. Start 65,530 is slot 2 (65,530 = 8 × 8,191 + 2); its idx passes
 * 65,536 with the seventh buffer. virtq's own choice, where the text leaves one: the descriptor freed last is taken first.
 */
import type { SplitRow } from "./image";
import type { SplitGolden } from "./program";

const WRITE = 2;

/** Eight free descriptors, taken from 0 on; no NEXT, so `next` stays 0 (§2.7.13.1). */
const EIGHT: readonly SplitRow[] = [
  [0, 0x8000, 16, 0, 0],
  [1, 0x8100, 32, WRITE, 0],
  [2, 0x8200, 17, 0, 0],
  [3, 0x8300, 48, WRITE, 0],
  [4, 0x8400, 1, 0, 0],
  [5, 0x8500, 64, WRITE, 0],
  [6, 0x8600, 4096, 0, 0],
  [7, 0x8700, 8, WRITE, 0],
];

interface Expected {
  readonly idx: number;
  readonly inOrder: boolean;
  /** avail.idx after eight, ten and eleven buffers. */
  readonly idxAfter: readonly [eight: number, ten: number, eleven: number];
  readonly availRing: readonly (readonly [slot: number, head: number])[];
  readonly usedRing: readonly (readonly [slot: number, id: number, len: number])[];
  /** With EVENT_IDX: used_event that asks for the third used buffer from now, avail_event that asks for the next kick. */
  readonly events: readonly [usedEvent: number, availEvent: number];
  /** Buffers i and j, then k. */
  readonly again: {
    desc: readonly SplitRow[];
    avail: readonly (readonly [number, number])[];
    used: readonly (readonly [number, number, number])[];
  };
  readonly last: {
    desc: readonly SplitRow[];
    avail: readonly (readonly [number, number])[];
    used: readonly (readonly [number, number, number])[];
  };
  /** next_wrap | next_off are all 16 bits of avail.idx, above the queue index (§2.9). */
  readonly kicks: readonly [eight: number, ten: number, eleven: number];
}

// biome-ignore format: a table, one property a line
const EXPECTED: readonly Expected[] = [
  {
    idx: 0,
    inOrder: false,
    idxAfter: [8, 10, 11],
    availRing: [[0, 0], [1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6], [7, 7]],
    // Completion order h a d b g f e c, from slot 0 on (§2.7.8).
    usedRing: [[0, 7, 8], [1, 0, 0], [2, 3, 40], [3, 1, 32], [4, 6, 0], [5, 5, 64], [6, 4, 0], [7, 2, 0]],
    events: [10, 8],
    again: { desc: [[2, 0x8800, 10, 0, 0], [4, 0x8900, 20, WRITE, 0]], avail: [[0, 2], [1, 4]], used: [[0, 2, 0], [1, 4, 20]] },
    last: { desc: [[5, 0x8a00, 30, WRITE, 0]], avail: [[2, 5]], used: [[2, 5, 30]] },
    kicks: [0x0008_0003, 0x000a_0003, 0x000b_0003],
  },
  {
    idx: 65530,
    inOrder: false,
    idxAfter: [2, 4, 5],
    availRing: [[2, 0], [3, 1], [4, 2], [5, 3], [6, 4], [7, 5], [0, 6], [1, 7]],
    usedRing: [[2, 7, 8], [3, 0, 0], [4, 3, 40], [5, 1, 32], [6, 6, 0], [7, 5, 64], [0, 4, 0], [1, 2, 0]],
    events: [4, 2],
    again: { desc: [[2, 0x8800, 10, 0, 0], [4, 0x8900, 20, WRITE, 0]], avail: [[2, 2], [3, 4]], used: [[2, 2, 0], [3, 4, 20]] },
    last: { desc: [[5, 0x8a00, 30, WRITE, 0]], avail: [[4, 5]], used: [[4, 5, 30]] },
    kicks: [0x0002_0003, 0x0004_0003, 0x0005_0003],
  },
  {
    idx: 0,
    inOrder: true,
    idxAfter: [8, 10, 11],
    availRing: [[0, 0], [1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6], [7, 7]],
    // d was written short, so a…d are one batch: d's head in the batch's first slot; e…h the next one (§2.7.9).
    usedRing: [[0, 3, 40], [4, 7, 8]],
    events: [10, 8],
    again: {
      // Table order goes on behind descriptor 7: at 0 (§2.7.5).
      desc: [
        [0, 0x8800, 10, 0, 0],
        [1, 0x8900, 20, WRITE, 0],
      ],
      avail: [
        [0, 0],
        [1, 1],
      ],
      used: [[0, 1, 20]],
    },
    last: { desc: [[2, 0x8a00, 30, WRITE, 0]], avail: [[2, 2]], used: [[2, 2, 30]] },
    kicks: [0x0008_0003, 0x000a_0003, 0x000b_0003],
  },
  {
    idx: 65530,
    inOrder: true,
    idxAfter: [2, 4, 5],
    availRing: [[2, 0], [3, 1], [4, 2], [5, 3], [6, 4], [7, 5], [0, 6], [1, 7]],
    usedRing: [[2, 3, 40], [6, 7, 8]],
    events: [4, 2],
    again: { desc: [[0, 0x8800, 10, 0, 0], [1, 0x8900, 20, WRITE, 0]], avail: [[2, 0], [3, 1]], used: [[2, 1, 20]] },
    last: { desc: [[2, 0x8a00, 30, WRITE, 0]], avail: [[4, 2]], used: [[4, 2, 30]] },
    kicks: [0x0002_0003, 0x0004_0003, 0x0005_0003],
  },
];

function golden(e: Expected, eventIdx: boolean): SplitGolden {
  const [eight, ten, eleven] = e.idxAfter;
  // §2.7.7, §2.7.10: with EVENT_IDX flags stay 0 and the words after the rings speak; without it the other way round.
  const armed = eventIdx ? { avail: { usedEvent: e.idx }, used: { availEvent: e.idx } } : {};
  return {
    title: `direct, idx ${e.idx}${eventIdx ? ", EVENT_IDX" : ""}${e.inOrder ? ", IN_ORDER" : ""}`,
    layout: "split",
    size: 8,
    eventIdx,
    inOrder: e.inOrder,
    start: { idx: e.idx },
    before: { avail: { idx: e.idx }, used: { idx: e.idx } },
    steps: [
      ["armAvailable"],
      ["armUsed", 0],
      ["shows", "both sides armed", armed],
      ["add", "a", [[0x8000, 16]], []],
      ["add", "b", [], [[0x8100, 32]]],
      ["add", "c", [[0x8200, 17]], []],
      ["add", "d", [], [[0x8300, 48]]],
      ["add", "e", [[0x8400, 1]], []],
      ["add", "f", [], [[0x8500, 64]]],
      ["add", "g", [[0x8600, 4096]], []],
      ["add", "h", [], [[0x8700, 8]]],
      ["publish", true, e.kicks[0]],
      ["shows", "eight available", { desc: EIGHT, avail: { idx: eight, ring: e.availRing } }],
      ["disarmAvailable"],
      ["shows", "kicks unwanted", eventIdx ? {} : { used: { flags: 1 } }],
      ["take", "abcdefgh"],
      ...completions(e.inOrder),
      ["publishUsed", true],
      ["shows", "eight used", { used: { idx: eight, ring: e.usedRing } }],
      returned(e.inOrder),
      ...(eventIdx ? ([["armUsed", 2]] as const) : ([["disarmUsed"]] as const)),
      ["armAvailable"],
      [
        "shows",
        "events",
        eventIdx
          ? { avail: { usedEvent: e.events[0] }, used: { availEvent: e.events[1] } }
          : { avail: { flags: 1 }, used: { flags: 0 } },
      ],
      ["add", "i", [[0x8800, 10]], []],
      ["add", "j", [], [[0x8900, 20]]],
      ["publish", true, e.kicks[1]],
      ["take", "ij"],
      ["complete", "i", 0],
      ["complete", "j", 20],
      // With EVENT_IDX the third one is asked for; without it flags = 1.
      ["publishUsed", false],
      [
        "shows",
        "two more used",
        {
          desc: e.again.desc,
          avail: { idx: ten, ring: e.again.avail },
          used: { idx: ten, ring: e.again.used },
        },
      ],
      ["add", "k", [], [[0x8a00, 30]]],
      // avail_event was passed by i already; flags are 0.
      ["publish", !eventIdx, e.kicks[2]],
      ["take", "k"],
      ["complete", "k", 30],
      ["publishUsed", eventIdx],
      [
        "shows",
        "the third used",
        {
          desc: e.last.desc,
          avail: { idx: eleven, ring: e.last.avail },
          used: { idx: eleven, ring: e.last.used },
        },
      ],
      ["takeUsed", ["i", 0], ["j", 20], ["k", 30]],
    ],
  };
}

function completions(inOrder: boolean): SplitGolden["steps"] {
  const written: Record<string, number> = { a: 0, b: 32, c: 0, d: 40, e: 0, f: 64, g: 0, h: 8 };
  return [...(inOrder ? "abcdefgh" : "hadbgfec")].map(
    (name) => ["complete", name, written[name] ?? 0] as const,
  );
}

function returned(inOrder: boolean): SplitGolden["steps"][number] {
  return inOrder
    ? ["takeUsed", ["a", 0], ["b", 32], ["c", 0], ["d", 40], ["e", 0], ["f", 64], ["g", 0], ["h", 8]]
    : ["takeUsed", ["h", 8], ["a", 0], ["d", 40], ["b", 32], ["g", 0], ["f", 64], ["e", 0], ["c", 0]];
}

export const SPLIT_DIRECT: readonly SplitGolden[] = EXPECTED.flatMap((e) => [
  golden(e, false),
  golden(e, true),
]);
