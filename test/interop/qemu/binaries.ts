/**
 * Which QEMUs there are to meet: the installed one, and a newer one from Debian's backports that fetch-backport.sh
 * unpacks beside the project's other build products. Only the newer one offers IN_ORDER.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BOARDS, type Board } from "./boards";

const BACKPORT = fileURLToPath(new URL("../../../build/qemu-backport/usr/bin/", import.meta.url));

/** A QEMU that may be there. */
export interface Qemu {
  /** With its version if it is there: "QEMU 7.2". */
  readonly name: string;
  readonly board: Board;
  /** Undefined where it is missing. */
  readonly path: string | undefined;
  /** How to get it, for whoever misses it. */
  readonly missing: string;
}

/** The one that the system's package gives, on the PATH. */
const installed = (board: Board) =>
  qemu(
    "the installed QEMU",
    board,
    (process.env.PATH ?? "").split(delimiter),
    `no ${BOARDS[board].binary}: apt-get install -y --no-install-recommends qemu-system-x86`,
  );
/** Debian's backport, which has IN_ORDER (35) where 7.2 has not. */
const backported = (board: Board) =>
  qemu(
    "the backported QEMU",
    board,
    [BACKPORT],
    "no QEMU from Debian's backports: bash test/interop/qemu/fetch-backport.sh",
  );

export const INSTALLED = installed("microvm");
/** Both, as microvms. */
export const QEMUS = [INSTALLED, backported("microvm")] as const;
/** Both, as machines with a PCI bus. */
export const PCI_QEMUS = [installed("pc"), backported("pc")] as const;

/** Whether this QEMU offers IN_ORDER: 10.0 is the first that can. */
export function hasInOrder({ name }: Qemu): boolean {
  return Number(/\d+/.exec(name)?.[0] ?? 0) >= 10;
}

function qemu(where: string, board: Board, folders: readonly string[], missing: string): Qemu {
  const { binary } = BOARDS[board];
  const path = folders.map((folder) => join(folder, binary)).find((file) => existsSync(file));
  if (path === undefined) return { name: where, board, path, missing };
  const text = execFileSync(path, ["--version"], { encoding: "latin1" });
  const version = /version (\d+\.\d+)/.exec(text)?.[1] ?? "of unknown version";
  return { name: `QEMU ${version}`, board, path, missing };
}
