import { describe, expect, it } from "vitest";
import { BlkModel, type BlkOptions } from "../../src/models/blk";
import { MemoryBackend } from "../../src/models/memory-backend";
import { cut, header, LAYOUTS, openRig, pattern, UNWRITTEN } from "./rig";

const IN = 0;
const OUT = 1;
const FLUSH = 4;
const GET_ID = 8;
const OK = 0;
const IOERR = 1;
const UNSUPP = 2;

const BLK = ["FLUSH", "SEG_MAX", "BLK_SIZE", "RO"];

function disk(sectors = 8) {
  return new MemoryBackend(pattern(sectors * 512));
}

function open(backend: MemoryBackend, options: BlkOptions = {}, ring: readonly string[] = ["VERSION_1"]) {
  return openRig(new BlkModel(backend, options), [...ring, ...BLK]);
}

describe.each(LAYOUTS)("a block device on %s", (_, ring) => {
  it("reads sectors", async () => {
    const backend = disk();
    const rig = await open(backend, {}, ring);
    const { length, answer } = rig.ask([header(IN, 3)], [1024, 1]);
    expect(answer).toEqual([...backend.bytes.subarray(3 * 512, 5 * 512), OK]);
    expect(length).toBe(1025);
  });

  it("writes sectors", async () => {
    const backend = disk();
    const rig = await open(backend, {}, ring);
    const data = pattern(1024, 99);
    const { length, answer } = rig.ask([header(OUT, 6), data], [1]);
    expect(answer).toEqual([OK]);
    expect(length).toBe(1);
    expect(backend.bytes.subarray(6 * 512)).toEqual(data);
    expect(backend.bytes.subarray(0, 6 * 512)).toEqual(pattern(8 * 512).subarray(0, 6 * 512));
  });

  it("serves many requests in one go and in order", async () => {
    const backend = disk();
    const rig = await open(backend, {}, ring);
    const sent = Array.from({ length: 8 }, (_, sector) => rig.send([header(IN, sector)], [512, 1]));
    rig.device.process();
    expect(rig.used()).toEqual(sent.map(({ token }) => ({ token, length: 513 })));
    for (const [sector, one] of sent.entries()) {
      expect(rig.answerOf(one)).toEqual([...backend.bytes.subarray(sector * 512, sector * 512 + 512), OK]);
    }
  });

  it("flushes, and tells its name with zeros behind it", async () => {
    const rig = await open(disk(), { id: "name" }, ring);
    expect(rig.ask([header(FLUSH)], [1])).toEqual({ length: 1, answer: [OK] });
    const name = [...new TextEncoder().encode("name"), ...new Array<number>(16).fill(0)];
    expect(rig.ask([header(GET_ID)], [20, 1])).toEqual({ length: 21, answer: [...name, OK] });
  });
});

describe("framing (§2.7.4.2: no rule where a driver cuts)", () => {
  const backend = disk();
  const all = [...backend.bytes.subarray(512, 1024), OK];

  it.each([1, 2, 3, 4, 7, 8, 11, 15])("a header cut after %i bytes", async (at) => {
    const rig = await open(backend);
    expect(rig.ask(cut(header(IN, 1), [at]), [512, 1]).answer).toEqual(all);
  });

  it("a header of 16 descriptors", async () => {
    const rig = await open(backend);
    expect(rig.ask(cut(header(IN, 1), new Array(16).fill(1)), [512, 1]).answer).toEqual(all);
  });

  it.each([[[513]], [[1, 512]], [[511, 2]], [[512, 1]], [[256, 256, 1]], [[100, 412, 1]], [[510, 1, 1, 1]]])(
    "an answer in buffers of %j",
    async (lengths) => {
      const rig = await open(backend);
      expect(rig.ask([header(IN, 1)], lengths)).toEqual({ length: 513, answer: all });
    },
  );

  it.each([[[528]], [[20]], [[16, 1]], [[8, 100]], [[1, 14, 3, 200]]])(
    "header and data in buffers of %j and the rest",
    async (lengths) => {
      const target = disk();
      const rig = await open(target);
      const data = pattern(512, 42);
      const bytes = new Uint8Array([...header(OUT, 2), ...data]);
      expect(rig.ask(cut(bytes, lengths), [1]).answer).toEqual([OK]);
      expect(target.bytes.subarray(1024, 1536)).toEqual(data);
    },
  );

  it.each([
    ["no readable byte", [], [512, 1]],
    ["a header of 15 bytes", [15], [512, 1]],
    ["no writable byte", [16], []],
    ["data and no status", [16, 512], []],
  ])("%s: used with length 0, nothing written", async (_, readable, writable) => {
    const target = disk();
    const rig = await open(target);
    const bytes = cut(new Uint8Array([...header(OUT, 0), ...pattern(512, 9)]), readable).slice(
      0,
      readable.length,
    );
    const { length, answer } = rig.ask(bytes, writable);
    expect(length).toBe(0);
    expect(answer.every((byte) => byte === UNWRITTEN)).toBe(true);
    expect(target.bytes).toEqual(pattern(8 * 512));
  });

  it("a name longer or shorter than its buffer", async () => {
    const rig = await open(disk(), { id: "abcdefgh" });
    expect(rig.ask([header(GET_ID)], [4, 1]).answer).toEqual([...new TextEncoder().encode("abcd"), OK]);
    expect(rig.ask([header(GET_ID)], [1]).answer).toEqual([OK]);
    expect(rig.ask([header(GET_ID)], [30, 1])).toMatchObject({ length: 31 });
  });
});

