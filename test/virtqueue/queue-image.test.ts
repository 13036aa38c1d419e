/** Save and restore of either half: continues where it stood, or is refused whole. */
import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import { DeviceQueue } from "../../src/virtqueue/device-queue";
import { DriverQueue } from "../../src/virtqueue/driver-queue";
import type { QueueImage } from "../../src/virtqueue/queue-image";
import { rig } from "./queue-rig";

const BASES = { split: [0, 65530], packed: [0x80008000, 0x00060006] } as const;

function inMidTransfer(layout: "split" | "packed", inOrder: boolean, base: number) {
  const parts = rig(layout, { features: { inOrder, eventIdx: true } });
  const { driver, device, buffer } = parts;
  driver.startAt(base);
  device.startAt(base);
  const tokens = Array.from({ length: 4 }, () => driver.add([buffer(16)], [buffer(32)]));
  driver.publish();
  expect(device.take(3)).toBe(3);
  const taken = [0, 1, 2].map((i) => device.chain(i).token);
  return { ...parts, tokens, taken };
}

describe.each(["split", "packed"] as const)("%s", (layout) => {
  describe.each([false, true])("inOrder %s", (inOrder) => {
    it.each(BASES[layout])("both halves go on from an image in mid-transfer, start %i", (base) => {
      const { core, driver, device, driverOptions, deviceOptions, tokens, taken, buffer } = inMidTransfer(
        layout,
        inOrder,
        base,
      );
      const images = JSON.parse(JSON.stringify([driver.save(), device.save()])) as [QueueImage, QueueImage];
      driver.dispose();
      device.dispose();
      const driver2 = DriverQueue.restore(core, driverOptions, images[0]);
      const device2 = DeviceQueue.restore(core, deviceOptions, images[1]);
      for (const token of taken) device2.complete(token, 8);
      expect(device2.take()).toBe(1);
      device2.complete(device2.chain(0).token, 32);
      device2.publish();
      const used = [...driver2.usedBuffers()];
      expect(used.map((buffer) => buffer.token)).toEqual(tokens);
      expect(used.map((buffer) => buffer.length)).toEqual([8, 8, 8, 32]);
      expect(driver2.free).toBe(8);
      for (let i = 0; i < 30; i++) {
        expect(driver2.add([buffer(8)])).toBeGreaterThan(0);
        driver2.publish();
        expect(device2.run("sink", 8)).toBe(1);
        device2.publish();
        expect(driver2.takeUsed()).toBe(1);
      }
    });
  });

  it("keeps completions that IN_ORDER holds back", () => {
    const { core, driver, device, deviceOptions, tokens, taken } = inMidTransfer(
      layout,
      true,
      BASES[layout][0],
    );
    device.complete(taken[2] ?? 0, 3);
    const image = device.save();
    device.dispose();
    const device2 = DeviceQueue.restore(core, deviceOptions, image);
    device2.complete(taken[1] ?? 0, 2);
    device2.complete(taken[0] ?? 0, 1);
    device2.publish();
    expect([...driver.usedBuffers()]).toEqual([1, 2, 3].map((length, i) => ({ token: tokens[i], length })));
  });

  const damages: [string, (image: QueueImage) => unknown][] = [
    ["another schema", (image) => ({ ...image, schema: "virtq.queue/2" })],
    ["a missing field", ({ line: _, ...image }) => image],
    ["an extra field", (image) => ({ ...image, extra: 0 })],
    [
      "a flipped bit",
      (image) => ({ ...image, line: image.line.map((word, i) => (i === 1 ? word ^ 1 : word)) }),
    ],
    ["a short shadow", (image) => ({ ...image, shadow: image.shadow.slice(5) })],
    ["another size", (image) => ({ ...image, size: 4 })],
    ["another layout", (image) => ({ ...image, layout: image.layout === "split" ? "packed" : "split" })],
    ["another half", (image) => ({ ...image, role: image.role === "driver" ? "device" : "driver" })],
  ];
  it.each(damages)("refuses %s with SNAPSHOT_INVALID and changes nothing", (_, damage) => {
    const { core, driver, device, driverOptions, deviceOptions } = inMidTransfer(
      layout,
      false,
      BASES[layout][0],
    );
    const before = core.bytes().slice();
    for (const restore of [
      () => DriverQueue.restore(core, driverOptions, damage(driver.save()) as QueueImage),
      () => DeviceQueue.restore(core, deviceOptions, damage(device.save()) as QueueImage),
    ]) {
      expect(restore).toThrow(expect.objectContaining({ code: "SNAPSHOT_INVALID" }) as Error);
    }
    for (const region of core.regions) {
      const bytes = core.bytes().subarray(region.base, region.base + region.size);
      expect(Buffer.compare(bytes, before.subarray(region.base, region.base + region.size))).toBe(0);
    }
  });

  it("refuses an image that contradicts itself although its checksum is right", () => {
    const { core, driver, driverOptions } = inMidTransfer(layout, false, BASES[layout][0]);
    const image = driver.save();
    // A free count that is off by one: line word 9, checksum recomputed as save() does.
    const line = image.line.map((word, i) => (i === 9 ? word + 1 : word));
    const { checksum: _, ...rest } = { ...image, line };
    let hash = 0x811c9dc5;
    for (const char of JSON.stringify(rest)) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
    expect(() => DriverQueue.restore(core, driverOptions, { ...rest, checksum: hash })).toThrow(
      /0 free descriptors, the line counts 1/,
    );
  });

  it("does not save a broken queue", () => {
    const { core, driver, device, buffer } = rig(layout);
    driver.add([buffer(16)]);
    core.view(Number(driver.areas.descriptor) + 8, 4).fill(0xff);
    driver.publish();
    expect(device.take()).toBe(0);
    expect(device.error).toBe("DESC_OUT_OF_GUEST");
    expect(() => device.save()).toThrow(VirtioError);
  });
});
