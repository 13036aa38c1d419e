/** What the guest is made of: Debian's i386 kernel with its modules, a static busybox, and SeaBIOS. */
import { readdirSync, readFileSync } from "node:fs";
import { type GuestMissing, orMissing, type PackageSet, type Unpacked, unpacked } from "./apt";

/** Absolute paths below the unpacked packages. */
export interface GuestFiles {
  readonly kernel: string;
  readonly busybox: string;
  readonly bios: string;
  readonly vgaBios: string;
  /** A kernel module by its name, as insmod takes it. */
  module(name: string): string;
}

const GUEST: PackageSet = {
  name: "virtq-v86-guest",
  architecture: "i386",
  packages: ["linux-image-6.1.0-*-686", "busybox-static", "seabios"],
};

/** @throws GuestMissing */
export function guestFiles(): GuestFiles {
  return unpacked(GUEST, inFolder);
}

/** {@link guestFiles}, or the reason why there are none. */
export function findGuestFiles(): GuestFiles | GuestMissing {
  return orMissing(guestFiles);
}

/** @throws GuestMissing */
function inFolder(folder: Unpacked): GuestFiles {
  const boot = folder.path("boot");
  const kernel = readdirSync(boot).find((name) => name.startsWith("vmlinuz-"));
  if (kernel === undefined) throw folder.missing(`no kernel in ${boot}`);
  const modules = ["lib/modules", kernel.replace("vmlinuz-", "")];
  const order = readFileSync(folder.path(...modules, "modules.order"), "utf8").split("\n");
  return {
    kernel: folder.path("boot", kernel),
    busybox: folder.path("bin/busybox"),
    bios: folder.path("usr/share/seabios/bios.bin"),
    vgaBios: folder.path("usr/share/seabios/vgabios-stdvga.bin"),
    module(name) {
      const path = order.find((line) => line.endsWith(`/${name}.ko`));
      if (path === undefined) throw folder.missing(`${kernel} has no module ${name}`);
      return folder.path(...modules, path);
    },
  };
}
