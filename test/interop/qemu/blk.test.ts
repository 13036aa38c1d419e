/**
 * virtio-blk of QEMU (§5.2) behind the driver half: every combination of ring layout, EVENT_IDX and INDIRECT_DESC, and
 * every byte against the image file.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BLK_DRIVER_FEATURES, BlkDriver } from "../../../src/driver/blk";
import { featureBit } from "../../../src/negotiation/feature-names";
import { VIRTIO_BLK_SECTOR_SIZE as SECTOR, VIRTIO_BLK_S_OK } from "../../../src/spec/blk";
import { Guest } from "./guest";
import { Machine, QEMU, QEMU_MISSING } from "./machine";

const SECTORS = 1024;
const BATCH = 32;

/** A disk with requests that are waited for. */
class Disk {
  private readonly blk: BlkDriver;
  private readonly guest: Guest;
  private readonly buffer: number;
  private requests = 0;
  private bytes = 0;

  constructor(blk: BlkDriver, guest: Guest) {
    this.blk = blk;
    this.guest = guest;
    this.buffer = guest.allocator.allocate(BATCH * 2 * SECTOR, SECTOR);
  }

  /** What has gone through the queue. */
  get moved(): string {
    return `${this.requests} requests, ${this.bytes} bytes of data`;
  }

  /** Reads `count` requests of `sectors` sectors each, all in flight at once. */
  async read(first: number, sectors: number, count: number): Promise<Buffer> {
    const length = sectors * SECTOR;
    this.memory(count * length).fill(0xee);
    this.bytes += count * length;
    await this.run(count, (i) => this.blk.read(first + i * sectors, this.buffer + i * length, length));
    return Buffer.from(this.memory(count * length));
  }

  async write(first: number, sectors: number, data: Uint8Array): Promise<void> {
    const length = sectors * SECTOR;
    this.memory(data.length).set(data);
    this.bytes += data.length;
    const count = data.length / length;
    await this.run(count, (i) => this.blk.write(first + i * sectors, this.buffer + i * length, length));
  }

  async id(): Promise<string> {
    this.memory(20).fill(0);
    await this.run(1, () => this.blk.getId(this.buffer));
    return this.memory(20).toString("latin1").replace(/\0+$/, "");
  }

  async flush(): Promise<void> {
    await this.run(1, () => this.blk.flush());
  }

  private memory(bytes: number): Buffer {
    const view = this.guest.core.view(this.buffer, bytes);
    return Buffer.from(view.buffer, view.byteOffset, bytes);
  }

  /** As many at once as the queue takes; tokens come back once each, in any order. */
  private async run(count: number, request: (i: number) => number): Promise<void> {
    const waiting = new Set<number>();
    let added = 0;
    this.requests += count;
    const add = () => {
      while (added < count) {
        const token = request(added);
        if (token === 0) break;
        expect(waiting.has(token)).toBe(false);
        waiting.add(token);
        added++;
      }
      return this.blk.submit();
    };
    await add();
    await this.guest.until(async () => {
      const taken = this.blk.poll((token, status) => {
        expect(status).toBe(VIRTIO_BLK_S_OK);
        expect(waiting.delete(token)).toBe(true);
      });
      if (taken > 0 && added < count) await add();
      return added === count && waiting.size === 0;
    });
  }
}

const RINGS = ["split", "packed"].flatMap((layout) =>
  [false, true].flatMap((eventIdx) =>
    [false, true].map((indirect) => ({ layout, eventIdx, indirect, queueSize: 256 })),
  ),
);
/** Too small for a batch: requests wait for room, and rings wrap often. Packed takes any size. */
const SMALL = [
  { layout: "split", eventIdx: true, indirect: false, queueSize: 8 },
  { layout: "packed", eventIdx: true, indirect: false, queueSize: 7 },
  { layout: "packed", eventIdx: false, indirect: true, queueSize: 7 },
];

it("QEMU is installed", ({ skip }) => {
  if (QEMU === undefined) console.warn(QEMU_MISSING);
  skip(QEMU === undefined && process.env.CI === undefined, QEMU_MISSING);
  expect(QEMU, QEMU_MISSING).toBeDefined();
});

describe.skipIf(QEMU === undefined)("virtio-blk of QEMU", () => {
  let folder = "";
  let image = "";
  let machine: Machine | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "virtq-interop-"));
    image = join(folder, "disk.img");
    writeFileSync(image, randomBytes(SECTORS * SECTOR));
  });

  afterEach(async () => {
    await machine?.stop();
    machine = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([...RINGS, ...SMALL])(
    "$layout, eventIdx $eventIdx, indirect $indirect, $queueSize descriptors",
    async (how) => {
      const { layout, eventIdx, indirect, queueSize } = how;
      machine = await Machine.start(
        ...["-blockdev", `driver=file,node-name=d0,filename=${image}`],
        ...[
          "-device",
          `virtio-blk-device,drive=d0,packed=${layout === "packed" ? "on" : "off"},serial=virtq-interop`,
        ],
      );
      const wanted = [
        "VERSION_1",
        ...BLK_DRIVER_FEATURES,
        ...(layout === "packed" ? ["RING_PACKED"] : []),
        ...(eventIdx ? ["EVENT_IDX"] : []),
        ...(indirect ? ["INDIRECT_DESC"] : []),
      ];
      const guest = await Guest.of(machine, machine.devices()[0], {
        supports: wanted.map((name) => featureBit(name, "blk")),
        queues: 1,
        queueSize,
        indirect: indirect ? 3 : 0,
      });
      const { driver } = guest;
      expect(driver.deviceType).toBe("blk");
      const result = await driver.initialize();
      expect(result).toMatchObject({ ok: true, ring: { layout, eventIdx, indirect } });
      const blk = await BlkDriver.start(driver, guest.core, guest.allocator, { indirect });
      expect(blk.capacity).toBe(SECTORS);

      const disk = new Disk(blk, guest);
      const expected = readFileSync(image);
      expect(await disk.id()).toBe("virtq-interop");
      for (let sector = 0; sector < BATCH; sector++) {
        const data = await disk.read(sector, 1, 1);
        expect(data.compare(expected, sector * SECTOR, (sector + 1) * SECTOR)).toBe(0);
      }
      for (let sector = 0; sector < SECTORS; sector += 2 * BATCH) {
        const data = await disk.read(sector, 2, BATCH);
        expect(data.compare(expected, sector * SECTOR, (sector + 2 * BATCH) * SECTOR)).toBe(0);
      }
      for (let sector = 0; sector < SECTORS; sector += 4 * BATCH) {
        const data = randomBytes(2 * BATCH * SECTOR);
        data.copy(expected, sector * SECTOR);
        await disk.write(sector, 2, data);
      }
      for (let sector = SECTORS - BATCH; sector < SECTORS; sector++) {
        const data = randomBytes(SECTOR);
        data.copy(expected, sector * SECTOR);
        await disk.write(sector, 1, data);
      }
      await disk.flush();
      expect(readFileSync(image).equals(expected)).toBe(true);
      console.log(
        `blk: ${driver.negotiated?.names("blk").join(" ")}; ${queueSize} descriptors, ${disk.moved}`,
      );
      expect(await driver.reset()).toEqual([]);
    },
  );
});
