/**
 * A disk that SeaBIOS boots from, made anew for each boot without root: a FAT file system without partitions, in it
 * Debian's kernel, the initrd, and Debian's syslinux, whose installer and mtools run here and not in the guest.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type GuestMissing, orMissing, type PackageSet, unpacked } from "./apt";
import { initrd } from "./initrd";
import { CMDLINE } from "./linux";
import type { GuestFiles } from "./packages";

/** The folder of syslinux's and mtools' programs. */
export interface BootTools {
  readonly programs: string;
}

/** Sectors of 512 bytes: where a file is on the disk. */
export interface Extent {
  readonly first: number;
  readonly count: number;
}

/** The disk, and where the files are that its loader reads as a whole. */
export interface BootDisk {
  readonly bytes: Uint8Array;
  readonly kernel: Extent;
  readonly initrd: Extent;
}

const SECTOR_BYTES = 512;
/** 32 MiB in cylinders that a BIOS believes. */
const GEOMETRY = { heads: 16, sectors: 63, total: 65_536 };
const DEBIAN_NAMES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "i386" };
const TOOLS: PackageSet = {
  name: "virtq-v86-boot-tools",
  architecture: DEBIAN_NAMES[process.arch] ?? process.arch,
  packages: ["syslinux", "mtools"],
};
const CONFIG = `DEFAULT linux
LABEL linux
KERNEL vmlinuz
INITRD initrd
APPEND ${CMDLINE}
`;

/** The tools, downloaded where they aren't yet, or the reason why there are none. */
export function findBootTools(): BootTools | GuestMissing {
  return orMissing(() =>
    unpacked(TOOLS, (folder) => {
      for (const program of ["syslinux", "mformat", "mcopy"]) folder.path("usr/bin", program);
      return { programs: folder.path("usr/bin") };
    }),
  );
}

/** @throws Error with what a tool printed if it fails */
export function bootDisk(files: GuestFiles, { programs }: BootTools): BootDisk {
  const folder = mkdtempSync(join(tmpdir(), "virtq-boot-"));
  // The installer runs mtools by their names.
  const env = { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH}` };
  const run = (program: string, ...argv: string[]) =>
    execFileSync(join(programs, program), argv, { cwd: folder, env, encoding: "utf8", stdio: "pipe" });
  try {
    const contents = { vmlinuz: readFileSync(files.kernel), initrd: initrd(files) };
    const { heads, sectors, total } = GEOMETRY;
    run("mformat", "-C", "-i", "disk", "-T", `${total}`, "-h", `${heads}`, "-s", `${sectors}`, "::");
    for (const [name, bytes] of Object.entries({ ...contents, "syslinux.cfg": CONFIG })) {
      writeFileSync(join(folder, name), bytes);
      run("mcopy", "-i", "disk", name, `::${name}`);
    }
    run("syslinux", "--install", "disk");
    const bytes = readFileSync(join(folder, "disk"));
    return { bytes, kernel: extent(bytes, contents.vmlinuz), initrd: extent(bytes, contents.initrd) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file system that was empty before has its files in one piece. */
function extent(disk: Buffer, file: Uint8Array): Extent {
  const at = disk.indexOf(file);
  if (at < 0 || at % SECTOR_BYTES !== 0) throw new Error("a file is on the disk in pieces");
  return { first: at / SECTOR_BYTES, count: Math.ceil(file.length / SECTOR_BYTES) };
}
