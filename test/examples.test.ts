/**
 * Every example runs and prints what its .txt file says; a number that depends on the clock stands there as "#".
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";

const folder = new URL("../examples/", import.meta.url);
const examples = readdirSync(folder).filter((name) => name.endsWith(".mjs"));

/** Times have a decimal point in everything that virtq prints, counters have none. */
function withoutTimes(text: string): string {
  return text.replace(/ *\b\d+\.\d+\b/g, " #");
}

describe("examples", () => {
  afterEach(() => vi.restoreAllMocks());

  it("are there", () => {
    expect(examples.sort()).toEqual([
      "custom-device.mjs",
      "five-lines.mjs",
      "foreign-memory.mjs",
      "mmio-machine.mjs",
      "net.mjs",
      "rng.mjs",
    ]);
  });

  it.each(examples)("%s prints what is expected", async (name) => {
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...parts: unknown[]) => void lines.push(parts.join(" ")));
    await import(new URL(name, folder).pathname);
    const expected = readFileSync(new URL(name.replace(".mjs", ".txt"), folder), "utf8");
    expect(`${withoutTimes(lines.join("\n"))}\n`).toBe(expected);
  });
});
