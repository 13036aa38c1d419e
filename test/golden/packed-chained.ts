/**
 * Golden packed rings, several descriptors a buffer, sizes 8 and 5: lists of 3 and 2, then one of 3 across the ring's end, with
 * the AVAIL and USED bits of every descriptor of a list. By hand from §2.8.1, §2.8.2, §2.8.6, §2.8.8, §2.8.10 and §2.9.
 * Every descriptor of a list carries the id (§2.8.21.1 step 5); it counts in the last one. A1, A0, U1, U0: see packed-direct.
 */
import type { PackedRow } from "./image";
import type { PackedGolden } from "./program";

const NEXT = 1;
const WRITE = 2;
const A1 = 0x0080;
const A0 = 0x8000;
const U1 = 0x8080;
const U0 = 0x0000;

interface Expected {
  readonly size: number;
  readonly slot: number;
  readonly wrap: 0 | 1;
  readonly inOrder: boolean;
  readonly before: readonly PackedRow[];
  /** A takes three slots, B two. */
  readonly ab: readonly PackedRow[];
  readonly abUsed: readonly PackedRow[];
  /** C takes three slots; the id of its list is the first free one. */
  readonly c: readonly PackedRow[];
  readonly cUsed: PackedRow;
  /** off_wrap with EVENT_IDX: at the start; behind A and B. */
  readonly events: readonly [start: number, behind: number];
  readonly kicks: readonly [ab: number, c: number];
}

