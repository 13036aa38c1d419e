/**
 * The guest's first file system: a newc cpio archive of busybox, kernel modules and an init that loads them and then, unless
 * told otherwise, runs what comes over the first serial port, a line at a time. Made anew for each boot, from files of
 * Debian's packages.
 */
import { readFileSync } from "node:fs";
import type { GuestFiles } from "./packages";

/** In the order of insmod. */
const MODULES = [
  ...["virtio", "virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci"],
  ...["virtio_blk", "virtio-rng", "failover", "net_failover", "virtio_net", "virtio_console"],
  ...["virtio_balloon", "netfs", "fscache", "9pnet", "9pnet_virtio", "9p"],
  ...["crc32c_generic", "crc16", "mbcache", "jbd2", "ext4"],
];

/** What the guest prints when it takes commands. */
export const READY = "virtq: ready";

/** How every init begins. */
const BEGIN = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
dmesg -n 1
for module in ${MODULES.join(" ")}; do insmod /lib/$module.ko; done
`;

/**
 * Takes lines of `TAG COMMAND`, runs each in a shell of its own without input, and ends what it prints with a line of
 * `TAG CODE`. The terminal neither echoes nor changes line ends.
 */
const COMMAND_LOOP = `stty -F /dev/ttyS0 -echo -onlcr
exec 3</dev/ttyS0 >/dev/ttyS0 2>&1
echo "${READY}"
while read -r tag command <&3; do
  ( eval "$command" ) </dev/null 3<&-
  printf '\\n%s %d\\n' "$tag" "$?"
done
`;

const DIRECTORY = 0o40755;
const PROGRAM = 0o100755;
const FILE = 0o100644;

/**
 * The archive.
 *
 * @param rest how its init goes on when all modules are loaded: a script of busybox's shell, which must not end
 */
export function initrd(files: GuestFiles, rest = COMMAND_LOOP): Uint8Array {
  const cpio = new Cpio();
  for (const name of ["bin", "dev", "lib", "mnt", "proc", "sys", "tmp"]) cpio.add(name, DIRECTORY);
  cpio.add("bin/busybox", PROGRAM, readFileSync(files.busybox));
  cpio.add("init", PROGRAM, Buffer.from(BEGIN + rest));
  for (const name of MODULES) cpio.add(`lib/${name}.ko`, FILE, readFileSync(files.module(name)));
  return cpio.end();
}

/** A writer of the "new ASCII" format: 110 bytes of header in hex, name and data each padded to 4 bytes. */
class Cpio {
  private readonly parts: Uint8Array[] = [];
  private entries = 0;

  add(name: string, mode: number, data: Uint8Array = new Uint8Array(0)): void {
    const fields = [++this.entries, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    this.pad(Buffer.from(`${header}${name}\0`));
    this.pad(data);
  }

  end(): Uint8Array {
    this.add("TRAILER!!!", 0);
    return Buffer.concat(this.parts);
  }

  private pad(bytes: Uint8Array): void {
    this.parts.push(bytes, new Uint8Array(-bytes.length & 3));
  }
}
