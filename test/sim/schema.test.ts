/** The published JSON Schema against what really comes out. */
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020";
import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture";
import { MemoryBackend } from "../../src/models/memory-backend";
import { replayCapture } from "../../src/sim/capture";
import { copyDisk } from "../../src/sim/disk";
import { SIM_SCHEMA, type SimReport } from "../../src/sim/metrics";
import { simulate } from "../../src/sim/simulate";
import { pcapOf } from "../capture/golden";

const schema = JSON.parse(
  readFileSync(new URL("../../schema/virtq.sim-1.schema.json", import.meta.url), "utf8"),
);
const validate = new Ajv2020({ allErrors: true }).compile(schema);

function problemsOf(...runs: readonly unknown[]) {
  validate(JSON.parse(JSON.stringify({ schema: SIM_SCHEMA, runs })));
  return validate.errors ?? [];
}

const workload = { chains: 10 };

describe("schema virtq.sim/1", () => {
  it("fits an echo run", async () => {
    expect(problemsOf(await simulate({ workload }))).toEqual([]);
  });

  it("fits a refused run", async () => {
    expect(problemsOf(await simulate({ accept: [], workload }))).toEqual([]);
  });

  it("fits a run whose bytes differ", async () => {
    const report = await simulate({
      workload,
      timeRings: false,
      tamper: (_, memory, [at = 0]) => {
        memory[at] = ~(memory[at] ?? 0);
      },
    });
    expect(report.outcome).toBe("mismatch");
    expect(problemsOf(report)).toEqual([]);
  });

  it("fits a disk run", async () => {
    const disk = () => new MemoryBackend(new Uint8Array(8192));
    expect(problemsOf(await copyDisk({ source: disk(), target: disk() }))).toEqual([]);
  });

  it("fits the replay of a capture, also of one that differs and one that is refused", async () => {
    const capture = readCapture(pcapOf([new Uint8Array(60), new Uint8Array(65_549)], 100));
    const report = await replayCapture({ capture });
    expect(problemsOf(report, await replayCapture({ capture, flipByte: 70 }))).toEqual([]);
    expect(problemsOf(await replayCapture({ capture, accept: [] }))).toEqual([]);
    for (const field of Object.keys(report.capture ?? {})) {
      const { [field as "frames"]: _, ...rest } = report.capture ?? { frames: 0 };
      expect(problemsOf({ ...report, capture: rest }), field).not.toEqual([]);
    }
  });

  it("requires every field that a report has, and allows no other", async () => {
    const report = await simulate({ workload, timeRings: false });
    for (const field of Object.keys(report) as (keyof SimReport)[]) {
      const { [field]: _, ...rest } = report;
      expect(problemsOf(rest), field).not.toEqual([]);
    }
    expect(problemsOf({ ...report, more: 1 })).not.toEqual([]);
    expect(problemsOf({ ...report, layout: "ring" })).not.toEqual([]);
    expect(problemsOf()).not.toEqual([]);
  });
});
