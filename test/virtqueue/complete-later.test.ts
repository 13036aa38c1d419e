/** `completeLater`: completions that wait for the publish, on both layouts, with and without IN_ORDER. */
import { describe, expect, it } from "vitest";
import { rig } from "./queue-rig";

const FEATURES = [{}, { inOrder: true }] as const;

describe.each(["split", "packed"] as const)("completeLater, %s", (layout) => {
  const open = (features: (typeof FEATURES)[number], batch = 4) => {
    const made = rig(layout, { features, size: 32, device: { batch } });
    const offer = (count: number) => {
      for (let i = 0; i < count; i++) made.driver.add([made.buffer(8)], [made.buffer(16)]);
      made.driver.publish();
    };
    const tokens = () => {
      const all: number[] = [];
      for (let n = made.device.take(); n > 0; n = made.device.take())
        for (let i = 0; i < n; i++) all.push(made.device.chain(i).token);
      return all;
    };
    const lengths = () => {
      const count = made.driver.takeUsed();
      return Array.from({ length: count }, (_, i) => made.driver.used.length(i));
    };
    return { ...made, offer, tokens, lengths };
  };

  it.each(FEATURES)("uses nothing before the publish, and then all, in their order: %o", (features) => {
    const { device, offer, tokens, lengths } = open(features);
    offer(10);
    const taken = tokens();
    taken.forEach((token, i) => {
      device.completeLater(token, i);
    });
    expect(lengths()).toEqual([]);
    device.publish();
    expect(lengths()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(device.tally).toMatchObject({ chains: 10, bytesToDevice: 80, bytesFromDevice: 45 });
    expect(device.inFlight).toBe(0);
  });

  it("keeps them before a completion that doesn't wait", () => {
    const { device, offer, tokens, lengths } = open({});
    offer(3);
    const [first = 0, second = 0, third = 0] = tokens();
    device.completeLater(first, 1);
    device.completeLater(second, 2);
    device.complete(third, 3);
    device.publish();
    expect(lengths().sort()).toEqual([1, 2, 3]);
  });

  it("finds a mistake at the publish: those before it are used, those behind it too", () => {
    const { device, offer, tokens, lengths } = open({});
    offer(3);
    const [first = 0, second = 0, third = 0] = tokens();
    device.completeLater(first, 1);
    device.completeLater(second, 17);
    device.completeLater(third, 3);
    expect(() => device.publish()).toThrow(expect.objectContaining({ code: "COMPLETE_LEN_OVERFLOW" }));
    device.publish();
    expect(lengths()).toEqual([1, 3]);
    expect(device.inFlight).toBe(1);
    expect(device.tally.chains).toBe(2);
  });

  it("a saved queue has completed them, and a reset forgets them", () => {
    const { device, offer, tokens } = open({});
    offer(2);
    const [first = 0, second = 0] = tokens();
    device.completeLater(first, 0);
    device.save();
    expect(device.inFlight).toBe(1);
    device.completeLater(second, 0);
    device.reset();
    expect(device.publish()).toBe(false);
    expect(device.tally.chains).toBe(1);
  });

  it("an exchange shows them, and nothing that was completed can be given back", () => {
    const { device, offer, tokens, lengths } = open({});
    offer(2);
    const [first = 0, second = 0] = tokens();
    device.completeLater(first, 5);
    expect(device.exchange(0)).toBe(0);
    expect(lengths()).toEqual([5]);
    device.completeLater(second, 6);
    expect(() => device.undo(second)).toThrow(expect.objectContaining({ code: "COMPLETE_UNKNOWN" }));
    device.publish();
    expect(lengths()).toEqual([6]);
  });

  it("takes numbers alone that complete takes", () => {
    const { device } = open({});
    for (const [token, written] of [
      [0, 0],
      [1.5, 0],
      [2 ** 31, 0],
      [65536, -1],
      [65536, 2 ** 32],
    ] as const) {
      expect(() => device.completeLater(token, written)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/BAD_ARGUMENT|COMPLETE_UNKNOWN/) }),
      );
    }
  });
});
