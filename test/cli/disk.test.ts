import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { compareDisks } from "../../src/cli/disk-digest";
import { checkOutput, ScratchFiles } from "../../src/cli/files";
import type { SimDocument } from "../../src/sim/metrics";
import { pattern } from "../models/rig";
import { virtq } from "./run";

const root = mkdtempSync(join(tmpdir(), "virtq-cli-"));
afterAll(() => rmSync(root, { recursive: true }));

let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, "case-"));
});

const DISK = pattern(200 * 512, 11);
const SHA256 = createHash("sha256").update(DISK).digest("hex");

function file(name: string, bytes: Uint8Array = DISK): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function json(...argv: string[]): Promise<{ code: number; runs: SimDocument["runs"] }> {
  const { code, stdout } = await virtq(["sim", "--json", ...argv]);
  return { code, runs: (JSON.parse(stdout) as SimDocument).runs };
}

describe("virtq sim --disk", () => {
  it("copies over split, packed and packed with IN_ORDER", async () => {
    const { code, runs } = await json("--disk", file("disk"), "--block-size", "4K");
    expect(code).toBe(0);
    expect(runs.map(({ layout }) => layout)).toEqual(["split", "packed", "packed"]);
    expect(runs[2]?.negotiated).toContain("IN_ORDER");
    for (const { integrity, disk, outcome } of runs) {
      expect(outcome).toBe("completed");
      expect(integrity).toEqual({
        algorithm: "sha256",
        sent: SHA256,
        received: SHA256,
        mismatches: 0,
        firstMismatch: null,
      });
      expect(disk).toMatchObject({ bytes: DISK.length, blockSize: 4096 });
      expect(disk?.plainSeconds).toBeGreaterThan(0);
    }
    expect(readdirSync(folder)).toEqual(["disk"]);
  });

  it("keeps the second disk, and nothing beside it", async () => {
    const out = join(folder, "copy");
    expect((await virtq(["sim", "--disk", file("disk"), "--disk-out", out])).code).toBe(0);
    expect(Buffer.compare(readFileSync(out), DISK)).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(["copy", "disk"]);
  });

  it.each([0, 511, 4097, DISK.length - 1])(
    "a flipped byte at %i: exit 1 and the offset, no copy",
    async (offset) => {
      const disk = file("disk");
      const argv = ["--disk", disk, "--disk-out", join(folder, "copy"), "--flip-byte", String(offset)];
      const { code, runs } = await json(...argv);
      expect(code).toBe(1);
      expect(runs).toHaveLength(3);
      for (const { outcome, integrity } of runs) {
        const expected = DISK[offset] ?? 0;
        expect(outcome).toBe("mismatch");
        expect(integrity).toMatchObject({
          mismatches: 1,
          firstMismatch: { offset, expected, actual: ~expected & 0xff },
        });
        expect(integrity.received).not.toBe(SHA256);
      }
      expect(readdirSync(folder)).toEqual(["disk"]);
      const { stdout } = await virtq(["sim", ...argv]);
      expect(stdout).toContain(`packed: 1 byte differs, first at offset ${offset}:`);
    },
  );

  it("a refused negotiation: exit 1, no copy", async () => {
    const argv = [
      "sim",
      "--disk",
      file("disk"),
      "--disk-out",
      join(folder, "copy"),
      "--accept",
      "RING_PACKED",
    ];
    expect(await virtq(argv)).toMatchObject({ code: 1, stdout: expect.stringContaining("must be accepted") });
    expect(readdirSync(folder)).toEqual(["disk"]);
  });

  it("a request that fails: exit 1 and which one, no copy", async () => {
    const argv = [
      "sim",
      "--disk",
      file("disk"),
      "--disk-out",
      join(folder, "copy"),
      "--offer",
      "VERSION_1,RO",
    ];
    const { code, stdout } = await virtq(argv);
    expect(code).toBe(1);
    expect(stdout).toContain("write of sector 0 ended with VIRTIO_BLK_S_IOERR (1)");
    expect(readdirSync(folder)).toEqual(["disk"]);
  });

  it.each<[string, (path: (name: string) => string) => string[], string]>([
    ["a disk that isn't there", (at) => ["--disk", at("none")], "no such file or directory"],
    ["an empty disk", (at) => ["--disk", at("empty")], "is empty"],
    ["a truncated disk", (at) => ["--disk", at("odd")], "its 1000 bytes are 488 more than a multiple of 512"],
    ["a folder", (at) => ["--disk", at("folder")], "it is not a regular file"],
    ["an output that exists", (at) => ["--disk", at("disk"), "--disk-out", at("odd")], "exists already"],
    ["the disk as output", (at) => ["--disk", at("disk"), "--disk-out", at("disk")], "exists already"],
    [
      "an output in no folder",
      (at) => ["--disk", at("disk"), "--disk-out", at("none/x")],
      "no such file or directory",
    ],
    ["an output below a file", (at) => ["--disk", at("disk"), "--disk-out", at("disk/x")], "no directory"],
    [
      "an output that can't be made",
      (at) => ["--disk", at("disk"), "--disk-out", "/proc/virtq"],
      "can't write /proc/virtq",
    ],
    [
      "an offset off the disk",
      (at) => ["--disk", at("disk"), "--flip-byte", "999999"],
      "offset 999999 is not on a disk",
    ],
    [
      "too small a ring",
      (at) => ["--disk", at("disk"), "--queue-size", "2"],
      "a request to a disk takes 3 descriptors",
    ],
  ])("%s: exit 2, a message, nothing written", async (_, argv, message) => {
    file("disk");
    file("empty", new Uint8Array(0));
    file("odd", pattern(1000));
    mkdirSync(join(folder, "folder"));
    const before = readdirSync(folder);
    const { code, stdout, stderr } = await virtq(["sim", ...argv((name) => join(folder, name))]);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^virtq: [^\n]*\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
    expect(readdirSync(folder)).toEqual(before);
    expect(Buffer.compare(readFileSync(join(folder, "disk")), DISK)).toBe(0);
    expect(readFileSync(join(folder, "odd")).length).toBe(1000);
  });
});