describe("what can't be done", () => {
  it.each([
    ["beyond the end", IN, 8, 512],
    ["over the end", IN, 7, 1024],
    ["half a sector", IN, 0, 256],
    ["sector 2^53 + 1", IN, 2n ** 53n + 1n, 512],
    ["sector 2^64 - 1", IN, 2n ** 64n - 1n, 512],
  ])("a read %s: VIRTIO_BLK_S_IOERR and zeros", async (_, type, sector, length) => {
    const rig = await open(disk());
    const { length: used, answer } = rig.ask([header(type, sector)], [length, 1]);
    expect(answer).toEqual([...new Array<number>(length).fill(0), IOERR]);
    expect(used).toBe(length + 1);
  });

  it.each([
    ["beyond the end", 8, 512],
    ["over the end", 7, 1024],
    ["of half a sector", 0, 256],
    ["at sector 2^64 - 1", 2n ** 64n - 1n, 512],
  ])("a write %s: VIRTIO_BLK_S_IOERR and no change", async (_, sector, length) => {
    const backend = disk();
    const rig = await open(backend);
    expect(rig.ask([header(OUT, sector), pattern(length, 3)], [1]).answer).toEqual([IOERR]);
    expect(backend.bytes).toEqual(pattern(8 * 512));
  });

  it.each([2, 3, 5, 10, 11, 13, 14, 16, 24, 0xffffffff])("type %i: VIRTIO_BLK_S_UNSUPP", async (type) => {
    const rig = await open(disk());
    expect(rig.ask([header(type)], [16, 1])).toEqual({
      length: 17,
      answer: [...new Array<number>(16).fill(0), UNSUPP],
    });
  });

  it.each([1, 2, 3, 4096, 4097, 10_000])(
    "an error behind an answer of %i bytes: zeros, then the status",
    async (length) => {
      const rig = await open(disk());
      const { length: used, answer } = rig.ask([header(99)], [length, 1]);
      expect(used).toBe(length + 1);
      expect(answer).toEqual([...new Array<number>(length).fill(0), UNSUPP]);
    },
  );

  it("a backend that throws: VIRTIO_BLK_S_IOERR, and the host hears why", async () => {
    const backend = disk();
    const errors: unknown[] = [];
    backend.read = () => {
      throw new Error("scratched");
    };
    const rig = await open(backend, { onBackendError: (error) => errors.push(error) });
    expect(rig.ask([header(IN, 0)], [512, 1]).answer.at(-1)).toBe(IOERR);
    expect(errors).toEqual([new Error("scratched")]);
    expect(rig.ask([header(GET_ID)], [20, 1]).answer.at(-1)).toBe(OK);
  });

  it.each<[BlkOptions, string]>([
    [
      { offers: ["DISCARD"] },
      "the block model cannot offer DISCARD, only FLUSH, SEG_MAX, BLK_SIZE, CONFIG_WCE, RO",
    ],
    [{ offers: ["FLUSCH"] }, "did you mean FLUSH?"],
    [{ id: "a name of more than 20 bytes" }, "a device ID of 28 bytes is longer than 20"],
  ])("options %j", (options, message) => {
    expect(() => new BlkModel(disk(), options)).toThrow(message);
  });
});
