import { defineConfig } from "tsup";

/** What a program can import; the command line is built beside it and shares its chunks. */
const library = {
  index: "src/index.ts",
  models: "src/models.ts",
  transport: "src/transport.ts",
  conformance: "src/conformance.ts",
  scenarios: "src/scenarios.ts",
  node: "src/node.ts",
  v86: "src/v86.ts",
  bench: "src/bench.ts",
};

// `clean` stays off: it would delete the sibling format's output; scripts/build.mjs removes dist/ instead.
// `splitting` keeps one VirtioError and one copy of the embedded bytes, whichever entries a program mixes.
const shared = {
  target: "es2022",
  outDir: "dist",
  clean: false,
  splitting: true,
  removeNodeProtocol: false,
} as const;

/**
 * What `virtq bench` starts in fresh processes and in worker threads: one file each, and one for each ring in JavaScript. In a scope of hundreds of
 * names a constant takes two bytes of bytecode more, and V8 stops to inline what grows beyond its limits.
 */
const measuring = {
  ...shared,
  format: "esm" as const,
  entry: {
    "bench-process": "bench/node/process.ts",
    "bench-shared-agent": "bench/node/shared-agent.ts",
    "bench-js-plain-packed": "bench/rings/js-plain-packed.ts",
    "bench-js-plain-split": "bench/rings/js-plain-split.ts",
    "bench-js-tuned-packed": "bench/rings/js-tuned-packed.ts",
    "bench-js-tuned-split": "bench/rings/js-tuned-split.ts",
  },
  splitting: false,
};

// With `--dts` the types too, which take most of the time.
export default defineConfig(({ dts }) => {
  const types = dts ? { entry: library } : false;
  return [
    { ...shared, format: "esm", entry: { ...library, cli: "src/cli.ts" }, dts: types },
    measuring,
    { ...shared, format: "cjs", entry: library, dts: types },
  ];
});
