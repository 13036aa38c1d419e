/**
 * Breaches that the device half of the reference rings finds before or beyond one chain: indices and heads, room in the ring,
 * and limits that only a large memory, a long table or several regions show.
 */
import { describe, expect, it } from "vitest";
import { GuestRam } from "./guest-ram";
import { AREAS, openModel } from "./open";
import { tableError } from "./walk";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL = 0x80; // of the first lap

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
