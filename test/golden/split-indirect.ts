/**
 * Golden split rings with indirect tables: a buffer of n elements is one descriptor and a table of n linked entries, the last
 * without NEXT (§2.7.5.3). Direct and indirect buffers share the ring. Start 65,534 passes 65,536 with the third buffer.
 * virtq's own choice: buffers of one head use the slab entry of that head's number, here 64 bytes each from 0x4000 on.
 */
import type { SplitRow, Table, UsedRow } from "./image";
import type { SplitGolden } from "./program";

const NEXT = 1;
const WRITE = 2;
const NEXT_WRITE = 3;
const INDIRECT = 4;

/** INDIRECT alone: never with NEXT (§2.7.5.3.1), WRITE has no meaning here (§2.7.5.3.2); len is 16 bytes an entry. */
const HEADS: readonly SplitRow[] = [
  [0, 0x4000, 48, INDIRECT, 0],
  [1, 0x4040, 16, INDIRECT, 0],
  [2, 0x4080, 32, INDIRECT, 0],
];
const TABLES: readonly Table<SplitRow>[] = [
  [
    0x4000,
    [
      [0, 0x8000, 16, NEXT, 1],
      [1, 0x8100, 32, NEXT_WRITE, 2],
      [2, 0x8200, 64, WRITE, 0],
    ],
  ],
  [0x4040, [[0, 0x8300, 8, 0, 0]]],
  [
    0x4080,
    [
      [0, 0x8400, 12, NEXT_WRITE, 1],
      [1, 0x8500, 20, WRITE, 0],
    ],
  ],
];
const E_TABLE: readonly SplitRow[] = [
  [0, 0x8a00, 1, NEXT, 1],
  [1, 0x8a10, 2, NEXT, 2],
  [2, 0x8a20, 3, NEXT_WRITE, 3],
  [3, 0x8a30, 4, WRITE, 0],
];

type Entry = readonly [slot: number, head: number];

interface Expected {
  readonly idx: number;
  readonly inOrder: boolean;
  readonly idxAfter: readonly [three: number, five: number];
  readonly first: { avail: readonly Entry[]; used: readonly UsedRow[] };
  readonly second: { avail: readonly Entry[]; used: readonly UsedRow[] };
  readonly kicks: readonly [three: number, five: number];
}

// biome-ignore format: a table, one property a line
const EXPECTED: readonly Expected[] = [
  {
    idx: 0,
    inOrder: false,
    idxAfter: [3, 5],
    first: { avail: [[0, 0], [1, 1], [2, 2]], used: [[0, 2, 20], [1, 0, 96], [2, 1, 0]] },
    second: { avail: [[3, 1], [4, 0]], used: [[3, 0, 7], [4, 1, 16]] },
    kicks: [0x0003_0003, 0x0005_0003],
  },
  {
    idx: 65530,
    inOrder: false,
    idxAfter: [65533, 65535],
    first: { avail: [[2, 0], [3, 1], [4, 2]], used: [[2, 2, 20], [3, 0, 96], [4, 1, 0]] },
    second: { avail: [[5, 1], [6, 0]], used: [[5, 0, 7], [6, 1, 16]] },
    kicks: [0xfffd_0003, 0xffff_0003],
  },
  {
    idx: 65534,
    inOrder: false,
    idxAfter: [1, 3],
    first: { avail: [[6, 0], [7, 1], [0, 2]], used: [[6, 2, 20], [7, 0, 96], [0, 1, 0]] },
    second: { avail: [[1, 1], [2, 0]], used: [[1, 0, 7], [2, 1, 16]] },
    kicks: [0x0001_0003, 0x0003_0003],
  },
  {
    idx: 0,
    inOrder: true,
    idxAfter: [3, 5],
    // A in full, B has nothing writable, C short: one batch of three under C's head (§2.7.9).
    first: { avail: [[0, 0], [1, 1], [2, 2]], used: [[0, 2, 20]] },
    second: { avail: [[3, 3], [4, 4]], used: [[3, 4, 7]] },
    kicks: [0x0003_0003, 0x0005_0003],
  },
  {
    idx: 65530,
    inOrder: true,
    idxAfter: [65533, 65535],
    first: { avail: [[2, 0], [3, 1], [4, 2]], used: [[2, 2, 20]] },
    second: { avail: [[5, 3], [6, 4]], used: [[5, 4, 7]] },
    kicks: [0xfffd_0003, 0xffff_0003],
  },
  {
    idx: 65534,
    inOrder: true,
    idxAfter: [1, 3],
    first: { avail: [[6, 0], [7, 1], [0, 2]], used: [[6, 2, 20]] },
    second: { avail: [[1, 3], [2, 4]], used: [[1, 4, 7]] },
    kicks: [0x0001_0003, 0x0003_0003],
  },
];