// biome-ignore format: a table, one property a line
const EXPECTED: readonly Expected[] = [
  {
    size: 8, slot: 0, wrap: 1, inOrder: false, before: [],
    ab: [
      [0, 0x8000, 16, 0, A1 | NEXT], [1, 0x8100, 32, 0, A1 | NEXT | WRITE], [2, 0x8200, 64, 0, A1 | WRITE],
      [3, 0x8300, 8, 1, A1 | NEXT], [4, 0x8400, 8, 1, A1 | WRITE],
    ],
    // B first, in slot 0; its list of two is skipped, so A's used descriptor stands in slot 2 (§2.8.6). All others untouched.
    abUsed: [[0, 0x8000, 8, 1, U1 | WRITE], [2, 0x8200, 50, 0, U1 | WRITE]],
    c: [[5, 0x8500, 1, 0, A1 | NEXT], [6, 0x8600, 2, 0, A1 | NEXT], [7, 0x8700, 3, 0, A1 | WRITE]],
    cUsed: [5, 0x8500, 3, 0, U1 | WRITE],
    events: [0x8000, 0x8005],
    kicks: [0x8005_0003, 0x0000_0003],
  },
  {
    size: 8, slot: 0, wrap: 0, inOrder: false, before: [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => [slot, 0, 0, 0, U1]),
    ab: [
      [0, 0x8000, 16, 0, A0 | NEXT], [1, 0x8100, 32, 0, A0 | NEXT | WRITE], [2, 0x8200, 64, 0, A0 | WRITE],
      [3, 0x8300, 8, 1, A0 | NEXT], [4, 0x8400, 8, 1, A0 | WRITE],
    ],
    abUsed: [[0, 0x8000, 8, 1, U0 | WRITE], [2, 0x8200, 50, 0, U0 | WRITE]],
    c: [[5, 0x8500, 1, 0, A0 | NEXT], [6, 0x8600, 2, 0, A0 | NEXT], [7, 0x8700, 3, 0, A0 | WRITE]],
    cUsed: [5, 0x8500, 3, 0, U0 | WRITE],
    events: [0x0000, 0x0005],
    kicks: [0x0005_0003, 0x8000_0003],
  },
  {
    size: 8, slot: 6, wrap: 1, inOrder: false, before: [0, 1, 2, 3, 4, 5].map((slot) => [slot, 0, 0, 0, U1]),
    // A's third descriptor lies behind the ring's end: the flipped counter (§2.8.6, note on all descriptors' flags).
    ab: [
      [6, 0x8000, 16, 0, A1 | NEXT], [7, 0x8100, 32, 0, A1 | NEXT | WRITE], [0, 0x8200, 64, 0, A0 | WRITE],
      [1, 0x8300, 8, 1, A0 | NEXT], [2, 0x8400, 8, 1, A0 | WRITE],
    ],
    abUsed: [[6, 0x8000, 8, 1, U1 | WRITE], [0, 0x8200, 50, 0, U0 | WRITE]],
    c: [[3, 0x8500, 1, 0, A0 | NEXT], [4, 0x8600, 2, 0, A0 | NEXT], [5, 0x8700, 3, 0, A0 | WRITE]],
    cUsed: [3, 0x8500, 3, 0, U0 | WRITE],
    events: [0x8006, 0x0003],
    kicks: [0x0003_0003, 0x0006_0003],
  },
  {
    size: 8, slot: 6, wrap: 0, inOrder: false, before: [[6, 0, 0, 0, U1], [7, 0, 0, 0, U1]],
    ab: [
      [6, 0x8000, 16, 0, A0 | NEXT], [7, 0x8100, 32, 0, A0 | NEXT | WRITE], [0, 0x8200, 64, 0, A1 | WRITE],
      [1, 0x8300, 8, 1, A1 | NEXT], [2, 0x8400, 8, 1, A1 | WRITE],
    ],
    abUsed: [[6, 0x8000, 8, 1, U0 | WRITE], [0, 0x8200, 50, 0, U1 | WRITE]],
    c: [[3, 0x8500, 1, 0, A1 | NEXT], [4, 0x8600, 2, 0, A1 | NEXT], [5, 0x8700, 3, 0, A1 | WRITE]],
    cUsed: [3, 0x8500, 3, 0, U1 | WRITE],
    events: [0x0006, 0x8003],
    kicks: [0x8003_0003, 0x8006_0003],
  },
  {
    size: 5, slot: 0, wrap: 1, inOrder: false, before: [],
    ab: [
      [0, 0x8000, 16, 0, A1 | NEXT], [1, 0x8100, 32, 0, A1 | NEXT | WRITE], [2, 0x8200, 64, 0, A1 | WRITE],
      [3, 0x8300, 8, 1, A1 | NEXT], [4, 0x8400, 8, 1, A1 | WRITE],
    ],
    abUsed: [[0, 0x8000, 8, 1, U1 | WRITE], [2, 0x8200, 50, 0, U1 | WRITE]],
    // The ring was full: slot 0 again, in the other lap.
    c: [[0, 0x8500, 1, 0, A0 | NEXT], [1, 0x8600, 2, 0, A0 | NEXT], [2, 0x8700, 3, 0, A0 | WRITE]],
    cUsed: [0, 0x8500, 3, 0, U0 | WRITE],
    events: [0x8000, 0x0000],
    kicks: [0x0000_0003, 0x0003_0003],
  },
  {
    size: 5, slot: 3, wrap: 1, inOrder: false, before: [0, 1, 2].map((slot) => [slot, 0, 0, 0, U1]),
    ab: [
      [3, 0x8000, 16, 0, A1 | NEXT], [4, 0x8100, 32, 0, A1 | NEXT | WRITE], [0, 0x8200, 64, 0, A0 | WRITE],
      [1, 0x8300, 8, 1, A0 | NEXT], [2, 0x8400, 8, 1, A0 | WRITE],
    ],
    abUsed: [[3, 0x8000, 8, 1, U1 | WRITE], [0, 0x8200, 50, 0, U0 | WRITE]],
    c: [[3, 0x8500, 1, 0, A0 | NEXT], [4, 0x8600, 2, 0, A0 | NEXT], [0, 0x8700, 3, 0, A1 | WRITE]],
    cUsed: [3, 0x8500, 3, 0, U0 | WRITE],
    events: [0x8003, 0x0003],
    kicks: [0x0003_0003, 0x8001_0003],
  },
  {
    size: 5, slot: 3, wrap: 0, inOrder: false, before: [[3, 0, 0, 0, U1], [4, 0, 0, 0, U1]],
    ab: [
      [3, 0x8000, 16, 0, A0 | NEXT], [4, 0x8100, 32, 0, A0 | NEXT | WRITE], [0, 0x8200, 64, 0, A1 | WRITE],
      [1, 0x8300, 8, 1, A1 | NEXT], [2, 0x8400, 8, 1, A1 | WRITE],
    ],
    abUsed: [[3, 0x8000, 8, 1, U0 | WRITE], [0, 0x8200, 50, 0, U1 | WRITE]],
    c: [[3, 0x8500, 1, 0, A1 | NEXT], [4, 0x8600, 2, 0, A1 | NEXT], [0, 0x8700, 3, 0, A0 | WRITE]],
    cUsed: [3, 0x8500, 3, 0, U1 | WRITE],
    events: [0x0003, 0x8003],
    kicks: [0x8003_0003, 0x0001_0003],
  },
  {
    size: 8, slot: 0, wrap: 1, inOrder: true, before: [],
    ab: [
      [0, 0x8000, 16, 0, A1 | NEXT], [1, 0x8100, 32, 0, A1 | NEXT | WRITE], [2, 0x8200, 64, 0, A1 | WRITE],
      [3, 0x8300, 8, 1, A1 | NEXT], [4, 0x8400, 8, 1, A1 | WRITE],
    ],
    // Both in full: B's id and length in A's first slot, all five descriptors skipped (§2.8.8).
    abUsed: [[0, 0x8000, 8, 1, U1 | WRITE]],
    c: [[5, 0x8500, 1, 2, A1 | NEXT], [6, 0x8600, 2, 2, A1 | NEXT], [7, 0x8700, 3, 2, A1 | WRITE]],
    cUsed: [5, 0x8500, 3, 2, U1 | WRITE],
    events: [0x8000, 0x8005],
    kicks: [0x8005_0003, 0x0000_0003],
  },
  {
    size: 8, slot: 0, wrap: 0, inOrder: true, before: [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => [slot, 0, 0, 0, U1]),
    ab: [
      [0, 0x8000, 16, 0, A0 | NEXT], [1, 0x8100, 32, 0, A0 | NEXT | WRITE], [2, 0x8200, 64, 0, A0 | WRITE],
      [3, 0x8300, 8, 1, A0 | NEXT], [4, 0x8400, 8, 1, A0 | WRITE],
    ],
    abUsed: [[0, 0x8000, 8, 1, U0 | WRITE]],
    c: [[5, 0x8500, 1, 2, A0 | NEXT], [6, 0x8600, 2, 2, A0 | NEXT], [7, 0x8700, 3, 2, A0 | WRITE]],
    cUsed: [5, 0x8500, 3, 2, U0 | WRITE],
    events: [0x0000, 0x0005],
    kicks: [0x0005_0003, 0x8000_0003],
  },
  {
    size: 8, slot: 6, wrap: 1, inOrder: true, before: [0, 1, 2, 3, 4, 5].map((slot) => [slot, 0, 0, 0, U1]),
    ab: [
      [6, 0x8000, 16, 0, A1 | NEXT], [7, 0x8100, 32, 0, A1 | NEXT | WRITE], [0, 0x8200, 64, 0, A0 | WRITE],
      [1, 0x8300, 8, 1, A0 | NEXT], [2, 0x8400, 8, 1, A0 | WRITE],
    ],
    abUsed: [[6, 0x8000, 8, 1, U1 | WRITE]],
    c: [[3, 0x8500, 1, 2, A0 | NEXT], [4, 0x8600, 2, 2, A0 | NEXT], [5, 0x8700, 3, 2, A0 | WRITE]],
    cUsed: [3, 0x8500, 3, 2, U0 | WRITE],
    events: [0x8006, 0x0003],
    kicks: [0x0003_0003, 0x0006_0003],
  },
  {
    size: 8, slot: 6, wrap: 0, inOrder: true, before: [[6, 0, 0, 0, U1], [7, 0, 0, 0, U1]],
    ab: [
      [6, 0x8000, 16, 0, A0 | NEXT], [7, 0x8100, 32, 0, A0 | NEXT | WRITE], [0, 0x8200, 64, 0, A1 | WRITE],
      [1, 0x8300, 8, 1, A1 | NEXT], [2, 0x8400, 8, 1, A1 | WRITE],
    ],
    abUsed: [[6, 0x8000, 8, 1, U0 | WRITE]],
    c: [[3, 0x8500, 1, 2, A1 | NEXT], [4, 0x8600, 2, 2, A1 | NEXT], [5, 0x8700, 3, 2, A1 | WRITE]],
    cUsed: [3, 0x8500, 3, 2, U1 | WRITE],
    events: [0x0006, 0x8003],
    kicks: [0x8003_0003, 0x8006_0003],
  },
  {
    size: 5, slot: 0, wrap: 1, inOrder: true, before: [],
    ab: [
      [0, 0x8000, 16, 0, A1 | NEXT], [1, 0x8100, 32, 0, A1 | NEXT | WRITE], [2, 0x8200, 64, 0, A1 | WRITE],
      [3, 0x8300, 8, 1, A1 | NEXT], [4, 0x8400, 8, 1, A1 | WRITE],
    ],
    abUsed: [[0, 0x8000, 8, 1, U1 | WRITE]],
    c: [[0, 0x8500, 1, 2, A0 | NEXT], [1, 0x8600, 2, 2, A0 | NEXT], [2, 0x8700, 3, 2, A0 | WRITE]],
    cUsed: [0, 0x8500, 3, 2, U0 | WRITE],
    events: [0x8000, 0x0000],
    kicks: [0x0000_0003, 0x0003_0003],
  },
  {
    size: 5, slot: 3, wrap: 1, inOrder: true, before: [0, 1, 2].map((slot) => [slot, 0, 0, 0, U1]),
    ab: [
      [3, 0x8000, 16, 0, A1 | NEXT], [4, 0x8100, 32, 0, A1 | NEXT | WRITE], [0, 0x8200, 64, 0, A0 | WRITE],
      [1, 0x8300, 8, 1, A0 | NEXT], [2, 0x8400, 8, 1, A0 | WRITE],
    ],
    abUsed: [[3, 0x8000, 8, 1, U1 | WRITE]],
    c: [[3, 0x8500, 1, 2, A0 | NEXT], [4, 0x8600, 2, 2, A0 | NEXT], [0, 0x8700, 3, 2, A1 | WRITE]],
    cUsed: [3, 0x8500, 3, 2, U0 | WRITE],
    events: [0x8003, 0x0003],
    kicks: [0x0003_0003, 0x8001_0003],
  },
  {
    size: 5, slot: 3, wrap: 0, inOrder: true, before: [[3, 0, 0, 0, U1], [4, 0, 0, 0, U1]],
    ab: [
      [3, 0x8000, 16, 0, A0 | NEXT], [4, 0x8100, 32, 0, A0 | NEXT | WRITE], [0, 0x8200, 64, 0, A1 | WRITE],
      [1, 0x8300, 8, 1, A1 | NEXT], [2, 0x8400, 8, 1, A1 | WRITE],
    ],
    abUsed: [[3, 0x8000, 8, 1, U0 | WRITE]],
    c: [[3, 0x8500, 1, 2, A1 | NEXT], [4, 0x8600, 2, 2, A1 | NEXT], [0, 0x8700, 3, 2, A0 | WRITE]],
    cUsed: [3, 0x8500, 3, 2, U1 | WRITE],
    events: [0x0003, 0x8003],
    kicks: [0x8003_0003, 0x0001_0003],
  },
];

