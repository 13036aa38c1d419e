/** A guest that is saved while it copies from one of our disks to another and goes on in another emulator. One boot. */
import { createHash, randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { VirtioError } from "../../../src/errors";
import { type BlkBackend, BlkModel, type GuestBytes, MemoryBackend, RngModel } from "../../../src/models";
import { type Attachment, attach } from "../../../src/v86";
import { GuestMissing } from "./apt";
import { Linux, type LinuxOptions } from "./linux";
import { findGuestFiles } from "./packages";
import { LIMIT, LONG } from "./patience";
import { diskFile } from "./sysfs";

const files = findGuestFiles();
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
const MIB = 1024 * 1024;

/** A disk that answers in one of the next turns, so that requests overtake each other. */
class LateBackend implements BlkBackend {
  private readonly inner: MemoryBackend;
  private requests = 0;

  constructor(inner: MemoryBackend) {
    this.inner = inner;
  }

  get sectors(): number {
    return this.inner.sectors;
  }

  async read(sector: number, target: GuestBytes): Promise<void> {
    await this.delay();
    this.inner.read(sector, target);
  }

  async write(sector: number, source: GuestBytes): Promise<void> {
    await this.delay();
    this.inner.write(sector, source);
  }

  flush(): Promise<void> {
    return this.delay();
  }

  private async delay(): Promise<void> {
    for (let left = 5 - (this.requests++ % 5); left > 0; left--) await turn();
  }
}

/** A machine with two disks, of which the one on a packed ring answers late, and what is seen of it. */
class Rig {
  readonly violations: VirtioError[] = [];
  readonly source: MemoryBackend;
  readonly target: MemoryBackend;
  attached: Attachment | undefined;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.source = new MemoryBackend(source);
    this.target = new MemoryBackend(target);
  }

  get options(): LinuxOptions {
    const onViolation = (error: VirtioError) => this.violations.push(error);
    const source = new BlkModel(new LateBackend(this.source), { id: "source" });
    const target = new BlkModel(this.target, { id: "target" });
    return {
      prepare: async (emulator) => {
        this.attached = await attach(emulator, [
          { model: source, name: "source", onViolation },
          { model: target, name: "target", offer: ["VERSION_1"], onViolation },
          { model: new RngModel(), onViolation },
        ]);
      },
    };
  }

  get attachment(): Attachment {
    if (this.attached === undefined) throw new Error("nothing was attached");
    return this.attached;
  }

  /** Bytes read of the source so far. */
  get read(): number {
    return this.attachment.counters.source?.bytesFromDevice ?? 0;
  }
}

describe.skipIf(files instanceof GuestMissing)("a guest with our devices", () => {
  const first = new Rig(randomBytes(16 * MIB), new Uint8Array(16 * MIB));
  const linuxes: Linux[] = [];

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    linuxes.push(await Linux.start(files, first.options));
  }, LIMIT);

  afterAll(async () => {
    for (const linux of linuxes) await linux.stop();
  });

  const copied = "while ! [ -e /tmp/copied ]; do sleep 0.1; done";

  it(
    "is saved in the middle of a copy, and another emulator finishes it",
    async () => {
      const [linux] = linuxes;
      if (linux === undefined || files instanceof GuestMissing) throw new Error("the guest did not boot");
      const [source, target] = [await diskFile(linux, "source"), await diskFile(linux, "target")];
      const copy = `dd if=${source} of=${target} bs=64k count=256; sync; touch /tmp/copied`;
      const before = first.read;
      await linux.succeed(`( ${copy} ) >/dev/null 2>&1 &`);
      while (first.read < before + 6 * MIB) await turn();
      const [state, ...disks] = await first.attachment.quietly(
        async () =>
          [
            await linux.emulator.save_state(),
            first.source.bytes.slice(),
            first.target.bytes.slice(),
          ] as const,
      );
      const read = first.read - before;
      console.log(`saved after ${read} of ${16 * MIB} bytes read, ${state.byteLength} bytes of state`);
      expect(read).toBeLessThan(16 * MIB);
      expect(md5(disks[1])).not.toBe(md5(disks[0]));
      await linux.succeed(copied, LONG);
      expect(md5(first.target.bytes)).toBe(md5(first.source.bytes));

      const second = new Rig(...disks);
      const resumed = await Linux.resume(files, state, second.options);
      linuxes.push(resumed);
      await resumed.succeed(copied, LONG);
      console.table(second.attachment.counters);
      expect(second.read).toBeGreaterThan(0);
      expect(md5(second.target.bytes)).toBe(md5(first.source.bytes));
      const drop = "echo 3 > /proc/sys/vm/drop_caches";
      expect(await resumed.succeed(`${drop}; md5sum ${target}`, LONG)).toContain(md5(first.source.bytes));
      for (const { attachment, violations } of [first, second]) {
        expect(attachment.devices.map(({ device }) => device.phase)).toEqual(["live", "live", "live"]);
        expect(violations).toEqual([]);
      }
    },
    2 * LIMIT,
  );
});
