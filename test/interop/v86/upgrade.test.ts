/**
 * v86's own devices with our rings under them, driven by Linux: pings through the net device in every layout, files
 * through 9p, lines through the console, pages through the balloon, and a snapshot. One boot for all of it.
 */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UpgradedDevice } from "../../../src/adapters/v86/device";
import { STOCK_DEVICES, type StockDevice, stockDevice, v86Cpu } from "../../../src/adapters/v86/hooks";
import { upgrade } from "../../../src/adapters/v86/upgrade";
import type { VirtioError } from "../../../src/errors";
import { FeatureSet } from "../../../src/negotiation/feature-set";
import { GuestMissing } from "./apt";
import { balloons, carryLines } from "./guest-work";
import { Linux } from "./linux";
import { expectOnRecord } from "./on-record";
import { findGuestFiles } from "./packages";
import { LIMIT } from "./patience";
import { type VirtioInSysfs, virtioDevices } from "./sysfs";
import { type Processor, Witness } from "./witness";

const files = findGuestFiles();
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

const TYPES = Object.keys(STOCK_DEVICES) as StockDevice[];
const RING_FEATURES = ["RING_PACKED", "INDIRECT_DESC", "EVENT_IDX"];
/** Every subset. */
const OFFERS = Array.from({ length: 8 }, (_, i) => RING_FEATURES.filter((_, bit) => (i >> bit) & 1));

/** v86's balloon model, which has no interface but this. */
interface Balloon {
  Inflate(pages: number): void;
  Deflate(pages: number): void;
  GetStats(take: (statistics: Readonly<Record<string, number>>) => void): void;
}

