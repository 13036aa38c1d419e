/**
 * What the device half of the reference rings refuses in a chain, code by code, and which of two breaches it names: the order
 * of the checks within a descriptor is part of the interface. Chains are written by hand, as a hostile driver does.
 */
import { describe, expect, it } from "vitest";
import { AREAS, openModel, type RawDescriptor } from "./open";
import type { ResultName, RingFeatures, RingPolicies } from "./ring";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL = 0x80; // of the first lap

interface Case {
  readonly title: string;
  /** Ring descriptors from 0 on. */
  readonly ring: readonly RawDescriptor[];
  /** Entries of the table at 0x6000. */
  readonly table?: readonly RawDescriptor[];
  readonly error: ResultName | undefined;
  readonly features?: RingFeatures;
  readonly options?: RingPolicies;
}

const TABLE = { address: 0x6000, flags: INDIRECT };
const WRAPPING = { address: 0xffff_ffff_ffff_fff0n, length: 16 };
const OUTSIDE = { address: 0xfff1, length: 16 };

const BOTH: Case[] = [
  { title: "a good chain", ring: [{ flags: NEXT, last: 1 }, { flags: WRITE }], error: undefined },
  { title: "reserved flags alone", ring: [{ flags: 0x78 }], error: undefined },
  { title: "readable after writable", ring: [{ flags: WRITE | NEXT, last: 1 }, {}], error: "DESC_ORDER" },
  {
    title: "order before address",
    ring: [{ flags: WRITE | NEXT, last: 1 }, OUTSIDE],
    error: "DESC_ORDER",
  },
  {
    title: "an empty descriptor has a direction",
    ring: [{ flags: WRITE | NEXT, last: 1, length: 0 }, { length: 0 }],
    error: "DESC_ORDER",
  },
  { title: "an empty descriptor has no address", ring: [{ ...WRAPPING, length: 0 }], error: undefined },
  { title: "address + length = 2^64", ring: [WRAPPING], error: "DESC_ADDR_OVERFLOW" },
  { title: "address + length > 2^64", ring: [{ ...WRAPPING, length: 32 }], error: "DESC_ADDR_OVERFLOW" },
  { title: "far outside", ring: [{ address: 0xffff_ffff_ffff_ffe0n }], error: "DESC_OUT_OF_GUEST" },
  { title: "one byte outside", ring: [OUTSIDE], error: "DESC_OUT_OF_GUEST" },
  { title: "up to the end", ring: [{ address: 0xfff0 }], error: undefined },
  { title: "length 2^32-1", ring: [{ length: 0xffff_ffff }], error: "DESC_OUT_OF_GUEST" },
  {
    title: "address before next",
    ring: [{ ...OUTSIDE, flags: NEXT, last: 0xffff }],
    error: "DESC_OUT_OF_GUEST",
  },
  {
    title: "a table without the feature, before all else about it",
    ring: [{ ...TABLE, flags: INDIRECT | NEXT, length: 0 }],
    features: {},
    error: "INDIRECT_NOT_NEGOTIATED",
  },
  {
    title: "INDIRECT and NEXT before the table's size",
    ring: [{ ...TABLE, flags: INDIRECT | NEXT, length: 0 }, {}],
    error: "INDIRECT_WITH_NEXT",
  },
  { title: "table of 0 bytes", ring: [{ ...TABLE, length: 0 }], error: "INDIRECT_BAD_SIZE" },
  { title: "table of 33 bytes", ring: [{ ...TABLE, length: 33 }], error: "INDIRECT_BAD_SIZE" },
  { title: "table of 1,025 entries", ring: [{ ...TABLE, length: 16400 }], error: "INDIRECT_TOO_LONG" },
  {
    title: "too long before outside",
    ring: [{ ...TABLE, address: 1n << 63n, length: 0xffff_fff0 }],
    error: "INDIRECT_TOO_LONG",
  },
  {
    title: "table past the end",
    ring: [{ ...TABLE, address: 0xfff0, length: 32 }],
    error: "INDIRECT_OUT_OF_GUEST",
  },
  {
    title: "table that wraps",
    ring: [{ ...TABLE, address: WRAPPING.address, length: 32 }],
    error: "INDIRECT_OUT_OF_GUEST",
  },
  {
    title: "strict: table of size + 1 entries",
    ring: [{ ...TABLE, length: 16 * 5 }],
    options: { strictRing: true },
    error: "INDIRECT_TOO_LONG",
  },
  {
    title: "WRITE on the descriptor of a table",
    ring: [{ ...TABLE, flags: INDIRECT | WRITE }],
    table: [{}],
    error: undefined,
  },
];

