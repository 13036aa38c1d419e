/**
 * The README and examples/ tell the truth: what they print stands beside them, and the README's commands work, in a
 * clean folder with the packed package. Lines that begin with `npm` are the set-up, which CI runs by itself.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pcapOf } from "../capture/golden";
import { type Installed, install, root, run } from "./installed";

const readme = readFileSync(join(root, "README.md"), "utf8");
const examples = [...readme.matchAll(/```js\n(.*?)```\n+```text\n(.*?)```/gs)].map(([, code, output]) => ({
  code: code ?? "",
  output: output ?? "",
}));
const commands = [...readme.matchAll(/```sh\n(.*?)```/gs)]
  .flatMap(([, lines]) => (lines ?? "").trim().split("\n"))
  .map((line) => line.replace(/\s+#.*$/, ""))
  .filter((line) => !line.startsWith("npm "));

let installed: Installed;
beforeAll(() => {
  installed = install();
  // The disk and the capture of the README's examples.
  const disk = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31) & 0xff);
  writeFileSync(join(installed.clean, "disk.img"), disk);
  const frames = Array.from({ length: 40 }, (_, i) => new Uint8Array(60 + 36 * i).fill(i));
  writeFileSync(join(installed.clean, "traffic.pcap"), pcapOf(frames));
});
afterAll(() => installed?.remove());

describe("README", () => {
  it("has examples and commands", () => {
    expect([examples.length > 1, commands.length > 2]).toEqual([true, true]);
  });

  it.each(examples)("example %# prints what it says", ({ code, output }) => {
    writeFileSync(join(installed.clean, "example.mjs"), code);
    expect(run(process.execPath, ["example.mjs"], installed.clean)).toBe(output);
  });

  it.each(commands)("command works: %s", (line) => {
    expect(run("sh", ["-c", line], installed.clean)).not.toBe("");
  });
});

describe("examples", () => {
  const folder = join(root, "examples");
  it.each(readdirSync(folder).filter((name) => name.endsWith(".mjs")))("%s prints what it says", (name) => {
    cpSync(join(folder, name), join(installed.clean, name));
    const expected = readFileSync(join(folder, name.replace(".mjs", ".txt")), "utf8");
    // Times have a decimal point, counters have none; in the expected output a time is "#".
    const printed = run(process.execPath, [name], installed.clean).replace(/ *\b\d+\.\d+\b/g, " #");
    expect(printed).toBe(expected);
  });
});
