import { defineConfig } from "vitest/config";
import { ownName } from "./scripts/own-name";

export default defineConfig({
  // Examples run as they stand.
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
