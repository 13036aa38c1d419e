/**
 * What the device half of the reference rings refuses in a chain, code by code, and which of two breaches it names: the order
 * of the checks within a descriptor is part of the interface. Chains are written by hand, as a hostile driver does.
 */
import { describe, expect, it } from "vitest";
import { GuestRam } from "./guest-ram";
import { AREAS, openModel, type RawDescriptor } from "./open";
import type { ResultName, RingFeatures, RingPolicies } from "./ring";
import { tableError } from "./walk";

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

describe("what has no head to return breaks the queue, with recover too", () => {
  it.each([{}, { recover: true }])("split: %o", (options) => {
    const open = () => openModel({ layout: "split", size: 4, options });
    const jump = open();
    jump.offer([0, 1, 2, 3, 0]);
    expect(jump.device.take(8)).toEqual({ chains: [], error: "RING_INDEX_JUMP" });

    const range = open();
    range.offer([4]);
    expect(range.device.take(8)).toEqual({ chains: [], error: "DESC_INDEX_RANGE" });

    const twice = open();
    twice.describe(AREAS.descriptor + 16 * 2, {});
    twice.offer([2, 2]);
    expect(twice.device.take(8)).toMatchObject({ chains: [{ token: 0x10002 }] }); // the good one first
    expect(twice.device.state().error).toBeUndefined();
    expect(twice.device.take(8)).toEqual({ chains: [], error: "HEAD_IN_FLIGHT" });
  });

  it("split: an available index that goes back", () => {
    const { device, describe: write, offer, setU16 } = openModel({ layout: "split", size: 4 });
    write(AREAS.descriptor, {});
    write(AREAS.descriptor + 16, {});
    offer([0, 1]);
    expect(device.take(8).chains).toHaveLength(2);
    setU16(AREAS.driver + 2, 1); // used.idx is 0: 1 is not too far from it, and yet behind what was taken
    expect(device.hasAvailable()).toBe(true);
    expect(device.take(8)).toEqual({ chains: [], error: "RING_INDEX_JUMP" });
  });

  it("split: room is what was given back in the used ring", () => {
    const { device, describe: write, offer } = openModel({ layout: "split", size: 2 });
    write(AREAS.descriptor, {});
    write(AREAS.descriptor + 16, {});
    offer([0, 1]);
    const { chains } = device.take(8);
    expect(device.complete(chains[0]?.token ?? 0, 0)).toBeUndefined();
    offer([0, 1, 0]); // completed, but the driver can't know
    expect(device.take(8)).toEqual({ chains: [], error: "RING_INDEX_JUMP" });
  });

  it("packed: a list that overruns what is in flight, or completed and not shown", () => {
    for (const isCompleted of [false, true]) {
      const { device, describe: write } = openModel({ layout: "packed", size: 3 });
      write(AREAS.descriptor, { flags: AVAIL });
      write(AREAS.descriptor + 16, { flags: AVAIL });
      const { chains } = device.take(8);
      expect(chains).toHaveLength(2);
      if (isCompleted) {
        expect(device.complete(chains[0]?.token ?? 0, 0)).toBeUndefined();
      }
      write(AREAS.descriptor + 32, { flags: AVAIL | NEXT });
      write(AREAS.descriptor, { flags: 0x8000 });
      expect(device.take(8)).toEqual({ chains: [], error: "RING_INDEX_JUMP" });
    }
  });
});

it("CHAIN_BYTES_OVERFLOW: 2^32 bytes are allowed, one more is not", () => {
  const regions = [{ gpa: 0, base: 0, size: 2 ** 31 }]; // no ring touches what the memory lacks
  for (const [length, error] of [
    [2 ** 30, undefined],
    [2 ** 30 + 1, "CHAIN_BYTES_OVERFLOW"],
  ] as const) {
    const { device, describe: write, offer } = openModel({ layout: "split", size: 4, regions });
    [1, 2, 3].forEach((last, i) => {
      write(AREAS.descriptor + 16 * i, { address: 0, length: 2 ** 30, flags: NEXT, last });
    });
    write(AREAS.descriptor + 48, { address: 0, length, flags: WRITE });
    offer([0]);
    const { chains, error: got } = device.take(1);
    expect(got).toBe(error);
    expect(chains[0]?.readableBytes).toBe(error ? undefined : 3n * 2n ** 30n);
  }
});

it("a table has at most 1,024 entries, or as many as the queue; strict: as the queue", () => {
  const ram = new GuestRam(new Uint8Array(0), [{ gpa: 0, base: 0, size: 2 ** 20 }]);
  const check = (entries: number, size: number, strictRing: boolean) =>
    tableError({ address: 0n, length: 16 * entries, flags: INDIRECT }, ram, {
      size,
      negotiated: true,
      strictRing,
    });
  expect([check(1024, 8, false), check(2048, 2048, false), check(8, 8, true)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect([check(1025, 8, false), check(2049, 2048, false), check(9, 8, true)]).toEqual([
    "INDIRECT_TOO_LONG",
    "INDIRECT_TOO_LONG",
    "INDIRECT_TOO_LONG",
  ]);
});

it("MULTI, READONLY: a buffer lies in one region, and a writable one in none that is read-only", () => {
  const regions = [
    { gpa: 0, base: 0, size: 0x5000 },
    { gpa: 0x8000, base: 0x8000, size: 0x1000 },
    { gpa: 0xa000, base: 0xa000, size: 0x1000, readOnly: true },
  ];
  for (const [descriptor, error] of [
    [{ address: 0x8ff0 }, undefined],
    [{ address: 0x8ff8 }, "DESC_OUT_OF_GUEST"],
    [{ address: 0x4ff8 }, "DESC_OUT_OF_GUEST"],
    [{ address: 0x9000, length: 1 }, "DESC_OUT_OF_GUEST"],
    [{ address: 0xa000 }, undefined],
    [{ address: 0xa000, flags: WRITE }, "DESC_OUT_OF_GUEST"],
  ] as const) {
    const { device, describe: write, offer } = openModel({ layout: "split", size: 4, regions });
    write(AREAS.descriptor, descriptor);
    offer([0]);
    expect(device.take(1).error).toBe(error);
  }
});
