/** What QEMU's devices make of features that bind a driver: an MTU, an IOMMU. PAGE_POISON is in balloon.test.ts. */
import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { BLK_DRIVER_FEATURES, BlkDriver } from "../../../src/driver/blk";
import { NET_DRIVER_FEATURES, netProbe, netValidate } from "../../../src/driver/net-features";
import { Guest } from "./guest";
import { eachQemu, type Lab } from "./lab";

/** A driver of a network device whose MTU is the host's. */
async function netDriver(lab: Lab, mtu: number) {
  const machine = await lab.start([
    ...["-netdev", "hubport,id=n0,hubid=0"],
    ...["-device", `virtio-net-device,netdev=n0,host_mtu=${mtu},mac=52:54:00:12:34:56`],
  ]);
  const guest = await Guest.of(machine);
  return guest.attach(machine.devices()[0], {
    supports: NET_DRIVER_FEATURES.concat("VERSION_1"),
    deviceType: "net",
    queues: 2,
    validate: netValidate,
    probe: netProbe,
  });
}

/** A disk of one sector behind an IOMMU, and a driver with these features more. */
async function platformDisk(lab: Lab, more: readonly string[]) {
  const image = lab.file("disk.img");
  writeFileSync(image, Buffer.alloc(512, 0x5a));
  const machine = await lab.start([
    ...["-blockdev", `driver=file,node-name=d0,filename=${image}`],
    ...["-device", "virtio-blk-device,drive=d0,iommu_platform=on"],
  ]);
  const guest = await Guest.of(machine);
  const supports = ["VERSION_1", ...BLK_DRIVER_FEATURES, ...more];
  const driver = await guest.attach(machine.devices()[0], { supports, deviceType: "blk", queues: 1 });
  return { guest, driver };
}

eachQemu("negotiation", (lab) => {
  it("host_mtu: MTU is accepted, then read", async () => {
    const driver = await netDriver(lab, 1400);
    const result = await driver.initialize();
    expect(result.ok && result.negotiated.has("MTU", "net")).toBe(true);
    expect(await driver.readConfigField("mtu")).toBe(1400);
    lab.tell(`net: ${result.ok && result.negotiated.names("net").join(" ")}; mtu 1400`);
  });

  it("host_mtu below 68: MTU is accepted, read, and dropped in a second set", async () => {
    const driver = await netDriver(lab, 60);
    const result = await driver.initialize();
    expect(result.ok && result.negotiated.has("MTU", "net")).toBe(false);
    expect(driver.offered.has("MTU", "net")).toBe(true);
    expect(result.ok).toBe(true);
    lab.tell("net: MTU offered, not negotiated: mtu 60");
  });

  it("iommu_platform: refused without ACCESS_PLATFORM", async () => {
    const { driver } = await platformDisk(lab, []);
    expect(await driver.initialize()).toMatchObject({ ok: false, code: "FEATURES_REFUSED" });
    lab.tell("blk with iommu_platform: refused without ACCESS_PLATFORM");
  });

  it("iommu_platform: works with ACCESS_PLATFORM", async () => {
    const { guest, driver } = await platformDisk(lab, ["ACCESS_PLATFORM"]);
    expect(await driver.initialize()).toMatchObject({ ok: true });
    const blk = await BlkDriver.start(driver, guest.core, guest.allocator);
    const at = guest.allocator.allocate(512, 512);
    blk.read(0, at, 512);
    await blk.submit();
    await guest.until(() => blk.poll(() => {}) > 0);
    expect(Buffer.from(guest.core.view(at, 512)).equals(Buffer.alloc(512, 0x5a))).toBe(true);
    lab.tell("blk with iommu_platform: ACCESS_PLATFORM negotiated, a sector read");
  });
});
