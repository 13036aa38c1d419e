/**
 * Golden packed rings with indirect tables: a buffer of n elements is one slot and a table of n consecutive entries whose only
 * flag is WRITE (§2.8.7, §2.8.19). Direct and indirect buffers share the ring, never a list (§2.8.5).
 * virtq's own choice: a buffer uses the slab entry of its id, here 64 bytes each from 0x4000 on. A1, A0, U1, U0: see packed-direct.
 */
import type { PackedRow, Table } from "./image";
import type { PackedGolden } from "./program";

const WRITE = 2;
const INDIRECT = 4;
const A1 = 0x0080;
const A0 = 0x8000;
const U1 = 0x8080;
const U0 = 0x0000;

/** Neither NEXT nor AVAIL nor USED nor an id inside (§2.8.7). */
const TABLES: readonly Table<PackedRow>[] = [
  [
    0x4000,
    [
      [0, 0x8000, 16, 0, 0],
      [1, 0x8100, 32, 0, WRITE],
      [2, 0x8200, 64, 0, WRITE],
    ],
  ],
  [0x4040, [[0, 0x8300, 8, 0, 0]]],
  [
    0x4080,
    [
      [0, 0x8400, 12, 0, WRITE],
      [1, 0x8500, 20, 0, WRITE],
    ],
  ],
];
const E_TABLE: readonly PackedRow[] = [
  [0, 0x8a00, 1, 0, 0],
  [1, 0x8a10, 2, 0, 0],
  [2, 0x8a20, 3, 0, WRITE],
  [3, 0x8a30, 4, 0, WRITE],
];

interface Expected {
  readonly size: number;
  readonly slot: number;
  readonly wrap: 0 | 1;
  readonly inOrder: boolean;
  readonly before: readonly PackedRow[];
  readonly abc: readonly PackedRow[];
  readonly abcUsed: readonly PackedRow[];
  /** D direct, E with the table at `eTable`. */
  readonly de: readonly PackedRow[];
  readonly eTable: number;
  readonly deUsed: readonly PackedRow[];
  readonly events: readonly [start: number, behind: number];
  readonly kicks: readonly [abc: number, de: number];
}

