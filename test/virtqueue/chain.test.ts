/** Readers and writers over a chain never pass a segment's end, nor write what the device may only read. */
import { describe, expect, it } from "vitest";
import { rig } from "./queue-rig";

function taken() {
  const parts = rig("split");
  const { core, driver, device, buffer } = parts;
  const [a, b, c, d] = [buffer(3), buffer(7), buffer(2), buffer(6)];
  core.view(a.address, 3).set([1, 2, 3]);
  core.view(b.address, 7).set([4, 5, 6, 7, 8, 9, 10]);
  driver.add([a, b], [c, d]);
  driver.publish();
  device.take();
  return { ...parts, chain: device.chain(0), segments: [a, b, c, d] };
}

const code = (name: string) => expect.objectContaining({ code: name }) as Error;

describe("Chain", () => {
  it("tells counts, bytes and segments", () => {
    const { core, chain, segments } = taken();
    expect([chain.readableCount, chain.writableCount, chain.readableBytes, chain.writableBytes]).toEqual([
      2, 2, 10, 8,
    ]);
    segments.forEach((segment, i) => {
      expect(chain.segment(i)).toEqual({
        address: core.translate(segment.address, 1),
        length: segment.length,
      });
    });
    for (const i of [-1, 4, 0.5, Number.NaN]) expect(() => chain.segment(i)).toThrow(code("BAD_ARGUMENT"));
  });

  it("kept, outlives the next take", () => {
    const { driver, device, chain, buffer } = taken();
    const kept = chain.keep();
    driver.add([buffer(1)]);
    driver.publish();
    expect(device.take()).toBe(1);
    expect(device.chain(0).readableBytes).toBe(1);
    expect(kept.readableBytes).toBe(10);
    expect([...kept.view(0)]).toEqual([1, 2, 3]);
    device.complete(kept.token, 0);
  });

  it("is read across segments, little-endian", () => {
    const reader = taken().chain.reader();
    expect(reader.readU16()).toBe(0x0201);
    expect(reader.readU32()).toBe(0x06050403);
    reader.skip(1);
    expect(reader.remaining).toBe(3);
    expect(() => reader.readU32()).toThrow(code("CHAIN_TOO_SHORT"));
    expect(() => reader.readU32()).toThrow(/4 .* 3/);
    const rest = new Uint8Array(8);
    expect(reader.read(rest)).toBe(3);
    expect([...rest]).toEqual([8, 9, 10, 0, 0, 0, 0, 0]);
    expect(reader.read(rest)).toBe(0);
    expect(() => reader.readU8()).toThrow(code("CHAIN_TOO_SHORT"));
  });

  it("reads a u64", () => {
    expect(taken().chain.reader().readU64()).toBe(0x0807060504030201n);
  });

  it("is written across segments, whole or not at all", () => {
    const { core, chain, segments } = taken();
    const writer = chain.writer();
    writer.write(Uint8Array.of(1, 2, 3));
    writer.skip(1);
    writer.writeU8(9);
    expect([writer.written, writer.remaining]).toEqual([5, 3]);
    const before = core.bytes().slice();
    expect(() => writer.write(new Uint8Array(4).fill(0xff))).toThrow(code("BUFFER_TOO_SHORT"));
    expect(() => writer.write(new Uint8Array(4))).toThrow(/4 .* 3/);
    expect(Buffer.compare(core.bytes(), before)).toBe(0);
    expect([...core.view(segments[2]?.address ?? 0, 2)]).toEqual([1, 2]);
    expect([...core.view(segments[3]?.address ?? 0, 3)]).toEqual([3, 0, 9]);
  });

  it("gives no writable view of a readable segment", () => {
    const { chain } = taken();
    expect(() => chain.writableView(1)).toThrow(code("BAD_ARGUMENT"));
    expect(chain.writableView(2).length).toBe(2);
  });
});