const SPLIT: Case[] = [
  { title: "next = size", ring: [{ flags: NEXT, last: 4 }], error: "DESC_NEXT_RANGE" },
  {
    title: "a loop",
    ring: [
      { flags: NEXT, last: 1 },
      { flags: NEXT, last: 0 },
    ],
    error: "CHAIN_TOO_LONG",
  },
  {
    title: "length before what comes next",
    ring: [
      { flags: NEXT, last: 1 },
      { flags: NEXT, last: 2 },
      { flags: NEXT, last: 3 },
      { flags: WRITE | NEXT, last: 0 },
    ],
    error: "CHAIN_TOO_LONG",
  },
  {
    title: "the same in a table",
    ring: [{ ...TABLE, length: 32 }],
    table: [
      { flags: NEXT, last: 1 },
      { flags: WRITE | NEXT, last: 0 },
    ],
    error: "CHAIN_TOO_LONG",
  },
  { title: "a loop of one", ring: [{ flags: NEXT, last: 0 }], error: "CHAIN_TOO_LONG" },
  {
    title: "the whole ring",
    ring: [1, 2, 3].map((last) => ({ flags: NEXT, last })).concat({ flags: 0, last: 0 }),
    error: undefined,
  },
  {
    title: "next before length",
    ring: [1, 2, 3].map((last) => ({ flags: NEXT, last })).concat({ flags: NEXT, last: 4 }),
    error: "DESC_NEXT_RANGE",
  },
  {
    title: "a table within a table, before its NEXT",
    ring: [{ ...TABLE, length: 32 }],
    table: [
      { flags: NEXT, last: 1 },
      { flags: INDIRECT | NEXT, last: 9 },
    ],
    error: "INDIRECT_NESTED",
  },
  {
    title: "next = entries in a table",
    ring: [{ ...TABLE, length: 32 }],
    table: [{ flags: NEXT, last: 2 }],
    error: "DESC_NEXT_RANGE",
  },
  {
    title: "a loop in a table",
    ring: [{ ...TABLE, length: 32 }],
    table: [
      { flags: NEXT, last: 1 },
      { flags: NEXT, last: 0 },
    ],
    error: "CHAIN_TOO_LONG",
  },
  {
    title: "order across ring and table",
    ring: [{ flags: WRITE | NEXT, last: 1 }, TABLE],
    table: [{}],
    error: "DESC_ORDER",
  },
  {
    title: "direct descriptors and a table, longer than the ring",
    ring: [
      { flags: NEXT, last: 1 },
      { ...TABLE, length: 64 },
    ],
    table: [1, 2, 3].map((last) => ({ flags: NEXT, last })).concat({ flags: 0, last: 0 }),
    error: undefined,
  },
  {
    title: "strict: the same",
    ring: [
      { flags: NEXT, last: 1 },
      { ...TABLE, length: 64 },
    ],
    table: [1, 2, 3].map((last) => ({ flags: NEXT, last })).concat({ flags: 0, last: 0 }),
    options: { strictRing: true },
    error: "CHAIN_TOO_LONG",
  },
  {
    title: "strict: as many as the ring has",
    ring: [
      { flags: NEXT, last: 1 },
      { ...TABLE, length: 64 },
    ],
    table: [1, 2].map((last) => ({ flags: NEXT, last })).concat({ flags: 0, last: 0 }),
    options: { strictRing: true },
    error: undefined,
  },
];

