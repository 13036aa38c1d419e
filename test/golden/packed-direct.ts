/**
 * Golden packed rings, one descriptor a buffer, sizes 8 and 5: three buffers, two and one under armed or disabled
 * notifications, then one more with notifications off. By hand from §2.8.1, §2.8.5, §2.8.6, §2.8.8, §2.8.10, §2.8.14, §2.9.
 * Available under wrap counter 1 is AVAIL without USED (A1), under 0 USED without AVAIL (A0); used is both (U1) or neither (U0).
 * virtq's own choice, where the text leaves one: the buffer id freed last is taken first; with IN_ORDER ids go round.
 */
import type { PackedRow } from "./image";
import type { PackedGolden } from "./program";

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
  /** What the laps before left: used descriptors of the lap before from `slot` on, of this lap below it. */
  readonly before: readonly PackedRow[];
  /** A, B, C available; then used. */
  readonly abc: readonly PackedRow[];
  readonly abcUsed: readonly PackedRow[];
  /** D, E available; then used. */
  readonly de: readonly PackedRow[];
  readonly deUsed: readonly PackedRow[];
  readonly f: PackedRow;
  readonly fUsed: PackedRow;
  readonly g: PackedRow;
  /** off_wrap with EVENT_IDX: at the start; then the driver's (two more pass in silence) and the device's. */
  readonly events: readonly [start: number, driver: number, device: number];
  /** Queue index, next_off and next_wrap (bit 31) after A B C, after D E, after F (§2.9). */
  readonly kicks: readonly [abc: number, de: number, f: number];
}

