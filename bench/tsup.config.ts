import { defineConfig } from "tsup";

// `npm run bench` runs the bundle: Node 20 can't read TypeScript.
export default defineConfig({
  entry: { main: "bench/main.ts" },
  format: "esm",
  target: "es2022",
  outDir: "build/bench",
  silent: true,
});
