/**
 * The virtio drivers of Linux 6.1 as the simulation has them: our models, what each driver knows of them, and what it does
 * besides the order of the core, which is the driver profile's. test/interop/v86 puts the same models before the real ones.
 */
import type { DeviceModel } from "../../src/device/model";
import { balloonPoison, balloonValidate } from "../../src/driver/balloon-features";
import type { ValidateContext } from "../../src/driver/initialisation";
import { netValidate } from "../../src/driver/net-features";
import { BalloonModel } from "../../src/models/balloon";
import { BlkModel } from "../../src/models/blk";
import { ConsoleModel } from "../../src/models/console";
import { MemoryBackend } from "../../src/models/memory-backend";
import { NetModel } from "../../src/models/net";
import { RngModel } from "../../src/models/rng";
import type { Pair } from "../../src/sim/pair";

/** A driver of Linux. */
export interface LinuxDriver {
  readonly model: () => DeviceModel;
  readonly knows: readonly string[];
  readonly validate?: (context: ValidateContext) => Promise<readonly string[]> | readonly string[];
  /** Configuration that its probe reads before it looks for queues, before DRIVER_OK, and behind it. */
  readonly probes: readonly string[];
  readonly reads?: readonly string[];
  readonly readsLive?: readonly string[];
  /** What it does between its queues and DRIVER_OK. */
  readonly fill?: (pair: Pair) => void | Promise<void>;
}

/** Where the balloon's statistics go. */
const STATSQ = 2;

/** By device type. */
export const LINUX_DRIVERS: Readonly<Record<string, LinuxDriver>> = {
  net: {
    model: () => new NetModel({ mtu: 1500, mac: "52:54:00:12:34:56", speed: 1000, duplex: "full" }),
    knows: ["MTU", "MAC", "MRG_RXBUF", "STATUS", "SPEED_DUPLEX"],
    validate: netValidate,
    probes: ["mac", "mtu"],
    readsLive: ["status", "speed", "duplex"],
  },
  blk: {
    model: () => new BlkModel(new MemoryBackend(new Uint8Array(1 << 20))),
    knows: ["SEG_MAX", "BLK_SIZE", "FLUSH"],
    probes: ["seg_max"],
    reads: ["blk_size", "capacity"],
  },
  console: {
    model: () => new ConsoleModel({ offers: ["SIZE", "EMERG_WRITE"] }),
    knows: ["SIZE"],
    probes: [],
  },
  entropy: { model: () => new RngModel(), knows: [], probes: [] },
  balloon: {
    model: () => new BalloonModel(),
    knows: ["MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "PAGE_POISON"],
    validate: balloonValidate({ fillsPages: false }),
    probes: [],
    async fill({ driver, device }) {
      await balloonPoison(driver, 0xaa);
      if (driver.negotiated?.has("STATS_VQ", "balloon")) device.notify(STATSQ);
    },
    readsLive: ["num_pages"],
  },
};

/** What devices are made to offer of the reserved features; with ACCESS_PLATFORM and ORDER_PLATFORM, which RAM bears. */
export const OFFER: readonly string[] = [
  ...["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "IN_ORDER", "RING_RESET", "SUSPEND"],
  ...["ACCESS_PLATFORM", "ORDER_PLATFORM"],
];

/** What Linux passes through of these; IN_ORDER and SUSPEND are not known to it. */
export const KNOWN: readonly string[] = OFFER.filter((name) => name !== "IN_ORDER" && name !== "SUSPEND");
