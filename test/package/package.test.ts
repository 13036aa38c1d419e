/**
 * The package as a stranger gets it: packed, installed into a clean folder, imported, required, type-checked and
 * run there, under this Node and under Node 24. Slow, and needs the npm registry: `npm run test:package`.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Installed, install, manifest, root, run as runIn } from "./installed";

/** Sub-paths that are modules; the others are files. */
const entries = Object.keys(manifest.exports).filter((path) => typeof manifest.exports[path] !== "string");
const files = Object.keys(manifest.exports).filter((path) => typeof manifest.exports[path] === "string");
/** Entries that say in their name that they need Node. */
const nodeEntries = ["./node"];

let installed: Installed;
let { folder, tarball, clean } = {} as Installed;

const run = (command: string, args: readonly string[], cwd = clean): string => runIn(command, args, cwd);
const tool = (path: string, ...args: string[]): string =>
  run(process.execPath, [join(root, "node_modules", path), ...args], folder);
const specifier = (entry: string): string => join("virtq", entry);

beforeAll(() => {
  installed = install();
  ({ folder, tarball, clean } = installed);
});
afterAll(() => installed?.remove());

describe("the tarball", () => {
  it("satisfies publint", () => {
    expect(tool("publint/src/cli.js", tarball, "--strict")).toContain("All good!");
  });

  it("satisfies attw in every resolution that knows `exports`", () => {
    // attw resolves modules; a .wasm and a .json are none. Before Node 12 there were no sub-paths.
    const exclude = files.flatMap((path) => ["--exclude-entrypoints", path]);
    tool("@arethetypeswrong/cli/dist/index.js", tarball, "--profile", "node16", ...exclude);
  });

  it("holds no source, test or machine path", () => {
    const packed = readdirSync(join(clean, "node_modules/virtq"), { recursive: true, encoding: "utf8" });
    expect(packed.filter((name) => /^(src|test|assembly|bench|scripts)\b/.test(name))).toEqual([]);
    for (const name of packed.filter((name) => /\.(c?js|c?ts)$/.test(name))) {
      expect(readFileSync(join(clean, "node_modules/virtq", name), "utf8"), name).not.toContain(root);
    }
  });

  it("lets library entries import nothing but each other, without Node's modules", () => {
    for (const entry of entries) {
      const conditions = manifest.exports[entry] as { import: { default: string } };
      for (const start of [conditions.import.default, conditions.import.default.replace(/\.js$/, ".cjs")]) {
        const outside = importedFromOutside(join(clean, "node_modules/virtq", start));
        const allowed = nodeEntries.includes(entry) ? /^node:/ : /^$/;
        expect(
          outside.filter((name) => !allowed.test(name)),
          start,
        ).toEqual([]);
      }
    }
  });
});

/** Packages and Node modules that a built file and what it imports by path name. */
function importedFromOutside(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const names = ts.preProcessFile(readFileSync(file, "utf8"), true, true).importedFiles;
  return names.flatMap(({ fileName }) =>
    fileName.startsWith(".") ? importedFromOutside(join(dirname(file), fileName), seen) : [fileName],
  );
}

describe("types", () => {
  const options = { strict: true, noEmit: true, target: "ES2022", types: [], skipLibCheck: false };
  it.each([
    { name: "node16, ES module", file: "consumer.mts", module: "node16", moduleResolution: "node16" },
    { name: "node16, CommonJS", file: "consumer.cts", module: "node16", moduleResolution: "node16" },
    { name: "bundler", file: "consumer.ts", module: "esnext", moduleResolution: "bundler" },
  ])("of every entry resolve: $name", ({ file, module, moduleResolution }) => {
    cpSync(join(root, "test/package/consumer.txt"), join(clean, file));
    const compilerOptions = { ...options, lib: ["ES2023", "DOM"], module, moduleResolution };
    writeFileSync(join(clean, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
    expect(tool("typescript/bin/tsc", "-p", clean)).toBe("");
  });
});

describe.each(["this Node", "Node 24"])("under %s", (which) => {
  let node = process.execPath;

  beforeAll(() => {
    if (which !== "Node 24") return;
    const scratch = join(folder, "node24");
    mkdirSync(scratch);
    writeFileSync(join(scratch, "package.json"), '{ "private": true, "allowScripts": { "node": true } }\n');
    run("npm", ["install", "--no-audit", "--no-fund", "node@24"], scratch);
    node = join(scratch, "node_modules/node/bin/node");
    expect(run(node, ["--version"])).toMatch(/^v24\./);
  });

  it("imports every entry as an ES module", () => {
    const script = entries.map((entry) => `await import(${JSON.stringify(specifier(entry))});`).join("\n");
    run(node, ["--input-type=module", "--eval", script]);
  });

  it("requires every entry from CommonJS, with one VirtioError for all", () => {
    const script = entries.map((entry) => `require(${JSON.stringify(specifier(entry))});`).join("\n");
    run(node, ["--input-type=commonjs", "--eval", script]);
  });

  it("runs the same simulation from both", () => {
    const body =
      'simulate({ offer: ["VERSION_1"], accept: ["VERSION_1"], workload: { chains: 100, batch: 4, readable: [16], writable: [32] } })' +
      ".then((report) => console.log(report.layout));";
    const esm = run(node, ["--input-type=module", "--eval", `import { simulate } from "virtq"; ${body}`]);
    const cjs = run(node, [
      "--input-type=commonjs",
      "--eval",
      `const { simulate } = require("virtq"); ${body}`,
    ]);
    expect([esm, cjs]).toEqual(["split\n", "split\n"]);
  });

  it("finds both binaries, which compile", () => {
    const script = `import { readFileSync } from "node:fs";
      for (const name of ["virtq", "virtq-shared"]) {
        const bytes = readFileSync(new URL(import.meta.resolve("virtq/" + name + ".wasm")));
        console.log(WebAssembly.Module.imports(await WebAssembly.compile(bytes)).length);
      }`;
    expect(run(node, ["--input-type=module", "--eval", script])).toBe("1\n1\n");
  });

  it("runs virtq sim --chains 1000 --json", () => {
    const output = run(node, ["node_modules/.bin/virtq", "sim", "--chains", "1000", "--json"]);
    const report = JSON.parse(output);
    expect(report.schema).toBe("virtq.sim/1");
    expect(report.runs.map((one: { chains: number }) => one.chains)).toEqual([1000, 1000, 1000]);
  });
});

it("npx virtq runs the command, and its version is the package's", () => {
  expect(run("npx", ["--no-install", "virtq", "--version"])).toContain(manifest.version);
});
