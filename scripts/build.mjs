// Builds dist/ from src/ and build/*.wasm: what is published. `--dts`: with types, which `npm start` can do without.
// Run by `npm start` and `npm run build`, after `build:wasm`.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, rmSync } from "node:fs";
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
