// Every scene of the seed: its ending came, and the lint found what it announces. A scene can fail, too.
import { describe, expect, it } from "vitest";
import { EchoModel } from "../../src/models/echo";
import { runScenario, SCENES } from "../../src/sim/scenarios";

describe("scenes", () => {
  it.each(SCENES.map((scene) => [scene.name, scene.ending] as const))("%s: %s", async (name) => {
    const report = await runScenario(name);
    expect(report.checks.filter(({ isMet }) => !isMet)).toEqual([]);
    expect(report.passed).toBe(true);
    expect(report.transcript.length).toBeGreaterThan(10);
    expect(report.checks.length).toBeGreaterThan(2);
  });

  it("have a name of their own, and a line each", () => {
    const names = SCENES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, summary, ending } of SCENES) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(summary.length, name).toBeGreaterThan(20);
      expect(ending.length, name).toBeGreaterThan(20);
    }
  });

  it("fail when the ending doesn't come, or another clause is broken than announced", async () => {
    const play = async (stage: Parameters<(typeof SCENES)[number]["play"]>[0]) => {
      const pair = stage.pair({ model: new EchoModel(), driverProfile: "misbehaving:kicks-early" });
      stage.check("ok", (await pair.driver.initialize()).ok, true);
    };
    const scene = { name: "mine", summary: "a driver kicks early", ending: "nothing is found", play };
    const report = await runScenario(scene);
    expect(report.passed).toBe(false);
    expect(report.checks.filter(({ isMet }) => !isMet)).toMatchObject([
      { what: "clauses broken", expected: "none", actual: "INIT-008" },
    ]);
    expect((await runScenario({ ...scene, findings: ["INIT-008"] })).passed).toBe(true);
  });

  it("are answered with the nearest when the name is wrong", async () => {
    await expect(runScenario("net-mtu-6")).rejects.toThrow(/did you mean net-mtu-60\?/);
  });
});
