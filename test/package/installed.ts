/**
 * The package as a stranger gets it: packed into a tarball and installed into a clean folder. Needs `npm run build`
 * before, and the npm registry for the command line's three packages.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** What package.json says, as far as the tests ask. */
export interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly import: { readonly default: string } }>>;
}
export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

export interface Installed {
  /** A scratch folder, with the tarball in it. */
  readonly folder: string;
  readonly tarball: string;
  /** The folder in which `virtq` is installed, and nothing else. */
  readonly clean: string;
  remove(): void;
}

/** What `command` prints on stdout; an exit code other than 0 throws with all that it printed. */
export function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")}: exit ${status}\n${stdout}\n${stderr}`);
  }
}

export function install(): Installed {
  const folder = mkdtempSync(join(tmpdir(), "virtq-package-"));
  run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], root);
  const tarball = join(folder, `virtq-${manifest.version}.tgz`);
  const clean = join(folder, "clean");
  mkdirSync(clean);
  writeFileSync(join(clean, "package.json"), '{ "name": "clean", "private": true }\n');
  run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", tarball], clean);
  return { folder, tarball, clean, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
