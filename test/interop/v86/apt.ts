/**
 * Debian's packages, for tests: downloaded by apt into a folder of its own, with lists and status of its own, so that
 * nothing of the machine's is changed and no root is needed; unpacked below the temporary folder, never in the repository.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Packages that are unpacked into one folder. */
export interface PackageSet {
  /** The folder's, below the temporary one. */
  readonly name: string;
  /** As Debian calls it. */
  readonly architecture: string;
  /** Names; a `*` stands for the largest number there is, for older ones may have left the archive. */
  readonly packages: readonly string[];
}

/** Why there is no guest, and how to get one. */
export class GuestMissing extends Error {
  constructor(what: string, { architecture, packages }: PackageSet) {
    super(
      `${what}: the guest is made of Debian 12's ${architecture} packages ${packages.join(", ")}, which apt-get ` +
        "downloads here from the machine's own sources: it needs apt-get, dpkg-deb, and such a source within reach",
    );
    this.name = "GuestMissing";
  }
}

/** A folder of unpacked packages. */
export class Unpacked {
  private readonly set: PackageSet;
  private readonly root: string;

  constructor(set: PackageSet, root: string) {
    this.set = set;
    this.root = root;
  }

  /** Absolute path of what is there. @throws GuestMissing for what isn't */
  path(...parts: string[]): string {
    const path = join(this.root, ...parts);
    if (!existsSync(path))
      throw this.missing(`${path} is missing (remove ${this.root} to download it again)`);
    return path;
  }

  missing(what: string): GuestMissing {
    return new GuestMissing(what, this.set);
  }
}

/** How long apt may take for one command, in milliseconds. */
const PATIENCE = 180_000;

/**
 * What is found in a set's packages, downloaded and unpacked where they aren't yet.
 *
 * @param find takes what it needs, so that a set without it isn't kept
 * @throws GuestMissing without apt, or where it doesn't find or get the packages
 */
export function unpacked<Files>(set: PackageSet, find: (folder: Unpacked) => Files): Files {
  const cache = join(tmpdir(), set.name);
  if (!existsSync(cache)) fill(cache, set, find);
  return find(new Unpacked(set, cache));
}

/** What `get` gives, or the reason why there is none. */
export function orMissing<Files>(get: () => Files): Files | GuestMissing {
  try {
    return get();
  } catch (error) {
    if (error instanceof GuestMissing) return error;
    throw error;
  }
}

/** Downloads into a folder beside the cache and renames it when it is whole: two runs at once are no harm. */
function fill(cache: string, set: PackageSet, find: (folder: Unpacked) => unknown): void {
  const folder = mkdtempSync(`${cache}-`);
  try {
    const apt = new Apt(join(folder, "apt"), set);
    const root = join(folder, "root");
    for (const deb of apt.download()) apt.run("dpkg-deb", ["-x", deb, root]);
    find(new Unpacked(set, root));
    if (!existsSync(cache)) renameSync(root, cache);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** apt for one architecture alone, with the machine's sources and nothing else of the machine's. */
class Apt {
  private readonly set: PackageSet;
  private readonly options: readonly string[];
  private readonly archives: string;

  constructor(folder: string, set: PackageSet) {
    this.set = set;
    this.archives = join(folder, "debs");
    for (const part of ["lists/partial", "cache/archives/partial", "debs"]) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    this.options = [
      `APT::Architecture=${set.architecture}`,
      `APT::Architectures::=${set.architecture}`,
      "APT::Sandbox::User=",
      "Acquire::Languages=none",
      "Acquire::Retries=2",
      `Dir::State::Lists=${join(folder, "lists")}`,
      `Dir::Cache=${join(folder, "cache")}`,
      "Dir::State::status=/dev/null",
    ].flatMap((option) => ["-o", option]);
    try {
      this.run("apt-get", [...this.options, "update"]);
    } catch (error) {
      // A source that failed may be none that is needed: what is missing shows when it is asked for.
      if (!(error instanceof GuestMissing)) throw error;
    }
  }

  /** Paths of the downloaded packages. */
  download(): string[] {
    const names = this.set.packages.map((name) => this.newest(name));
    this.run("apt-get", [...this.options, "download", ...names], this.archives);
    return readdirSync(this.archives).map((name) => join(this.archives, name));
  }

  /** @throws GuestMissing where its command fails */
  run(command: string, argv: readonly string[], cwd = tmpdir()): string {
    try {
      return execFileSync(command, argv, { cwd, encoding: "utf8", stdio: "pipe", timeout: PATIENCE });
    } catch (error) {
      const { code, stderr = "" } = error as NodeJS.ErrnoException & { stderr?: string };
      const why = code === undefined ? stderr.trim().split("\n").at(-1) : `${code}`;
      throw new GuestMissing(`${command} ${argv.at(-1)} failed (${why})`, this.set);
    }
  }

  /** The name with the largest number that apt knows in the place of its `*`. */
  private newest(pattern: string): string {
    const [before = "", after] = pattern.split("*");
    if (after === undefined) return pattern;
    const numbers = this.run("apt-cache", [...this.options, "pkgnames", before])
      .split("\n")
      .filter((name) => name.startsWith(before) && name.endsWith(after))
      .map((name) => name.slice(before.length, name.length - after.length))
      .filter((number) => /^\d+$/.test(number));
    if (numbers.length === 0) throw new GuestMissing(`apt knows no ${pattern}`, this.set);
    return `${before}${Math.max(...numbers.map(Number))}${after}`;
  }
}
