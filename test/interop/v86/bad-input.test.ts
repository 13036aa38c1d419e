/**
 * What the rig says of what it can't boot: no apt, packages that nobody has, files that are no kernel and no BIOS, another
 * v86. Needs none of the guest's packages.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RngModel } from "../../../src/models";
import { attach, upgrade, V86_VERSION } from "../../../src/v86";
import { GuestMissing, orMissing, type PackageSet, unpacked } from "./apt";
import { missingCheck } from "./check-ext";
import { Linux } from "./linux";
import type { GuestFiles } from "./packages";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "virtq-bad-input-"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

describe("packages", () => {
  const set = (): PackageSet => ({
    name: `${basename(folder)}/cache`,
    architecture: "i386",
    packages: ["linux-image-6.1.0-*-686", "busybox-static"],
  });
  const get = (packages: PackageSet) =>
    orMissing(() => unpacked(packages, (files) => files.path("boot", "vmlinuz")));

  it("without apt are missing: what was tried, what it takes, and nothing is left behind", () => {
    vi.stubEnv("PATH", folder);
    const missing = get(set());
    expect(missing).toBeInstanceOf(GuestMissing);
    expect(`${missing}`).toMatch(
      /apt-cache .*failed \(ENOENT\).*i386 packages linux-image-6\.1\.0-\*-686, busybox-static.*needs apt-get, dpkg-deb/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it("of which a file is gone say which, and how to get it again", () => {
    mkdirSync(join(folder, "cache"));
    const missing = get(set());
    expect(missing).toBeInstanceOf(GuestMissing);
    const cache = join(folder, "cache");
    expect(`${missing}`).toContain(`${join(cache, "boot", "vmlinuz")} is missing (remove ${cache} to`);
  });

  it("an e2fsck that isn't there is named with its package", () => {
    vi.stubEnv("PATH", folder);
    const found = ["/usr/sbin", "/sbin"].some((path) => existsSync(join(path, "e2fsck")));
    expect(missingCheck()).toBe(found ? undefined : "e2fsck is missing: apt-get install e2fsprogs");
  });
});

describe("files", () => {
  /** Files of which one is wrong; those that come after it are not asked for. */
  function files(wrong: Partial<Record<"kernel" | "bios" | "vgaBios", Buffer>>): GuestFiles {
    const bios = Buffer.alloc(0x10000);
    bios[bios.length - 16] = 0xea;
    const vgaBios = Buffer.from([0x55, 0xaa, 1, ...new Uint8Array(509)]);
    const all = { bios, vgaBios, kernel: Buffer.alloc(0), ...wrong };
    const paths = Object.entries(all).map(([name, bytes]) => {
      writeFileSync(join(folder, name), bytes);
      return [name, join(folder, name)] as const;
    });
    const { kernel = "", bios: biosPath = "", vgaBios: vgaPath = "" } = Object.fromEntries(paths);
    return { kernel, bios: biosPath, vgaBios: vgaPath, busybox: "", module: () => "" };
  }

  it.each([
    ["kernel", /kernel\.bzimage: expected a bzImage: "HdrS".*, found/],
    ["bios", /bios\.bin: expected .*65536 or 131072 bytes.*, found/],
    ["vgaBios", /vgabios\.bin: expected .*, found/],
  ] as const)(
    "a page for a %s: the boot isn't begun, and says what was expected and found",
    async (name, says) => {
      const page = Buffer.from("<!doctype html><p>Not here");
      await expect(Linux.start(files({ [name]: page }))).rejects.toThrow(says);
    },
  );
});

describe("another v86", () => {
  it.each([
    ["attach", (emulator: object) => attach(emulator, [new RngModel()])],
    ["upgrade", (emulator: object) => upgrade(emulator)],
  ])("%s names what it lacks and the version that was tried", async (_, use) => {
    const emulator = { v86: { cpu: { io: {}, devices: {} } } };
    await expect(use(emulator)).rejects.toMatchObject({
      code: "EMULATOR_UNSUPPORTED",
      message: expect.stringMatching(
        new RegExp(
          `lacks v86\\.cpu\\.io\\.register_read, .*tried with v86 ${V86_VERSION.replaceAll(".", "\\.")}`,
        ),
      ),
    });
  });
});
