/** What Linux says of its virtio devices in /sys: what its drivers negotiated, not what was offered. */
import { FeatureSet } from "../../../src/negotiation/feature-set";
import { type DeviceType, deviceTypeOf } from "../../../src/negotiation/feature-table";
import type { Linux } from "./linux";

/** One virtio device as the guest has it. */
export interface VirtioInSysfs {
  /** "virtio0", … */
  readonly name: string;
  readonly type: DeviceType | undefined;
  /** The driver's name, "" without one. */
  readonly driver: string;
  readonly negotiated: FeatureSet;
}

const LIST =
  "for d in /sys/bus/virtio/devices/*; do " +
  'echo "$(basename $d) $(cat $d/device) $(cat $d/features) $(basename "$(readlink $d/driver)")"; done';

/** The guest's virtio devices, in the order of /sys. */
export async function virtioDevices(linux: Linux): Promise<VirtioInSysfs[]> {
  const lines = (await linux.succeed(LIST)).split("\n");
  return lines.map((line) => {
    const [name = "", id = "", bits = "", driver = ""] = line.split(" ");
    const set = [...bits].flatMap((bit, i) => (bit === "1" ? [i] : []));
    return { name, type: deviceTypeOf(Number(id)), driver, negotiated: FeatureSet.from(set) };
  });
}

/** Device file of the disk that answers `id` to VIRTIO_BLK_T_GET_ID: the guest numbers disks as it likes. */
export async function diskFile(linux: Linux, id: string): Promise<string> {
  return linux.succeed(`grep -lx ${id} /sys/block/*/serial | sed 's#.*block/\\(.*\\)/serial#/dev/\\1#'`);
}
