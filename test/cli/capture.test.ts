import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture";
import { AppendFile, CaptureFile } from "../../src/cli/capture-file";
import type { SimDocument } from "../../src/sim/metrics";
import { framesOf, hex, PCAP_LITTLE, PCAPNG_BIG, pcapOf, SECOND } from "../capture/golden";
import { pattern } from "../models/rig";
import { virtq } from "./run";

const root = mkdtempSync(join(tmpdir(), "virtq-cli-"));
afterAll(() => rmSync(root, { recursive: true }));

let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, "case-"));
});

const FRAMES = [60, 1514, 14, 800].map((size, i) => pattern(size, i + 1));

function file(name: string, bytes: Uint8Array = pcapOf(FRAMES)): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function json(...argv: string[]): Promise<{ code: number; runs: SimDocument["runs"] }> {
  const { code, stdout } = await virtq(["sim", "--json", ...argv]);
  return { code, runs: (JSON.parse(stdout) as SimDocument).runs };
}

/** Frames as plain data, without their places in the file. */
function contents(bytes: Uint8Array) {
  return framesOf(new Uint8Array(bytes)).map(({ bytes, timestamp, originalLength }) => {
    return { hex: Buffer.from(bytes).toString("hex"), timestamp, originalLength };
  });
}

describe("virtq sim --pcap", () => {
  it("sends every frame over split, packed and packed with IN_ORDER", async () => {
    const { code, runs } = await json("--pcap", file("in.pcap"));
    expect(code).toBe(0);
    expect(runs.map(({ layout }) => layout)).toEqual(["split", "packed", "packed"]);
    expect(runs[2]?.negotiated).toContain("IN_ORDER");
    for (const { kind, outcome, capture, integrity } of runs) {
      expect({ kind, outcome }).toEqual({ kind: "capture", outcome: "completed" });
      const expected = { frames: 4, bytes: 2388, largest: 1514, mtu: 1500, cut: 0, differ: 0, dropped: 0 };
      expect(capture).toEqual(expected);
      expect(integrity.received).toBe(integrity.sent);
    }
    expect(readdirSync(folder)).toEqual(["in.pcap"]);
  });

  it("shows frames, bytes and the largest one", async () => {
    const { code, stdout } = await virtq(["sim", "--pcap", file("in.pcap")]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/frames +│ +4 │ +4 │ +4 │/);
    expect(stdout).toMatch(/bytes of them +│ +2,388 │/);
    expect(stdout).toMatch(/largest +│ 1,514, MTU 1,500 │/);
    expect(stdout).toMatch(/data +│ +xxh32 equal │/);
    expect(stdout).toMatch(/differ +│ +0 │ +0 │ +0 │\n│ {3}dropped +│ +0 │/);
    expect(stdout).not.toContain("cut when captured");
    expect(stdout).toContain("split, sender and receiver device: the negotiation");
  });

  it("writes what arrived as pcapng, and nothing beside it", async () => {
    const out = join(folder, "out.pcapng");
    const input = file("in.pcap");
    expect((await virtq(["sim", "--pcap", input, "--pcap-out", out])).code).toBe(0);
    expect(readCapture(readFileSync(out)).format).toBe("pcapng");
    expect(contents(readFileSync(out))).toEqual(contents(readFileSync(input)));
    expect(readdirSync(folder).sort()).toEqual(["in.pcap", "out.pcapng"]);
  });

  it("reads its own output, and writes the same again", async () => {
    const [first, second] = [join(folder, "first"), join(folder, "second")];
    expect((await virtq(["sim", "--pcap", file("in.pcap"), "--pcap-out", first])).code).toBe(0);
    expect((await virtq(["sim", "--pcap", first, "--pcap-out", second, "--batch", "1"])).code).toBe(0);
    expect(Buffer.compare(readFileSync(first), readFileSync(second))).toBe(0);
  });

  it("one negotiation that the user describes", async () => {
    const argv = ["--pcap", file("in.pcap"), "--accept", "VERSION_1,RING_PACKED,EVENT_IDX", "--batch", "2"];
    const { code, runs } = await json(...argv, "--queue-size", "3", "--seed", "7");
    expect(code).toBe(0);
    expect(runs).toMatchObject([{ layout: "packed", queueSize: 3, batch: 2, seed: 7 }]);
  });

  it("says which frames were cut when they were captured", async () => {
    const { stdout } = await virtq(["sim", "--pcap", file("in.pcap", pcapOf(FRAMES, 1000))]);
    expect(stdout).toMatch(/cut when captured +│ +3 │/);
  });

  it.each([0, 59, 60, 2387])("a flipped byte at %i: exit 1 and the place, no output", async (at) => {
    const argv = ["--pcap", file("in.pcap"), "--pcap-out", join(folder, "out"), "--flip-byte", String(at)];
    const { code, runs } = await json(...argv);
    expect(code).toBe(1);
    let frame = 0;
    let offset = at;
    for (; offset >= (FRAMES[frame]?.length ?? 0); frame++) offset -= FRAMES[frame]?.length ?? 0;
    for (const { outcome, integrity, capture } of runs) {
      expect(outcome).toBe("mismatch");
      expect(capture).toMatchObject({ differ: 1, dropped: 0 });
      expect(integrity).toMatchObject({ mismatches: 1, firstMismatch: { chain: frame, offset } });
    }
    expect(readdirSync(folder)).toEqual(["in.pcap"]);
    const { stdout } = await virtq(["sim", ...argv]);
    expect(stdout).toContain(
      `packed: 1 byte differs, first at frame ${frame + 1}, byte ${offset} from the device:`,
    );
    expect(stdout).toMatch(/ differ +│ +1 │/);
  });

  it("a refused negotiation: exit 1, no output", async () => {
    const argv = ["--pcap", file("in.pcap"), "--pcap-out", join(folder, "out"), "--accept", "RING_PACKED"];
    const { code, stdout } = await virtq(["sim", ...argv]);
    expect(code).toBe(1);
    expect(stdout).toContain("must be accepted");
    expect(readdirSync(folder)).toEqual(["in.pcap"]);
  });

  it.each<[string, (path: (name: string) => string) => string[], string]>([
    ["a capture that isn't there", (at) => ["--pcap", at("none")], "none: no such file or directory"],
    ["an empty file", (at) => ["--pcap", at("empty")], "empty is empty"],
    ["a folder", (at) => ["--pcap", at("folder")], "it is not a regular file"],
    [
      "garbage",
      (at) => ["--pcap", at("garbage")],
      "garbage: the bytes 01 02 03 04 at offset 0 begin neither pcap nor pcapng",
    ],
    [
      "another link type",
      (at) => ["--pcap", at("raw")],
      "raw: the file header at offset 20 says link type 101: only 1 (Ethernet) is read",
    ],
    [
      "a truncated record",
      (at) => ["--pcap", at("truncated")],
      "truncated: the record at offset 2372 says 60 bytes, 40 are left",
    ],
    [
      "a truncated block",
      (at) => ["--pcap", at("block")],
      "block: the block at offset 72 says 48 bytes, 40 are left",
    ],
    [
      "a frame that no device takes",
      (at) => ["--pcap", at("large")],
      "large: the frame at offset 100 has 65550 bytes: a network device takes 14 to 65549",
    ],
    ["no frame", (at) => ["--pcap", at("none-in-it")], "none-in-it: the 24 bytes of pcap"],
    ["an output that exists", (at) => ["--pcap", at("in"), "--pcap-out", at("empty")], "exists already"],
    ["the capture as output", (at) => ["--pcap", at("in"), "--pcap-out", at("in")], "exists already"],
    ["an output in no folder", (at) => ["--pcap", at("in"), "--pcap-out", at("none/x")], "no such file"],
    [
      "an output that can't be made",
      (at) => ["--pcap", at("in"), "--pcap-out", "/proc/virtq"],
      "can't write /proc/virtq",
    ],
    [
      "an offset behind the end",
      (at) => ["--pcap", at("in"), "--flip-byte", "2388"],
      "offset 2388 is not in",
    ],
    ["a batch that doesn't fit", (at) => ["--pcap", at("in"), "--batch", "257"], "batch 257: a queue of 256"],
    ["a disk besides", (at) => ["--pcap", at("in"), "--disk", at("in")], "--disk and --pcap"],
    ["a block size", (at) => ["--pcap", at("in"), "--block-size", "512"], "only with --disk FILE"],
    ["chains", (at) => ["--pcap", at("in"), "--chains", "1"], "--chains shapes the echo workload"],
    ["readable", (at) => ["--pcap", at("in"), "--readable", "1"], "can't stand beside --pcap"],
    ["writable", (at) => ["--pcap", at("in"), "--writable", "1"], "can't stand beside --pcap"],
    [
      "an output of nothing",
      (at) => ["--pcap-out", at("out")],
      "--pcap-out means something only with --pcap FILE",
    ],
    ["an offset of nothing", () => ["--flip-byte", "1"], "only with --disk FILE or --pcap FILE"],
  ])("%s: exit 2, a message, nothing written", async (_, argv, message) => {
    file("in");
    file("empty", new Uint8Array(0));
    file("garbage", hex(SECOND));
    file("raw", hex("d4c3b2a1 0200 0400 00000000 00000000 00000400 65000000"));
    file("truncated", pcapOf([...FRAMES.slice(0, 2), pattern(726), pattern(60)]).slice(0, -20));
    file("block", hex(...PCAPNG_BIG).slice(0, 112));
    file("large", pcapOf([pattern(60), pattern(65_550)]));
    file("none-in-it", hex(PCAP_LITTLE[0]));
    mkdirSync(join(folder, "folder"));
    const before = readdirSync(folder);
    const { code, stdout, stderr } = await virtq(["sim", ...argv((name) => join(folder, name))]);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^virtq: [^\n]*\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
    expect(readdirSync(folder)).toEqual(before);
    expect(Buffer.compare(readFileSync(join(folder, "in")), pcapOf(FRAMES))).toBe(0);
  });
});

