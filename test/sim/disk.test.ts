import { describe, expect, it } from "vitest";
import { DeferredBackend } from "../../src/models/deferred-backend";
import { MemoryBackend } from "../../src/models/memory-backend";
import { type CopyDiskOptions, copyDisk } from "../../src/sim/disk";
import { pattern } from "../models/rig";

const RINGS: readonly (readonly string[])[] = [
  ["VERSION_1"],
  ["VERSION_1", "EVENT_IDX"],
  ["VERSION_1", "RING_PACKED"],
  ["VERSION_1", "RING_PACKED", "EVENT_IDX", "IN_ORDER"],
];

function disks(sectors: number) {
  const bytes = pattern(sectors * 512, sectors);
  return {
    source: new MemoryBackend(bytes),
    target: new MemoryBackend(new Uint8Array(bytes.length).fill(0xa5)),
  };
}

describe.each(RINGS.map((accept) => ({ accept })))("copyDisk: $accept", ({ accept }) => {
  it.each<[number, Partial<CopyDiskOptions>]>([
    [1, {}],
    [100, { blockSize: 4096 }],
    [101, { blockSize: 4096, batch: 3 }],
    [64, { blockSize: 512, batch: 1 }],
    [64, { blockSize: 1536, queueSize: 4 }],
    [5000, {}],
  ])("%i sectors, %j", async (sectors, options) => {
    const { source, target } = disks(sectors);
    const { blockSize = 1024 * 1024 } = options;
    const report = await copyDisk({ accept, source, target, ...options });
    expect(report).toMatchObject({ kind: "disk", outcome: "completed" });
    expect(Buffer.compare(target.bytes, source.bytes)).toBe(0);
    const requests = Math.ceil((sectors * 512) / blockSize);
    // A read and a write each, and a flush at the end.
    expect(report.chains).toBe(2 * requests + 1);
    expect(report.descriptors).toBe(6 * requests + 2);
    expect(report.bytes).toEqual({
      toDevice: sectors * 512 + 16 * report.chains,
      fromDevice: sectors * 512 + report.chains,
    });
    expect(report.layout).toBe(accept.includes("RING_PACKED") ? "packed" : "split");
  });

  it("through indirect tables", async () => {
    const { source, target } = disks(300);
    const options = { blockSize: 4096, queueSize: 4, indirect: true, accept: [...accept, "INDIRECT_DESC"] };
    const report = await copyDisk({ source, target, ...options });
    expect(report).toMatchObject({ outcome: "completed", indirect: true });
    expect(report.descriptors).toBe(report.chains);
    expect(Buffer.compare(target.bytes, source.bytes)).toBe(0);
  });

  it("counts the same every time", async () => {
    const counters = async () => {
      const { chains, bytes, notifications } = await copyDisk({ accept, ...disks(777), blockSize: 4096 });
      return { chains, bytes, notifications };
    };
    expect(await counters()).toEqual(await counters());
  });
});

describe("copyDisk", () => {
  it.each([0, 1, 511, 512, 4096, 12_288, 12_345, 51_199])("flips byte %i and no other", async (flipByte) => {
    const { source, target } = disks(100);
    await copyDisk({ source, target, flipByte, blockSize: 4096 });
    const expected = source.bytes.slice();
    expected[flipByte] = ~(expected[flipByte] ?? 0);
    expect(Buffer.compare(target.bytes, expected)).toBe(0);
  });

  it("tells how a request failed, and stops there", async () => {
    const { source, target } = disks(100);
    const errors: unknown[] = [];
    const failing = {
      sectors: 100,
      read(sector: number, bytes: Parameters<MemoryBackend["read"]>[1]) {
        if (sector >= 48) throw new Error("scratched");
        source.read(sector, bytes);
      },
      write() {},
      flush() {},
    };
    const report = await copyDisk({
      source: failing,
      target,
      blockSize: 4096,
      onBackendError: (error) => errors.push(error),
    });
    expect(report).toMatchObject({
      outcome: "failed",
      reason: "read of sector 48 ended with VIRTIO_BLK_S_IOERR (1)",
    });
    expect(errors).toContainEqual(new Error("scratched"));
  });

  it("a target that is offered read-only takes nothing", async () => {
    const { source, target } = disks(8);
    const report = await copyDisk({ source, target, offer: ["VERSION_1", "RO"] });
    expect(report).toMatchObject({
      outcome: "failed",
      reason: "write of sector 0 ended with VIRTIO_BLK_S_IOERR (1)",
    });
    expect(target.bytes.every((byte) => byte === 0xa5)).toBe(true);
  });

  it("labels the events of the two devices", async () => {
    const { transcript } = await copyDisk(disks(8));
    expect(new Set(transcript.map(({ device }) => device))).toEqual(new Set(["source", "target"]));
    expect(transcript.map(({ seq }) => seq)).toEqual(transcript.map((_, i) => i));
  });

  it("a refusal is a result", async () => {
    const report = await copyDisk({ ...disks(8), accept: ["RING_PACKED"] });
    expect(report).toMatchObject({ outcome: "refused", layout: null, chains: 0 });
  });

  it("says so when a backend never answers", async () => {
    const { source, target } = disks(8);
    const report = await copyDisk({ source: new DeferredBackend(source), target });
    expect(report).toMatchObject({ outcome: "failed", reason: "nothing came back any more at sector 8" });
  });

  it.each<[Partial<CopyDiskOptions>, string]>([
    [{ blockSize: 1000 }, "block size 1000 is not a multiple of 512"],
    [{ queueSize: 2 }, "queue size 2: a request to a disk takes 3 descriptors"],
    [{ batch: 100 }, "batch 100: a queue of 256 holds 1 to 85 requests of 3 buffers"],
    [{ flipByte: 4096 }, "offset 4096 is not on a disk of 4096 bytes"],
    [{ blockSize: 0x4000000, batch: 2 }, "in flight are more than"],
    [
      { target: new MemoryBackend(new Uint8Array(512)) },
      "the target has 1 sectors, fewer than the source's 8",
    ],
  ])("refuses %j", async (options, message) => {
    await expect(copyDisk({ ...disks(8), ...options })).rejects.toThrow(message);
  });
});