function golden(e: Expected, eventIdx: boolean): PackedGolden {
  const [start, behind] = e.events;
  return {
    title: `chained, size ${e.size}, slot ${e.slot}, wrap ${e.wrap}${eventIdx ? ", EVENT_IDX" : ""}${e.inOrder ? ", IN_ORDER" : ""}`,
    layout: "packed",
    size: e.size,
    eventIdx,
    inOrder: e.inOrder,
    start: { slot: e.slot, wrap: e.wrap },
    before: { ring: e.before },
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
      ["publish", true, e.kicks[0]],
      [
        "shows",
        "lists of three and two",
        { ring: e.ab, ...(eventIdx && { driver: [start, 2], device: [start, 2] }) },
      ],
      ["take", "AB"],
      ...(e.inOrder
        ? ([
            ["complete", "A", 96],
            ["complete", "B", 8],
          ] as const)
        : ([
            ["complete", "B", 8],
            ["complete", "A", 50],
          ] as const)),
      ["publishUsed", true],
      ["shows", "both used", { ring: e.abUsed }],
      e.inOrder ? ["takeUsed", ["A", 96], ["B", 8]] : ["takeUsed", ["B", 8], ["A", 50]],
      ["armUsed", 0],
      ["armAvailable"],
      ["shows", "events", eventIdx ? { driver: [behind, 2], device: [behind, 2] } : {}],
      [
        "add",
        "C",
        [
          [0x8500, 1],
          [0x8600, 2],
        ],
        [[0x8700, 3]],
      ],
      ["publish", true, e.kicks[1]],
      ["shows", "a list behind them", { ring: e.c }],
      ["take", "C"],
      ["complete", "C", 3],
      ["publishUsed", true],
      ["shows", "it used", { ring: [e.cUsed] }],
      ["takeUsed", ["C", 3]],
    ],
  };
}

