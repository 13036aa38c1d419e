/** DeviceQueue's batches: the flat list, completing it, and the round of a device in one crossing. */
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { rig } from "./queue-rig";

/** Stores what the device wrote into the first entry of each of `count` chains of one segment. */
function fill(words: Uint32Array, flat: number, lengths: readonly number[]): void {
  for (const [i, length] of lengths.entries()) words[flat + 4 * i + 3] = length;
}

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([{}, { inOrder: true }, { eventIdx: true }])("%j", (features) => {
    const open = (options = {}) => {
      const queues = rig(layout, { features, ...options });
      const offer = (count: number, length = 16): number[] => {
        const tokens = Array.from({ length: count }, () => queues.driver.add([], [queues.buffer(length)]));
        queues.driver.publish();
        return tokens;
      };
      const taken = (): number[][] => {
        const n = queues.driver.takeUsed();
        const { used } = queues.driver;
        return Array.from({ length: n }, (_, i) => [used.token(i), used.length(i)]);
      };
      return { ...queues, offer, taken };
    };

    it("a round of exchanges moves chains with what was written into each", () => {
      const { core, driver, device, offer, taken } = open();
      let taking = 0;
      for (let round = 0; round < 20; round++) {
        const lengths = [round % 17, 16, 3].slice(0, taking);
        fill(core.words(), device.flat, lengths);
        const tokens = offer(3);
        driver.arm();
        const before = driver.inFlight;
        taking = device.exchange(taking);
        expect(taking).toBe(3);
        expect(device.notify).toBe(lengths.length > 0);
        expect(taken().map(([, length]) => length)).toEqual(lengths);
        expect(driver.inFlight).toBe(before - lengths.length);
        expect(tokens).toHaveLength(3);
      }
    });

    it("an entry has the address, the length, the token with its mark, and 0", () => {
      const { core, driver, device, buffer } = open();
      const [out, back] = [buffer(5), buffer(7)];
      driver.add([out], [back]);
      driver.publish();
      expect(device.takeBatch()).toBe(1);
      const base = core.view(0, 1).byteOffset;
      const [a = 0, aLength, token = 0, aWritten] = core.words().slice(device.flat, device.flat + 4);
      expect([a, aLength, aWritten]).toEqual([base + out.address, 5, 0]);
      expect(token).toBeLessThan(0x80000000);
      expect([...core.words().slice(device.flat + 4, device.flat + 8)]).toEqual([
        base + back.address,
        7,
        token + 0x80000000,
        0,
      ]);
      device.complete(token, 7);
      device.publish();
      expect(driver.takeUsed()).toBe(1);
    });

    it("a chain of it can be kept, with its segments on either side", () => {
      const { core, driver, device, buffer } = open();
      const lists = [
        [[buffer(5), buffer(6)], [buffer(7)]],
        [[buffer(3)], []],
        [[], [buffer(2), buffer(9)]],
      ] as const;
      const tokens = lists.map(([readable, writable]) => driver.add(readable, writable));
      driver.publish();
      expect(device.takeBatch()).toBe(3);
      let at = device.flat;
      const kept = lists.map(([readable, writable]) => {
        const chain = device.chainAt(at);
        at += 4 * (readable.length + writable.length);
        return chain;
      });
      core.words().fill(0xffffffff, device.flat, at); // as the next take would
      const base = core.view(0, 1).byteOffset;
      const sum = (list: readonly { readonly length: number }[]) =>
        list.reduce((total, { length }) => total + length, 0);
      for (const [i, [readable, writable]] of lists.entries()) {
        const chain = kept[i];
        expect(chain).toMatchObject({
          token: tokens[i],
          error: undefined,
          readableCount: readable.length,
          writableCount: writable.length,
          readableBytes: sum(readable),
          writableBytes: sum(writable),
        });
        const segments = [...readable, ...writable];
        expect(segments.map((_, j) => chain?.segment(j))).toEqual(
          segments.map(({ address, length }) => ({ address: base + address, length })),
        );
      }
    });

    it("a chain used by itself first leaves the rest of the list its turn", () => {
      const { core, device, offer, taken } = open();
      const tokens = offer(4);
      expect(device.takeBatch()).toBe(4);
      fill(core.words(), device.flat, [1, 2, 3, 4]);
      const late = (core.words()[device.flat + 4 * 3 + 2] ?? 0) & 0x7fffffff;
      device.complete(late, 4); // with IN_ORDER held back
      device.completeBatch(3);
      device.publish();
      const lengths = new Map(taken().map(([token = 0, length = 0]) => [token, length]));
      expect(tokens.map((token) => lengths.get(token))).toEqual([1, 2, 3, 4]);
      expect(device.inFlight).toBe(0);
    });

    it("chains from before the list are waited for with IN_ORDER, and only then", () => {
      const { core, device, offer, taken } = open();
      offer(1);
      expect(device.take()).toBe(1);
      const first = device.chain(0).token;
      offer(2);
      expect(device.exchange(0)).toBe(2);
      fill(core.words(), device.flat, [5, 6]);
      expect(device.exchange(2)).toBe(0);
      expect(taken().map(([, length]) => length)).toEqual("inOrder" in features ? [] : [5, 6]);
      device.complete(first, 4);
      device.publish();
      expect(taken().map(([, length]) => length)).toEqual("inOrder" in features ? [4, 5, 6] : [4]);
    });

    it.each(["completeBatch", "exchange"] as const)(
      "%s throws what complete would, those before it done",
      (verb) => {
        const { core, device, offer, taken } = open();
        offer(3);
        expect(device.takeBatch()).toBe(3);
        fill(core.words(), device.flat, [16, 17, 16]);
        expect(() => device[verb](3)).toThrow(expect.objectContaining({ code: "COMPLETE_LEN_OVERFLOW" }));
        expect(taken()).toEqual([]);
        expect(device.inFlight).toBe(2);
        expect(() => device[verb](65)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
        expect(() => device[verb](-1)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
      },
    );

    it("a driver that breaks the ring stops the list; what was used before is shown", () => {
      const violations: string[] = [];
      const { core, driver, device, offer, taken } = open({
        device: { onViolation: ({ code }: { code: string }) => violations.push(code) },
      });
      offer(1);
      expect(device.takeBatch()).toBe(1);
      fill(core.words(), device.flat, [9]);
      driver.add([], [{ address: 0x8000, length: 4 }]);
      driver.publish();
      const at = driver.areas.descriptor as number;
      core.view(at + 16, 8).fill(0xff); // the address of the second descriptor
      expect(device.exchange(1)).toBe(0);
      expect(device.notify).toBe(true);
      expect(device.error).toBe("DESC_ADDR_OVERFLOW");
      expect(violations).toEqual(["DESC_ADDR_OVERFLOW"]);
      expect(taken().map(([, length]) => length)).toEqual([9]);
      expect(device.exchange(0)).toBe(0);
      expect(violations).toHaveLength(1);
    });

    it("with touched ranges an exchange tells of the ring as its three verbs do", () => {
      const { core, device, offer } = open({ device: { touched: true } });
      offer(2);
      expect(device.exchange(0)).toBe(2);
      fill(core.words(), device.flat, [1, 2]);
      expect(device.exchange(2)).toBe(0);
      expect(device.touched().length).toBeGreaterThan(0);
    });
  });
});

