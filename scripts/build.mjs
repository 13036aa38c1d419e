// Builds dist/ from src/ and build/*.wasm: what is published. Run by `npm run build`, after `build:wasm`.
import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const at = (path) => join(root, path);

rmSync(at("dist"), { recursive: true, force: true });
execFileSync(process.execPath, [at("node_modules/tsup/dist/cli-default.js"), "--silent"], {
  cwd: root,
  stdio: "inherit",
});
copyFileSync(at("build/virtq-release.wasm"), at("dist/virtq.wasm"));
copyFileSync(at("build/virtq-shared.wasm"), at("dist/virtq-shared.wasm"));
