/**
 * Golden split rings, several descriptors a buffer: a table of 8 filled by chains of 3, 2 and 3, then chains through
 * whatever came free. By hand from §2.7.5, §2.7.6, §2.7.8, §2.7.9. Start 65,530 is slot 2 and passes 65,536 with the sixth
 * chain; start 65,534 is slot 6 and passes it with the third. virtq's own choice: a freed chain is taken again first, as a whole.
 */
import type { SplitRow, UsedRow } from "./image";
import type { SplitGolden } from "./program";

const NEXT = 1;
const WRITE = 2;
const NEXT_WRITE = 3;

/** A: 0 → 1 → 2, B: 3 → 4, C: 5 → 6 → 7. */
const FULL_TABLE: readonly SplitRow[] = [
  [0, 0x8000, 16, NEXT, 1],
  [1, 0x8100, 32, NEXT_WRITE, 2],
  [2, 0x8200, 64, WRITE, 0],
  [3, 0x8300, 8, NEXT, 4],
  [4, 0x8400, 8, WRITE, 0],
  [5, 0x8500, 24, NEXT, 6],
  [6, 0x8600, 24, NEXT, 7],
  [7, 0x8700, 12, WRITE, 0],
];

/** Freed in the order B, C, A: D takes A's three and C's first, E the rest of C. */
const D_AND_E: readonly SplitRow[] = [
  [0, 0x8800, 16, NEXT, 1],
  [1, 0x8810, 16, NEXT, 2],
  [2, 0x8900, 16, NEXT_WRITE, 5],
  [5, 0x8a00, 1, WRITE, 0],
  [6, 0x8b00, 4, NEXT, 7],
  [7, 0x8c00, 4, WRITE, 0],
];
/** IN_ORDER: on in table order from 0, next = x + 1 (§2.7.5.2). */
const D_AND_E_IN_ORDER: readonly SplitRow[] = [
  [0, 0x8800, 16, NEXT, 1],
  [1, 0x8810, 16, NEXT, 2],
  [2, 0x8900, 16, NEXT_WRITE, 3],
  [3, 0x8a00, 1, WRITE, 0],
  [4, 0x8b00, 4, NEXT, 5],
  [5, 0x8c00, 4, WRITE, 0],
];
const F: readonly SplitRow[] = [
  [0, 0x8d00, 1, NEXT, 1],
  [1, 0x8d10, 2, NEXT, 2],
  [2, 0x8d20, 3, NEXT_WRITE, 5],
  [5, 0x8d30, 4, WRITE, 0],
];
/** IN_ORDER over the end of the table: descriptor 7 names 0 (§2.7.5.2). */
const F_IN_ORDER: readonly SplitRow[] = [
  [6, 0x8d00, 1, NEXT, 7],
  [7, 0x8d10, 2, NEXT, 0],
  [0, 0x8d20, 3, NEXT_WRITE, 1],
  [1, 0x8d30, 4, WRITE, 0],
];

type Entry = readonly [slot: number, head: number];

interface Expected {
  readonly idx: number;
  readonly inOrder: boolean;
  /** The index after three, five and six chains. */
  readonly idxAfter: readonly [three: number, five: number, six: number];
  readonly first: { avail: readonly Entry[]; used: readonly UsedRow[] };
  readonly second: { avail: readonly Entry[]; used: readonly UsedRow[] };
  readonly third: readonly Entry[];
  readonly kicks: readonly [three: number, five: number, six: number];
}

// biome-ignore format: a table, one property a line
const EXPECTED: readonly Expected[] = [
  {
    idx: 0,
    inOrder: false,
    idxAfter: [3, 5, 6],
    first: { avail: [[0, 0], [1, 3], [2, 5]], used: [[0, 3, 8], [1, 5, 12], [2, 0, 50]] },
    second: { avail: [[3, 0], [4, 6]], used: [[3, 6, 4], [4, 0, 17]] },
    third: [[5, 0]],
    kicks: [0x0003_0003, 0x0005_0003, 0x0006_0003],
  },
  {
    idx: 65530,
    inOrder: false,
    idxAfter: [65533, 65535, 0],
    first: { avail: [[2, 0], [3, 3], [4, 5]], used: [[2, 3, 8], [3, 5, 12], [4, 0, 50]] },
    second: { avail: [[5, 0], [6, 6]], used: [[5, 6, 4], [6, 0, 17]] },
    third: [[7, 0]],
    kicks: [0xfffd_0003, 0xffff_0003, 0x0000_0003],
  },
  {
    idx: 65534,
    inOrder: false,
    idxAfter: [1, 3, 4],
    first: { avail: [[6, 0], [7, 3], [0, 5]], used: [[6, 3, 8], [7, 5, 12], [0, 0, 50]] },
    second: { avail: [[1, 0], [2, 6]], used: [[1, 6, 4], [2, 0, 17]] },
    third: [[3, 0]],
    kicks: [0x0001_0003, 0x0003_0003, 0x0004_0003],
  },
  {
    idx: 0,
    inOrder: true,
    idxAfter: [3, 5, 6],
    // A and B written in full, so one element for the three: C's head in A's slot. D was short: it closes its batch, E is another.
    first: { avail: [[0, 0], [1, 3], [2, 5]], used: [[0, 5, 12]] },
    second: { avail: [[3, 0], [4, 4]], used: [[3, 0, 10], [4, 4, 4]] },
    third: [[5, 6]],
    kicks: [0x0003_0003, 0x0005_0003, 0x0006_0003],
  },
  {
    idx: 65530,
    inOrder: true,
    idxAfter: [65533, 65535, 0],
    first: { avail: [[2, 0], [3, 3], [4, 5]], used: [[2, 5, 12]] },
    second: { avail: [[5, 0], [6, 4]], used: [[5, 0, 10], [6, 4, 4]] },
    third: [[7, 6]],
    kicks: [0xfffd_0003, 0xffff_0003, 0x0000_0003],
  },
  {
    idx: 65534,
    inOrder: true,
    idxAfter: [1, 3, 4],
    first: { avail: [[6, 0], [7, 3], [0, 5]], used: [[6, 5, 12]] },
    second: { avail: [[1, 0], [2, 4]], used: [[1, 0, 10], [2, 4, 4]] },
    third: [[3, 6]],
    kicks: [0x0001_0003, 0x0003_0003, 0x0004_0003],
  },
];

