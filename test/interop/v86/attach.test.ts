/**
 * Our devices on v86's PCI bus, driven by Linux: disks in both layouts, a network, entropy, a console and a balloon. One
 * boot for all of it, and what the firmware did before it.
 */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VirtioError } from "../../../src/errors";
import { BalloonModel, BlkModel, ConsoleModel, MemoryBackend, NetModel, RngModel } from "../../../src/models";
import type { ControlEvent } from "../../../src/negotiation/control-event";
import { type AttachedDevice, type Attachment, attach } from "../../../src/v86";
import { GuestMissing } from "./apt";
import { checkExt, missingCheck } from "./check-ext";
import { balloons, carryLines } from "./guest-work";
import { Linux } from "./linux";
import { NetPeer } from "./net-peer";
import { findGuestFiles } from "./packages";
import { LIMIT, LONG } from "./patience";
import { diskFile, virtioDevices } from "./sysfs";

const files = findGuestFiles();
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
const MIB = 1024 * 1024;
const GUEST = "10.0.0.2";
const PEER = "10.0.0.1";
/** What the entropy source gives. */
const ENTROPY = 0xa5;

describe.skipIf(files instanceof GuestMissing)("our devices on v86's bus", { timeout: LIMIT }, () => {
  const packedDisk = new MemoryBackend(randomBytes(16 * MIB));
  const splitDisk = new MemoryBackend(randomBytes(16 * MIB));
  const net = new NetModel({ mac: "52:54:00:12:34:56" });
  // With DEFLATE_ON_OOM Linux would not count the pages as gone.
  const balloon = new BalloonModel({ offers: ["MUST_TELL_HOST", "STATS_VQ"] });
  const printed: Buffer[] = [];
  const terminal = new ConsoleModel({ onOutput: (bytes) => printed.push(Buffer.from(bytes)) });
  const rng = new RngModel((bytes) => void bytes.fill(ENTROPY));
  const peer = new NetPeer(net, PEER);
  const events: ControlEvent[] = [];
  const violations: VirtioError[] = [];
  let running: Linux | undefined;
  let attached: Attachment | undefined;

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    const onViolation = (error: VirtioError) => violations.push(error);
    const onEvent = (event: ControlEvent) => events.push(event);
    running = await Linux.start(files, {
      prepare: async (emulator) => {
        attached = await attach(emulator, [
          { model: new BlkModel(packedDisk, { id: "packed" }), name: "packed", onViolation, onEvent },
          {
            model: new BlkModel(splitDisk, { id: "split" }),
            name: "split",
            offer: ["VERSION_1"],
            onViolation,
          },
          ...[net, rng, terminal, balloon].map((model) => ({ model, onViolation })),
        ]);
      },
    });
    await running.succeed(`ifconfig eth0 ${GUEST} up`);
  }, LIMIT);

  afterAll(async () => {
    if (attached !== undefined) console.table(attached.counters);
    await running?.stop();
  });

  function guest(): Linux {
    if (running === undefined) throw new Error("the guest did not boot");
    return running;
  }

  function attachment(): Attachment {
    if (attached === undefined) throw new Error("nothing was attached");
    return attached;
  }

  function named(name: string): AttachedDevice {
    const device = attachment().devices.find((one) => one.name === name);
    if (device === undefined) throw new Error(`no device ${name}`);
    return device;
  }

  it("are found by Linux, which negotiates what is offered", async () => {
    const found = await virtioDevices(guest());
    for (const { name, type, negotiated } of found)
      console.log(`${name} (${type}): ${negotiated.toString(type)}`);
    expect(found.map(({ type, driver }) => [type, driver]).sort()).toEqual([
      ["balloon", "virtio_balloon"],
      ["blk", "virtio_blk"],
      ["blk", "virtio_blk"],
      ["console", "virtio_console"],
      ["entropy", "virtio_rng"],
      ["net", "virtio_net"],
    ]);
    expect(named("packed").device.ring).toMatchObject({ layout: "packed", indirect: true, eventIdx: true });
    expect(named("split").device.ring).toMatchObject({ layout: "split", indirect: false, eventIdx: false });
    for (const { device } of attachment().devices) {
      const same = found.filter(({ negotiated }) => device.negotiated?.equals(negotiated));
      expect(same.length).toBeGreaterThan(0);
    }
  });

  it("carry SeaBIOS first, over a split ring, and Linux after the reset over a packed one", () => {
    const steps = events
      .filter(({ step, field }) => step === "layout" || (step === "reset" && field === "status"))
      .map(({ step, after }) => (step === "layout" ? after : "reset"));
    console.log(steps.join(", "));
    const settled = steps.filter((step, i) => step !== "reset" || steps[i - 1] !== "reset");
    expect(settled).toEqual(["reset", "split", "reset", "packed"]);
  });

  it.each(["packed", "split"] as const)("the %s disk: 8 MiB each way", async (name) => {
    const { bytes } = name === "packed" ? packedDisk : splitDisk;
    const file = await diskFile(guest(), name);
    const half = bytes.length / 2;
    const before = named(name).counters;
    const read = await guest().succeed(`dd if=${file} bs=64k count=128 | md5sum`, LONG);
    expect(read).toContain(md5(bytes.subarray(0, half)));
    const write = `dd if=/dev/urandom of=/tmp/up bs=64k count=128; dd if=/tmp/up of=${file} bs=64k seek=128; sync`;
    await guest().succeed(write, LONG);
    expect(await guest().succeed("md5sum /tmp/up; rm /tmp/up", LONG)).toContain(md5(bytes.subarray(half)));
    const after = named(name).counters;
    expect(after.bytesFromDevice - before.bytesFromDevice).toBeGreaterThanOrEqual(half);
    expect(after.bytesToDevice - before.bytesToDevice).toBeGreaterThanOrEqual(half);
  });

  const unchecked = missingCheck();
  it.for(["packed", "split"] as const)(
    "the %s disk: a file system, checked from outside",
    async (name, { skip }) => {
      if (unchecked !== undefined) console.warn(unchecked);
      skip(unchecked !== undefined && process.env.CI === undefined, unchecked);
      const backend = name === "packed" ? packedDisk : splitDisk;
      const file = await diskFile(guest(), name);
      await guest().succeed(`mke2fs ${file} && mount -t ext4 ${file} /mnt`);
      const fill =
        "for i in $(seq 1 40); do dd if=/dev/urandom of=/mnt/$i bs=1k count=$((i*5)) 2>/dev/null; done";
      await guest().succeed(`${fill}; mkdir /mnt/d; rm /mnt/7; ln -s 8 /mnt/d/link`, LONG);
      const sums = await guest().succeed("cat /mnt/[0-9]* | md5sum", LONG);
      await guest().succeed("umount /mnt; echo 3 > /proc/sys/vm/drop_caches");
      expect(checkExt(backend.bytes)).toContain("52/4096 files");
      await guest().succeed(`mount -t ext4 ${file} /mnt`);
      expect(await guest().succeed("cat /mnt/[0-9]* | md5sum; umount /mnt", LONG)).toContain(sums);
    },
  );

  it("the disk has fewer interrupts than half its chains with 32 requests in flight", async () => {
    const file = await diskFile(guest(), "packed");
    const before = named("packed").counters;
    const one = `dd if=${file} of=/dev/null iflag=direct bs=4k count=32`;
    await guest().succeed(`for i in $(seq 1 32); do ${one} skip=$((i*32)) 2>/dev/null & done; wait`, LONG);
    const after = named("packed").counters;
    const chains = after.chains - before.chains;
    const interrupts = after.interrupts - before.interrupts;
    console.log(`${chains} chains, ${interrupts} interrupts: ${(interrupts / chains).toFixed(3)} a chain`);
    expect(chains).toBeGreaterThanOrEqual(32 * 32);
    expect(interrupts / chains).toBeLessThan(0.5);
  });

  it("the network: 1000 pings of every size, and a file over TCP and back", async () => {
    for (const bytes of [0, 1, 56, 500, 1472]) {
      const said = await guest().succeed(`ping -q -c 200 -i 0.01 -s ${bytes} ${PEER}`, LONG);
      expect(said).toContain("200 packets transmitted, 200 packets received");
    }
    expect(peer.counts.pings).toBe(1000);
    await guest().succeed("dd if=/dev/urandom of=/tmp/up bs=64k count=16");
    const [sent, back] = (
      await guest().succeed(`md5sum < /tmp/up; nc ${PEER} 7 < /tmp/up | md5sum`, LONG)
    ).split("\n");
    expect(back).toBe(sent);
    expect(peer.counts).toMatchObject({ received: MIB, broken: 0 });
    expect(named("net0").counters.drops).toBe(0);
  });

  it("the entropy device is read", async () => {
    const read = "dd if=/dev/hwrng bs=1k count=16 iflag=fullblock 2>/dev/null";
    const octal = ENTROPY.toString(8);
    expect(await guest().succeed(`${read} | wc -c; ${read} | tr -d '\\${octal}' | wc -c`)).toBe("16384\n0");
  });

  it("the console carries lines both ways", async () => {
    await carryLines(guest(), {
      printed: () => Buffer.concat(printed).toString(),
      type: (bytes) => expect(terminal.input(bytes)).toBe(bytes.length),
    });
  });

  it("the balloon takes pages and gives them back", async () => {
    const inflate = (pages: number) => balloon.target(pages);
    await balloons(guest(), inflate, () => {
      expect(balloon.actual).toBe(1024);
      balloon.target(0);
    });
    expect(balloon.actual).toBe(0);
  });

  it("break nothing", () => {
    expect(violations.map(({ message }) => message)).toEqual([]);
    expect(attachment().devices.map(({ device }) => device.phase)).toEqual(new Array(6).fill("live"));
  });
});
