import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/{slow,package}/**"],
    testTimeout: 60_000,
  },
});