/** Rows of one direction: `abc` and the others in the order in which buffers were named. */
// biome-ignore format: a table, one property a line
const EXPECTED: readonly Expected[] = [
  {
    size: 8, slot: 0, wrap: 1, inOrder: false, before: [],
    abc: [[0, 0x8000, 16, 0, A1], [1, 0x8100, 32, 1, A1 | WRITE], [2, 0x8200, 64, 2, A1 | WRITE]],
    // Used in completion order C, A, B from the first slot on; a used address is what stood there (§2.8.4).
    abcUsed: [[0, 0x8000, 5, 2, U1 | WRITE], [1, 0x8100, 0, 0, U1], [2, 0x8200, 32, 1, U1 | WRITE]],
    de: [[3, 0x8300, 4, 1, A1], [4, 0x8400, 6, 0, A1 | WRITE]],
    deUsed: [[3, 0x8300, 6, 0, U1 | WRITE], [4, 0x8400, 0, 1, U1]],
    f: [5, 0x8500, 8, 2, A1 | WRITE],
    fUsed: [5, 0x8500, 8, 2, U1 | WRITE],
    g: [6, 0x8600, 2, 2, A1],
    events: [0x8000, 0x8005, 0x8003],
    kicks: [0x8003_0003, 0x8005_0003, 0x8006_0003],
  },
  {
    size: 8, slot: 0, wrap: 0, inOrder: false, before: [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[0, 0x8000, 16, 0, A0], [1, 0x8100, 32, 1, A0 | WRITE], [2, 0x8200, 64, 2, A0 | WRITE]],
    abcUsed: [[0, 0x8000, 5, 2, U0 | WRITE], [1, 0x8100, 0, 0, U0], [2, 0x8200, 32, 1, U0 | WRITE]],
    de: [[3, 0x8300, 4, 1, A0], [4, 0x8400, 6, 0, A0 | WRITE]],
    deUsed: [[3, 0x8300, 6, 0, U0 | WRITE], [4, 0x8400, 0, 1, U0]],
    f: [5, 0x8500, 8, 2, A0 | WRITE],
    fUsed: [5, 0x8500, 8, 2, U0 | WRITE],
    g: [6, 0x8600, 2, 2, A0],
    events: [0x0000, 0x0005, 0x0003],
    kicks: [0x0003_0003, 0x0005_0003, 0x0006_0003],
  },
  {
    size: 8, slot: 6, wrap: 1, inOrder: false, before: [0, 1, 2, 3, 4, 5].map((slot) => [slot, 0, 0, 0, U1]),
    // The counters flip behind slot 7 (§2.8.1).
    abc: [[6, 0x8000, 16, 0, A1], [7, 0x8100, 32, 1, A1 | WRITE], [0, 0x8200, 64, 2, A0 | WRITE]],
    abcUsed: [[6, 0x8000, 5, 2, U1 | WRITE], [7, 0x8100, 0, 0, U1], [0, 0x8200, 32, 1, U0 | WRITE]],
    de: [[1, 0x8300, 4, 1, A0], [2, 0x8400, 6, 0, A0 | WRITE]],
    deUsed: [[1, 0x8300, 6, 0, U0 | WRITE], [2, 0x8400, 0, 1, U0]],
    f: [3, 0x8500, 8, 2, A0 | WRITE],
    fUsed: [3, 0x8500, 8, 2, U0 | WRITE],
    g: [4, 0x8600, 2, 2, A0],
    events: [0x8006, 0x0003, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003, 0x0004_0003],
  },
  {
    size: 8, slot: 6, wrap: 0, inOrder: false, before: [[6, 0, 0, 0, U1], [7, 0, 0, 0, U1]],
    abc: [[6, 0x8000, 16, 0, A0], [7, 0x8100, 32, 1, A0 | WRITE], [0, 0x8200, 64, 2, A1 | WRITE]],
    abcUsed: [[6, 0x8000, 5, 2, U0 | WRITE], [7, 0x8100, 0, 0, U0], [0, 0x8200, 32, 1, U1 | WRITE]],
    de: [[1, 0x8300, 4, 1, A1], [2, 0x8400, 6, 0, A1 | WRITE]],
    deUsed: [[1, 0x8300, 6, 0, U1 | WRITE], [2, 0x8400, 0, 1, U1]],
    f: [3, 0x8500, 8, 2, A1 | WRITE],
    fUsed: [3, 0x8500, 8, 2, U1 | WRITE],
    g: [4, 0x8600, 2, 2, A1],
    events: [0x0006, 0x8003, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003, 0x8004_0003],
  },
  {
    size: 5, slot: 0, wrap: 1, inOrder: false, before: [],
    abc: [[0, 0x8000, 16, 0, A1], [1, 0x8100, 32, 1, A1 | WRITE], [2, 0x8200, 64, 2, A1 | WRITE]],
    abcUsed: [[0, 0x8000, 5, 2, U1 | WRITE], [1, 0x8100, 0, 0, U1], [2, 0x8200, 32, 1, U1 | WRITE]],
    de: [[3, 0x8300, 4, 1, A1], [4, 0x8400, 6, 0, A1 | WRITE]],
    deUsed: [[3, 0x8300, 6, 0, U1 | WRITE], [4, 0x8400, 0, 1, U1]],
    f: [0, 0x8500, 8, 2, A0 | WRITE],
    fUsed: [0, 0x8500, 8, 2, U0 | WRITE],
    g: [1, 0x8600, 2, 2, A0],
    // Two behind slot 3 is slot 0 of the next lap.
    events: [0x8000, 0x0000, 0x8003],
    kicks: [0x8003_0003, 0x0000_0003, 0x0001_0003],
  },
  {
    size: 5, slot: 3, wrap: 1, inOrder: false, before: [0, 1, 2].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[3, 0x8000, 16, 0, A1], [4, 0x8100, 32, 1, A1 | WRITE], [0, 0x8200, 64, 2, A0 | WRITE]],
    abcUsed: [[3, 0x8000, 5, 2, U1 | WRITE], [4, 0x8100, 0, 0, U1], [0, 0x8200, 32, 1, U0 | WRITE]],
    de: [[1, 0x8300, 4, 1, A0], [2, 0x8400, 6, 0, A0 | WRITE]],
    deUsed: [[1, 0x8300, 6, 0, U0 | WRITE], [2, 0x8400, 0, 1, U0]],
    f: [3, 0x8500, 8, 2, A0 | WRITE],
    fUsed: [3, 0x8500, 8, 2, U0 | WRITE],
    g: [4, 0x8600, 2, 2, A0],
    events: [0x8003, 0x0003, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003, 0x0004_0003],
  },
  {
    size: 5, slot: 3, wrap: 0, inOrder: false, before: [[3, 0, 0, 0, U1], [4, 0, 0, 0, U1]],
    abc: [[3, 0x8000, 16, 0, A0], [4, 0x8100, 32, 1, A0 | WRITE], [0, 0x8200, 64, 2, A1 | WRITE]],
    abcUsed: [[3, 0x8000, 5, 2, U0 | WRITE], [4, 0x8100, 0, 0, U0], [0, 0x8200, 32, 1, U1 | WRITE]],
    de: [[1, 0x8300, 4, 1, A1], [2, 0x8400, 6, 0, A1 | WRITE]],
    deUsed: [[1, 0x8300, 6, 0, U1 | WRITE], [2, 0x8400, 0, 1, U1]],
    f: [3, 0x8500, 8, 2, A1 | WRITE],
    fUsed: [3, 0x8500, 8, 2, U1 | WRITE],
    g: [4, 0x8600, 2, 2, A1],
    events: [0x0003, 0x8003, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003, 0x8004_0003],
  },
  {
    size: 8, slot: 0, wrap: 1, inOrder: true, before: [],
    abc: [[0, 0x8000, 16, 0, A1], [1, 0x8100, 32, 1, A1 | WRITE], [2, 0x8200, 64, 2, A1 | WRITE]],
    // One used descriptor for A, B (in full) and C (short): C's id in A's slot, slots 1 and 2 untouched (§2.8.8).
    abcUsed: [[0, 0x8000, 5, 2, U1 | WRITE]],
    de: [[3, 0x8300, 4, 3, A1], [4, 0x8400, 6, 4, A1 | WRITE]],
    deUsed: [[3, 0x8300, 6, 4, U1 | WRITE]],
    f: [5, 0x8500, 8, 5, A1 | WRITE],
    fUsed: [5, 0x8500, 8, 5, U1 | WRITE],
    g: [6, 0x8600, 2, 6, A1],
    events: [0x8000, 0x8005, 0x8003],
    kicks: [0x8003_0003, 0x8005_0003, 0x8006_0003],
  },
  {
    size: 8, slot: 0, wrap: 0, inOrder: true, before: [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[0, 0x8000, 16, 0, A0], [1, 0x8100, 32, 1, A0 | WRITE], [2, 0x8200, 64, 2, A0 | WRITE]],
    abcUsed: [[0, 0x8000, 5, 2, U0 | WRITE]],
    de: [[3, 0x8300, 4, 3, A0], [4, 0x8400, 6, 4, A0 | WRITE]],
    deUsed: [[3, 0x8300, 6, 4, U0 | WRITE]],
    f: [5, 0x8500, 8, 5, A0 | WRITE],
    fUsed: [5, 0x8500, 8, 5, U0 | WRITE],
    g: [6, 0x8600, 2, 6, A0],
    events: [0x0000, 0x0005, 0x0003],
    kicks: [0x0003_0003, 0x0005_0003, 0x0006_0003],
  },
  {
    size: 8, slot: 6, wrap: 1, inOrder: true, before: [0, 1, 2, 3, 4, 5].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[6, 0x8000, 16, 0, A1], [7, 0x8100, 32, 1, A1 | WRITE], [0, 0x8200, 64, 2, A0 | WRITE]],
    // The batch began in slot 6, so it carries the counter of slot 6.
    abcUsed: [[6, 0x8000, 5, 2, U1 | WRITE]],
    de: [[1, 0x8300, 4, 3, A0], [2, 0x8400, 6, 4, A0 | WRITE]],
    deUsed: [[1, 0x8300, 6, 4, U0 | WRITE]],
    f: [3, 0x8500, 8, 5, A0 | WRITE],
    fUsed: [3, 0x8500, 8, 5, U0 | WRITE],
    g: [4, 0x8600, 2, 6, A0],
    events: [0x8006, 0x0003, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003, 0x0004_0003],
  },
  {
    size: 8, slot: 6, wrap: 0, inOrder: true, before: [[6, 0, 0, 0, U1], [7, 0, 0, 0, U1]],
    abc: [[6, 0x8000, 16, 0, A0], [7, 0x8100, 32, 1, A0 | WRITE], [0, 0x8200, 64, 2, A1 | WRITE]],
    abcUsed: [[6, 0x8000, 5, 2, U0 | WRITE]],
    de: [[1, 0x8300, 4, 3, A1], [2, 0x8400, 6, 4, A1 | WRITE]],
    deUsed: [[1, 0x8300, 6, 4, U1 | WRITE]],
    f: [3, 0x8500, 8, 5, A1 | WRITE],
    fUsed: [3, 0x8500, 8, 5, U1 | WRITE],
    g: [4, 0x8600, 2, 6, A1],
    events: [0x0006, 0x8003, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003, 0x8004_0003],
  },
  {
    size: 5, slot: 0, wrap: 1, inOrder: true, before: [],
    abc: [[0, 0x8000, 16, 0, A1], [1, 0x8100, 32, 1, A1 | WRITE], [2, 0x8200, 64, 2, A1 | WRITE]],
    abcUsed: [[0, 0x8000, 5, 2, U1 | WRITE]],
    de: [[3, 0x8300, 4, 3, A1], [4, 0x8400, 6, 4, A1 | WRITE]],
    deUsed: [[3, 0x8300, 6, 4, U1 | WRITE]],
    f: [0, 0x8500, 8, 0, A0 | WRITE],
    fUsed: [0, 0x8500, 8, 0, U0 | WRITE],
    g: [1, 0x8600, 2, 1, A0],
    events: [0x8000, 0x0000, 0x8003],
    kicks: [0x8003_0003, 0x0000_0003, 0x0001_0003],
  },
  {
    size: 5, slot: 3, wrap: 1, inOrder: true, before: [0, 1, 2].map((slot) => [slot, 0, 0, 0, U1]),
    abc: [[3, 0x8000, 16, 0, A1], [4, 0x8100, 32, 1, A1 | WRITE], [0, 0x8200, 64, 2, A0 | WRITE]],
    abcUsed: [[3, 0x8000, 5, 2, U1 | WRITE]],
    de: [[1, 0x8300, 4, 3, A0], [2, 0x8400, 6, 4, A0 | WRITE]],
    deUsed: [[1, 0x8300, 6, 4, U0 | WRITE]],
    f: [3, 0x8500, 8, 0, A0 | WRITE],
    fUsed: [3, 0x8500, 8, 0, U0 | WRITE],
    g: [4, 0x8600, 2, 1, A0],
    events: [0x8003, 0x0003, 0x0001],
    kicks: [0x0001_0003, 0x0003_0003, 0x0004_0003],
  },
  {
    size: 5, slot: 3, wrap: 0, inOrder: true, before: [[3, 0, 0, 0, U1], [4, 0, 0, 0, U1]],
    abc: [[3, 0x8000, 16, 0, A0], [4, 0x8100, 32, 1, A0 | WRITE], [0, 0x8200, 64, 2, A1 | WRITE]],
    abcUsed: [[3, 0x8000, 5, 2, U0 | WRITE]],
    de: [[1, 0x8300, 4, 3, A1], [2, 0x8400, 6, 4, A1 | WRITE]],
    deUsed: [[1, 0x8300, 6, 4, U1 | WRITE]],
    f: [3, 0x8500, 8, 0, A1 | WRITE],
    fUsed: [3, 0x8500, 8, 0, U1 | WRITE],
    g: [4, 0x8600, 2, 1, A1],
    events: [0x0003, 0x8003, 0x8001],
    kicks: [0x8001_0003, 0x8003_0003, 0x8004_0003],
  },
];

