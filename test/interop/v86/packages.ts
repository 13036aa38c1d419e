/**
 * What the guest is made of: Debian's i386 kernel with its modules, a static busybox, and SeaBIOS. Downloaded by apt into
 * a folder of its own, with lists and status of its own, so that nothing of the machine's is changed and no root is needed;
 * kept below the temporary folder, never in the repository.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Absolute paths below the unpacked packages. */
export interface GuestFiles {
  readonly kernel: string;
  readonly busybox: string;
  readonly bios: string;
  readonly vgaBios: string;
  /** A kernel module by its name, as insmod takes it. */
  module(name: string): string;
}

/** Why there is no guest, and how to get one. */
export class GuestMissing extends Error {
  constructor(what: string) {
    super(
      `${what}: the guest is made of Debian 12's i386 packages ${WANTED.join(", ")}, which apt-get downloads ` +
        "here from the machine's own sources: it needs apt-get, dpkg-deb, and such a source within reach",
    );
    this.name = "GuestMissing";
  }
}

const KERNEL = "linux-image-6.1.0-*-686";
const WANTED = [KERNEL, "busybox-static", "seabios"];
const KERNEL_NAME = /^linux-image-6\.1\.0-(\d+)-686$/;
const CACHE = join(tmpdir(), "virtq-v86-guest");
/** How long apt may take for one command, in milliseconds. */
const PATIENCE = 180_000;

/**
 * The guest's files, downloaded and unpacked where they aren't yet.
 *
 * @throws GuestMissing without apt, or where it doesn't find or get the packages
 */
export function guestFiles(): GuestFiles {
  if (!existsSync(CACHE)) fill();
  return inFolder(CACHE);
}

/** {@link guestFiles}, or the reason why there are none. */
export function findGuestFiles(): GuestFiles | GuestMissing {
  try {
    return guestFiles();
  } catch (error) {
    if (error instanceof GuestMissing) return error;
    throw error;
  }
}

/** Downloads into a folder beside the cache and renames it when it is whole: two runs at once are no harm. */
function fill(): void {
  mkdirSync(dirname(CACHE), { recursive: true });
  const folder = mkdtempSync(`${CACHE}-`);
  try {
    const apt = new Apt(join(folder, "apt"));
    const root = join(folder, "root");
    for (const deb of apt.download([apt.newestKernel(), "busybox-static", "seabios"])) {
      run("dpkg-deb", ["-x", deb, root]);
    }
    inFolder(root);
    if (!existsSync(CACHE)) renameSync(root, CACHE);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The files in a folder of unpacked packages. @throws GuestMissing */
function inFolder(root: string): GuestFiles {
  const boot = existing(join(root, "boot"));
  const kernel = readdirSync(boot).find((name) => name.startsWith("vmlinuz-"));
  if (kernel === undefined) throw new GuestMissing(`no kernel in ${boot}`);
  const modules = existing(join(root, "lib/modules", kernel.replace("vmlinuz-", "")));
  const order = readFileSync(existing(join(modules, "modules.order")), "utf8").split("\n");
  return {
    kernel: join(boot, kernel),
    busybox: existing(join(root, "bin/busybox")),
    bios: existing(join(root, "usr/share/seabios/bios.bin")),
    vgaBios: existing(join(root, "usr/share/seabios/vgabios-stdvga.bin")),
    module(name) {
      const path = order.find((line) => line.endsWith(`/${name}.ko`));
      if (path === undefined) throw new GuestMissing(`${kernel} has no module ${name}`);
      return existing(join(modules, path));
    },
  };
}

function existing(path: string): string {
  if (!existsSync(path)) throw new GuestMissing(`${path} is missing (remove ${CACHE} to download it again)`);
  return path;
}

/** apt for i386 alone, with the machine's sources and nothing else of the machine's. */
class Apt {
  private readonly options: readonly string[];
  private readonly archives: string;

  constructor(folder: string) {
    this.archives = join(folder, "debs");
    for (const part of ["lists/partial", "cache/archives/partial", "debs"]) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    this.options = [
      "APT::Architecture=i386",
      "APT::Architectures::=i386",
      "APT::Sandbox::User=",
      "Acquire::Languages=none",
      "Acquire::Retries=2",
      `Dir::State::Lists=${join(folder, "lists")}`,
      `Dir::Cache=${join(folder, "cache")}`,
      "Dir::State::status=/dev/null",
    ].flatMap((option) => ["-o", option]);
    try {
      run("apt-get", [...this.options, "update"]);
    } catch (error) {
      // A source that failed may be none that is needed: what is missing shows when it is asked for.
      if (!(error instanceof GuestMissing)) throw error;
    }
  }

  /** The kernel of the largest ABI number: older ones may have left the archive. */
  newestKernel(): string {
    const names = run("apt-cache", [...this.options, "pkgnames", KERNEL.split("*")[0] ?? ""]).split("\n");
    const newest = names.reduce((most, name) => Math.max(most, Number(KERNEL_NAME.exec(name)?.[1] ?? 0)), 0);
    if (newest === 0) throw new GuestMissing(`apt knows no ${KERNEL}`);
    return KERNEL.replace("*", String(newest));
  }

  /** Paths of the downloaded packages. */
  download(packages: readonly string[]): string[] {
    run("apt-get", [...this.options, "download", ...packages], this.archives);
    return readdirSync(this.archives).map((name) => join(this.archives, name));
  }
}

function run(command: string, argv: readonly string[], cwd = tmpdir()): string {
  try {
    return execFileSync(command, argv, { cwd, encoding: "utf8", stdio: "pipe", timeout: PATIENCE });
  } catch (error) {
    const { code, stderr = "" } = error as NodeJS.ErrnoException & { stderr?: string };
    const why = code === undefined ? stderr.trim().split("\n").at(-1) : `${code}`;
    throw new GuestMissing(`${command} ${argv.at(-1)} failed (${why})`);
  }
}