describe("four at a time", () => {
  const GIB = 2 ** 30;
  const readables = (high: number, simd?: boolean): readonly [driver: number, device: number] => {
    const memory = new WebAssembly.Memory({ initial: 48 });
    const regions = [{ gpa: high, base: 0, size: 1 << 20 }];
    const core = loadCoreSync({ memory, regions, state: { base: 1 << 20, size: 1 << 20 } });
    const option = simd === undefined ? {} : { simd };
    const { driver, device, buffer } = rig("packed", {
      core,
      allocator: new GuestAllocator(core),
      features: { inOrder: true },
      size: 32,
      driver: option,
      device: option,
    });
    const { address } = buffer(64);
    for (let lap = 0; lap < 5; lap++) {
      const { word } = driver.submissions;
      for (let i = 0; i < 20; i++) {
        const low = address % 2 ** 32;
        core.words().set([1, 0, 0, 0, low, (address - low) / 2 ** 32, 64, 0], word + 8 * i);
      }
      expect(driver.addBatch(20)).toBe(20);
      driver.publish();
      expect(device.run("sink", 20)).toBe(20);
      device.publish();
      expect(driver.takeUsed()).toBe(20);
    }
    return [driver.fours, device.fours];
  };

  it.each([0, GIB])("is how guest memory at %i is moved, and the queues count it", (gpa) => {
    const [driver, device] = readables(gpa);
    expect(driver).toBeGreaterThan(30);
    expect(device).toBeGreaterThan(15);
  });

  it.each([4 * GIB, 5 * GIB, 4 * GIB - (1 << 20)])(
    "is not for guest memory at %i, which comes through all the same",
    (gpa) => {
      expect(readables(gpa)).toEqual([0, 0]);
    },
  );

  it("is not with simd: false", () => {
    expect(readables(0, false)).toEqual([0, 0]);
  });
});
