/**
 * Real traffic, recorded here and now, through every ring by the built command; what arrived is read by tshark and has
 * to be the same frames. Needs dist/, tcpdump, tshark with its companions, iproute2, ping, and root or user namespaces.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SimDocument } from "../../src/sim/metrics";

const MIB = 1024 * 1024;
const at = (path: string) => new URL(`../../${path}`, import.meta.url).pathname;
const PATH = `${process.env.PATH}:/sbin:/usr/sbin`;
const env = { ...process.env, PATH };

const TOOLS = ["tcpdump", "tshark", "dumpcap", "editcap", "ip", "ping", "unshare", "nsenter"];
const missing = TOOLS.filter(
  (tool) => !PATH.split(delimiter).some((folder) => existsSync(join(folder, tool))),
);
/** Where proofs count, a missing tool is a failure. */
const isSkipped = missing.length > 0 && process.env.CI === undefined;
if (isSkipped) console.warn(`captures: skipped, not installed: ${missing.join(", ")}`);

/** Frame by frame: number, time, both lengths, and a hash of its bytes. */
function frames(path: string): string[] {
  const names = ["number", "time_epoch", "len", "cap_len", "md5_hash"];
  const fields = names.flatMap((name) => ["-e", `frame.${name}`]);
  const argv = ["-n", "-r", path, "-o", "frame.generate_md5_hash:TRUE", "-T", "fields", ...fields];
  const text = execFileSync("tshark", argv, { env, encoding: "utf8", maxBuffer: 64 * MIB, stdio: "pipe" });
  return text.trimEnd().split("\n");
}

/** One column of {@link frames}. */
function numbers(lines: readonly string[], column: number): number[] {
  return lines.map((line) => Number(line.split("\t")[column]));
}

/** `virtq sim --json` in a process of its own. */
function virtq(...argv: string[]) {
  const command = [at("dist/cli.js"), "sim", "--json", ...argv];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: "utf8",
    maxBuffer: 64 * MIB,
  });
  if (stdout === "") throw new Error(stderr);
  return { status, runs: (JSON.parse(stdout) as SimDocument).runs };
}

describe.skipIf(isSkipped)("captures", () => {
  let folder = "";
  const captures = { veth: "", lo: "" };

  beforeAll(() => {
    expect(missing, "tools that are not installed").toEqual([]);
    folder = mkdtempSync(join(tmpdir(), "virtq-slow-"));
    // The recorders may drop their privileges before they open the file.
    chmodSync(folder, 0o755);
    const namespace = process.getuid?.() === 0 ? ["-n"] : ["-rn"];
    for (const kind of ["veth", "lo"] as const) {
      captures[kind] = join(folder, `${kind}.capture`);
      const argv = [...namespace, "bash", at("test/slow/record.sh"), kind, captures[kind]];
      execFileSync("unshare", argv, { env, stdio: "inherit" });
    }
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    { kind: "veth", largest: 1514, mtu: 1500, least: 1000, often: 500 },
    { kind: "lo", largest: 65_549, mtu: 65_535, least: 100, often: 10 },
  ] as const)(
    "$kind: frames up to $largest bytes, through all layouts",
    ({ kind, largest, mtu, least, often }) => {
      const capture = captures[kind];
      const output = join(folder, `${kind}.pcapng`);
      const before = frames(capture);
      // The recording is what it should be: many frames of many sizes, and the largest ones often.
      const lengths = numbers(before, 2);
      expect(before.length).toBeGreaterThan(least);
      expect(new Set(lengths).size).toBeGreaterThan(15);
      expect(Math.max(...lengths)).toBe(largest);
      expect(lengths.filter((length) => length === largest).length).toBeGreaterThan(often);

      const { status, runs } = virtq("--pcap", capture, "--pcap-out", output);
      console.log(
        `${kind}: ${JSON.stringify(runs[0]?.capture)}, ${runs.map(({ seconds }) => seconds.toFixed(2))} s`,
      );
      expect(status).toBe(0);
      expect(runs.map(({ layout }) => layout)).toEqual(["split", "packed", "packed"]);
      expect(runs.map(({ negotiated }) => negotiated.includes("IN_ORDER"))).toEqual([false, false, true]);
      const bytes = lengths.reduce((sum, length) => sum + length, 0);
      for (const run of runs) {
        expect(run.outcome).toBe("completed");
        const expected = { frames: before.length, bytes, largest, mtu, cut: 0, differ: 0, dropped: 0 };
        expect(run.capture).toEqual(expected);
      }
      expect(frames(output)).toEqual(before);
    },
  );

  it.each(["pcap", "nsecpcap", "pcapng"])("the same frames as %s, cut at 200 bytes", (format) => {
    const capture = join(folder, `cut.${format}`);
    const output = join(folder, `cut-${format}.pcapng`);
    execFileSync("editcap", ["-F", format, "-s", "200", captures.veth, capture], { env });
    const before = frames(capture);
    expect(Math.max(...numbers(before, 3))).toBe(200);
    expect(Math.max(...numbers(before, 2))).toBe(1514);
    const { status, runs } = virtq(
      "--pcap",
      capture,
      "--pcap-out",
      output,
      "--batch",
      "7",
      "--queue-size",
      "8",
    );
    expect(status).toBe(0);
    const cut = before.filter((line) => line.split("\t")[2] !== line.split("\t")[3]).length;
    for (const run of runs)
      expect(run.capture).toMatchObject({ frames: before.length, largest: 200, mtu: 186, cut });
    expect(frames(output)).toEqual(before);
  });

  it("one inverted byte: exit 1 and the frame", () => {
    const lengths = numbers(frames(captures.lo), 2);
    const frame = lengths.indexOf(65_549);
    const offset = lengths.slice(0, frame).reduce((sum, length) => sum + length, 0) + 40_000;
    const { status, runs } = virtq("--pcap", captures.lo, "--flip-byte", String(offset));
    expect(status).toBe(1);
    for (const { integrity, capture } of runs) {
      expect(capture).toMatchObject({ differ: 1, dropped: 0 });
      expect(integrity).toMatchObject({ mismatches: 1, firstMismatch: { chain: frame, offset: 40_000 } });
    }
  });
});
