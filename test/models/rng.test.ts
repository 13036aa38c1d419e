// The entropy device: what a request gets, from a source that answers at once, later or not at all (§5.4).
import { describe, expect, it, vi } from "vitest";
import { RngModel } from "../../src/models/rng";
import { LAYOUTS, openRig, UNWRITTEN } from "./rig";

/** Counts up, over all requests. */
function counting() {
  let next = 0;
  return (bytes: Uint8Array) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next++;
  };
}

/** A source that the test answers. */
function waiting() {
  const requests: { bytes: Uint8Array; resolve: () => void; reject: (reason: Error) => void }[] = [];
  const source = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => requests.push({ bytes, resolve, reject }));
  return { source, requests };
}

describe.each(LAYOUTS)("an entropy device on %s", (_, ring) => {
  it("fills the buffers of a request in order", async () => {
    const rig = await openRig(new RngModel(counting()), ring);
    expect(rig.ask([], [2, 1, 3])).toEqual({ length: 6, answer: [0, 1, 2, 3, 4, 5] });
    expect(rig.ask([], [1])).toEqual({ length: 1, answer: [6] });
  });

  it("takes randomness from the platform", async () => {
    const rig = await openRig(new RngModel(), ring);
    const { length, answer } = rig.ask([], [4096]);
    expect(length).toBe(4096);
    expect(new Set(answer).size).toBeGreaterThan(200);
  });

  it("answers later, in any order", async () => {
    const { source, requests } = waiting();
    const rig = await openRig(new RngModel(source), ring);
    const sent = [rig.send([], [2]), rig.send([], [3])];
    rig.device.process();
    expect(rig.used()).toEqual([]);
    for (const [i, { bytes, resolve }] of [...requests.entries()].reverse()) {
      bytes.fill(i + 1);
      resolve();
    }
    await rig.device.idle();
    expect(new Set(rig.used().map(({ length }) => length))).toEqual(new Set([2, 3]));
    expect(sent.map((one) => rig.answerOf(one))).toEqual([
      [1, 1],
      [2, 2, 2],
    ]);
  });
});

describe("an entropy device", () => {
  it("asks the platform for at most 65536 bytes at once", async () => {
    const sizes: number[] = [];
    const spy = vi.spyOn(globalThis.crypto, "getRandomValues").mockImplementation((view) => {
      sizes.push(view?.byteLength ?? 0);
      return view;
    });
    const rig = await openRig(new RngModel(undefined, { mostBytes: 200_000 }), ["VERSION_1"]);
    expect(rig.ask([], [100_000, 50_000]).length).toBe(150_000);
    spy.mockRestore();
    expect(sizes).toEqual([65_536, 65_536, 18_928]);
  });

  it("fills no more than it is told to, however much room there is", async () => {
    const rig = await openRig(new RngModel(counting(), { mostBytes: 3 }), ["VERSION_1"]);
    expect(rig.ask([], [2, 4])).toEqual({
      length: 3,
      answer: [0, 1, 2, UNWRITTEN, UNWRITTEN, UNWRITTEN],
    });
    expect(() => new RngModel(counting(), { mostBytes: 0 })).toThrow("one or more");
  });

  it("survives and counts chains with readable buffers", async () => {
    const model = new RngModel(counting());
    const rig = await openRig(model, ["VERSION_1"]);
    expect(rig.ask([Uint8Array.of(9, 9)], []).length).toBe(0);
    expect(model.breaches).toBe(1);
    expect(rig.ask([Uint8Array.of(9)], [2])).toEqual({ length: 2, answer: [0, 1] });
    expect(model.breaches).toBe(2);
    expect(rig.ask([], [1])).toEqual({ length: 1, answer: [2] });
    expect(model.breaches).toBe(2);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("dry");
      },
    ],
    ["rejects", () => Promise.reject(new Error("dry"))],
  ])("needs a reset when its source %s: a buffer without a random byte is never used", async (_, source) => {
    const rig = await openRig(new RngModel(source), ["VERSION_1"]);
    rig.send([], [4]);
    rig.device.process();
    await rig.device.idle();
    expect(rig.device.phase).toBe("needs-reset");
    expect(rig.used()).toEqual([]);
    expect(rig.events.some((event) => event.includes("dry"))).toBe(true);
  });

  it("drops a request that waits when it is reset, and writes nothing then", async () => {
    const { source, requests } = waiting();
    const rig = await openRig(new RngModel(source), ["VERSION_1"]);
    const sent = rig.send([], [4]);
    rig.device.process();
    await rig.driver.reset();
    requests[0]?.bytes.fill(1);
    requests[0]?.resolve();
    await rig.device.idle();
    expect(rig.answerOf(sent)).toEqual([UNWRITTEN, UNWRITTEN, UNWRITTEN, UNWRITTEN]);
    expect(rig.device.status).toBe(0);
  });

  it("drops it when its queue alone is reset", async () => {
    const { source, requests } = waiting();
    const rig = await openRig(new RngModel(source), ["VERSION_1", "RING_RESET"]);
    const sent = rig.send([], [4]);
    rig.device.process();
    rig.device.resetQueue(0);
    requests[0]?.resolve();
    await rig.device.idle();
    expect(rig.answerOf(sent)).toEqual([UNWRITTEN, UNWRITTEN, UNWRITTEN, UNWRITTEN]);
    expect(rig.device.phase).toBe("live");
  });
});
