/** A block device through the whole stack (§5.2): each round reads or writes a batch of blocks, next to each other. */
import { loadCore } from "../../src/core/core";
import { BlkDriver } from "../../src/driver/blk";
import { BlkModel } from "../../src/models/blk";
import { MemoryBackend } from "../../src/models/memory-backend";
import { fillPayload } from "../../src/sim/payload";
import { VIRTIO_BLK_S_OK, VIRTIO_BLK_SECTOR_SIZE } from "../../src/spec/blk";
import type { Workload } from "../ring";
import { openPair } from "./pair";
import { expectSame, requestBytes, type Stack } from "./stack";

/** Guest bytes beside the blocks: rings, headers, status bytes. */
const OTHER_BYTES = 1 << 20;

/** Opens it. @param offer features of the ring */
export async function openBlk(offer: readonly string[], workload: Workload): Promise<Stack> {
  const { batch, queueSize, device: kind, seed } = workload;
  const bytes = requestBytes(workload);
  const disk = new Uint8Array(batch * bytes);
  fillPayload(disk, seed, 0);
  const core = await loadCore({ guestBytes: disk.length + OTHER_BYTES });
  const pair = await openPair({
    core,
    model: new BlkModel(new MemoryBackend(disk), { queueSize }),
    offer,
    queueSize,
  });
  const { driver, device, allocator } = pair;
  const blk = await BlkDriver.start(driver, core, allocator, { slots: batch });
  const address = allocator.allocate(disk.length, VIRTIO_BLK_SECTOR_SIZE);
  const guest = core.view(address, disk.length);
  if (kind === "blk-write") fillPayload(guest, seed, 1);
  const expected = (kind === "blk-write" ? guest : disk).slice();
  let failed = 0;
  const done = (_: number, status: number) => {
    if (status !== VIRTIO_BLK_S_OK) failed++;
  };
  const stack: Stack = {
    round() {
      for (let i = 0, at = 0; i < batch; i++, at += bytes) {
        const sector = at / VIRTIO_BLK_SECTOR_SIZE;
        const token =
          kind === "blk-read"
            ? blk.read(sector, address + at, bytes)
            : blk.write(sector, address + at, bytes);
        if (token === 0) throw new Error("the queue was full");
      }
      blk.submit();
      while (device.hasWork) device.process();
      if (blk.poll(done) !== batch || failed > 0) throw new Error(`a request failed, or did not come back`);
    },
    prove() {
      // What arrived is wiped, and has to arrive anew.
      const arrived = kind === "blk-read" ? core.view(address, disk.length) : disk;
      arrived.fill(0);
      stack.round();
      expectSame(kind, arrived, expected);
    },
  };
  return stack;
}
