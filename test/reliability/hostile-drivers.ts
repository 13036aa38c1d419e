/**
 * Drivers whose ring bytes break a rule, by corpus id: the driver's hand as code. What must come of each is in the corpus.
 */
import { avail, type Hand, put } from "./stage";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

const TABLE = 0x9000;

/** A driver that breaks a rule, and what the device half must leave alone. */
export interface HostileDriver {
  readonly poke: (hand: Hand) => void;
  /** Heads taken before the breach, and not completed. */
  readonly inFlight?: readonly number[];
  /** Good chains that come before the bad one. */
  readonly good?: number;
  /** Most looks at a descriptor of the ring, or of a table, in one walk. */
  readonly visits?: readonly [most: number, table?: number];
  /** Guest bytes that must not be read. */
  readonly unread?: readonly (readonly [gpa: number, bytes: number])[];
}

const heads = (hand: Hand, ...list: readonly number[]): void => avail(hand, list);
const packed = (hand: Hand, n: number, d: Parameters<typeof put>[2]): void => put(hand, n, d);

/** `count` linked entries of a split table, 16 readable bytes each. */
function linked(hand: Hand, count: number, table = TABLE): void {
  for (let i = 0; i < count; i++) {
    hand.split.desc(i, { addr: 0x8000, len: 16, ...(i < count - 1 && { flags: NEXT, next: i + 1 }) }, table);
  }
}

/** A split head that points to a table. */
function tableOf(hand: Hand, len: number, addr = TABLE, flags = INDIRECT, next = 0): void {
  hand.split.desc(0, { addr, len, flags, next });
  heads(hand, 0);
}

const one = (d: { addr?: number | bigint; len?: number; flags?: number; next?: number }) => (hand: Hand) => {
  hand.split.desc(0, { addr: 0x8000, len: 16, ...d });
  heads(hand, 0);
};

export const HOSTILE_DRIVERS: Readonly<Record<string, HostileDriver>> = {
  D001: {
    poke: (h) => {
      h.split.availIdx = h.idx(9);
    },
    visits: [0],
  },
  D007: { poke: (h) => heads(h, 8), unread: [[0x1080, 16]], visits: [0] },
  D008: { poke: (h) => heads(h, 0xffff), visits: [0] },
  D011: { poke: (h) => heads(h, 3, 3), good: 1 },
  D013: {
    inFlight: [0, 1, 2, 3, 4, 5, 6, 7],
    poke: (h) => {
      h.split.availIdx = h.idx(9);
    },
  },
  D018: {
    poke: (h) => {
      h.split.desc(0, { addr: 0x8000, len: 16, flags: NEXT, next: 1 });
      h.split.desc(1, { addr: 0x8100, len: 16, flags: NEXT, next: 0 });
      heads(h, 0);
    },
    visits: [8],
  },
  D019: {
    poke: (h) => {
      h.split.desc(3, { addr: 0x8000, len: 16, flags: NEXT, next: 3 });
      heads(h, 3);
    },
    visits: [8],
  },
  D022: { poke: one({ flags: NEXT, next: 8 }), unread: [[0x1080, 16]], visits: [1] },
  D023: { poke: one({ flags: NEXT, next: 0xffff }), visits: [1] },
  D025: {
    poke: (h) => {
      h.split.desc(0, { addr: 0x8000, len: 16, flags: WRITE | NEXT, next: 1 });
      h.split.desc(1, { addr: 0x8100, len: 16 });
      heads(h, 0);
    },
  },
  D031: { poke: one({ addr: 0x3fff1 }) },
  D032: { poke: one({ addr: 0x40000, len: 1 }) },
  D034: { poke: one({ addr: 0xffff_ffff_ffff_fff0n, len: 0x20 }) },
  D039: { poke: one({ len: 0xffff_ffff }) },
  D040: { poke: one({ addr: 0, len: 0x8000_0000 }) },
  D056: {
    poke: (h) => {
      linked(h, 4);
      tableOf(h, 64);
    },
    unread: [[TABLE, 64]],
  },
  D057: {
    poke: (h) => {
      linked(h, 2);
      tableOf(h, 32, TABLE, INDIRECT | NEXT, 1);
    },
    unread: [
      [TABLE, 32],
      [0x1010, 16],
    ],
  },
  D059: {
    poke: (h) => {
      linked(h, 1, 0xa000);
      h.split.desc(0, { addr: 0x8000, len: 16, flags: NEXT, next: 1 }, TABLE);
      h.split.desc(1, { addr: 0xa000, len: 16, flags: INDIRECT }, TABLE);
      tableOf(h, 48);
    },
    unread: [[0xa000, 16]],
  },
  D060: { poke: (h) => tableOf(h, 0), unread: [[TABLE, 16]] },
  D061: { poke: (h) => tableOf(h, 15), unread: [[TABLE, 16]] },
  D062: { poke: (h) => tableOf(h, 33), unread: [[TABLE, 48]] },
  D063: { poke: (h) => tableOf(h, 32, 0x3fff0), unread: [[0x3fff0, 32]] },
  D065: { poke: (h) => tableOf(h, 0xffff_fff0), unread: [[TABLE, 64]] },
  D066: {
    poke: (h) => {
      linked(h, 1025, 0x20000);
      tableOf(h, 16400, 0x20000);
    },
    unread: [[0x20000, 16400]],
  },
  D069: {
    poke: (h) => {
      h.split.desc(0, { addr: 0x8000, len: 16, flags: NEXT, next: 1 }, TABLE);
      h.split.desc(1, { addr: 0x8100, len: 16, flags: NEXT, next: 0 }, TABLE);
      tableOf(h, 32);
    },
    visits: [2, TABLE],
  },
  D088: {
    poke: (h) => {
      for (let n = 0; n < 8; n++) packed(h, n, { id: n, flags: NEXT });
    },
    visits: [8],
  },
  D098: {
    poke: (h) => {
      for (let i = 0; i < 2; i++) h.packed.desc(i, { addr: 0x8000, len: 16 }, TABLE);
      packed(h, 0, { addr: TABLE, len: 32, flags: INDIRECT | NEXT });
      packed(h, 1, {});
    },
    unread: [[TABLE, 32]],
  },
  D101: { poke: (h) => packed(h, 0, { addr: TABLE, len: 0, flags: INDIRECT }), unread: [[TABLE, 16]] },
  D102: { poke: (h) => packed(h, 0, { addr: TABLE, len: 24, flags: INDIRECT }), unread: [[TABLE, 32]] },
};