function golden(e: Expected, eventIdx: boolean): SplitGolden {
  const [three, five] = e.idxAfter;
  return {
    title: `indirect, idx ${e.idx}${eventIdx ? ", EVENT_IDX" : ""}${e.inOrder ? ", IN_ORDER" : ""}`,
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
        "table",
      ],
      ["add", "B", [[0x8300, 8]], [], "table"],
      [
        "add",
        "C",
        [],
        [
          [0x8400, 12],
          [0x8500, 20],
        ],
        "table",
      ],
      ["publish", true, e.kicks[0]],
      [
        "shows",
        "three tables",
        {
          desc: HEADS,
          tables: TABLES,
          avail: { idx: three, ring: e.first.avail, ...(eventIdx && { usedEvent: e.idx }) },
          used: eventIdx ? { availEvent: e.idx } : {},
        },
      ],
      ["take", "ABC"],
      ...(e.inOrder
        ? ([
            ["complete", "A", 96],
            ["complete", "B", 0],
            ["complete", "C", 20],
          ] as const)
        : ([
            ["complete", "C", 20],
            ["complete", "A", 96],
            ["complete", "B", 0],
          ] as const)),
      ["publishUsed", true],
      ["shows", "three used", { used: { idx: three, ring: e.first.used } }],
      e.inOrder ? ["takeUsed", ["A", 96], ["B", 0], ["C", 20]] : ["takeUsed", ["C", 20], ["A", 96], ["B", 0]],
      ["armUsed", 1],
      ["armAvailable"],
      [
        "shows",
        "events",
        // One used buffer more may pass in silence: three + 1.
        eventIdx ? { avail: { usedEvent: three + 1 }, used: { availEvent: three } } : {},
      ],
      ["add", "D", [], [[0x8900, 16]]],
      [
        "add",
        "E",
        [
          [0x8a00, 1],
          [0x8a10, 2],
        ],
        [
          [0x8a20, 3],
          [0x8a30, 4],
        ],
        "table",
      ],
      ["publish", true, e.kicks[1]],
      [
        "shows",
        "a direct and an indirect buffer",
        e.inOrder
          ? {
              desc: [
                [3, 0x8900, 16, WRITE, 0],
                [4, 0x4100, 64, INDIRECT, 0],
              ],
              tables: [[0x4100, E_TABLE]],
              avail: { idx: five, ring: e.second.avail },
            }
          : {
              desc: [
                [1, 0x8900, 16, WRITE, 0],
                [0, 0x4000, 64, INDIRECT, 0],
              ],
              tables: [[0x4000, E_TABLE]],
              avail: { idx: five, ring: e.second.avail },
            },
      ],
      ["take", "DE"],
      ...(e.inOrder
        ? ([
            ["complete", "D", 16],
            ["complete", "E", 7],
          ] as const)
        : ([
            ["complete", "E", 7],
            ["complete", "D", 16],
          ] as const)),
      ["publishUsed", true],
      ["shows", "five used", { used: { idx: five, ring: e.second.used } }],
      e.inOrder ? ["takeUsed", ["D", 16], ["E", 7]] : ["takeUsed", ["E", 7], ["D", 16]],
    ],
  };
}

export const SPLIT_INDIRECT: readonly SplitGolden[] = EXPECTED.flatMap((e) => [
  golden(e, false),
  golden(e, true),
]);