// biome-ignore format: a table, one property a line
const EXPECTED: readonly Expected[] = [
  {
    size: 8, slot: 0, wrap: 1, inOrder: false, before: [],
    abc: [[0, 0x4000, 48, 0, A1 | INDIRECT], [1, 0x4040, 16, 1, A1 | INDIRECT], [2, 0x4080, 32, 2, A1 | INDIRECT]],
    abcUsed: [[0, 0x4000, 20, 2, U1 | WRITE], [1, 0x4040, 96, 0, U1 | WRITE], [2, 0x4080, 0, 1, U1]],
    de: [[3, 0x8900, 16, 1, A1 | WRITE], [4, 0x4000, 64, 0, A1 | INDIRECT]],
    eTable: 0x4000,
    deUsed: [[3, 0x8900, 7, 0, U1 | WRITE], [4, 0x4000, 16, 1, U1 | WRITE]],
    events: [0x8000, 0x8003],
    kicks: [0x8003_0003, 0x8005_0003],
  },
  {
    size: 8, slot: 0, wrap: 0, inOrder: false, before: [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[0, 0x4000, 48, 0, A0 | INDIRECT], [1, 0x4040, 16, 1, A0 | INDIRECT], [2, 0x4080, 32, 2, A0 | INDIRECT]],
    abcUsed: [[0, 0x4000, 20, 2, U0 | WRITE], [1, 0x4040, 96, 0, U0 | WRITE], [2, 0x4080, 0, 1, U0]],
    de: [[3, 0x8900, 16, 1, A0 | WRITE], [4, 0x4000, 64, 0, A0 | INDIRECT]],
    eTable: 0x4000,
    deUsed: [[3, 0x8900, 7, 0, U0 | WRITE], [4, 0x4000, 16, 1, U0 | WRITE]],
    events: [0x0000, 0x0003],
    kicks: [0x0003_0003, 0x0005_0003],
  },
  {
    size: 8, slot: 6, wrap: 1, inOrder: false, before: [0, 1, 2, 3, 4, 5].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[6, 0x4000, 48, 0, A1 | INDIRECT], [7, 0x4040, 16, 1, A1 | INDIRECT], [0, 0x4080, 32, 2, A0 | INDIRECT]],
    abcUsed: [[6, 0x4000, 20, 2, U1 | WRITE], [7, 0x4040, 96, 0, U1 | WRITE], [0, 0x4080, 0, 1, U0]],
    de: [[1, 0x8900, 16, 1, A0 | WRITE], [2, 0x4000, 64, 0, A0 | INDIRECT]],
    eTable: 0x4000,
    deUsed: [[1, 0x8900, 7, 0, U0 | WRITE], [2, 0x4000, 16, 1, U0 | WRITE]],
    events: [0x8006, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003],
  },
  {
    size: 8, slot: 6, wrap: 0, inOrder: false, before: [[6, 0, 0, 0, U1], [7, 0, 0, 0, U1]],
    abc: [[6, 0x4000, 48, 0, A0 | INDIRECT], [7, 0x4040, 16, 1, A0 | INDIRECT], [0, 0x4080, 32, 2, A1 | INDIRECT]],
    abcUsed: [[6, 0x4000, 20, 2, U0 | WRITE], [7, 0x4040, 96, 0, U0 | WRITE], [0, 0x4080, 0, 1, U1]],
    de: [[1, 0x8900, 16, 1, A1 | WRITE], [2, 0x4000, 64, 0, A1 | INDIRECT]],
    eTable: 0x4000,
    deUsed: [[1, 0x8900, 7, 0, U1 | WRITE], [2, 0x4000, 16, 1, U1 | WRITE]],
    events: [0x0006, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003],
  },
  {
    size: 5, slot: 0, wrap: 1, inOrder: false, before: [],
    abc: [[0, 0x4000, 48, 0, A1 | INDIRECT], [1, 0x4040, 16, 1, A1 | INDIRECT], [2, 0x4080, 32, 2, A1 | INDIRECT]],
    abcUsed: [[0, 0x4000, 20, 2, U1 | WRITE], [1, 0x4040, 96, 0, U1 | WRITE], [2, 0x4080, 0, 1, U1]],
    de: [[3, 0x8900, 16, 1, A1 | WRITE], [4, 0x4000, 64, 0, A1 | INDIRECT]],
    eTable: 0x4000,
    deUsed: [[3, 0x8900, 7, 0, U1 | WRITE], [4, 0x4000, 16, 1, U1 | WRITE]],
    events: [0x8000, 0x8003],
    kicks: [0x8003_0003, 0x0000_0003],
  },
  {
    size: 5, slot: 3, wrap: 1, inOrder: false, before: [0, 1, 2].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[3, 0x4000, 48, 0, A1 | INDIRECT], [4, 0x4040, 16, 1, A1 | INDIRECT], [0, 0x4080, 32, 2, A0 | INDIRECT]],
    abcUsed: [[3, 0x4000, 20, 2, U1 | WRITE], [4, 0x4040, 96, 0, U1 | WRITE], [0, 0x4080, 0, 1, U0]],
    de: [[1, 0x8900, 16, 1, A0 | WRITE], [2, 0x4000, 64, 0, A0 | INDIRECT]],
    eTable: 0x4000,
    deUsed: [[1, 0x8900, 7, 0, U0 | WRITE], [2, 0x4000, 16, 1, U0 | WRITE]],
    events: [0x8003, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003],
  },
  {
    size: 5, slot: 3, wrap: 0, inOrder: false, before: [[3, 0, 0, 0, U1], [4, 0, 0, 0, U1]],
    abc: [[3, 0x4000, 48, 0, A0 | INDIRECT], [4, 0x4040, 16, 1, A0 | INDIRECT], [0, 0x4080, 32, 2, A1 | INDIRECT]],
    abcUsed: [[3, 0x4000, 20, 2, U0 | WRITE], [4, 0x4040, 96, 0, U0 | WRITE], [0, 0x4080, 0, 1, U1]],
    de: [[1, 0x8900, 16, 1, A1 | WRITE], [2, 0x4000, 64, 0, A1 | INDIRECT]],
    eTable: 0x4000,
    deUsed: [[1, 0x8900, 7, 0, U1 | WRITE], [2, 0x4000, 16, 1, U1 | WRITE]],
    events: [0x0003, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003],
  },
  {
    size: 8, slot: 0, wrap: 1, inOrder: true, before: [],
    abc: [[0, 0x4000, 48, 0, A1 | INDIRECT], [1, 0x4040, 16, 1, A1 | INDIRECT], [2, 0x4080, 32, 2, A1 | INDIRECT]],
    // A in full, B has nothing writable, C short: C's id and length in A's slot.
    abcUsed: [[0, 0x4000, 20, 2, U1 | WRITE]],
    de: [[3, 0x8900, 16, 3, A1 | WRITE], [4, 0x4100, 64, 4, A1 | INDIRECT]],
    eTable: 0x4100,
    deUsed: [[3, 0x8900, 7, 4, U1 | WRITE]],
    events: [0x8000, 0x8003],
    kicks: [0x8003_0003, 0x8005_0003],
  },
  {
    size: 8, slot: 0, wrap: 0, inOrder: true, before: [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[0, 0x4000, 48, 0, A0 | INDIRECT], [1, 0x4040, 16, 1, A0 | INDIRECT], [2, 0x4080, 32, 2, A0 | INDIRECT]],
    abcUsed: [[0, 0x4000, 20, 2, U0 | WRITE]],
    de: [[3, 0x8900, 16, 3, A0 | WRITE], [4, 0x4100, 64, 4, A0 | INDIRECT]],
    eTable: 0x4100,
    deUsed: [[3, 0x8900, 7, 4, U0 | WRITE]],
    events: [0x0000, 0x0003],
    kicks: [0x0003_0003, 0x0005_0003],
  },
  {
    size: 8, slot: 6, wrap: 1, inOrder: true, before: [0, 1, 2, 3, 4, 5].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[6, 0x4000, 48, 0, A1 | INDIRECT], [7, 0x4040, 16, 1, A1 | INDIRECT], [0, 0x4080, 32, 2, A0 | INDIRECT]],
    abcUsed: [[6, 0x4000, 20, 2, U1 | WRITE]],
    de: [[1, 0x8900, 16, 3, A0 | WRITE], [2, 0x4100, 64, 4, A0 | INDIRECT]],
    eTable: 0x4100,
    deUsed: [[1, 0x8900, 7, 4, U0 | WRITE]],
    events: [0x8006, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003],
  },
  {
    size: 8, slot: 6, wrap: 0, inOrder: true, before: [[6, 0, 0, 0, U1], [7, 0, 0, 0, U1]],
    abc: [[6, 0x4000, 48, 0, A0 | INDIRECT], [7, 0x4040, 16, 1, A0 | INDIRECT], [0, 0x4080, 32, 2, A1 | INDIRECT]],
    abcUsed: [[6, 0x4000, 20, 2, U0 | WRITE]],
    de: [[1, 0x8900, 16, 3, A1 | WRITE], [2, 0x4100, 64, 4, A1 | INDIRECT]],
    eTable: 0x4100,
    deUsed: [[1, 0x8900, 7, 4, U1 | WRITE]],
    events: [0x0006, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003],
  },
  {
    size: 5, slot: 0, wrap: 1, inOrder: true, before: [],
    abc: [[0, 0x4000, 48, 0, A1 | INDIRECT], [1, 0x4040, 16, 1, A1 | INDIRECT], [2, 0x4080, 32, 2, A1 | INDIRECT]],
    abcUsed: [[0, 0x4000, 20, 2, U1 | WRITE]],
    de: [[3, 0x8900, 16, 3, A1 | WRITE], [4, 0x4100, 64, 4, A1 | INDIRECT]],
    eTable: 0x4100,
    deUsed: [[3, 0x8900, 7, 4, U1 | WRITE]],
    events: [0x8000, 0x8003],
    kicks: [0x8003_0003, 0x0000_0003],
  },
  {
    size: 5, slot: 3, wrap: 1, inOrder: true, before: [0, 1, 2].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[3, 0x4000, 48, 0, A1 | INDIRECT], [4, 0x4040, 16, 1, A1 | INDIRECT], [0, 0x4080, 32, 2, A0 | INDIRECT]],
    abcUsed: [[3, 0x4000, 20, 2, U1 | WRITE]],
    de: [[1, 0x8900, 16, 3, A0 | WRITE], [2, 0x4100, 64, 4, A0 | INDIRECT]],
    eTable: 0x4100,
    deUsed: [[1, 0x8900, 7, 4, U0 | WRITE]],
    events: [0x8003, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003],
  },
  {
    size: 5, slot: 3, wrap: 0, inOrder: true, before: [[3, 0, 0, 0, U1], [4, 0, 0, 0, U1]],
    abc: [[3, 0x4000, 48, 0, A0 | INDIRECT], [4, 0x4040, 16, 1, A0 | INDIRECT], [0, 0x4080, 32, 2, A1 | INDIRECT]],
    abcUsed: [[3, 0x4000, 20, 2, U0 | WRITE]],
    de: [[1, 0x8900, 16, 3, A1 | WRITE], [2, 0x4100, 64, 4, A1 | INDIRECT]],
    eTable: 0x4100,
    deUsed: [[1, 0x8900, 7, 4, U1 | WRITE]],
    events: [0x0003, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003],
  },
];

