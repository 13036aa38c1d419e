/** Guest RAM whose first region is read-only, with the rings in another: neither half lets a device write there. */
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VIRTQ_DESC_F_WRITE } from "../../src/spec/queue";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { type RigOptions, rig } from "./queue-rig";

const RAM = { gpa: 0x10_0000, base: 0x2_0000, size: 0x1_0000 };
/** Bytes of the first region. */
const ROM = { address: 0x100, length: 16 };

/** Both halves, and `ram`: bytes that a device may write. */
function open(layout: "split" | "packed", options: RigOptions) {
  const core = loadCoreSync({
    memory: new WebAssembly.Memory({ initial: 4 }),
    regions: [{ gpa: 0, base: 0x1_0000, size: 0x1_0000, readOnly: true }, RAM],
    state: { base: 0x3_0000, size: 0x1_0000 },
  });
  const queues = rig(layout, { core, allocator: new GuestAllocator(core, RAM), ...options });
  return { ...queues, ram: queues.buffer(16) };
}

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([
    {},
    { inOrder: true },
    { indirect: true },
    { eventIdx: true, indirect: true, inOrder: true },
  ])("%j", (features) => {
    // Only what is not logged goes the short way.
    describe.each([false, true])("touched ranges %s", (touched) => {
      it("add refuses a device-writable element there, and nothing else", () => {
        const { driver, device, ram } = open(layout, { features, driver: { touched } });
        for (const indirect of "indirect" in features ? [false, true] : [false]) {
          for (const readable of [[], [ROM], [ram]]) {
            for (const writable of [[ROM], [ROM, ram], [ram, ROM]]) {
              expect(() => driver.add(readable, writable, { indirect })).toThrow(
                expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining("256") }),
              );
            }
          }
        }
        expect([driver.free, driver.inFlight, device.take()]).toEqual([8, 0, 0]);
        for (const [readable, writable] of [
          [[ROM], []],
          [[], [ram]],
          [[ROM], [ram]],
        ] as const) {
          expect(driver.add(readable, writable)).toBeGreaterThan(0);
        }
        driver.publish();
        expect(device.take()).toBe(3);
      });

      it("a batch ends before it", () => {
        const { core, driver } = open(layout, { features, driver: { touched } });
        const { word } = driver.submissions;
        for (const [i, writable] of [0, 0, 1, 0].entries()) {
          core.words().set([1 - writable, writable, 0, 0, ROM.address, 0, ROM.length, 0], word + 8 * i);
        }
        expect(driver.addBatch(4)).toBe(2);
        expect(driver.inFlight).toBe(2);
      });

      it.each(["take", "takeBatch", "run"] as const)("%s refuses what the driver makes writable", (verb) => {
        for (const before of [[], [ROM]]) {
          const { core, driver, device } = open(layout, { features, device: { touched } });
          driver.add([...before, ROM]);
          driver.publish();
          const last = 16 * before.length; // of the descriptors, in bytes
          const flags = core.view(Number(driver.areas.descriptor) + last + (layout === "split" ? 12 : 14), 1);
          flags[0] = (flags[0] ?? 0) | VIRTQ_DESC_F_WRITE;
          expect(verb === "run" ? device.run("sink", 8) : device[verb]()).toBe(0);
          expect([device.error, device.inFlight]).toEqual(["DESC_OUT_OF_GUEST", 0]);
        }
      });
    });
  });
});
