/** The programs that the benchmark starts, as they were built. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Path of a built program: beside this file in dist/, or in dist/ from here.
 *
 * @throws Error when it was not built
 */
export function programPath(name: string): string {
  const path = [`./${name}`, `../../dist/${name}`]
    .map((relative) => fileURLToPath(new URL(relative, import.meta.url)))
    .find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`dist/${name} is missing: run \`npm run build\``);
  return path;
}
