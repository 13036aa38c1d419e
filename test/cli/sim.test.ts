import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020";
import { describe, expect, it, vi } from "vitest";
import type { SimDocument } from "../../src/sim/metrics";
import { virtq } from "./run";

const schema = JSON.parse(
  readFileSync(new URL("../../schema/virtq.sim-1.schema.json", import.meta.url), "utf8"),
);
const validate = new Ajv2020({ allErrors: true }).compile(schema);

/** `virtq sim --json` with these arguments; what it printed fits the schema. */
async function json(...argv: string[]): Promise<{ code: number; runs: SimDocument["runs"] }> {
  const { code, stdout } = await virtq(["sim", "--json", ...argv]);
  const document = JSON.parse(stdout) as SimDocument;
  validate(document);
  expect(validate.errors ?? []).toEqual([]);
  return { code, runs: document.runs };
}

const SMALL = ["--chains", "320"];

describe("virtq sim", () => {
  it("compares split, packed and packed with IN_ORDER", async () => {
    const { code, stdout, stderr } = await virtq(["sim", ...SMALL]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    const [, titles = ""] = stdout.split("\n");
    expect(titles.split("│").map((cell) => cell.trim())).toEqual([
      "",
      "",
      "split",
      "packed",
      "packed + IN_ORDER",
      "",
    ]);
    for (const label of ["chains", "descriptors", "available sent", "used sent", "ns/chain, rings", "data"]) {
      expect(stdout).toContain(label);
    }
    expect(stdout).toContain("xxh32 equal");
    expect(stdout).toContain("was not negotiated: offered, but not");
    expect(stdout).toContain("packed + IN_ORDER: the negotiation\nreset → ACKNOWLEDGE → DRIVER → offered");
  });

  it.each([80, 160])("fits into %i columns", async (columns) => {
    const { stdout } = await virtq(["sim", ...SMALL], columns);
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(columns);
  });

  it("prints JSON that follows the schema, and the same counters for the same seed", async () => {
    const counters = async () => {
      const { code, runs } = await json(...SMALL, "--seed", "9");
      expect(code).toBe(0);
      return runs.map(({ seconds, nsPerChain, transcript, ...rest }) => rest);
    };
    const first = await counters();
    expect(first.map(({ layout }) => layout)).toEqual(["split", "packed", "packed"]);
    expect(first.every(({ seed }) => seed === 9)).toBe(true);
    expect(await counters()).toEqual(first);
  });

  it("does one run with what --offer and --accept say", async () => {
    const { runs } = await json(
      ...SMALL,
      "--offer",
      "VERSION_1,RING_PACKED",
      "--offer",
      "virtio_f_event_idx",
    );
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({
      layout: "packed",
      negotiated: ["EVENT_IDX", "VERSION_1", "RING_PACKED"],
    });
    const other = await json(...SMALL, "--accept=VERSION_1 EVENT_IDX");
    expect(other.runs[0]).toMatchObject({ layout: "split", negotiated: ["EVENT_IDX", "VERSION_1"] });
  });

  it("shapes the workload", async () => {
    const { runs } = await json(
      ...[
        "--accept",
        "VERSION_1,RING_PACKED,INDIRECT_DESC",
        "--indirect",
        "--chains",
        "1_00",
        "--batch",
        "0x10",
      ],
      ...["--readable", "16,100", "--writable", "1K", "--queue-size", "17", "--seed", "0"],
    );
    expect(runs[0]).toMatchObject({
      ...{ chains: 100, batch: 16, queueSize: 17, indirect: true, descriptors: 100, seed: 0 },
      bytes: { toDevice: 11_600, fromDevice: 102_400 },
    });
  });

  it("--readable '' leaves a chain without readable buffers", async () => {
    const { runs } = await json(
      "--accept",
      "VERSION_1",
      "--chains",
      "5",
      "--readable",
      "",
      "--writable",
      "8",
    );
    expect(runs[0]?.bytes).toEqual({ toDevice: 0, fromDevice: 40 });
  });

  it("--transcript prints every step", async () => {
    const { stdout } = await virtq(["sim", ...SMALL, "--accept", "VERSION_1", "--transcript"], 160);
    expect(stdout).toMatch(/\n +ms {2}side +step +field +before → after +section {2}note\n/);
    expect(stdout).toMatch(
      /\n *\d+\.\d+ +device +features +accepted word 1 +0x00000000 → 0x00000001 +§2\.2\n/,
    );
  });

  it.each([60, 80, 100, 160])("--transcript fits into %i columns", async (columns) => {
    for (const argv of [
      [...SMALL, "--transcript"],
      ["--accept", "RING_PACKED", "--transcript"],
      ["--accept", ""],
    ]) {
      const { stdout } = await virtq(["sim", ...argv], columns);
      const table = stdout.slice(stdout.indexOf(": the negotiation"));
      expect(table).toContain("FEATURES_OK");
      for (const line of table.split("\n")) expect(line.length, line).toBeLessThanOrEqual(columns);
    }
  });

  it("without a terminal the variable COLUMNS says how wide, else it is 80 columns", async () => {
    const longest = async (columns: string | undefined) => {
      vi.stubEnv("COLUMNS", columns);
      const { stdout } = await virtq(["sim", "--accept", "RING_PACKED"]);
      vi.unstubAllEnvs();
      return Math.max(...stdout.split("\n").map((line) => line.length));
    };
    const narrow = await longest(undefined);
    expect(narrow).toBeLessThanOrEqual(80);
    expect(await longest("160")).toBeGreaterThan(120);
    for (const bad of ["", "0", "-3", "wide"]) expect(await longest(bad)).toBe(narrow);
  });

  it("a refused negotiation: transcript, reason, exit 1", async () => {
    const { code, stdout } = await virtq(["sim", "--accept", "RING_PACKED"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/VERSION_1\s+\(32\)\s+must\s+be\s+accepted/);
    expect(stdout).toMatch(/\nside +step +field +before → after +note\n/);
    expect(stdout).toMatch(/driver +status +status +0x03 → 0x83 +FAILED §3\.1\.1/);
    const { code: again, runs } = await json("--accept", "");
    expect(again).toBe(1);
    expect(runs[0]).toMatchObject({ outcome: "refused", layout: null });
  });
});

describe("usage", () => {
  it.each([
    ["sim --indirekt", "there is no option --indirekt: did you mean --indirect?"],
    ["sim --queue-sise 4", "did you mean --queue-size?"],
    ["sim -x", "there is no option -x"],
    ["simm", 'there is no command "simm": did you mean sim?'],
    ["--json", '--json: say a command first, such as "virtq sim --json"'],
    ["sim --accept RING_PAKED", 'no feature is called "RING_PAKED": did you mean RING_PACKED?'],
    ["sim --device-profile strickt", "did you mean strict?"],
    ["sim --driver-profile linux-curent", "did you mean linux-current?"],
    [
      "sim --accept VERSION_1 --indirect",
      "indirect tables need INDIRECT_DESC negotiated: the driver did not accept it",
    ],
    ["sim --offer VERSION_1 --indirect", "the device did not offer it"],
    ["sim --offer RING_PACKED", "VERSION_1 (32) must be offered"],
    ["sim --queue-size 100", "the split layout was negotiated and needs a power of two, such as 64 or 128"],
    ["sim --queue-size 0", "queue size must be a whole number from 1 to 32768, not 0"],
    [
      "sim --queue-size 1.5",
      '--queue-size takes a whole number, such as 256, 0x100, 1_000_000 or 64K, not "1.5"',
    ],
    ["sim --chains", "option `--chains <n>` value is missing"],
    ["sim --chains=", "value is missing"],
    ["sim --seed 1 --seed 2", "--seed is given 2 times"],
    ["sim --seed -1", "option `--seed <n>` value is missing"],
    ["sim --seed 4294967296", "--seed must be below 2^32"],
    ["sim --batch 1000", "batch 1000: a queue of 256 holds at most 128 chains of 2 descriptors"],
    ["sim --json extra", '"extra" belongs to no option'],
    ["sim --disk-out x", "--disk-out means something only with --disk FILE"],
    ["sim --flip-byte 1", "--flip-byte means something only with --disk FILE"],
    ["sim --disk x --chains 3", "--chains shapes the echo workload and can't stand beside --disk"],
    ["sim --disk x --block-size 1000", "--block-size must be a multiple of 512 bytes, not 1000"],
  ])("virtq %s: exit 2, nothing on stdout", async (line, message) => {
    const { code, stdout, stderr } = await virtq(line.split(" "));
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^virtq: [^\n]*\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  it.each([[["--help"]], [["sim", "--help"]], [["sim", "-h"]]])(
    "%j: help with examples, exit 0",
    async (argv) => {
      const { code, stdout } = await virtq(argv);
      expect(code).toBe(0);
      expect(stdout).toContain("Examples:\n  $ virtq sim");
      for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    },
  );

  it("every option is in the help", async () => {
    const { stdout } = await virtq(["sim", "--help"], 160);
    for (const name of (
      "offer accept device-profile driver-profile queue-size batch chains readable writable indirect seed disk " +
      "disk-out block-size flip-byte transcript json"
    ).split(" ")) {
      expect(stdout).toContain(`--${name} `);
    }
  });

  it("no command: help, exit 2", async () => {
    const { code, stdout } = await virtq([]);
    expect(code).toBe(2);
    expect(stdout).toContain("$ virtq sim --help");
  });

  it("--version: exit 0", async () => {
    expect(await virtq(["--version"])).toMatchObject({ code: 0, stdout: expect.stringContaining("virtq/") });
  });
});
