/**
 * What the driver half of the reference rings refuses: of its caller (add) and of the device (used elements). Used elements
 * are written by hand, as a hostile device does.
 */
import { describe, expect, it } from "vitest";
import { AREAS, type OpenOptions, openModel, segments } from "./open";
import type { BufferRequest, ResultName } from "./ring";

const LAYOUTS = ["split", "packed"] as const;
const WRITE = 2;
const USED = 0x8080; // of the first lap

const ONE: BufferRequest = { readable: [], writable: segments(1, 64) };

describe.each(LAYOUTS)("%s add", (layout) => {
  const cases: [title: string, request: BufferRequest, error: ResultName | undefined][] = [
    ["nothing", { readable: [], writable: [] }, "BAD_ARGUMENT"],
    ["as many as the ring has", { readable: segments(2), writable: segments(2) }, undefined],
    ["one more", { readable: segments(2), writable: segments(3) }, "CHAIN_TOO_LONG"],
    [
      "one more in a table",
      { readable: segments(2), writable: segments(3), indirect: true },
      "CHAIN_TOO_LONG",
    ],
    ["outside", { readable: segments(1, 16, 0xfff1), writable: [] }, "BAD_ARGUMENT"],
    ["nothing at an address outside", { readable: segments(1, 0, 1e9), writable: segments(1) }, undefined],
    ["length 2^32", { readable: segments(1, 2 ** 32), writable: [] }, "BAD_ARGUMENT"],
    ["length -1", { readable: [{ address: 0x8000, length: -1 }], writable: [] }, "BAD_ARGUMENT"],
    ["no number", { readable: [{ address: Number.NaN, length: 1 }], writable: [] }, "BAD_ARGUMENT"],
    ["address 2^53", { readable: [{ address: 2 ** 53, length: 1 }], writable: [] }, "BAD_ARGUMENT"],
  ];
  it.each(cases)("%s", (_, request, error) => {
    const { driver } = openModel({ layout, size: 4, features: { indirect: true } });
    expect(driver.add([ONE]).added).toBe(1);
    driver.publish();
    const before = driver.state();
    const { added } = driver.add([request]);
    const isFull = request.readable.length + request.writable.length > 3 && error === undefined;
    expect({ added, error: driver.add([request]).error }).toEqual({ added: error || isFull ? 0 : 1, error });
    if (error !== undefined) {
      expect(driver.state()).toEqual(before); // all or nothing, and nothing is broken
    }
  });

  it("stops at the first chain that is refused or finds no room, and says how far it came", () => {
    const { driver } = openModel({ layout, size: 4 });
    const bad = { readable: [], writable: [] };
    expect(driver.add([ONE, ONE, bad, ONE])).toMatchObject({ added: 2, error: "BAD_ARGUMENT" });
    const three = { readable: segments(3), writable: [] };
    expect(driver.add([ONE, three, ONE])).toMatchObject({ added: 1, tokens: [0x10002] });
    expect(driver.state()).toMatchObject({ free: 1, inFlight: 3 });
  });

  it("refuses what is wrong even when the ring is full", () => {
    const { driver } = openModel({ layout, size: 1 });
    expect(driver.add([ONE]).added).toBe(1);
    expect(driver.add([ONE])).toEqual({ added: 0, tokens: [] });
    const outside = { readable: segments(1, 16, 0xfff1), writable: [] };
    expect(driver.add([outside])).toEqual({ added: 0, tokens: [], error: "BAD_ARGUMENT" });
  });

  it("refuses tables that were not negotiated, that it has none for, or that are too short", () => {
    const request = { ...ONE, indirect: true };
    expect(openModel({ layout, size: 4 }).driver.add([request]).error).toBe("INDIRECT_NOT_NEGOTIATED");
    const { driver } = openModel({ layout, size: 32, features: { indirect: true } });
    const long = (count: number) => ({ readable: segments(count), writable: [], indirect: true });
    expect(driver.add([long(16)]).added).toBe(1);
    expect(driver.add([long(17)]).error).toBe("BAD_ARGUMENT");
  });

  it("counts bytes: 2^32 in all, but a used length has 32 bits", () => {
    const regions = [{ gpa: 0, base: 0, size: 2 ** 31 }];
    const half = (count: number) =>
      segments(count, 2 ** 31, 0).map((segment) => ({ ...segment, address: 0 }));
    const open = () => openModel({ layout, size: 4, regions }).driver;
    expect(open().add([{ readable: half(2), writable: [] }]).added).toBe(1);
    expect(open().add([{ readable: half(1), writable: half(1) }]).added).toBe(1);
    expect(open().add([{ readable: [], writable: half(2) }]).error).toBe("BAD_ARGUMENT");
    const more = { readable: half(2), writable: segments(1, 1) };
    expect(open().add([more]).error).toBe("CHAIN_BYTES_OVERFLOW");
  });
});

