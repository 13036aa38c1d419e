import { describe, expect, it } from "vitest";
import { fillAnswer, fillPayload } from "../../src/sim/payload";
import { planWorkload } from "../../src/sim/workload";

describe("planWorkload", () => {
  it("has defaults that fit the usual queue", () => {
    expect(planWorkload({}, 256, false)).toMatchObject({
      chains: 100_000,
      batch: 32,
      readable: [16],
      writable: [512],
      buffers: 2,
      descriptors: 2,
      inFlight: 128,
    });
  });

  it("takes one descriptor a chain with indirect tables", () => {
    expect(planWorkload({ readable: [1, 2, 3] }, 4, true)).toMatchObject({
      buffers: 4,
      descriptors: 1,
      inFlight: 4,
    });
  });

  it("lowers the default batch to what the queue holds", () => {
    expect(planWorkload({}, 2, false).batch).toBe(1);
    expect(planWorkload({}, 16, false).batch).toBe(8);
  });

  it("keeps fewer chains in flight when their buffers are large", () => {
    const plan = planWorkload({ writable: [0x1000000] }, 256, false);
    expect(plan.inFlight * 0x1000000).toBeLessThanOrEqual(0x4000000);
    expect(plan.batch).toBeLessThanOrEqual(plan.inFlight);
  });

  it.each([
    [{ chains: 0 }, 256, "chains must be a whole number from 1 to 4294967295, not 0"],
    [{ chains: 1.5 }, 256, "chains must be a whole number from 1 to 4294967295, not 1.5"],
    [{ batch: 129 }, 256, "batch 129: a queue of 256 holds at most 128 chains of 2 descriptors"],
    [{ batch: 0 }, 256, "batch must be a whole number from 1"],
    [{ readable: [], writable: [] }, 256, "a chain needs at least one"],
    [{ readable: [0] }, 256, "a readable buffer's bytes must be a whole number from 1"],
    [{ writable: [0x1000001] }, 256, "a writable buffer's bytes must be"],
    [{ readable: [1, 1], writable: [1] }, 2, "a chain of 3 buffers is longer than the queue size, 2"],
    [{}, 32769, "queue size must be a whole number from 1 to 32768, not 32769"],
    [{ batch: 32, writable: [0x1000000] }, 256, "needs 536871424 bytes of guest memory"],
  ])("refuses %j in a queue of %i", (options, size, message) => {
    expect(() => planWorkload(options, size, false)).toThrow(message);
  });
});

describe("payload", () => {
  const make = (length: number, seed: number, chain: number) => {
    const bytes = new Uint8Array(length);
    fillPayload(bytes, seed, chain);
    return bytes;
  };

  it("depends on seed and chain and on nothing else", () => {
    expect(make(64, 1, 0)).toEqual(make(64, 1, 0));
    expect(make(64, 1, 0)).not.toEqual(make(64, 2, 0));
    expect(make(64, 1, 0)).not.toEqual(make(64, 1, 1));
    expect(make(5, 1, 0)).toEqual(make(64, 1, 0).subarray(0, 5));
  });

  it("differs for each of the first thousand chains", () => {
    const seen = new Set(Array.from({ length: 1000 }, (_, chain) => make(8, 7, chain).join()));
    expect(seen.size).toBe(1000);
  });

  it.each([1, 3, 16, 17, 512, 513])("is repeated to answer %i bytes", (length) => {
    const payload = make(3, 1, 0);
    const answer = new Uint8Array(length);
    fillAnswer(answer, payload, 1, 0);
    expect([...answer]).toEqual(Array.from({ length }, (_, i) => payload[i % 3]));
  });

  it("has an answer for a chain that sends nothing", () => {
    const answer = new Uint8Array(16);
    fillAnswer(answer, new Uint8Array(0), 1, 0);
    expect(answer).not.toEqual(make(16, 1, 0));
    expect(answer.some((byte) => byte !== 0)).toBe(true);
  });
});
