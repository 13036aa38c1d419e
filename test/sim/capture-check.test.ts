import { describe, expect, it } from "vitest";
import { CaptureCheck } from "../../src/sim/capture-check";
import { pattern } from "../models/rig";

const FRAMES = [20, 30, 40, 50].map((size, i) => pattern(size, i + 1));

/** A check that sent all frames. */
function sentAll(): CaptureCheck {
  const check = new CaptureCheck(12);
  for (const [i, bytes] of FRAMES.entries()) {
    const timestamp = BigInt(i);
    check.send({ bytes, timestamp, interface: 0, originalLength: 100, offset: 0 });
  }
  return check;
}

function all<T>(use: (frame: Uint8Array) => T, without: readonly number[] = []): T[] {
  return FRAMES.filter((_, i) => !without.includes(i)).map(use);
}

describe("CaptureCheck", () => {
  it("finds nothing where nothing differs", () => {
    const check = sentAll();
    expect(check.inFlight).toBe(4);
    all((frame) => check.carry(frame, 0));
    const arrived = all((frame) => check.arrive(frame, 0));
    check.finish();
    expect(check).toMatchObject({ sent: 4, inFlight: 0, differ: 0, dropped: 0 });
    expect(check.bytes).toEqual({ toDevice: 188, fromDevice: 188 });
    expect(check.result()).toMatchObject({ mismatches: 0, firstMismatch: null });
    expect(arrived.map(({ timestamp, originalLength }) => [timestamp, originalLength])).toEqual([
      [0n, 100],
      [1n, 100],
      [2n, 100],
      [3n, 100],
    ]);
  });

  it("keeps its own copy of what was sent", () => {
    const check = new CaptureCheck(12);
    const bytes = pattern(20, 9);
    check.send({ bytes, timestamp: undefined, interface: 0, originalLength: 20, offset: 0 });
    const frame = bytes.slice();
    bytes.fill(0);
    check.carry(frame, 0);
    check.arrive(frame, 0);
    expect(check.result().mismatches).toBe(0);
  });

  it("says in which device a byte went wrong", () => {
    const check = sentAll();
    const wrong = FRAMES.map((frame) => frame.slice());
    const [, second, third] = wrong;
    if (second) second[7] = ~(second[7] ?? 0);
    if (third) third[0] = ~(third[0] ?? 0);
    for (const frame of wrong) check.carry(frame, 0);
    for (const frame of wrong) check.arrive(frame, 0);
    expect(check).toMatchObject({ differ: 2, dropped: 0 });
    expect(check.result()).toMatchObject({
      mismatches: 2,
      firstMismatch: { chain: 1, direction: "toDevice", offset: 7 },
    });
  });

  it.each([
    [
      { wire: [1], driver: [1] },
      { chain: 1, direction: "toDevice" },
    ],
    [
      { wire: [], driver: [2] },
      { chain: 2, direction: "fromDevice" },
    ],
    [
      { wire: [0], driver: [0, 1] },
      { chain: 0, direction: "toDevice" },
    ],
  ])("finds the place again behind frames that are known to be lost: %j", ({ wire, driver }, first) => {
    const check = sentAll();
    all((frame) => check.carry(frame, wire.length), wire);
    const arrived = all((frame) => check.arrive(frame, driver.length - wire.length), driver);
    check.finish();
    expect(check).toMatchObject({ differ: 0, dropped: driver.length, inFlight: 0 });
    expect(check.result().firstMismatch).toMatchObject({ ...first, offset: 0, actual: null });
    const numbers = [0n, 1n, 2n, 3n].filter((number) => !driver.includes(Number(number)));
    expect(arrived.map(({ timestamp }) => timestamp)).toEqual(numbers);
  });

  it("counts all bytes of a frame that never came", () => {
    const check = sentAll();
    all((frame) => check.carry(frame, 0), [3]);
    all((frame) => check.arrive(frame, 0), [2, 3]);
    check.finish();
    expect(check).toMatchObject({ differ: 0, dropped: 2, inFlight: 0 });
    expect(check.result()).toMatchObject({
      mismatches: 90,
      firstMismatch: { chain: 2, direction: "fromDevice", offset: 0, actual: null },
    });
  });

  it("counts a frame that nobody sent, and one of another length", () => {
    const check = sentAll();
    all((frame) => check.carry(frame, 0));
    all((frame) => check.arrive(frame.length === 20 ? frame.subarray(0, 18) : frame, 0));
    check.arrive(pattern(14, 99), 0);
    expect(check.differ).toBe(2);
    expect(check.result()).toMatchObject({
      mismatches: 16,
      firstMismatch: { chain: 0, direction: "fromDevice", offset: 18, actual: null },
    });
  });
});