describe.skipIf(files instanceof GuestMissing)("v86's devices, upgraded", { timeout: LIMIT }, () => {
  let running: Linux | undefined;
  let upgraded: readonly UpgradedDevice[] = [];
  const violations: VirtioError[] = [];
  const witness = new Witness();

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    running = await Linux.start(files, {
      v86: {
        net_device: { type: "virtio", relay_url: "fetch" },
        filesystem: {},
        virtio_console: { type: "none" },
        virtio_balloon: true,
      },
      prepare: async (emulator) => {
        witness.attend((emulator as unknown as { v86: { cpu: Processor } }).v86.cpu);
        const sinks = new Map(
          TYPES.map((type) => [type, witness.watch({ type, ring: "upgraded", maker: "v86" })]),
        );
        upgraded = await upgrade(emulator, {
          onViolation: (error) => violations.push(error),
          onEvent: (event, type) => sinks.get(type)?.(event),
        });
      },
    });
    await running.succeed("ifconfig eth0 192.168.86.100 up");
  }, LIMIT);

  afterAll(() => running?.stop());

  function guest(): Linux {
    if (running === undefined) throw new Error("the guest did not boot");
    return running;
  }

  async function inGuest(type: string): Promise<VirtioInSysfs> {
    const device = (await virtioDevices(guest())).find((one) => one.type === type);
    if (device === undefined) throw new Error(`the guest has no ${type} device`);
    return device;
  }

  async function ping(count: number, bytes: number): Promise<void> {
    const said = await guest().succeed(`ping -q -c ${count} -i 0.01 -s ${bytes} 192.168.86.1`);
    expect(said).toContain(`${count} packets transmitted, ${count} packets received`);
  }

  it("negotiate packed rings, indirect descriptors and event indices", async () => {
    const devices = await virtioDevices(guest());
    expect(devices.map(({ type, driver }) => [type, driver]).sort()).toEqual([
      ["9p", "9pnet_virtio"],
      ["balloon", "virtio_balloon"],
      ["console", "virtio_console"],
      ["net", "virtio_net"],
    ]);
    for (const { name, type, negotiated } of devices) {
      console.log(`${name} (${type}): ${negotiated.toString(type)}`);
      expect(FeatureSet.from(RING_FEATURES).isSubsetOf(negotiated)).toBe(true);
      const device = upgraded.find((one) => one.type === type);
      expect(device?.negotiated?.equals(negotiated)).toBe(true);
      expect(device?.ring).toMatchObject({ layout: "packed", indirect: true, eventIdx: true });
    }
  });

  it.each(OFFERS.map((offer) => [offer.join(" ") || "none of them", offer] as const))(
    "carry pings with %s offered",
    async (_, offer) => {
      const { name, driver } = await inGuest("net");
      const bind = (how: string) =>
        guest().succeed(`echo ${name} > /sys/bus/virtio/drivers/${driver}/${how}`);
      await bind("unbind");
      const virtio = stockDevice(v86Cpu(guest().emulator), "net")?.virtio;
      if (virtio === undefined) throw new Error("no net device");
      const others = FeatureSet.fromWords([...virtio.device_feature]).without(...RING_FEATURES);
      virtio.device_feature.set(others.with(...offer).words);
      await bind("bind");
      await guest().succeed("ifconfig eth0 192.168.86.100 up");
      const { negotiated } = await inGuest("net");
      expect(RING_FEATURES.filter((feature) => negotiated.has(feature))).toEqual(offer);
      for (const bytes of [0, 56, 1472]) await ping(50, bytes);
    },
  );

  it("read and write files", async () => {
    const { emulator } = guest();
    const down = randomBytes(1_000_003);
    await emulator.create_file("/down", down);
    await guest().succeed("mount -t 9p -o trans=virtio,version=9p2000.L host9p /mnt");
    expect(await guest().succeed("md5sum /mnt/down")).toContain(md5(down));
    const make = "dd if=/dev/urandom of=/tmp/up bs=4k count=300";
    await guest().succeed(`${make}; cp /tmp/up /mnt/up; sync`);
    expect(await guest().succeed("md5sum /tmp/up")).toContain(md5(await emulator.read_file("/up")));
  });

  it("carry lines through the console, in both directions", async () => {
    const { emulator } = guest();
    const printed: Buffer[] = [];
    emulator.add_listener("virtio-console0-output-bytes", (bytes) => printed.push(Buffer.from(bytes)));
    await carryLines(guest(), {
      printed: () => Buffer.concat(printed).toString(),
      type: (bytes) => guest().send("virtio-console0-input-bytes", bytes),
    });
  });

  it("take pages into the balloon and give them back, and tell statistics", async () => {
    const balloon = v86Cpu(guest().emulator).devices.virtio_balloon as unknown as Balloon;
    const inflate = (pages: number) => balloon.Inflate(pages);
    const before = await balloons(guest(), inflate, () => balloon.Deflate(1024));
    const statistics = await new Promise<Readonly<Record<string, number>>>((take) => balloon.GetStats(take));
    expect(Number(statistics.MEMTOT)).toBe(before * 1024);
  });

  it("go on from a snapshot", async () => {
    const { emulator } = guest();
    await guest().succeed("echo before > /tmp/when");
    await emulator.stop();
    const state = await emulator.save_state();
    await emulator.run();
    await ping(50, 500);
    await guest().succeed("echo after > /tmp/when");
    await emulator.stop();
    await emulator.restore_state(state);
    await emulator.run();
    expect(await guest().succeed("cat /tmp/when")).toBe("before");
    await ping(50, 500);
    expect(await guest().succeed("md5sum /mnt/up")).toContain(md5(await emulator.read_file("/up")));
  });

  it("are driven as is on record", async () => {
    await expectOnRecord(witness, {
      boot: "upgraded",
      guests: { Linux: "6.1" },
      driven: [["Linux", TYPES]],
      ring: "upgraded",
    });
  });

  it("break nothing", () => {
    expect(violations).toEqual([]);
    expect(upgraded.map(({ needsReset }) => needsReset)).toEqual([false, false, false, false]);
  });
});
