// Builds dist/ from src/ and build/*.wasm: what is published. `--dts`: with types, which `npm start` can do without.
// Run by `npm start` and `npm run build`, after `build:wasm`.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const at = (path) => join(root, path);

rmSync(at("dist"), { recursive: true, force: true });
execFileSync(
  process.execPath,
  [at("node_modules/tsup/dist/cli-default.js"), "--silent", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
  },
);
copyFileSync(at("build/virtq-release.wasm"), at("dist/virtq.wasm"));
copyFileSync(at("build/virtq-shared.wasm"), at("dist/virtq-shared.wasm"));
cpSync(at("bench/native"), at("dist/native"), { recursive: true });
// It is built into bench-process.js, and its licence goes with it.
copyFileSync(at("node_modules/tinybench/LICENSE"), at("dist/bench-process.tinybench-license.txt"));
for (const name of readdirSync(at("dist")).filter((file) => /\.c?js$/.test(file)))
  restoreConstants(at(`dist/${name}`));

/**
 * esbuild declares a module's constants with `var`. Engines don't fold those into the code that they compile, which
 * makes code over typed arrays twice as slow as it is written (`virtq bench` shows it). What nothing assigns to again
 * becomes `const` again.
 */
function restoreConstants(path) {
  const text = readFileSync(path, "utf8");
  const restored = text.replaceAll(/^var ([\w$]+) = /gm, (declaration, name) => {
    const literal = name.replaceAll("$", "\\$");
    const assigned = new RegExp(
      `(?<![.\\w$])${literal}\\s*(?:=(?![=>])|\\+\\+|--|[-+*/%&|^?]+=|<<=|>>>?=)`,
      "g",
    );
    return (text.match(assigned) ?? []).length > 1 ? declaration : declaration.replace("var", "const");
  });
  if (restored !== text) writeFileSync(path, restored);
}