/** A list as long as the ring: the slot that comes next is the same, the wrap counter is not (§2.8.1). */
// biome-ignore format: a table, one property a line
const FULL_RING: readonly PackedGolden[] = [
  {
    title: "a list of the ring's length, size 5, slot 0, wrap 1",
    layout: "packed",
    size: 5,
    eventIdx: false,
    inOrder: false,
    start: { slot: 0, wrap: 1 },
    before: {},
    steps: [
      [
        "add",
        "A",
        [
          [0x8000, 1],
          [0x8100, 2],
        ],
        [
          [0x8200, 3],
          [0x8300, 4],
          [0x8400, 5],
        ],
      ],
      ["publish", true, 0x0000_0003],
      [
        "shows",
        "five slots, one list",
        {
          ring: [
            [0, 0x8000, 1, 0, A1 | NEXT], [1, 0x8100, 2, 0, A1 | NEXT], [2, 0x8200, 3, 0, A1 | NEXT | WRITE],
            [3, 0x8300, 4, 0, A1 | NEXT | WRITE], [4, 0x8400, 5, 0, A1 | WRITE],
          ],
        },
      ],
      ["take", "A"],
      ["complete", "A", 12],
      ["publishUsed", true],
      ["shows", "used in slot 0", { ring: [[0, 0x8000, 12, 0, U1 | WRITE]] }],
      ["takeUsed", ["A", 12]],
      ["add", "B", [[0x8500, 1]], []],
      ["publish", true, 0x0001_0003],
      ["shows", "slot 0 in the other lap", { ring: [[0, 0x8500, 1, 0, A0]] }],
      ["take", "B"],
      ["complete", "B", 0],
      ["publishUsed", true],
      ["shows", "used in the other lap", { ring: [[0, 0x8500, 0, 0, U0]] }],
      ["takeUsed", ["B", 0]],
    ],
  },
  {
    title: "a list of the ring's length, size 5, slot 3, wrap 0",
    layout: "packed",
    size: 5,
    eventIdx: true,
    inOrder: false,
    start: { slot: 3, wrap: 0 },
    before: { ring: [[3, 0, 0, 0, U1], [4, 0, 0, 0, U1]] },
    steps: [
      [
        "add",
        "A",
        [
          [0x8000, 1],
          [0x8100, 2],
        ],
        [
          [0x8200, 3],
          [0x8300, 4],
          [0x8400, 5],
        ],
      ],
      ["publish", true, 0x8003_0003],
      [
        "shows",
        "five slots, one list",
        {
          ring: [
            [3, 0x8000, 1, 0, A0 | NEXT], [4, 0x8100, 2, 0, A0 | NEXT], [0, 0x8200, 3, 0, A1 | NEXT | WRITE],
            [1, 0x8300, 4, 0, A1 | NEXT | WRITE], [2, 0x8400, 5, 0, A1 | WRITE],
          ],
        },
      ],
      ["take", "A"],
      ["complete", "A", 12],
      ["publishUsed", true],
      ["shows", "used in slot 3", { ring: [[3, 0x8000, 12, 0, U0 | WRITE]] }],
      ["takeUsed", ["A", 12]],
      ["armUsed", 0],
      ["armAvailable"],
      ["shows", "events in the other lap", { driver: [0x8003, 2], device: [0x8003, 2] }],
      ["add", "B", [[0x8500, 1]], []],
      ["publish", true, 0x8004_0003],
      ["shows", "slot 3 in the other lap", { ring: [[3, 0x8500, 1, 0, A1]] }],
      ["take", "B"],
      ["complete", "B", 0],
      ["publishUsed", true],
      ["shows", "used in the other lap", { ring: [[3, 0x8500, 0, 0, U1]] }],
      ["takeUsed", ["B", 0]],
    ],
  },
];

export const PACKED_CHAINED: readonly PackedGolden[] = [
  ...EXPECTED.flatMap((e) => [golden(e, false), golden(e, true)]),
  ...FULL_RING,
];
