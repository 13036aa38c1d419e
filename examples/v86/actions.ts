/** What can be done with a click: each is a command that the guest's shell is given, as if it had been typed. */
import type { Attachment } from "virtq/v86";
import { ADDRESSES } from "./guest-init";

/** One button. */
export interface Action {
  readonly label: string;
  /** What it is for, in a sentence. */
  readonly title: string;
  readonly command: string;
}

/** All of them, for the devices that there are. */
export function actionsFor({ devices }: Attachment): Action[] {
  const slot = devices.find(({ name }) => name === "entropy")?.slot ?? 0;
  const resource = `/sys/bus/pci/devices/0000:00:${slot.toString(16).padStart(2, "0")}.0/resource`;
  return [
    {
      label: "Read the disk",
      title: "All 32 MiB, by eight readers at once",
      command:
        "time sh -c 'for i in $(seq 0 7); do " +
        "dd if=/dev/vda of=/dev/null bs=64k count=64 skip=$((i*64)) iflag=direct & done; wait'",
    },
    {
      label: "Make a file system",
      title: "ext2 on the disk, busybox copied onto it and compared",
      command:
        "mke2fs /dev/vda >/dev/null && mount -t ext4 /dev/vda /mnt && cp /bin/busybox /mnt && umount /mnt && " +
        "mount -t ext4 /dev/vda /mnt && cmp /bin/busybox /mnt/busybox && df -h /mnt; umount /mnt",
    },
    {
      label: "Ping",
      title: "Twenty times, of 1400 bytes",
      command: `ping -q -c 20 -i 0.05 -s 1400 ${ADDRESSES.neighbour}`,
    },
    { label: "Entropy", title: "64 KiB of it", command: "head -c 64k /dev/hwrng | sha256sum" },
    {
      label: "Break the rules",
      title: "Random bytes into the entropy device's registers: violations are counted, nothing else happens",
      command:
        `dd if=/dev/urandom of=/dev/port bs=1 count=128 ` +
        `seek=$(($(sed -n 5p ${resource} | cut -d' ' -f1))); head -c 16 /dev/hwrng | xxd`,
    },
  ];
}
