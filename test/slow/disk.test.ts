/**
 * A file system of 64 MiB, made by mke2fs from real files, through every ring and out again, by the built command:
 * the same bytes, fast enough, in little memory. Needs e2fsprogs and dist/.
 */
import { type ExecFileSyncOptions, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SimDocument } from "../../src/sim/metrics";

const MIB = 1024 * 1024;
const at = (path: string) => new URL(`../../${path}`, import.meta.url).pathname;
const PATH = `${process.env.PATH}:/sbin:/usr/sbin`;
/** Prints the most memory that the process ever had, in KiB. */
const TELL_MEMORY = `data:text/javascript,process.on("exit",()=>process.stderr.write("maxRSS "+process.resourceUsage().maxRSS))`;

let folder = "";
let image = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "virtq-slow-"));
  image = join(folder, "fs.img");
  const tree = at("node_modules/typescript/lib");
  system("mke2fs", ["-q", "-t", "ext4", "-d", tree, image, "64M"]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function system(command: string, argv: readonly string[], options: ExecFileSyncOptions = {}): Buffer {
  return execFileSync(command, argv, {
    ...options,
    env: { ...process.env, PATH },
    maxBuffer: 64 * MIB,
  }) as Buffer;
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** `virtq sim --json` in a process of its own. */
function virtq(...argv: string[]) {
  const command = ["--import", TELL_MEMORY, at("dist/cli.js"), "sim", "--json", ...argv];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" });
  const mebibytes = Number(/maxRSS (\d+)/.exec(stderr)?.[1]) / 1024;
  if (stdout === "") throw new Error(stderr);
  return { status, mebibytes, runs: (JSON.parse(stdout) as SimDocument).runs };
}

describe("a file system of 64 MiB", () => {
  it("goes through split, packed and IN_ORDER", () => {
    const copy = join(folder, "copy.img");
    const { status, runs, mebibytes } = virtq("--disk", image, "--disk-out", copy);
    const digest = sha256(image);
    expect(status).toBe(0);
    expect(runs.map(({ layout }) => layout)).toEqual(["split", "packed", "packed"]);
    expect(runs.map(({ negotiated }) => negotiated.includes("IN_ORDER"))).toEqual([false, false, true]);
    for (const { integrity } of runs) expect(integrity).toMatchObject({ sent: digest, received: digest });
    expect(sha256(copy)).toBe(digest);
    expect(mebibytes).toBeLessThan(250);

    // It is a file system still, with the files that it was made from.
    system("e2fsck", ["-f", "-n", copy], { stdio: "ignore" });
    const name = "typescript.js";
    const file = system("debugfs", ["-R", `cat /${name}`, copy], { stdio: ["ignore", "pipe", "ignore"] });
    expect(Buffer.compare(file, readFileSync(at(`node_modules/typescript/lib/${name}`)))).toBe(0);
    rmSync(copy);
  });

  it.each([
    [["--indirect", "--queue-size", "4", "--batch", "4"]],
    [["--block-size", "64K", "--batch", "16"]],
  ])("also with %j", (argv) => {
    const { status, runs } = virtq("--disk", image, ...argv);
    expect(status).toBe(0);
    expect(runs.every(({ outcome }) => outcome === "completed")).toBe(true);
  });

  it("reaches half the speed of a plain loop with the same blocks, checksums apart", () => {
    // The shortest of some, of both: another process on the machine can only make them longer.
    const shortest: { copy: number; plain: number }[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      for (const [i, { disk }] of virtq("--disk", image).runs.entries()) {
        const before = shortest[i] ?? { copy: Number.POSITIVE_INFINITY, plain: Number.POSITIVE_INFINITY };
        shortest[i] = {
          copy: Math.min(before.copy, disk?.copySeconds ?? 0),
          plain: Math.min(before.plain, disk?.plainSeconds ?? 0),
        };
      }
    }
    const best = shortest.map(({ copy, plain }) => plain / copy);
    console.log(`of a plain loop: ${best.map((ratio) => ratio.toFixed(2)).join(", ")}`);
    expect(best).toHaveLength(3);
    for (const ratio of best) expect(ratio).toBeGreaterThanOrEqual(0.5);
  });

  it("one flipped byte: exit 1 and where", () => {
    const { status, runs } = virtq("--disk", image, "--flip-byte", "33554433");
    expect(status).toBe(1);
    for (const { integrity } of runs) {
      expect(integrity).toMatchObject({ mismatches: 1, firstMismatch: { offset: 33554433 } });
    }
  });

  it("a gigabyte takes no more memory", () => {
    const large = join(folder, "large.img");
    writeFileSync(large, readFileSync(image));
    truncateSync(large, 1024 * MIB);
    const { status, mebibytes } = virtq("--disk", large, "--accept", "VERSION_1,RING_PACKED,EVENT_IDX");
    console.log(`most memory: ${mebibytes.toFixed(0)} MiB`);
    expect(status).toBe(0);
    expect(mebibytes).toBeLessThan(250);
    expect(readdirSync(folder).sort()).toEqual(["fs.img", "large.img"]);
    rmSync(large);
  });
});