describe("capture files", () => {
  it("are read through a window, wherever the pieces lie", () => {
    const bytes = pattern(3 * 1024 * 1024 + 5, 3);
    const source = new CaptureFile(file("large", bytes), bytes.length);
    const at = [0, 1024 * 1024 - 3, 5, 2_500_000, 1024 * 1024, bytes.length - 7];
    for (const offset of at) expect(source.read(offset, 7)).toEqual(bytes.subarray(offset, offset + 7));
    expect(Buffer.compare(source.read(1, 2_000_000), bytes.subarray(1, 2_000_001))).toBe(0);
    expect(source.read(bytes.length - 2, 10)).toEqual(bytes.subarray(-2));
    source.close();
  });

  it("are written whole, in whatever pieces", () => {
    const bytes = pattern(3 * 1024 * 1024 + 5, 4);
    const path = join(folder, "out");
    const output = new AppendFile(path);
    for (const [from, to] of [
      [0, 10],
      [10, 1024 * 1024 + 3],
      [1024 * 1024 + 3, 1024 * 1024 + 3],
    ]) {
      output.write(bytes.subarray(from, to));
    }
    output.write(bytes.subarray(1024 * 1024 + 3));
    output.close();
    expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
    expect(() => new AppendFile(path)).toThrow("EEXIST");
  });
});
