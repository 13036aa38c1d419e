import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = fileURLToPath(new URL("src/", import.meta.url));

/** The package's own name means its sources here, so that examples run as they stand and need no build. */
export const ownName = [
  { find: /^virtq$/, replacement: `${source}index.ts` },
  { find: /^virtq\/(models|transport|conformance|scenarios|node|v86|bench)$/, replacement: `${source}$1.ts` },
];

export default defineConfig({
  resolve: { alias: ownName },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/{slow,package,interop}/**"],
    testTimeout: 60_000,
    // By default one core stays idle, which is half of the machine where there are two.
    maxWorkers: "100%",
    // No module keeps state that a test could leave behind; a fresh context for each file would take half a minute.
    isolate: false,
  },
});
