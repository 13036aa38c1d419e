import { defineConfig } from "vitest/config";

const source = (entry: string) => new URL(`./src/${entry}.ts`, import.meta.url).pathname;

export default defineConfig({
  // The examples import the package by its name, as a user does.
  resolve: {
    alias: [
      { find: /^virtq$/, replacement: source("index") },
      { find: /^virtq\/(.+)$/, replacement: source("$1") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/{slow,package}/**"],
    testTimeout: 60_000,
  },
});
