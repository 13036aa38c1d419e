/** A look at a file system from outside of the guest: e2fsck on a copy of the disk, which changes nothing. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Users' paths leave out where it is. */
const PATHS = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Why there is no e2fsck, or undefined. */
export function missingCheck(): string | undefined {
  const isThere = PATHS.split(delimiter).some((folder) => existsSync(join(folder, "e2fsck")));
  return isThere ? undefined : "e2fsck is missing: apt-get install e2fsprogs";
}

/**
 * What e2fsck says of a clean file system.
 *
 * @throws Error with its output if it finds anything, or isn't there
 */
export function checkExt(disk: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "virtq-ext-"));
  try {
    const image = join(folder, "disk");
    writeFileSync(image, disk);
    return execFileSync("e2fsck", ["-fn", image], { encoding: "utf8", env: { ...process.env, PATH: PATHS } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