describe("split used", () => {
  /** Chains 0-1, 2 and 3 in flight; writable 64, 64 and 0 bytes. */
  const open = (options: Partial<OpenOptions> = {}) => {
    const rings = openModel({ layout: "split", size: 4, ...options });
    rings.driver.add([
      { readable: segments(1), writable: segments(1, 64) },
      ONE,
      { readable: segments(1), writable: [] },
    ]);
    rings.driver.publish();
    return rings;
  };
  const cases: [title: string, elements: [number, number][], error: ResultName | undefined][] = [
    [
      "in any order",
      [
        [3, 0],
        [0, 64],
        [2, 1],
      ],
      undefined,
    ],
    ["id = size", [[4, 0]], "USED_ID_RANGE"],
    ["id 2^32-1", [[0xffff_ffff, 0]], "USED_ID_RANGE"],
    ["a middle descriptor", [[1, 0]], "USED_ID_NOT_HEAD"],
    ["id before length", [[1, 0xffff_ffff]], "USED_ID_NOT_HEAD"],
    ["too long", [[2, 65]], "USED_LEN_OVERFLOW"],
    ["readable bytes are not written", [[3, 1]], "USED_LEN_OVERFLOW"],
    [
      "more than are in flight",
      [
        [0, 0],
        [2, 0],
        [3, 0],
        [0, 0],
      ],
      "USED_INDEX_JUMP",
    ],
  ];
  it.each(cases)("%s", (_, elements, error) => {
    const { driver, use } = open();
    use(elements);
    const { used, error: got } = driver.takeUsed(8);
    expect(got).toBe(error);
    expect(used).toHaveLength(error === undefined ? elements.length : 0);
    if (error !== undefined) {
      expect(driver.takeUsed(8)).toEqual({ used: [], error: "QUEUE_BROKEN" });
      expect(driver.add([ONE])).toEqual({ added: 0, tokens: [], error: "QUEUE_BROKEN" });
      expect([driver.publish().notify, driver.arm(0), driver.hasUsed()]).toEqual([false, false, false]);
      driver.reset();
      expect(driver.state()).toEqual({ available: 0, used: 0, free: 4, inFlight: 0, error: undefined });
    }
  });

  it("the good ones first: the bad one is met again by the next call", () => {
    const { driver, use } = open();
    use([
      [2, 5],
      [2, 5],
    ]);
    expect(driver.takeUsed(8)).toEqual({ used: [{ token: 0x10002, length: 5 }] });
    expect(driver.state().error).toBeUndefined();
    expect(driver.takeUsed(8)).toEqual({ used: [], error: "USED_ID_NOT_INFLIGHT" });
  });

  it("clampUsedLength", () => {
    const { driver, use } = open({ options: { clampUsedLength: true } });
    use([
      [2, 65],
      [3, 1],
    ]);
    expect(driver.takeUsed(8).used.map(({ length }) => length)).toEqual([64, 0]);
  });

  it("an index that goes back", () => {
    const { driver, use, setU16 } = open();
    use([[2, 0]]);
    driver.takeUsed(8);
    setU16(AREAS.device + 2, 0);
    expect(driver.takeUsed(8).error).toBe("USED_INDEX_JUMP");
  });

  it("IN_ORDER: the last buffer of a batch stands for all, within what is newly used", () => {
    const { driver, use } = open({ features: { inOrder: true } });
    use([[3, 0]]);
    expect(driver.takeUsed(8).error).toBe("USED_INDEX_JUMP"); // three buffers, one used
    const good = open({ features: { inOrder: true } });
    good.use([[3, 0]]);
    good.setU16(AREAS.device + 2, 3);
    expect(good.driver.takeUsed(2).used.map(({ length }) => length)).toEqual([64, 64]);
    expect(good.driver.state()).toMatchObject({ used: 2, inFlight: 1 });
    good.setU32(AREAS.device + 4, 2); // the element is not read again
    expect(good.driver.hasUsed()).toBe(true);
    expect(good.driver.takeUsed(8).used).toEqual([{ token: 0x10003, length: 0 }]);
  });

  it("what the device does to the descriptors does not matter", () => {
    const { driver, use, setU32 } = open();
    setU32(AREAS.descriptor + 16 * 2 + 8, 1);
    setU32(AREAS.descriptor + 12, 0xffff_ffff);
    use([
      [0, 64],
      [2, 64],
    ]);
    expect(driver.takeUsed(8).used.map(({ length }) => length)).toEqual([64, 64]);
    expect(driver.state().free).toBe(3);
  });
});

