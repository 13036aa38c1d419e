/** Scenes about the life of a device: suspend and resume, breaking and healing, and a configuration that moves (§2, §3.4). */
import { configFields, type DeviceModel } from "../../device/model";
import { BLK_DRIVER_FEATURES, BlkDriver } from "../../driver/blk";
import { VirtioError } from "../../errors";
import { BlkModel } from "../../models/blk";
import { DeferredBackend } from "../../models/deferred-backend";
import { EchoModel } from "../../models/echo";
import { MemoryBackend } from "../../models/memory-backend";
import { VIRTIO_BLK_S_OK } from "../../spec/blk";
import { fillPayload } from "../payload";
import type { Scene } from "../scene";
import { echo, turn } from "./traffic";

const RING = ["VERSION_1", "INDIRECT_DESC", "EVENT_IDX", "RING_PACKED", "SUSPEND"];
const SECTOR = 512;

const suspend: Scene = {
  name: "suspend-under-load",
  summary: "a disk is suspended with requests at its backend, changes its size meanwhile, and is resumed",
  ending:
    "all requests in progress finish before 27 shows, the change is told once on resume, and no byte is lost",
  async play(stage) {
    const disk = new MemoryBackend(new Uint8Array(256 * SECTOR));
    fillPayload(disk.bytes, 3, 0);
    const backend = new DeferredBackend(disk);
    const model = new BlkModel(backend);
    let changes = 0;
    const pair = stage.pair({
      model,
      offer: RING,
      accept: [...RING, ...BLK_DRIVER_FEATURES],
      onConfigChange: () => changes++,
    });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    const { driver, device, core, allocator } = pair;
    const blk = await BlkDriver.start(driver, core, allocator);
    const address = allocator.allocate(16 * SECTOR);
    for (let i = 0; i < 16; i++) blk.read(i * 16, address + i * SECTOR, SECTOR);
    await blk.submit();
    await turn();
    stage.check("at the backend", backend.pending, 16);
    const suspended = driver.suspend();
    await turn();
    stage.check("still in progress", `${device.phase}, status ${device.status}`, "suspending, status 31");
    await backend.settleAll();
    await suspended;
    stage.check("suspended", device.status, 27);
    let done = 0;
    let right = 0;
    const count = () =>
      blk.poll((_token, status, bytes) => {
        done++;
        if (status === VIRTIO_BLK_S_OK && bytes === SECTOR) right++;
      });
    count();
    stage.check("finished before that", `${done} of 16, ${right} right`, "16 of 16, 16 right");
    model.resized();
    await turn();
    stage.check("notifications while suspended", changes, 0);
    await driver.resume();
    await turn();
    stage.check("resumed", device.status, 15);
    stage.check("notifications of the change", changes, 1);
    const same = (i: number) =>
      core.view(address + i * SECTOR, SECTOR).every((byte, at) => byte === disk.bytes[i * 16 * SECTOR + at]);
    stage.check("sectors equal", Array.from({ length: 16 }, (_, i) => same(i)).every(Boolean), true);
    for (let i = 0; i < 16; i++) blk.write(i, address + i * SECTOR, SECTOR);
    await blk.submit();
    await turn();
    await backend.settleAll();
    await turn();
    count();
    stage.check("afterwards", `${done} of 32, ${right} reads`, "32 of 32, 16 reads");
  },
};

const needsReset: Scene = {
  name: "needs-reset",
  summary: "a device in use finds that it can't go on; the driver is told, resets it and starts anew",
  ending: "DEVICE_NEEDS_RESET shows before the notification, and the second life carries data",
  async play(stage) {
    const statuses: number[] = [];
    const pair = stage.pair({
      model: new EchoModel(),
      offer: RING,
      onConfigChange: () => statuses.push(pair.device.status),
    });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("chains", await echo(pair), "8 of 8");
    pair.device.needsReset(new VirtioError("INTERNAL", "a part of the device broke", { section: "2.1.2" }));
    stage.check("status when it was told", statuses, [0x4f]);
    const code = await pair.driver.check().then(
      () => "nothing",
      (error: VirtioError) => error.code,
    );
    stage.check("the driver says", code, "DEVICE_NEEDS_RESET");
    stage.check("again", (await pair.driver.initialize()).ok, true);
    stage.check("chains", await echo(pair), "8 of 8");
  },
};

const slowReset: Scene = {
  name: "slow-reset",
  summary: "a device takes its time to become quiet after a reset",
  ending: "its status isn't 0 until it is quiet, the driver waits, and then all is well",
  async play(stage) {
    let quiet = () => {};
    const model: DeviceModel = Object.assign(new EchoModel(), {
      reset: () =>
        new Promise<void>((resolve) => {
          quiet = resolve;
        }),
    });
    const pair = stage.pair({ model, offer: RING });
    const started = pair.driver.initialize();
    await turn();
    stage.check(
      "meanwhile",
      `${pair.device.phase}, status not 0: ${pair.device.status !== 0}`,
      "resetting, status not 0: true",
    );
    quiet();
    stage.check("ok", (await started).ok, true);
    stage.check("chains", await echo(pair), "8 of 8");
  },
};

const movingConfig: Scene = {
  name: "config-changes",
  summary: "a disk grows while its size is being read in two halves, and again when it is in use",
  ending: "the torn read is seen by the generation and repeated; a live driver is notified",
  async play(stage) {
    let sectors = 0xffff_ffffn;
    let changes = 0;
    const model: DeviceModel = Object.defineProperty(
      new BlkModel(new MemoryBackend(new Uint8Array(SECTOR))),
      "config",
      {
        value: configFields("blk", { capacity: () => sectors }),
      },
    );
    let reads = 0;
    let seen: unknown;
    const pair = stage.pair({
      model,
      offer: RING,
      accept: RING,
      validate: async ({ readConfigField }) => {
        seen = await readConfigField("capacity");
        return [];
      },
      onConfigChange: () => changes++,
      onEvent: ({ access }) => {
        if (access?.register !== "config" || ++reads !== 1) return;
        sectors = 0x1_0000_0000n;
        pair.device.configChanged();
      },
    });
    stage.check("ok", (await pair.driver.initialize()).ok, true);
    stage.check("halves read", reads, 4);
    stage.check("capacity", String(seen), "4294967296");
    stage.check("told, once DRIVER_OK was set", changes, 1);
    sectors += 8n;
    pair.device.configChanged();
    stage.check("told again", changes, 2);
    stage.check("capacity", String(await pair.driver.readConfigField("capacity")), "4294967304");
  },
};

/** In the order in which they are best read. */
export const LIFE_SCENES: readonly Scene[] = [suspend, needsReset, slowReset, movingConfig];
