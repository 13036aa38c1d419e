/**
 * virtio-blk of QEMU on a PCI bus (§4.1) behind PciPort: the modern interface in BARs and through configuration space, the
 * legacy one, transitional devices both ways, and the reset of one queue; every byte against the image file.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { PciPortOptions } from "../../../src/transport/pci-port";
import { PCI_QEMUS } from "./binaries";
import { Disk } from "./disk";
import { eachQemu } from "./lab";
import type { Ring } from "./rings";

const SPLIT: Ring = { layout: "split", eventIdx: true, indirect: true, inOrder: false };
const PACKED: Ring = { ...SPLIT, layout: "packed" };

const MODERN = "disable-legacy=on,disable-modern=off";
const TRANSITIONAL = "disable-legacy=off,disable-modern=off";
const LEGACY = "disable-legacy=off,disable-modern=on";

/** A way to a device: what QEMU makes of it, what the port is told, and which interface that ends in. */
interface Way {
  readonly properties: string;
  readonly use?: PciPortOptions;
  readonly ring: Ring;
  readonly isLegacy: boolean;
}

const WAYS: Readonly<Record<string, Way>> = {
  "modern, split": { properties: MODERN, ring: SPLIT, isLegacy: false },
  "modern, packed": { properties: MODERN, ring: PACKED, isLegacy: false },
  "modern, through configuration space": {
    properties: MODERN,
    use: { access: "pci-cfg" },
    ring: SPLIT,
    isLegacy: false,
  },
  "transitional, its modern interface": { properties: TRANSITIONAL, ring: SPLIT, isLegacy: false },
  "transitional, its legacy interface": {
    properties: TRANSITIONAL,
    use: { legacy: true },
    ring: SPLIT,
    isLegacy: true,
  },
  "legacy alone": { properties: LEGACY, ring: SPLIT, isLegacy: true },
};

/** Moves all of it, and looks at the image. */
async function moveAll(disk: Disk): Promise<void> {
  const expected = await disk.moveAll();
  await disk.flush();
  expect(readFileSync(disk.image).equals(expected)).toBe(true);
}

eachQemu(
  "virtio-blk-pci",
  (lab) => {
    it.each(Object.entries(WAYS))("%s: every sector read, half of them written", async (name, way) => {
      const { properties, use, ring, isLegacy } = way;
      const disk = await Disk.start(lab, ring, { pci: { properties, ...(use && { use }) } });
      const { port, driver } = disk;
      expect(port).toMatchObject({ isLegacy, deviceId: 2, revision: properties === MODERN ? 1 : 0 });
      expect(await disk.id()).toBe("virtq-interop");
      const heard: string[] = [];
      port?.onInterrupt((kind) => heard.push(kind));
      await moveAll(disk);
      await port?.handleInterrupt();
      await port?.handleInterrupt();
      expect(heard).toEqual(["used"]);
      lab.tell(`${name}: ${disk.moved}`);
      expect(await driver.reset()).toEqual([]);
    });

    it.each([SPLIT, PACKED])(
      "$layout: a queue is reset to another size while the device lives on",
      async (ring) => {
        const disk = await Disk.start(lab, ring, { queueSize: 16, pci: { properties: MODERN } });
        await moveAll(disk);
        await disk.resetQueue(64);
        expect(disk.driver.queues[0]?.size).toBe(64);
        await moveAll(disk);
        lab.tell(`queue reset from 16: ${disk.moved}`);
      },
    );
  },
  PCI_QEMUS,
);
