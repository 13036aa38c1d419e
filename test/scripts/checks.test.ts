/**
 * The project's own lints can fail: each is run over a small tree with one breach in it, and over this tree.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const scripts = fileURLToPath(new URL("../../scripts/", import.meta.url));
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "virtq-checks-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function check(script: string, files: Record<string, string>): { status: number | null; output: string } {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  const run = spawnSync(process.execPath, [join(scripts, script), root], { encoding: "utf8" });
  return { status: run.status, output: run.stdout + run.stderr };
}

describe("check-imports", () => {
  it("accepts imports that go left along the arrow, and errors from anywhere", () => {
    const { status, output } = check("check-imports.mjs", {
      "assembly/index.ts": 'import { A } from "../src/spec/split";\nexport { A } from "./event";\n',
      "assembly/event.ts": "export const A = 1;\n",
      "assembly/abi.ts": "export const B = 1;\n",
      "src/core/abi.ts": 'export { B } from "../../assembly/abi";\n',
      "src/virtqueue/driver-queue.ts":
        'import type { Core } from "../core/core";\nimport { VirtioError } from "../errors";\n',
      "bench/end-to-end/measure.ts": 'import { Bench } from "tinybench";\n',
      "bench/node/process.ts": 'import { spawn } from "node:child_process";\nimport "../../src/core/abi";\n',
      "src/cli.ts": 'import { cac } from "cac";\nimport { readFileSync } from "node:fs";\n',
    });
    expect(output).toBe("import arrow: holds\n");
    expect(status).toBe(0);
  });

  it("refuses every import that is not to the left, with its line and the rule", () => {
    const wrong: [file: string, specifier: string, rule: string][] = [
      ["src/core/a.ts", "../virtqueue/layout", "core imports virtqueue, which is to its right"],
      ["src/virtqueue/a.ts", "../device/device", "virtqueue imports device, which is to its right"],
      ["src/device/a.ts", "../driver/driver", "they meet through a ring and a transport"],
      ["src/driver/a.ts", "../device/device", "they meet through a ring and a transport"],
      ["src/sim/a.ts", "../index", "sim imports index, which is to its right"],
      ["src/spec/a.ts", "../errors", "spec imports nothing"],
      ["assembly/a.ts", "../src/core/core", "assembly imports core: it may import only spec"],
      ["src/core/b.ts", "../../assembly/index", "core imports assembly: only its numbers"],
      ["src/core/c.ts", "../../test/model/ring", "leaves src/, assembly/ and bench/"],
      ["src/core/d.ts", "../spec/split.js", "relative imports have no extension"],
      ["src/core/e.ts", "cac", "no run-time dependency"],
      ["src/core/f.ts", "node:fs", "it must load in a browser"],
      ["src/sim/b.ts", "../../bench/ring", "sim imports bench, which is to its right"],
      ["bench/a.ts", "../src/cli/main", "bench imports cli, which is to its right"],
      ["bench/b.ts", "node:fs", "it must load in a browser"],
      ["bench/node/c.ts", "tinybench", "no run-time dependency"],
      ["src/helpers/a.ts", "../errors", '"helpers" has no place in the import arrow'],
    ];
    const files = Object.fromEntries(
      wrong.map(([file, specifier]) => [file, `//\nimport "${specifier}";\n`]),
    );
    const { status, output } = check("check-imports.mjs", files);
    const lines = output.trimEnd().split("\n");
    expect(lines).toHaveLength(wrong.length);
    for (const [file, , rule] of wrong) {
      expect(lines.find((line) => line.startsWith(`${file}:`))).toMatch(/^\S+:[12]: /);
      expect(lines.find((line) => line.startsWith(`${file}:`))).toContain(rule);
    }
    expect(status).toBe(1);
  });

  it("refuses a type-only import and a re-export to the right, and a cycle, with the line", () => {
    const { output } = check("check-imports.mjs", {
      "src/core/a.ts": 'import type { B } from "../models/blk";\n\nexport { c } from "../cli";\n',
      "src/core/b.ts": 'import "./c";\n',
      "src/core/c.ts": 'import "./d";\n',
      "src/core/d.ts": 'import "./b";\n',
    });
    expect(output).toContain("src/core/a.ts:1: core imports models");
    expect(output).toContain("src/core/a.ts:3: core imports cli");
    expect(output).toContain("cycle: src/core/b.ts → src/core/c.ts → src/core/d.ts → src/core/b.ts");
  });
});

describe("check-spec-form", () => {
  it("accepts bare constants and comments", () => {
    const { status, output } = check("check-spec-form.mjs", {
      "src/spec/a.ts": "// Bits.\nexport const VIRTIO_F_VERSION_1 = 32;\nexport const MASK = 0x80;\n",
      "src/spec/b.ts": "export const BAD_ARGUMENT = -1;\n",
    });
    expect(output).toBe("spec form: 3 constants, each once\n");
    expect(status).toBe(0);
  });

  it.each([
    "export const A: u32 = 1;",
    "export const A = 1 << 3;",
    'import { A } from "./b";',
    "const A = 1;",
    "export const a = 1;",
    'export const A = "1";',
  ])("refuses %s", (line) => {
    const { status, output } = check("check-spec-form.mjs", { "src/spec/a.ts": `// one\n${line}\n` });
    expect(output).toContain(`src/spec/a.ts:2: not a bare constant line: ${line}`);
    expect(status).toBe(1);
  });

  it("refuses a constant that stands twice", () => {
    const line = "export const A = 1;\n";
    const { status, output } = check("check-spec-form.mjs", { "src/spec/a.ts": line, "src/spec/b.ts": line });
    expect(output).toContain("src/spec/b.ts:1: A stands at src/spec/a.ts:1 too");
    expect(status).toBe(1);
  });
});
