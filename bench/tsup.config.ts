import { defineConfig } from "tsup";

// `npm run bench` and `npm run bench:v86` run the bundles: Node 20 can't read TypeScript.
export default defineConfig({
  entry: { main: "bench/main.ts", v86: "bench/v86.ts" },
  external: ["v86"],
  format: "esm",
  target: "es2022",
  outDir: "build/bench",
  silent: true,
});
