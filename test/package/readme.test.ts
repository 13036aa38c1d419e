/**
 * The README, the guides and examples/ tell the truth: what they print stands beside them, and the README's commands work,
 * in a clean folder with the packed package. Lines that begin with `npm` are the set-up, which CI runs by itself.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pcapOf } from "../capture/golden";
import { type Installed, install, root, run } from "./installed";
import { programsOf } from "./programs";

/** Pages with programs in them. */
const PAGES = ["README.md", "docs/embedding.md"];

const textOf = (page: string) => readFileSync(join(root, page), "utf8");
const readme = textOf("README.md");
const commands = [...readme.matchAll(/```sh\n(.*?)```/gs)]
  .flatMap(([, lines]) => (lines ?? "").trim().split("\n"))
  .map((line) => line.replace(/\s+#.*$/, ""))
  .filter((line) => !line.startsWith("npm "));

let installed: Installed;
beforeAll(() => {
  installed = install();
  // The emulator that a page is about.
  cpSync(join(root, "node_modules/v86"), join(installed.clean, "node_modules/v86"), { recursive: true });
  // The disk and the capture of the README's examples.
  const disk = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31) & 0xff);
  writeFileSync(join(installed.clean, "disk.img"), disk);
  const frames = Array.from({ length: 40 }, (_, i) => new Uint8Array(60 + 36 * i).fill(i));
  writeFileSync(join(installed.clean, "traffic.pcap"), pcapOf(frames));
});
afterAll(() => installed?.remove());

describe.each(PAGES)("%s", (page) => {
  const programs = programsOf(textOf(page));

  it("has programs, and no code that would not be run", () => {
    const languages = [...textOf(page).matchAll(/^ *```(\w+)/gm)].map(([, language]) => language ?? "");
    expect(languages.filter((language) => !["js", "text", "sh"].includes(language))).toEqual([]);
    expect(programs.map(({ code }) => code.match(/^import /gm)?.length ?? 0)).not.toContain(0);
    expect(programs.length).toBeGreaterThan(0);
  });

  it.each(programs)("program %# prints what it says", ({ code, output }) => {
    writeFileSync(join(installed.clean, "program.mjs"), code);
    expect(run(process.execPath, ["program.mjs"], installed.clean)).toBe(output);
  });
});

describe("README", () => {
  it("has commands", () => {
    expect(commands.length).toBeGreaterThan(2);
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
