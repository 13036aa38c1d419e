import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
const repository = fileURLToPath(new URL("../../", import.meta.url));
const { version } = JSON.parse(readFileSync(`${repository}package.json`, "utf8")) as { version: string };

export default defineConfig({
  root: here,
  // A file that isn't there is a 404, not the page.
  appType: "mpa",
  define: { VIRTQ_VERSION: JSON.stringify(version), VIRTQ_COMMIT: JSON.stringify(commit()) },
  server: {
    host: "127.0.0.1",
    port: 8087,
    fs: { allow: [repository] },
    // Cross-origin isolation: shared memory, and a clock of 5 µs instead of 100.
    headers: {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    },
  },
});

function commit(): string | null {
  try {
    return execFileSync("git", ["-C", repository, "rev-parse", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return null;
  }
}