function golden(e: Expected, eventIdx: boolean): PackedGolden {
  const [start, driver, device] = e.events;
  return {
    title: `direct, size ${e.size}, slot ${e.slot}, wrap ${e.wrap}${eventIdx ? ", EVENT_IDX" : ""}${e.inOrder ? ", IN_ORDER" : ""}`,
    layout: "packed",
    size: e.size,
    eventIdx,
    inOrder: e.inOrder,
    start: { slot: e.slot, wrap: e.wrap },
    before: { ring: e.before },
    steps: [
      ["armAvailable"],
      ["armUsed", 0],
      // Flags 2 name one descriptor, and only with EVENT_IDX (§2.8.10); 0 asks for all, off_wrap means nothing then.
      ["shows", "both sides armed", eventIdx ? { driver: [start, 2], device: [start, 2] } : {}],
      ["add", "A", [[0x8000, 16]], []],
      ["add", "B", [], [[0x8100, 32]]],
      ["add", "C", [], [[0x8200, 64]]],
      ["publish", true, e.kicks[0]],
      ["shows", "three available", { ring: e.abc }],
      ["disarmAvailable"],
      ["shows", "kicks unwanted", { device: eventIdx ? [start, 1] : [0, 1] }],
      ["take", "ABC"],
      ...(e.inOrder
        ? ([
            ["complete", "A", 0],
            ["complete", "B", 32],
            ["complete", "C", 5],
          ] as const)
        : ([
            ["complete", "C", 5],
            ["complete", "A", 0],
            ["complete", "B", 32],
          ] as const)),
      ["publishUsed", true],
      ["shows", "three used", { ring: e.abcUsed }],
      e.inOrder ? ["takeUsed", ["A", 0], ["B", 32], ["C", 5]] : ["takeUsed", ["C", 5], ["A", 0], ["B", 32]],
      ...(eventIdx ? ([["armUsed", 2]] as const) : ([["disarmUsed"]] as const)),
      ["armAvailable"],
      [
        "shows",
        "events",
        eventIdx ? { driver: [driver, 2], device: [device, 2] } : { driver: [0, 1], device: [0, 0] },
      ],
      ["add", "D", [[0x8300, 4]], []],
      ["add", "E", [], [[0x8400, 6]]],
      ["publish", true, e.kicks[1]],
      ["shows", "two more available", { ring: e.de }],
      ["take", "DE"],
      ...(e.inOrder
        ? ([
            ["complete", "D", 0],
            ["complete", "E", 6],
          ] as const)
        : ([
            ["complete", "E", 6],
            ["complete", "D", 0],
          ] as const)),
      ["publishUsed", false],
      ["shows", "two more used", { ring: e.deUsed }],
      ["add", "F", [], [[0x8500, 8]]],
      // The device's event was passed by D; without EVENT_IDX its flags are 0.
      ["publish", !eventIdx, e.kicks[2]],
      ["shows", "one more available", { ring: [e.f] }],
      ["take", "F"],
      ["complete", "F", 8],
      // The driver's event names the slot of F; without EVENT_IDX its flags are 1.
      ["publishUsed", eventIdx],
      ["shows", "one more used", { ring: [e.fUsed] }],
      e.inOrder ? ["takeUsed", ["D", 0], ["E", 6], ["F", 8]] : ["takeUsed", ["E", 6], ["D", 0], ["F", 8]],
      ["disarmUsed"],
      ["disarmAvailable"],
      [
        "shows",
        "notifications off",
        eventIdx ? { driver: [driver, 1], device: [device, 1] } : { driver: [0, 1], device: [0, 1] },
      ],
      ["add", "G", [[0x8600, 2]], []],
      ["publish", false],
      ["shows", "available in silence", { ring: [e.g] }],
      ["take", "G"],
      ["complete", "G", 0],
      ["publishUsed", false],
      ["takeUsed", ["G", 0]],
    ],
  };
}

export const PACKED_DIRECT: readonly PackedGolden[] = EXPECTED.flatMap((e) => [
  golden(e, false),
  golden(e, true),
]);
