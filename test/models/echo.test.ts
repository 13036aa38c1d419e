import { describe, expect, it } from "vitest";
import { EchoModel } from "../../src/models/echo";
import { cut, LAYOUTS, openRig, pattern } from "./rig";

describe.each(LAYOUTS)("an echo device on %s", (_, ring) => {
  it.each([
    [[5], [5]],
    [[5], [3]],
    [[5], [12]],
    [
      [1, 2, 3],
      [17, 1, 40],
    ],
    [[16], [512]],
    [
      [100, 28],
      [64, 64],
    ],
    [[7], []],
  ])("%j bytes into buffers of %j: repeated to fill them", async (readable, writable) => {
    const rig = await openRig(new EchoModel(), ring);
    const bytes = pattern(
      readable.reduce((sum, length) => sum + length, 0),
      50,
    );
    const total = writable.reduce((sum, length) => sum + length, 0);
    const { length, answer } = rig.ask(cut(bytes, readable.slice(0, -1)), writable);
    expect(length).toBe(total);
    expect(answer).toEqual(Array.from({ length: total }, (_, i) => bytes[i % bytes.length]));
  });

  it("answers nothing to nothing", async () => {
    const rig = await openRig(new EchoModel(), ring);
    expect(rig.ask([], [16]).length).toBe(0);
  });

  it("lets a source answer instead, by number of the chain and offset", async () => {
    const calls: [number, number, number][] = [];
    const model = new EchoModel({
      source(target, chain, offset) {
        calls.push([target.length, chain, offset]);
        target.fill(chain + 1);
      },
    });
    const rig = await openRig(model, ring);
    expect(rig.ask([], [2, 3])).toEqual({ length: 5, answer: [1, 1, 1, 1, 1] });
    expect(rig.ask([], [1])).toEqual({ length: 1, answer: [2] });
    expect(calls).toEqual([
      [2, 0, 0],
      [3, 0, 2],
      [1, 1, 0],
    ]);
  });

  it("shows what it took, segment by segment", async () => {
    const taken: number[][] = [];
    const rig = await openRig(new EchoModel({ onTaken: (bytes) => taken.push([...bytes]) }), ring);
    rig.ask([Uint8Array.of(1, 2), Uint8Array.of(3)], [1]);
    expect(taken).toEqual([[1, 2], [3]]);
  });
});
