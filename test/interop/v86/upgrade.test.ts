/** v86's own devices with our rings under them, driven by Linux: pings through the net device, files through 9p. */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UpgradedDevice } from "../../../src/adapters/v86/device";
import { upgrade } from "../../../src/adapters/v86/upgrade";
import type { VirtioError } from "../../../src/errors";
import { BOOT_PATIENCE, Linux } from "./linux";
import { findGuestFiles, GuestMissing } from "./packages";
import { virtioDevices } from "./sysfs";

const files = findGuestFiles();
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

describe.skipIf(files instanceof GuestMissing)("v86's devices, upgraded", () => {
  let linux: Linux | undefined;
  let upgraded: readonly UpgradedDevice[] = [];
  const violations: VirtioError[] = [];

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    linux = await Linux.start(files, {
      v86: {
        net_device: { type: "virtio", relay_url: "fetch" },
        filesystem: {},
        virtio_console: { type: "none" },
        virtio_balloon: true,
      },
      prepare: async (emulator) => {
        upgraded = await upgrade(emulator, { onViolation: (error) => violations.push(error) });
      },
    });
  }, BOOT_PATIENCE);

  afterAll(() => linux?.stop());

  function guest(): Linux {
    if (linux === undefined) throw new Error("the guest did not boot");
    return linux;
  }

  it("negotiate packed rings, indirect descriptors and event indices", async () => {
    const devices = await virtioDevices(guest());
    console.log(
      devices
        .map(({ name, type, negotiated }) => `${name} (${type}): ${negotiated.toString(type)}`)
        .join("\n"),
    );
    expect(devices.map(({ type, driver }) => [type, driver]).sort()).toEqual([
      ["9p", "9pnet_virtio"],
      ["balloon", "virtio_balloon"],
      ["console", "virtio_console"],
      ["net", "virtio_net"],
    ]);
    for (const { type, negotiated } of devices) {
      for (const feature of ["RING_PACKED", "INDIRECT_DESC", "EVENT_IDX"])
        expect(negotiated.has(feature)).toBe(true);
      const device = upgraded.find((one) => one.type === type);
      expect(device?.negotiated?.equals(negotiated)).toBe(true);
      expect(device?.ring).toMatchObject({ layout: "packed", indirect: true, eventIdx: true });
    }
  });

  it("carry pings of every size", async () => {
    await guest().succeed("ifconfig eth0 192.168.86.100 up");
    for (const bytes of [0, 1, 56, 500, 1472]) {
      const said = await guest().succeed(`ping -q -c 100 -i 0.01 -s ${bytes} 192.168.86.1`);
      expect(said).toContain("100 packets transmitted, 100 packets received");
    }
  });

  it("read and write files", async () => {
    const read = randomBytes(1_000_003);
    await guest().emulator.create_file("/down", read);
    await guest().succeed("mount -t 9p -o trans=virtio,version=9p2000.L host9p /mnt");
    expect(await guest().succeed("md5sum /mnt/down")).toContain(md5(read));
    await guest().succeed("dd if=/dev/urandom of=/tmp/up bs=4k count=300; cp /tmp/up /mnt/up; sync");
    expect(await guest().succeed("md5sum /tmp/up")).toContain(md5(await guest().emulator.read_file("/up")));
  });

  it("break nothing", () => {
    expect(violations).toEqual([]);
    expect(upgraded.map(({ needsReset }) => needsReset)).toEqual([false, false, false, false]);
  });
});
