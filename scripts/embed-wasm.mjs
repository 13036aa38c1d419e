// Writes the two built modules as base64 into src/core/virtq-<build>.generated.ts, so that importing them
// needs neither a file nor a fetch. Run by `npm run build:wasm`; a file that wouldn't change is left alone.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), ".."));

for (const build of ["release", "shared"]) {
  const bytes = readFileSync(join(root, `build/virtq-${build}.wasm`));
  const target = join(root, `src/core/virtq-${build}.generated.ts`);
  const text = [
    "// Written by scripts/embed-wasm.mjs: the bytes of the WebAssembly module, base64. Do not edit.",
    `export const WASM_BYTE_LENGTH = ${bytes.length};`,
    `export const WASM_BASE64: string =\n  "${bytes.toString("base64")}";`,
    "",
  ].join("\n");
  mkdirSync(dirname(target), { recursive: true });
  let before = "";
  try {
    before = readFileSync(target, "utf8");
  } catch {
    // first build
  }
  if (before !== text) writeFileSync(target, text);
  console.log(`${build}: ${bytes.length} bytes`);
}