describe("packed used", () => {
  /** Lists 0 (two descriptors) and 1 in flight; writable 64 bytes each. */
  const open = (options: Partial<OpenOptions> = {}) => {
    const rings = openModel({ layout: "packed", size: 4, ...options });
    rings.driver.add([{ readable: segments(1), writable: segments(1, 64) }, ONE]);
    rings.driver.publish();
    return rings;
  };
  const cases: [
    title: string,
    id: number,
    length: number,
    flags: number,
    expected: ResultName | number | undefined,
  ][] = [
    ["not yet", 0, 0, 0x80, undefined],
    ["used in the lap before", 0, 0, 0, undefined],
    ["out of order", 1, 64, USED | WRITE, 64],
    ["no WRITE, no length", 0, 100, USED, 0],
    ["NEXT and INDIRECT do not count", 0, 1, USED | WRITE | 5, 1],
    ["too long", 0, 65, USED | WRITE, "USED_LEN_OVERFLOW"],
    ["id = size", 4, 0, USED, "USED_ID_RANGE"],
    ["id not in flight", 2, 0, USED, "USED_ID_NOT_INFLIGHT"],
  ];
  it.each(cases)("%s", (_, id, length, flags, expected) => {
    const { driver, describe: write } = open();
    write(AREAS.descriptor, { length, flags, last: id });
    const { used, error } = driver.takeUsed(8);
    expect(error).toBe(typeof expected === "string" ? expected : undefined);
    expect(used).toEqual(typeof expected === "number" ? [{ token: 0x10000 | id, length: expected }] : []);
    expect(driver.state().error).toBe(error);
  });

  it("moves on by the list of the id, not of the slot", () => {
    const { driver, describe: write } = open();
    write(AREAS.descriptor, { flags: USED, last: 1 });
    write(AREAS.descriptor + 16, { flags: USED, last: 0 });
    expect(driver.takeUsed(8).used.map(({ token }) => token)).toEqual([0x10001, 0x10000]);
    expect(driver.state()).toMatchObject({ used: 3 | 0x8000, free: 4 });
  });

  it("nothing in flight", () => {
    const { driver, describe: write } = openModel({ layout: "packed", size: 4 });
    write(AREAS.descriptor, { flags: USED, last: 0 });
    expect(driver.takeUsed(1).error).toBe("USED_ID_NOT_INFLIGHT");
  });
});
