/** A disk image behind QEMU's virtio-blk, and requests to it that are waited for. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { BLK_DRIVER_FEATURES, BlkDriver } from "../../../src/driver/blk";
import type { VirtioDriver } from "../../../src/driver/driver";
import { VIRTIO_BLK_SECTOR_SIZE as SECTOR, VIRTIO_BLK_S_OK } from "../../../src/spec/blk";
import { PciPort, type PciPortOptions } from "../../../src/transport/pci-port";
import { Guest } from "./guest";
import type { Lab } from "./lab";
import { featuresOf, propertiesOf, type Ring } from "./rings";

/** Size of the image in sectors. */
export const SECTORS = 1024;
/** Most requests at once. */
export const BATCH = 32;
/** Descriptors of a request with one piece of data: header, data, status. */
const REQUEST = 3;

/** QEMU wants all limits named, 0 for none. */
const UNLIMITED = { bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 };

/** Where a disk is on the PCI bus. */
const PCI_DEVICE = 4;

/** How a disk is made and used. */
export interface DiskOptions {
  /** Descriptors. Default 256. */
  readonly queueSize?: number;
  /** One read in a second of QEMU's virtual time, which stands still until `lab.advance`. Default false. */
  readonly slow?: boolean;
  /** On the PCI bus: properties of QEMU's device, and how the port uses it. Default: on virtio-mmio. */
  readonly pci?: { readonly properties: string; readonly use?: PciPortOptions };
}

/** An initialised device with its image. */
export class Disk {
  readonly driver: VirtioDriver;
  readonly guest: Guest;
  readonly image: string;
  /** What the driver goes through on the PCI bus, whose interrupts somebody has to handle. */
  readonly port: PciPort | undefined;
  private readonly buffer: number;
  private current: BlkDriver;
  private requests = 0;
  private bytes = 0;

  private constructor(
    driver: VirtioDriver,
    guest: Guest,
    blk: BlkDriver,
    image: string,
    port: PciPort | undefined,
  ) {
    this.driver = driver;
    this.guest = guest;
    this.current = blk;
    this.image = image;
    this.port = port;
    this.buffer = guest.allocator.allocate(BATCH * 2 * SECTOR, SECTOR);
  }

  /** A machine with one disk of random bytes, and its driver initialised on this ring. */
  static async start(lab: Lab, ring: Ring, options: DiskOptions = {}): Promise<Disk> {
    const image = lab.file("disk.img");
    writeFileSync(image, randomBytes(SECTORS * SECTOR));
    const { queueSize = 256, slow = false, pci } = options;
    const kind =
      pci === undefined ? "virtio-blk-device" : `virtio-blk-pci,addr=${PCI_DEVICE},${pci.properties}`;
    const device = `${kind},id=disk,drive=file,serial=virtq-interop,${propertiesOf(ring)}`;
    const machine = await lab.start(
      ["-blockdev", `driver=file,node-name=file,filename=${image}`, "-device", device],
      { qmp: slow },
    );
    if (slow) await machine.monitor("block_set_io_throttle", { id: "disk", ...UNLIMITED, iops_rd: 1 });
    const guest = await Guest.of(machine);
    const use = {
      supports: [...featuresOf(ring), ...BLK_DRIVER_FEATURES, ...(pci ? ["RING_RESET"] : [])],
      deviceType: "blk",
      queues: 1,
      queueSize,
      indirect: ring.indirect ? REQUEST : 0,
    } as const;
    const port = pci && (await PciPort.open(machine.pci(PCI_DEVICE), pci.use));
    const driver = port ? guest.attachPort(port, use) : await guest.attach(machine.devices()[0], use);
    expect(await driver.initialize()).toMatchObject({ ok: true, ring });
    const blk = await BlkDriver.start(driver, guest.core, guest.allocator, { indirect: ring.indirect });
    expect(blk.capacity).toBe(SECTORS);
    return new Disk(driver, guest, blk, image, port);
  }

  get blk(): BlkDriver {
    return this.current;
  }

  /** Resets the queue and goes on with one of another size. */
  async resetQueue(queueSize: number): Promise<void> {
    const { driver, guest, blk } = this;
    blk.dispose();
    expect(await driver.resetQueue(0, { queueSize })).toEqual([]);
    guest.renewed(driver);
    const indirect = driver.ring?.indirect ?? false;
    this.current = await BlkDriver.start(driver, guest.core, guest.allocator, { indirect });
  }

  /** What was negotiated, and what has gone through the queue. */
  get moved(): string {
    const { driver, requests, bytes } = this;
    const names = driver.negotiated?.names("blk").join(" ");
    return `blk: ${names}; ${driver.queues[0]?.size} descriptors, ${requests} requests, ${bytes} bytes of data`;
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

  /** Reads the whole image in batches, and writes half of it. @returns what the image must hold now, once it is flushed */
  async moveAll(): Promise<Buffer> {
    const expected = readFileSync(this.image);
    for (let sector = 0; sector < SECTORS; sector += 2 * BATCH) {
      const data = await this.read(sector, 2, BATCH);
      expect(data.compare(expected, sector * SECTOR, (sector + 2 * BATCH) * SECTOR)).toBe(0);
    }
    for (let sector = 0; sector < SECTORS; sector += 4 * BATCH) {
      const data = randomBytes(2 * BATCH * SECTOR);
      data.copy(expected, sector * SECTOR);
      await this.write(sector, 2, data);
    }
    return expected;
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

  /** As many at once as the queue takes; tokens come back once each: with IN_ORDER in their order, else in any. */
  private async run(count: number, request: (i: number) => number): Promise<void> {
    const waiting: number[] = [];
    let added = 0;
    this.requests += count;
    const add = () => {
      while (added < count) {
        const token = request(added);
        if (token === 0) break;
        expect(waiting).not.toContain(token);
        waiting.push(token);
        added++;
      }
      return this.blk.submit();
    };
    await add();
    await this.guest.until(async () => {
      const taken = this.blk.poll((token, status) => {
        expect(status).toBe(VIRTIO_BLK_S_OK);
        const at = waiting.indexOf(token);
        expect(at).toBeGreaterThanOrEqual(0);
        if (this.driver.ring?.inOrder) expect(at).toBe(0);
        waiting.splice(at, 1);
      });
      if (taken > 0 && added < count) await add();
      return added === count && waiting.length === 0;
    });
  }
}
