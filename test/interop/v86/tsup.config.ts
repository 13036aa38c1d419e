import { defineConfig } from "tsup";

// `npm run bench:v86` runs the bundle: Node 20 can't read TypeScript.
export default defineConfig({
  entry: { v86: "test/interop/v86/bench.ts" },
  external: ["v86"],
  format: "esm",
  target: "es2022",
  outDir: "build/bench",
  silent: true,
});