const PACKED: Case[] = [
  {
    title: "a list without an end",
    ring: [1, 2, 3, 4].map(() => ({ flags: NEXT })),
    error: "CHAIN_TOO_LONG",
  },
  {
    title: "length before what comes next",
    ring: [{ flags: NEXT }, { flags: NEXT }, { flags: NEXT }, { flags: WRITE | NEXT }],
    error: "CHAIN_TOO_LONG",
  },
  { title: "a list that goes on where nothing is", ring: [{ flags: NEXT }], error: "PACKED_NOT_AVAILABLE" },
  { title: "a table after a NEXT", ring: [{ flags: NEXT }, TABLE], error: "INDIRECT_WITH_NEXT" },
  {
    title: "flags in a table",
    ring: [{ ...TABLE, length: 32 }],
    table: [{ flags: INDIRECT | NEXT }, { flags: WRITE | INDIRECT | NEXT }],
    error: undefined,
  },
  {
    title: "order in a table",
    ring: [{ ...TABLE, length: 32 }],
    table: [{ flags: WRITE }, {}],
    error: "DESC_ORDER",
  },
];

describe.each([
  ["split", [...BOTH, ...SPLIT]],
  ["packed", [...BOTH, ...PACKED]],
] as const)("%s", (layout, cases) => {
  const open = ({ ring, table = [], features = { indirect: true }, options = {} }: Case) => {
    const rings = openModel({ layout, size: 4, features, options });
    const lap = layout === "packed" ? AVAIL : 0;
    ring.forEach((descriptor, i) => {
      rings.describe(AREAS.descriptor + 16 * i, { ...descriptor, flags: (descriptor.flags ?? 0) | lap });
    });
    table.forEach((entry, i) => void rings.describe(0x6000 + 16 * i, entry));
    if (layout === "split") {
      rings.offer([0]);
    }
    return rings;
  };

  it.each(cases)("$title: $error", (hostile) => {
    const { device } = open(hostile);
    const { chains, error } = device.take(8);
    expect(error).toBe(hostile.error);
    expect(chains).toHaveLength(hostile.error === undefined ? 1 : 0);
    expect(device.state().error).toBe(hostile.error);
    if (hostile.error !== undefined) {
      // It stands still from here on: nothing else is read, nothing written.
      expect(device.take(1)).toEqual({ chains: [], error: "QUEUE_BROKEN" });
      expect(device.undo(0x10000)).toBe("QUEUE_BROKEN");
      expect(device.complete(0x10000, 0)).toBe("QUEUE_BROKEN");
      expect([device.publish(), device.arm(), device.hasAvailable()]).toEqual([false, false, false]);
      device.reset();
      expect(device.state()).toMatchObject({ error: undefined, inFlight: 0 });
    }
  });

  it.each(cases.filter(({ error }) => error !== undefined))("recover: $title", (hostile) => {
    const { device } = open({ ...hostile, options: { ...hostile.options, recover: true } });
    const { chains, error } = device.take(8);
    const isEndless = ["PACKED_NOT_AVAILABLE", "CHAIN_TOO_LONG"].includes(hostile.error ?? "");
    const goesOn = hostile.ring.some(
      ({ flags = 0 }, i) => (flags & NEXT) !== 0 && hostile.ring[i + 1] === undefined,
    );
    if (layout === "packed" && (isEndless || goesOn)) {
      // Without its end a list has no id to return: it breaks the queue, for that reason, whatever else is wrong with it.
      expect(chains).toEqual([]);
      expect(error).toBe(isEndless ? hostile.error : "PACKED_NOT_AVAILABLE");
    } else {
      expect(error).toBeUndefined();
      expect(chains).toEqual([
        {
          token: 0x10000,
          error: hostile.error,
          readable: [],
          writable: [],
          readableBytes: 0n,
          writableBytes: 0n,
        },
      ]);
      expect(device.complete(0x10000, 1)).toBe("COMPLETE_LEN_OVERFLOW");
      expect(device.complete(0x10000, 0)).toBeUndefined();
    }
  });
});
