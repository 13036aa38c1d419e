/** The devices that probes are put to, twice each: as arguments of QEMU, and as a model of ours that is most like it. */
import type { DeviceModel } from "../../../src/device/model";
import type { BlkBackend } from "../../../src/models/backend";
import { BalloonModel } from "../../../src/models/balloon";
import { BlkModel } from "../../../src/models/blk";
import { ConsoleModel } from "../../../src/models/console";
import { DeferredBackend } from "../../../src/models/deferred-backend";
import { MemoryBackend } from "../../../src/models/memory-backend";
import { NetModel } from "../../../src/models/net";
import { VIRTIO_BLK_SECTOR_SIZE } from "../../../src/spec/blk";

/** One kind of device. */
export interface ProbedDevice {
  /** QEMU's arguments. */
  readonly argv: readonly string[];
  readonly model: () => DeviceModel;
  /** Reserved features that ours offers beside those of its profile. */
  readonly offers?: readonly string[];
}

const SECTORS = 64;
/** QEMU's limit for any queue, and what its QueueSizeMax reads whatever the device declares. */
const queueSize = 1024;
/** Nanoseconds that a request takes which nobody waits for. */
const FOR_EVER = 10n ** 15n;

/** A disk of zeros without a file: QEMU answers its requests from within the notification. */
function disk(blockdev: string, device: string): string[] {
  const bytes = SECTORS * VIRTIO_BLK_SECTOR_SIZE;
  return [
    ...["-blockdev", `driver=null-co,node-name=d0,size=${bytes},read-zeroes=on${blockdev}`],
    ...["-device", `virtio-blk-device,drive=d0,packed=on${device}`],
  ];
}

function blk(wrap: (backend: BlkBackend) => BlkBackend = (backend) => backend): BlkModel {
  const backend = wrap(new MemoryBackend(new Uint8Array(SECTORS * VIRTIO_BLK_SECTOR_SIZE)));
  return new BlkModel(backend, { offers: ["FLUSH", "SEG_MAX", "BLK_SIZE", "CONFIG_WCE"], queueSize });
}

/** All of them by name. */
export const DEVICES = {
  console: {
    argv: [
      ...["-chardev", "null,id=c0", "-device", "virtio-serial-device,packed=on"],
      ...["-device", "virtconsole,chardev=c0"],
    ],
    model: () => new ConsoleModel({ queueSize }),
  },
  blk: { argv: disk("", ""), model: () => blk() },
  /** Platform address translation: ACCESS_PLATFORM is offered. */
  "blk behind an IOMMU": {
    argv: disk("", ",iommu_platform=on"),
    model: () => blk(),
    offers: ["ACCESS_PLATFORM"],
  },
  "blk that is slow": {
    // Its geometry is said, or QEMU would read the first sector to guess it.
    argv: disk(`,latency-ns=${FOR_EVER}`, ",cyls=1,heads=1,secs=1"),
    model: () => blk((backend) => new DeferredBackend(backend)),
  },
  balloon: {
    argv: ["-device", "virtio-balloon-device,packed=on,page-poison=on"],
    model: () => new BalloonModel({ queueSize }),
  },
  net: {
    argv: [
      ...["-netdev", "hubport,id=n0,hubid=0"],
      ...["-device", "virtio-net-device,netdev=n0,host_mtu=1400,mac=52:54:00:12:34:56,packed=on"],
    ],
    model: () => new NetModel({ mtu: 1400, mac: "52:54:00:12:34:56", queueSize }),
  },
} as const satisfies Record<string, ProbedDevice>;

export type DeviceName = keyof typeof DEVICES;
