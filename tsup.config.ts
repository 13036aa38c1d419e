import { defineConfig } from "tsup";

/** What a program can import; the command line is built beside it and shares its chunks. */
const library = {
  index: "src/index.ts",
  models: "src/models.ts",
  transport: "src/transport.ts",
  node: "src/node.ts",
};

// `clean` stays off: it would delete the sibling format's output; scripts/build.mjs removes dist/ instead.
// `splitting` keeps one VirtioError and one copy of the embedded bytes, whichever entries a program mixes.
const shared = { target: "es2022", outDir: "dist", clean: false, splitting: true } as const;

export default defineConfig([
  { ...shared, format: "esm", entry: { ...library, cli: "src/cli.ts" }, dts: { entry: library } },
  { ...shared, format: "cjs", entry: library, dts: { entry: library } },
]);
