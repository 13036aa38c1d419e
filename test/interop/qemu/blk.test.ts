/**
 * virtio-blk of QEMU (§5.2) behind the driver half: every combination of ring layout, EVENT_IDX, INDIRECT_DESC and, where
 * there is a QEMU that has it, IN_ORDER; every byte against the image file.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  VIRTIO_BLK_REQ_HEADER_SIZE as HEADER,
  VIRTIO_BLK_SECTOR_SIZE as SECTOR,
  VIRTIO_BLK_S_OK,
  VIRTIO_BLK_T_IN,
} from "../../../src/spec/blk";
import type { Segment } from "../../../src/virtqueue/driver-queue";
import { hasInOrder } from "./binaries";
import { BATCH, Disk, SECTORS } from "./disk";
import { eachQemu } from "./lab";
import { type Ring, ringsOf, titleOf } from "./rings";

eachQemu("virtio-blk", (lab) => {
  const orders = hasInOrder(lab.qemu) ? [false, true] : [false];
  const plain: Ring = { layout: "split", eventIdx: true, indirect: false, inOrder: false };
  /** Too small for a batch: requests wait for room, and rings wrap often. Packed takes any size. */
  const small = orders.flatMap((inOrder) => [
    { ...plain, inOrder, queueSize: 8 },
    { ...plain, inOrder, layout: "packed" as const, queueSize: 7 },
    { ...plain, inOrder, layout: "packed" as const, eventIdx: false, indirect: true, queueSize: 7 },
  ]);
  const all = [...ringsOf(lab.qemu).map((ring) => ({ ...ring, queueSize: 256 })), ...small];

  it.each(all.map((how) => [`${titleOf(how)}, ${how.queueSize} descriptors`, how] as const))(
    "%s: every sector read, half of them written, one at a time and in batches",
    async (_, { queueSize, ...ring }) => {
      const disk = await Disk.start(lab, ring, { queueSize });
      expect(await disk.id()).toBe("virtq-interop");
      const before = readFileSync(disk.image);
      for (let sector = 0; sector < BATCH; sector++) {
        const data = await disk.read(sector, 1, 1);
        expect(data.compare(before, sector * SECTOR, (sector + 1) * SECTOR)).toBe(0);
      }
      const expected = await disk.moveAll();
      for (let sector = SECTORS - BATCH; sector < SECTORS; sector++) {
        const data = randomBytes(SECTOR);
        data.copy(expected, sector * SECTOR);
        await disk.write(sector, 1, data);
      }
      await disk.flush();
      expect(readFileSync(disk.image).equals(expected)).toBe(true);
      lab.tell(disk.moved);
      expect(await disk.driver.reset()).toEqual([]);
    },
  );

  describe.each(ringsOf(lab.qemu).map((ring) => [titleOf(ring), ring] as const))("%s", (_, ring) => {
    it("chains of seven descriptors, in a ring that takes one", async () => {
      const queueSize = ring.layout === "packed" ? 7 : 8;
      const { driver, guest, image } = await Disk.start(lab, { ...ring, indirect: false }, { queueSize });
      const [queue] = driver.queues;
      if (queue === undefined) throw new Error("no queue");
      const expected = readFileSync(image);
      const header = guest.allocator.allocate(HEADER, HEADER);
      // Two sectors in five pieces, none of which ends where a sector does, and the status.
      const pieces = [100, 412, 300, 211, 1].map((length) =>
        segment(guest.allocator.allocate(length), length),
      );
      const status = segment(guest.allocator.allocate(1), 1);
      const chains = 40;
      for (let sector = 0; sector < chains; sector++) {
        const view = guest.core.view(header, HEADER);
        new DataView(view.buffer, view.byteOffset, HEADER).setUint32(0, VIRTIO_BLK_T_IN, true);
        new DataView(view.buffer, view.byteOffset, HEADER).setBigUint64(8, BigInt(sector), true);
        guest.core.view(status.address, 1)[0] = 0xff;
        const token = queue.add([segment(header, HEADER)], [...pieces, status]);
        expect(token).toBeGreaterThan(0);
        expect(queue.add([segment(header, HEADER)], [...pieces, status])).toBe(0);
        await driver.kick(0);
        await guest.until(() => queue.hasUsed());
        expect([...queue.usedBuffers()]).toEqual([{ token, length: 2 * SECTOR + 1 }]);
        expect(guest.core.view(status.address, 1)[0]).toBe(VIRTIO_BLK_S_OK);
        const data = pieces.map(({ address, length }) => Buffer.from(guest.core.view(address, length)));
        const [from, to] = [sector * SECTOR, (sector + 2) * SECTOR];
        expect(Buffer.concat(data).compare(expected, from, to)).toBe(0);
      }
      lab.tell(`blk: ${titleOf(ring)}; ${chains} chains of 7 descriptors in a ring of ${queueSize}`);
    });

    it(`a later request finishes first, and is ${ring.inOrder ? "used after" : "used before"} an earlier one`, async () => {
      // The second read waits for the clock, the write doesn't. QEMU would merge reads of adjacent sectors.
      const disk = await Disk.start(lab, ring, { slow: true });
      const { blk, guest } = disk;
      const image = readFileSync(disk.image);
      const at = guest.allocator.allocate(3 * SECTOR, SECTOR);
      const written = randomBytes(SECTOR);
      guest.core.view(at + 2 * SECTOR, SECTOR).set(written);
      const tokens = [
        blk.read(0, at, SECTOR),
        blk.read(4, at + SECTOR, SECTOR),
        blk.write(2, at + 2 * SECTOR, SECTOR),
      ];
      const done: number[] = [];
      const take = () => blk.poll((token, status) => done.push(status === VIRTIO_BLK_S_OK ? token : -1));
      await blk.submit();
      const early = ring.inOrder ? 1 : 2;
      await guest.until(() => {
        take();
        return done.length >= early && sectorOf(disk.image, 2).equals(written);
      });
      await guest.turns(20, take);
      expect(done).toHaveLength(early);
      expect(done).not.toContain(tokens[1]);
      lab.advance(2);
      await guest.until(() => {
        take();
        return done.length === 3;
      });
      if (ring.inOrder) expect(done).toEqual(tokens);
      else expect(done[2]).toBe(tokens[1]);
      const read = Buffer.from(guest.core.view(at, 2 * SECTOR));
      expect(read.compare(image, 0, SECTOR, 0, SECTOR)).toBe(0);
      expect(read.compare(image, 4 * SECTOR, 5 * SECTOR, SECTOR)).toBe(0);
      lab.tell(
        `blk: ${titleOf(ring)}; requests 0 1 2 came back as ${done.map((t) => tokens.indexOf(t)).join(" ")}`,
      );
    });
  });
});

function segment(address: number, length: number): Segment {
  return { address, length };
}

function sectorOf(image: string, sector: number): Buffer {
  return readFileSync(image).subarray(sector * SECTOR, (sector + 1) * SECTOR);
}
