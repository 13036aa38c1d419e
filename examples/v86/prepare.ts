/**
 * Puts what the guest is made of where the page can fetch it: a folder that git ignores. Node alone; the packages come from
 * Debian, by apt, and stay in a cache.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { initrd } from "../../test/interop/v86/initrd";
import { guestFiles } from "../../test/interop/v86/packages";
import { IMAGES } from "./guest-images";
import { INIT } from "./guest-init";

/**
 * Fills the folder.
 *
 * @throws GuestMissing where apt doesn't find or get the packages
 */
export function prepareGuest(folder: string): void {
  const files = guestFiles();
  mkdirSync(folder, { recursive: true });
  copyFileSync(files.kernel, join(folder, IMAGES.kernel.file));
  copyFileSync(files.bios, join(folder, IMAGES.bios.file));
  copyFileSync(files.vgaBios, join(folder, IMAGES.vgaBios.file));
  writeFileSync(join(folder, IMAGES.initrd.file), initrd(files, INIT));
}
