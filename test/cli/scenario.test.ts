// `virtq sim --scenario` and `--list-scenarios` from outside.
import { describe, expect, it } from "vitest";
import { SCENES } from "../../src/sim/scenarios";
import { virtq } from "./run";

describe("virtq sim --list-scenarios", () => {
  it("shows each scene with a line", async () => {
    const { code, stdout } = await virtq(["sim", "--list-scenarios"]);
    expect(code).toBe(0);
    const text = stdout.replace(/\s+/g, " ");
    for (const { name, summary } of SCENES) expect(text).toContain(`${name} ${summary}`);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});

describe("virtq sim --scenario", () => {
  it("tells a scene with its findings in place, what had to come, and its ending", async () => {
    const { code, stdout } = await virtq(["sim", "--scenario", "config-read-first"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^! SEED241-007 SHOULD/m);
    expect(stdout).toMatch(/^✓ mtu: 1500$/m);
    expect(stdout).toMatch(/config-read-first: as expected/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("plays all of them, a line each", async () => {
    const { code, stdout } = await virtq(["sim", "--scenario", "all"]);
    expect(code).toBe(0);
    expect(stdout.match(/: as expected: /g)).toHaveLength(SCENES.length);
  });

  it("prints JSON with checks, transcript and findings", async () => {
    const { code, stdout } = await virtq(["sim", "--scenario", "net-mtu-60", "--json"]);
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(document.schema).toBe("virtq.scenario/1");
    expect(document.scenarios[0]).toMatchObject({ scenario: "net-mtu-60", passed: true, findings: [] });
  });

  it.each([
    [["--scenario", "net-mtu-6"], "did you mean net-mtu-60?"],
    [["--scenario", "net-mtu-60", "--offer", "VERSION_1"], "--offer can't stand beside --scenario"],
    [["--list-scenarios", "--disk", "x"], "--disk can't stand beside --list-scenarios"],
    [["--list-scenarios", "--json"], "leave out --json"],
    [["--scenario", "all", "--list-scenarios"], "give one of them"],
    [["--scenario"], "--scenario"],
  ])("%j is a usage error: %s", async (args, message) => {
    const { code, stdout, stderr } = await virtq(["sim", ...args]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});
