import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { GuestBytes } from "../../src/models/backend";
import { DeferredBackend } from "../../src/models/deferred-backend";
import { FileBackend } from "../../src/models/file-backend";
import { MemoryBackend } from "../../src/models/memory-backend";
import { cut, pattern } from "./rig";

const folder = mkdtempSync(join(tmpdir(), "virtq-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Host memory that stands in for a guest's. */
function guestBytes(bytes: Uint8Array, cuts: readonly number[] = []): GuestBytes {
  return { length: bytes.length, views: () => cut(bytes, cuts) };
}

function fileOf(bytes: Uint8Array, name = "disk"): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const backends = [
  ["memory", (bytes: Uint8Array) => new MemoryBackend(bytes.slice())],
  ["a file", (bytes: Uint8Array) => new FileBackend(fileOf(bytes))],
] as const;

describe.each(backends)("a disk in %s", (_, make) => {
  it("knows its size", () => {
    expect(make(pattern(8 * 512)).sectors).toBe(8);
  });

  it.each([[[]], [[1]], [[511, 2]], [[100, 100, 800]]])("reads into buffers cut at %j", (cuts) => {
    const target = new Uint8Array(1024);
    make(pattern(8 * 512)).read(3, guestBytes(target, cuts));
    expect(target).toEqual(pattern(8 * 512).subarray(3 * 512, 5 * 512));
  });

  it("reads back what it wrote, and nothing else has changed", () => {
    const disk = make(pattern(8 * 512));
    const data = pattern(1024, 200);
    disk.write(6, guestBytes(data, [7, 512]));
    disk.flush();
    const all = new Uint8Array(8 * 512);
    disk.read(0, guestBytes(all));
    expect(all.subarray(6 * 512)).toEqual(data);
    expect(all.subarray(0, 6 * 512)).toEqual(pattern(8 * 512).subarray(0, 6 * 512));
  });

  it.each([0, 511, 513])("refuses %i bytes: no whole sectors", (length) => {
    expect(() => make(new Uint8Array(length))).toThrow(`${length} bytes`);
  });
});

describe("a disk in a file", () => {
  it("can be made, of zeros, and never over another file", () => {
    const path = join(folder, "new");
    const disk = new FileBackend(path, { create: 4 });
    disk.write(3, guestBytes(pattern(512)));
    disk.close();
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(2048);
    expect(bytes.subarray(0, 1536).every((byte) => byte === 0)).toBe(true);
    expect([...bytes.subarray(1536)]).toEqual([...pattern(512)]);
    expect(() => new FileBackend(path, { create: 4 })).toThrow("EEXIST");
  });

  it("says where it ended when it was truncated in mid-run", () => {
    const path = fileOf(pattern(4096), "shrinking");
    const disk = new FileBackend(path, { readOnly: true });
    truncateSync(path, 1000);
    const read = () => disk.read(1, guestBytes(new Uint8Array(1024)));
    expect(read).toThrow(`${path} ended at byte 1000, 536 bytes before the end of the request`);
    disk.close();
  });

  it("opened for reading can't be written", () => {
    const disk = new FileBackend(fileOf(pattern(512), "fixed"), { readOnly: true });
    expect(() => disk.write(0, guestBytes(pattern(512, 3)))).toThrow("EBADF");
    disk.close();
  });

  it("is not read as a whole", () => {
    const path = join(folder, "sparse");
    const disk = new FileBackend(path, { create: 2 ** 31 });
    const data = pattern(512, 5);
    disk.write(2 ** 31 - 1, guestBytes(data));
    const target = new Uint8Array(512);
    disk.read(2 ** 31 - 1, guestBytes(target));
    expect(target).toEqual(data);
    disk.close();
    rmSync(path);
  });
});

describe("a deferred disk", () => {
  it("does nothing before it is told to", async () => {
    const memory = new MemoryBackend(pattern(1024));
    const disk = new DeferredBackend(memory);
    const target = new Uint8Array(512);
    const done = disk.read(1, guestBytes(target));
    expect(target.every((byte) => byte === 0)).toBe(true);
    await disk.settle();
    await done;
    expect(target).toEqual(pattern(1024).subarray(512));
    expect(disk.pending).toBe(0);
  });

  it("settles in the order that is picked", async () => {
    const disk = new DeferredBackend(new MemoryBackend(pattern(1024)));
    const order: number[] = [];
    for (const i of [0, 1, 2]) disk.flush().then(() => order.push(i));
    await disk.settleAll((pending) => Math.min(1, pending - 1));
    expect(order).toEqual([1, 2, 0]);
  });

  it("fails a request that it is told to fail", async () => {
    const disk = new DeferredBackend(new MemoryBackend(pattern(1024)));
    const done = disk.flush();
    await disk.settle(0, new Error("no"));
    await expect(done).rejects.toThrow("no");
  });
});
