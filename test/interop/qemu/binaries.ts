/**
 * Which QEMUs there are to meet: the installed one, and a newer one from Debian's backports that fetch-backport.sh
 * unpacks beside the project's other build products. Only the newer one offers IN_ORDER.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The one binary whose accelerator needs no processor: qtest is built in; the large one may lack it. */
const BINARY = "qemu-system-x86_64-microvm";
const BACKPORT = fileURLToPath(new URL("../../../build/qemu-backport/usr/bin/", import.meta.url));

/** A QEMU that may be there. */
export interface Qemu {
  /** With its version if it is there: "QEMU 7.2". */
  readonly name: string;
  /** Undefined where it is missing. */
  readonly path: string | undefined;
  /** How to get it, for whoever misses it. */
  readonly missing: string;
}

/** The one that the system's package gives, on the PATH. */
export const INSTALLED = qemu(
  "the installed QEMU",
  (process.env.PATH ?? "").split(delimiter),
  `no ${BINARY}: apt-get install -y --no-install-recommends qemu-system-x86`,
);
/** Debian's backport, which has IN_ORDER (35) where 7.2 has not. */
export const BACKPORTED = qemu(
  "the backported QEMU",
  [BACKPORT],
  "no QEMU from Debian's backports: bash test/interop/qemu/fetch-backport.sh",
);
/** Both. */
export const QEMUS = [INSTALLED, BACKPORTED] as const;

/** Whether this QEMU offers IN_ORDER: 10.0 is the first that can. */
export function hasInOrder({ name }: Qemu): boolean {
  return Number(/\d+/.exec(name)?.[0] ?? 0) >= 10;
}

function qemu(where: string, folders: readonly string[], missing: string): Qemu {
  const path = folders.map((folder) => join(folder, BINARY)).find((file) => existsSync(file));
  if (path === undefined) return { name: where, path, missing };
  const text = execFileSync(path, ["--version"], { encoding: "latin1" });
  return { name: `QEMU ${/version (\d+\.\d+)/.exec(text)?.[1] ?? "of unknown version"}`, path, missing };
}
