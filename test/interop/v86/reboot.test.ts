/**
 * A guest that boots from one of our disks and reboots: the firmware reads the kernel over a split ring, Linux takes the
 * same disk over a packed one; the machine's reset, from inside and from outside, resets the disk before the firmware looks
 * for it, and all of it goes again. What was written stays. One machine.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VirtioError } from "../../../src/errors";
import { type BlkBackend, BlkModel, type GuestBytes, MemoryBackend } from "../../../src/models";
import type { ControlEvent } from "../../../src/negotiation/control-event";
import { type Attachment, attach } from "../../../src/v86";
import { GuestMissing } from "./apt";
import { type BootDisk, bootDisk, type Extent, findBootTools } from "./boot-disk";
import { Linux } from "./linux";
import { findGuestFiles } from "./packages";
import { LIMIT, LONG } from "./patience";
import { diskFile, virtioDevices } from "./sysfs";

const files = findGuestFiles();
const tools = findBootTools();
const missing = [files, tools].find((one) => one instanceof GuestMissing)?.message;
const SECTOR_BYTES = 512;
const MIB = 1024 * 1024;
/** What the log shows of a boot: the firmware's turn, which finds the disk reset, and Linux's. */
const BOOT = ["still reset", "split", "reset", "packed"];

/** Where the boot disk was read since the last look. */
class WatchedBackend implements BlkBackend {
  readonly sectors: number;
  private readonly inner: MemoryBackend;
  private readonly seen = new Set<number>();

  constructor(bytes: Uint8Array) {
    this.inner = new MemoryBackend(bytes);
    this.sectors = this.inner.sectors;
  }

  read(sector: number, target: GuestBytes): void {
    for (let i = 0; i < target.length / SECTOR_BYTES; i++) this.seen.add(sector + i);
    this.inner.read(sector, target);
  }

  write(sector: number, source: GuestBytes): void {
    this.inner.write(sector, source);
  }

  flush(): void {}

  /** How many sectors of the extents were read; forgets all. */
  take(...extents: Extent[]): number[] {
    const counts = extents.map(
      ({ first, count }) => [...this.seen].filter((at) => at >= first && at < first + count).length,
    );
    this.seen.clear();
    return counts;
  }
}

it("the boot disk's packages are there", ({ skip }) => {
  if (missing !== undefined) console.warn(missing);
  skip(missing !== undefined && process.env.CI === undefined, missing);
  expect(missing).toBeUndefined();
});

describe.skipIf(missing !== undefined)("a guest that boots from our disk", { timeout: LIMIT }, () => {
  const data = new MemoryBackend(new Uint8Array(16 * MIB));
  const steps: string[] = [];
  const violations: VirtioError[] = [];
  /** For each boot, how many sectors of kernel and initrd the firmware had read when Linux took the disk. */
  const loaded: number[][] = [];
  let disk: BootDisk;
  let running: Linux | undefined;
  let attached: Attachment | undefined;

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    if (tools instanceof GuestMissing) throw tools;
    disk = bootDisk(files, tools);
    const boot = new WatchedBackend(disk.bytes);
    const onViolation = (error: VirtioError) => violations.push(error);
    const onEvent = ({ step, field, before, after = "" }: ControlEvent) => {
      if (step === "layout") steps.push(after);
      if (step === "reset" && field === "status") steps.push(before === after ? "still reset" : "reset");
      if (step === "layout" && after === "split") boot.take();
      if (step === "layout" && after === "packed") loaded.push(boot.take(disk.kernel, disk.initrd));
    };
    running = await Linux.start(files, {
      fromDisk: true,
      prepare: async (emulator) => {
        attached = await attach(emulator, [
          { model: new BlkModel(boot, { id: "boot" }), name: "boot", onViolation, onEvent },
          { model: new BlkModel(data, { id: "data" }), name: "data", onViolation },
        ]);
      },
    });
  }, LIMIT);

  afterAll(() => running?.stop());

  function guest(): Linux {
    if (running === undefined) throw new Error("the guest did not boot");
    return running;
  }

  const bootId = () => guest().succeed("cat /proc/sys/kernel/random/boot_id");
  const mount = async () => guest().succeed(`mount -t ext4 ${await diskFile(guest(), "data")} /mnt`);

  /** What is so after each boot; the log has one boot more than before. */
  async function expectBooted(boots: number): Promise<void> {
    console.log(steps.join(", "));
    const log = Array.from({ length: boots }, (_, i) => (i === 0 ? BOOT : ["reset", ...BOOT])).flat();
    expect(steps.filter((step, i) => step !== steps[i - 1])).toEqual(log);
    console.log(`read by the firmware, of kernel and initrd: ${loaded.at(-1)?.join(" and ")} sectors`);
    expect(loaded.at(-1)).toEqual([disk.kernel.count, disk.initrd.count]);
    for (const { name, type, negotiated } of await virtioDevices(guest())) {
      console.log(`${name} (${type}): ${negotiated.toString(type)}`);
      expect(negotiated.has("RING_PACKED")).toBe(true);
    }
    console.table(attached?.counters);
    expect(attached?.devices.map(({ device }) => device.phase)).toEqual(["live", "live"]);
    expect(violations.map(({ message }) => message)).toEqual([]);
  }

  it("is loaded by the firmware over a split ring, and goes on over a packed one", async () => {
    await expectBooted(1);
    await guest().succeed(`mke2fs ${await diskFile(guest(), "data")}`);
  });

  it.each([
    ["reboots", 2, () => guest().reboot()],
    ["is restarted from outside", 3, () => guest().restart()],
  ] as const)("%s, and finds what it wrote", async (_, boots, again) => {
    const before = await bootId();
    await mount();
    await guest().succeed(`dd if=/dev/urandom of=/mnt/${boots} bs=64k count=64; sync`, LONG);
    const sums = await guest().succeed("md5sum /mnt/[0-9]*", LONG);
    await again();
    await expectBooted(boots);
    expect(await bootId()).not.toBe(before);
    await mount();
    expect(await guest().succeed("md5sum /mnt/[0-9]*", LONG)).toBe(sums);
    await guest().succeed("umount /mnt");
  });
});
