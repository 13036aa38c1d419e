import { defineConfig } from "vitest/config";

// `npm run test:slow`: ten million property operations, a 64 MiB file system through every ring.
export default defineConfig({
  test: { include: ["test/slow/**/*.test.ts"], testTimeout: 20 * 60_000, fileParallelism: false },
});
