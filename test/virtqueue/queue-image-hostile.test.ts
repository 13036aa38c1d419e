/**
 * Hostile queue images: one value changed, the checksum made right again. Each is refused with SNAPSHOT_INVALID, or gives a
 * queue that works or breaks in a typed way; never a byte outside guest RAM and the restored queue's own state.
 */
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { stateBytes } from "../../src/core/state-area";
import { VirtioError } from "../../src/errors";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import type { QueueImage } from "../../src/virtqueue/queue-image";
import { type Layout, rig } from "./queue-rig";

const SIZE = 8;
const GUEST = { gpa: 0, base: 0x10000, size: 0x8000 };
const STATE = {
  base: 0x30000,
  size: stateBytes({ queues: 1, maxQueueSize: SIZE, batch: 4, recordBytes: 512 }),
};
const CANARY = 0xa5;
const canary = new Uint8Array(5 * 65536).fill(CANARY);

/** As `save` makes it. */
function withChecksum(image: Omit<QueueImage, "checksum">): QueueImage {
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify(image)) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return { ...image, checksum: hash };
}

/** Both halves in mid-transfer on a memory that is a canary elsewhere, and their images. */
function open(layout: Layout, inOrder: boolean) {
  const memory = new WebAssembly.Memory({ initial: 5 });
  const bytes = new Uint8Array(memory.buffer);
  bytes.fill(CANARY);
  const core = loadCoreSync({ memory, regions: [GUEST], state: STATE });
  core.view(0, GUEST.size).fill(0);
  const small = { batch: 4, recordBytes: 512 };
  const parts = rig(layout, { core, size: SIZE, features: { inOrder }, driver: small, device: small });
  const { driver, device, buffer } = parts;
  const segment = buffer(16);
  // Four chains of five descriptors: two taken, one of them used and shown; two are left for the restored device.
  driver.add([segment], [segment]);
  for (let i = 0; i < 3; i++) driver.add([], [segment]);
  driver.publish();
  device.take(2);
  device.complete(device.chain(0).token, 4);
  device.publish();
  return { ...parts, segment, bytes, images: { driver: driver.save(), device: device.save() } };
}

const VALUES = [0, 1, SIZE - 1, SIZE, 0x7fff, 0xffff, 0xffffffff];

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([false, true])("inOrder %s", (inOrder) => {
    it.each(["driver", "device"] as const)("%s: any word of the line or the shadow", (role) => {
      let refused = 0;
      for (const part of ["line", "shadow"] as const) {
        const { length } = open(layout, inOrder).images[role][part];
        for (let at = 0; at < length; at++) {
          for (const value of VALUES) {
            const world = open(layout, inOrder);
            const { core, driver, device, driverOptions, deviceOptions, segment, bytes, images } = world;
            const { checksum: _, ...plain } = images[role];
            const values = plain[part].map((old, i) => (i === at ? value : old));
            const image = withChecksum({ ...plain, [part]: values });
            driver.dispose();
            device.dispose();
            const what = `${part}[${at}] = ${value}`;
            try {
              const restored =
                role === "driver"
                  ? DriverQueue.restore(core, driverOptions, image)
                  : DeviceQueue.restore(core, deviceOptions, image);
              const end = restored.q + restored.state.bytes;
              bytes.fill(CANARY, end, STATE.base + STATE.size);
              for (let round = 0; round < 6; round++) exercise(restored, segment);
              const gaps = [
                [0, GUEST.base],
                [GUEST.base + GUEST.size, STATE.base],
                [end, bytes.length],
              ] as const;
              for (const [from, to] of gaps) {
                const intact = Buffer.compare(bytes.subarray(from, to), canary.subarray(0, to - from)) === 0;
                expect(intact, `${what}: bytes ${from}…${to} are whole`).toBe(true);
              }
            } catch (error) {
              expect(error, what).toBeInstanceOf(VirtioError);
              expect((error as VirtioError).code, what).not.toBe("INTERNAL");
              if ((error as VirtioError).code === "SNAPSHOT_INVALID") refused++;
            }
          }
        }
      }
      expect(refused).toBeGreaterThan(60);
    });
  });
});

/** What an owner does with a queue; a typed error ends it. */
function exercise(queue: DriverQueue | DeviceQueue, segment: { address: number; length: number }): void {
  if (queue instanceof DriverQueue) {
    queue.takeUsed();
    queue.add([segment, segment]);
    queue.add([segment]);
    queue.publish();
  } else {
    queue.take(1);
    queue.take(1);
    for (let slot = 0; slot < SIZE; slot++) {
      for (const generation of [1, 2]) {
        try {
          queue.complete(slot | (generation << 16), 0);
        } catch (error) {
          expect(error).toBeInstanceOf(VirtioError);
        }
      }
    }
    queue.publish();
  }
}
