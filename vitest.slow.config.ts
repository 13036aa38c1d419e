import { defineConfig } from "vitest/config";

// Tests with scripts of their own. `npm run test:slow`: ten million property operations, a 64 MiB file system and
// recorded network traffic through every ring, races on shared memory. `npm run test:package`: the packed tarball.
export default defineConfig({
  test: {
    include: ["test/{slow,package}/**/*.test.ts"],
    testTimeout: 20 * 60_000,
    hookTimeout: 5 * 60_000,
    fileParallelism: false,
  },
});
