/** The rig itself: Linux boots in v86 with v86's own virtio devices, untouched, and its shell can be driven. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GuestMissing } from "./apt";
import { Linux } from "./linux";
import { findGuestFiles } from "./packages";
import { LIMIT } from "./patience";
import { virtioDevices } from "./sysfs";

const files = findGuestFiles();
const missing = files instanceof GuestMissing ? files.message : undefined;

it("the guest's packages are there", ({ skip }) => {
  if (missing !== undefined) console.warn(missing);
  skip(missing !== undefined && process.env.CI === undefined, missing);
  expect(missing).toBeUndefined();
});

describe.skipIf(missing !== undefined)("Linux with v86's own devices", { timeout: LIMIT }, () => {
  let linux: Linux | undefined;

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    linux = await Linux.start(files, {
      v86: { net_device: { type: "virtio", relay_url: "fetch" }, filesystem: {} },
    });
  }, LIMIT);

  afterAll(() => linux?.stop());

  function guest(): Linux {
    if (linux === undefined) throw new Error("the guest did not boot");
    return linux;
  }

  it("runs commands, with their output and exit codes", async () => {
    expect(await guest().succeed("uname -r")).toMatch(/^6\.1\.0-\d+-686$/);
    expect(await guest().run("echo one; echo two >&2; exit 3")).toEqual({ output: "one\ntwo", code: 3 });
    expect(await guest().run("cat")).toEqual({ output: "", code: 0 });
    await expect(guest().succeed("echo why; false")).rejects.toThrow("exit code 1: why");
  });

  it("says what the console showed when a command takes too long", async () => {
    await expect(guest().run("echo before; sleep 1", 1)).rejects.toThrow(/sleep 1: nothing after 1 ms/);
    expect(await guest().succeed("echo after")).toBe("after");
  });

  it("negotiates split rings with v86's devices", async () => {
    const devices = await virtioDevices(guest());
    expect(devices.map(({ type, driver }) => [type, driver])).toEqual([
      ["9p", "9pnet_virtio"],
      ["net", "virtio_net"],
    ]);
    for (const { negotiated, name, type } of devices) {
      console.log(`${name} (${type}): ${negotiated.toString(type)}`);
      expect(negotiated.has("VERSION_1")).toBe(true);
      expect(negotiated.has("RING_PACKED")).toBe(false);
    }
  });
});
