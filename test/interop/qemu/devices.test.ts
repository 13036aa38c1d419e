/** QEMU's entropy device and console behind the driver half, and what its devices make of features that limit a driver. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BLK_DRIVER_FEATURES } from "../../../src/driver/blk";
import { CONSOLE_DRIVER_FEATURES, ConsoleDriver } from "../../../src/driver/console";
import { NET_DRIVER_FEATURES, netProbe, netValidate } from "../../../src/driver/net-features";
import { RngDriver } from "../../../src/driver/rng";
import { Guest } from "./guest";
import { Machine, QEMU } from "./machine";

const RING = {
  split: ["VERSION_1", "EVENT_IDX"],
  packed: ["VERSION_1", "EVENT_IDX", "RING_PACKED"],
} as const;

describe.skipIf(QEMU === undefined)("QEMU", () => {
  let folder = "";
  let machine: Machine | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "virtq-interop-"));
  });

  afterEach(async () => {
    await machine?.stop();
    machine = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  /** A machine with these arguments, and the driver of its first device. */
  async function guestOf(argv: readonly string[], options: Parameters<typeof Guest.of>[2]): Promise<Guest> {
    machine = await Machine.start(...argv);
    return Guest.of(machine, machine.devices()[0], options);
  }

  describe.each(["split", "packed"] as const)("%s", (layout) => {
    /**
     * QEMU leaves VIRTQ_DESC_F_WRITE out of packed used descriptors, whose length a driver must ignore then (§2.8.4): it
     * can't know what a device wrote, so only what it sends can be compared.
     */
    const tellsLengths = layout === "split";

    /** An initialised driver, and what was negotiated. */
    async function started(
      argv: readonly string[],
      deviceType: "entropy" | "console",
      queues: number,
      own: readonly string[],
    ) {
      const guest = await guestOf(argv, {
        supports: [...RING[layout], ...own],
        deviceType,
        queues,
        queueSize: 8,
      });
      const result = await guest.driver.initialize();
      expect(result).toMatchObject({ ok: true, ring: { layout } });
      return { guest, names: guest.driver.negotiated?.names(deviceType).join(" ") };
    }

    const packed = `packed=${layout === "packed" ? "on" : "off"}`;

    it("virtio-rng finishes requests, with its source's bytes as far as it tells their length", async () => {
      const source = join(folder, "source");
      const bytes = randomBytes(64 * 1024);
      writeFileSync(source, bytes);
      const argv = [
        "-object",
        `rng-random,id=r0,filename=${source}`,
        "-device",
        `virtio-rng-device,rng=r0,${packed}`,
      ];
      const { guest, names } = await started(argv, "entropy", 1, []);
      const rng = new RngDriver(guest.driver, guest.core, guest.allocator);
      const received: Buffer[] = [];
      let count = 0;
      for (let i = 0; i < 16; i++) {
        for (let j = 0; j < 4; j++) expect(rng.request(64)).toBeGreaterThan(0);
        await rng.submit();
        await guest.until(() => {
          count += rng.poll((_, view) => received.push(Buffer.from(view)));
          return rng.inFlight === 0;
        });
      }
      expect(count).toBe(64);
      for (const part of received) {
        if (!tellsLengths) continue;
        expect(part.length).toBeGreaterThan(0);
        expect(bytes.includes(part)).toBe(true);
      }
      console.log(`rng: ${names}; ${count} requests, ${Buffer.concat(received).length} bytes`);
    });

    it("virtio-console carries output, and input as far as it tells its length", async () => {
      const pipe = join(folder, "tty");
      execFileSync("mkfifo", [`${pipe}.in`, `${pipe}.out`]);
      const argv = [
        ...["-chardev", `pipe,id=c0,path=${pipe}`, "-device", `virtio-serial-device,${packed}`],
        ...["-device", "virtconsole,chardev=c0"],
      ];
      const { guest, names } = await started(argv, "console", 2, CONSOLE_DRIVER_FEATURES);
      const console_ = await ConsoleDriver.start(guest.driver, guest.core, guest.allocator);
      const input = openSync(`${pipe}.in`, constants.O_WRONLY | constants.O_NONBLOCK);
      const output = openSync(`${pipe}.out`, constants.O_RDONLY | constants.O_NONBLOCK);
      const sent = randomBytes(3000);
      const typed = randomBytes(3000);
      writeSync(input, typed);
      const got: Buffer[] = [];
      const length = () => got.reduce((sum, part) => sum + part.length, 0);
      let written = 0;
      await guest.until(async () => {
        console_.poll((bytes) => got.push(Buffer.from(bytes)));
        written += console_.write(sent.subarray(written));
        await console_.submit();
        return (
          written === sent.length && console_.inFlight === 0 && (!tellsLengths || length() >= typed.length)
        );
      });
      if (tellsLengths) expect(Buffer.concat(got).equals(typed)).toBe(true);
      const shown = Buffer.alloc(sent.length);
      expect(readSync(output, shown)).toBe(sent.length);
      expect(shown.equals(sent)).toBe(true);
      closeSync(input);
      closeSync(output);
      console.log(`console: ${names}; ${sent.length} bytes out, ${length()} bytes in`);
    });
  });

  it("virtio-net shows its MTU to a driver that validates against it", async () => {
    const argv = [
      ...["-netdev", "hubport,id=n0,hubid=0"],
      ...["-device", "virtio-net-device,netdev=n0,host_mtu=1400,mac=52:54:00:12:34:56"],
    ];
    const guest = await guestOf(argv, {
      supports: NET_DRIVER_FEATURES.concat("VERSION_1"),
      deviceType: "net",
      queues: 2,
      validate: netValidate,
      probe: netProbe,
    });
    const result = await guest.driver.initialize();
    expect(result.ok && result.negotiated.has("MTU", "net")).toBe(true);
    expect(await guest.driver.readConfigField("mtu")).toBe(1400);
    console.log(`net: ${result.ok && result.negotiated.names("net").join(" ")}; mtu 1400`);
  });

  it("virtio-blk behind an IOMMU refuses a driver without ACCESS_PLATFORM", async () => {
    const image = join(folder, "disk.img");
    writeFileSync(image, Buffer.alloc(4096));
    const argv = [
      ...["-blockdev", `driver=file,node-name=d0,filename=${image}`],
      ...["-device", "virtio-blk-device,drive=d0,iommu_platform=on"],
    ];
    const supports = ["VERSION_1", ...BLK_DRIVER_FEATURES];
    const guest = await guestOf(argv, { supports, deviceType: "blk", queues: 1 });
    expect(await guest.driver.initialize()).toMatchObject({ ok: false, code: "FEATURES_REFUSED" });
    console.log("blk with iommu_platform: refused without ACCESS_PLATFORM");
  });
});