function golden(e: Expected, eventIdx: boolean): PackedGolden {
  const [start, behind] = e.events;
  return {
    title: `indirect, size ${e.size}, slot ${e.slot}, wrap ${e.wrap}${eventIdx ? ", EVENT_IDX" : ""}${e.inOrder ? ", IN_ORDER" : ""}`,
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
        { ring: e.abc, tables: TABLES, ...(eventIdx && { driver: [start, 2], device: [start, 2] }) },
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
      ["shows", "three used", { ring: e.abcUsed }],
      e.inOrder ? ["takeUsed", ["A", 96], ["B", 0], ["C", 20]] : ["takeUsed", ["C", 20], ["A", 96], ["B", 0]],
      ["armUsed", 0],
      ["armAvailable"],
      ["shows", "events", eventIdx ? { driver: [behind, 2], device: [behind, 2] } : {}],
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
      ["shows", "a direct and an indirect buffer", { ring: e.de, tables: [[e.eTable, E_TABLE]] }],
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
      ["shows", "both used", { ring: e.deUsed }],
      e.inOrder ? ["takeUsed", ["D", 16], ["E", 7]] : ["takeUsed", ["E", 7], ["D", 16]],
    ],
  };
}

export const PACKED_INDIRECT: readonly PackedGolden[] = EXPECTED.flatMap((e) => [
  golden(e, false),
  golden(e, true),
]);