function golden(e: Expected, eventIdx: boolean): SplitGolden {
  const [three, five, six] = e.idxAfter;
  return {
    title: `chained, idx ${e.idx}${eventIdx ? ", EVENT_IDX" : ""}${e.inOrder ? ", IN_ORDER" : ""}`,
    layout: "split",
    size: 8,
    eventIdx,
    inOrder: e.inOrder,
    start: { idx: e.idx },
    before: { avail: { idx: e.idx }, used: { idx: e.idx } },
    steps: [
      ["armAvailable"],
      ["armUsed", 0],
      [
        "add",
        "A",
        [[0x8000, 16]],
        [
          [0x8100, 32],
          [0x8200, 64],
        ],
      ],
      ["add", "B", [[0x8300, 8]], [[0x8400, 8]]],
      [
        "add",
        "C",
        [
          [0x8500, 24],
          [0x8600, 24],
        ],
        [[0x8700, 12]],
      ],
      ["publish", true, e.kicks[0]],
      [
        "shows",
        "the table full",
        {
          desc: FULL_TABLE,
          avail: { idx: three, ring: e.first.avail, ...(eventIdx && { usedEvent: e.idx }) },
          used: eventIdx ? { availEvent: e.idx } : {},
        },
      ],
      ["take", "ABC"],
      ...(e.inOrder
        ? ([
            ["complete", "A", 96],
            ["complete", "B", 8],
            ["complete", "C", 12],
          ] as const)
        : ([
            ["complete", "B", 8],
            ["complete", "C", 12],
            ["complete", "A", 50],
          ] as const)),
      ["publishUsed", true],
      ["shows", "three used", { used: { idx: three, ring: e.first.used } }],
      e.inOrder ? ["takeUsed", ["A", 96], ["B", 8], ["C", 12]] : ["takeUsed", ["B", 8], ["C", 12], ["A", 50]],
      ["armUsed", 0],
      ["armAvailable"],
      // used_event and avail_event: the index that the next entry will have (§2.7.7.1, §2.7.10).
      ["shows", "events", eventIdx ? { avail: { usedEvent: three }, used: { availEvent: three } } : {}],
      [
        "add",
        "D",
        [
          [0x8800, 16],
          [0x8810, 16],
        ],
        [
          [0x8900, 16],
          [0x8a00, 1],
        ],
      ],
      ["add", "E", [[0x8b00, 4]], [[0x8c00, 4]]],
      ["publish", true, e.kicks[1]],
      [
        "shows",
        "chains through what came free",
        { desc: e.inOrder ? D_AND_E_IN_ORDER : D_AND_E, avail: { idx: five, ring: e.second.avail } },
      ],
      ["take", "DE"],
      ...(e.inOrder
        ? ([
            ["complete", "D", 10],
            ["complete", "E", 4],
          ] as const)
        : ([
            ["complete", "E", 4],
            ["complete", "D", 17],
          ] as const)),
      ["publishUsed", true],
      ["shows", "five used", { used: { idx: five, ring: e.second.used } }],
      e.inOrder ? ["takeUsed", ["D", 10], ["E", 4]] : ["takeUsed", ["E", 4], ["D", 17]],
      [
        "add",
        "F",
        [
          [0x8d00, 1],
          [0x8d10, 2],
        ],
        [
          [0x8d20, 3],
          [0x8d30, 4],
        ],
      ],
      ["publish", !eventIdx, e.kicks[2]],
      ["shows", "a sixth chain", { desc: e.inOrder ? F_IN_ORDER : F, avail: { idx: six, ring: e.third } }],
      ["take", "F"],
    ],
  };
}

export const SPLIT_CHAINED: readonly SplitGolden[] = EXPECTED.flatMap((e) => [
  golden(e, false),
  golden(e, true),
]);