describe("files", () => {
  it("an output is refused before anything runs", () => {
    expect(() => checkOutput(file("out"))).toThrow("exists already: nothing is written over");
    expect(() => checkOutput(join(folder, "none", "out"))).toThrow("no such file or directory");
    expect(checkOutput(join(folder, "free"))).toBeUndefined();
  });

  it("a file that came meanwhile stays as it is", () => {
    const scratch = new ScratchFiles();
    const path = join(folder, "out");
    const name = scratch.name(path);
    writeFileSync(name, "new");
    writeFileSync(path, "old");
    expect(() => scratch.keep(name, path)).toThrow("exists already");
    scratch.removeAll();
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  it("scratch files are gone when the command ends", () => {
    const scratch = new ScratchFiles();
    const names = [scratch.name(), scratch.name(), scratch.name(join(folder, "x"))];
    for (const name of names) writeFileSync(name, "");
    expect(new Set(names).size).toBe(3);
    scratch.removeAll();
    expect(names.some((name) => existsSync(name))).toBe(false);
  });

  it("the comparison finds the first byte beyond a megabyte, and disks of other lengths", async () => {
    const long = new Uint8Array(3 * 1024 * 1024).fill(7);
    const other = long.slice();
    other[2_500_000] = 8;
    other[2_900_000] = 9;
    const nothing = () => {};
    expect(await compareDisks(long, other, nothing)).toEqual({
      bytes: 2,
      offset: 2_500_000,
      expected: 7,
      actual: 8,
    });
    expect(await compareDisks(long, long.slice(0, 1000), nothing)).toEqual({
      bytes: long.length - 1000,
      offset: 1000,
      expected: 7,
      actual: null,
    });
    expect(await compareDisks(long, long.slice(), nothing)).toBeUndefined();
  });
});
