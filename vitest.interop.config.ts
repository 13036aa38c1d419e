import { defineConfig } from "vitest/config";

// `npm run test:interop`: against devices that were not made here. Each file says what it needs and where that is missing.
export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    testTimeout: 60_000,
    fileParallelism: false,
  },
});
