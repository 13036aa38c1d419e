/**
 * virtio-balloon of QEMU (§5.5) behind the driver half: what the monitor asks for goes in and out, page by page, and the
 * statistics arrive. QEMU gives the pages of a balloon back to its host: their contents are gone.
 */
import { readSync } from "node:fs";
import { expect, it } from "vitest";
import { BalloonDriver } from "../../../src/driver/balloon";
import {
  BALLOON_DRIVER_FEATURES,
  balloonPoison,
  balloonValidate,
} from "../../../src/driver/balloon-features";
import { VIRTIO_BALLOON_PAGE_BYTES as PAGE } from "../../../src/spec/balloon";
import { Guest } from "./guest";
import { eachQemu } from "./lab";
import { RAM_BYTES } from "./machine";
import { featuresOf, propertiesOf, ringsOf, titleOf } from "./rings";

const PAGES = 100;
const POISON = 0xa5c3_5aa5;
const FILL = 0x77;

eachQemu("virtio-balloon", (lab) => {
  it.each(ringsOf(lab.qemu).map((ring) => [titleOf(ring), ring] as const))("%s", async (title, ring) => {
    const machine = await lab.start(
      ["-device", `virtio-balloon-device,id=balloon,page-poison=on,${propertiesOf(ring)}`],
      { qmp: true },
    );
    const guest = await Guest.of(machine);
    const { core, allocator } = guest;
    const driver = await guest.attach(machine.devices()[0], {
      supports: [...featuresOf(ring), ...BALLOON_DRIVER_FEATURES],
      deviceType: "balloon",
      queueSize: 8,
      validate: balloonValidate({ fillsPages: true }),
      fill: () => balloonPoison(driver, POISON),
    });
    // As Linux's, the driver drops INDIRECT_DESC when it validates.
    expect(await driver.initialize()).toMatchObject({ ok: true, ring: { ...ring, indirect: false } });
    expect(driver.hasFeature("PAGE_POISON")).toBe(true);
    expect(await driver.readConfigField("poison_val")).toBe(POISON);
    const free = allocator.available - PAGE;
    const all = allocator.allocate(free);
    core.view(all, free).fill(FILL);
    allocator.free(all);
    const balloon = await BalloonDriver.start(driver, core, allocator);

    const reach = async (pages: number) => {
      await machine.monitor("balloon", { value: RAM_BYTES - pages * PAGE });
      await guest.until(async () => {
        await balloon.poll();
        const { actual } = (await machine.monitor("query-balloon")) as { actual: number };
        return balloon.size === pages && actual === RAM_BYTES - pages * PAGE;
      });
    };
    await reach(PAGES);
    const ram = Buffer.alloc(1024 * 1024);
    const emptyPages = () => {
      readSync(machine.ram, ram, 0, ram.length, 0);
      let count = 0;
      for (let at = 0; at < ram.length; at += PAGE) {
        if (ram.subarray(at, at + PAGE).equals(Buffer.alloc(PAGE))) count++;
      }
      return count;
    };
    const full = emptyPages();
    expect(full).toBeGreaterThanOrEqual(PAGES);
    await reach(PAGES / 2);
    // What came back was filled with the poison.
    await guest.until(() => true);
    expect(full - emptyPages()).toBe(PAGES / 2);
    await reach(0);
    await machine.monitor("qom-set", { path: "balloon", property: "guest-stats-polling-interval", value: 1 });
    let stats: { "last-update": number; stats: Record<string, number> } | undefined;
    await guest.until(async () => {
      lab.advance(1);
      await balloon.poll();
      stats = (await machine.monitor("qom-get", {
        path: "balloon",
        property: "guest-stats",
      })) as typeof stats;
      return stats?.stats["stat-free-memory"] === allocator.available;
    });
    lab.tell(
      `balloon: ${title}; ${PAGES} pages in and out, ${stats?.stats["stat-free-memory"]} bytes free told`,
    );
  });
});
