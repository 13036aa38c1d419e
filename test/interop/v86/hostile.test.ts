/**
 * A hostile driver beside Linux: a device that Linux has no driver for is driven by hand, against every rule, on the memory
 * and the bus that Linux uses. Each case is played while the machine stands still, in the middle of Linux's reading of its
 * disks, when all memory can be compared; then all are played while it runs. One boot.
 */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROLE_DEVICE } from "../../../assembly/abi";
import { v86Cpu } from "../../../src/adapters/v86/hooks";
import { queueStateLayout } from "../../../src/core/state-area";
import { BlkModel, MemoryBackend } from "../../../src/models";
import { type Attachment, attach } from "../../../src/v86";
import { HOSTILE_CASES } from "../../adapters/v86-hostile-cases";
import { GROUND, HostileDriver, SIZE } from "../../adapters/v86-hostile-driver";
import { V86Function } from "../../adapters/v86-ports";
import { RawMemory } from "../../raw-ring";
import { echo } from "../../transport/port-pair";
import { GuestMissing } from "./apt";
import { HeldMemory, type Stretch } from "./held-memory";
import { Linux } from "./linux";
import { findGuestFiles } from "./packages";
import { LIMIT, LONG } from "./patience";
import { StandStill } from "./stand-still";
import { diskFile, virtioDevices } from "./sysfs";

const files = findGuestFiles();
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
const DISK_BYTES = 4 * 1024 * 1024;
const DISKS = ["packed", "split"] as const;
/** Where v86 has the VGA's window and the firmware's ROMs. */
const VGA = 0xa0000;
const LOW_END = 0x100000;
/** The hostile queue's part of our pages: it gets the same one each time, and the other queues' lie beside it. */
const OWN_BYTES = queueStateLayout({ roles: ROLE_DEVICE, maxSize: SIZE, batch: 64, touched: true }).bytes;

describe.skipIf(files instanceof GuestMissing)("a hostile driver beside Linux", { timeout: LIMIT }, () => {
  const contents = DISKS.map(() => randomBytes(DISK_BYTES));
  const codes: string[] = [];
  const others: string[] = [];
  /** Our own pages in v86's memory. */
  let state: Stretch;
  /** What the cases changed of them, all together. */
  let own: Stretch = { from: Number.POSITIVE_INFINITY, to: 0 };
  let running: Linux | undefined;
  let attached: Attachment | undefined;
  let hostile: HostileDriver | undefined;
  let standStill: StandStill | undefined;

  beforeAll(async () => {
    if (files instanceof GuestMissing) throw files;
    const onViolation = ({ message }: Error) => others.push(message);
    const disks = DISKS.map((id, i) => {
      const model = new BlkModel(new MemoryBackend(contents[i]?.slice() ?? new Uint8Array()), { id });
      return { model, name: id, onViolation, ...(id === "split" && { offer: ["VERSION_1"] }) };
    });
    running = await Linux.start(files, {
      prepare: async (emulator) => {
        standStill = new StandStill(emulator);
        const memory = v86Cpu(emulator).wasm_memory;
        const from = memory.buffer.byteLength;
        attached = await attach(emulator, [
          ...disks,
          { model: echo(), name: "hostile", onViolation: ({ code }) => codes.push(code) },
        ]);
        state = { from, to: memory.buffer.byteLength };
      },
    });
    hostile = await HostileDriver.open({
      bus: new V86Function(cpu(), device().slot),
      memory: new RawMemory(() => new Uint8Array(cpu().wasm_memory.buffer, ram().from, ramBytes())),
      attachment: attachment(),
      attached: device(),
      violations: codes,
    });
    await beginToRead();
  }, LIMIT);

  afterAll(async () => {
    if (attached !== undefined) console.table(attached.counters);
    await running?.stop();
  });

  function guest(): Linux {
    if (running === undefined) throw new Error("the guest did not boot");
    return running;
  }

  function attachment(): Attachment {
    if (attached === undefined) throw new Error("nothing was attached");
    return attached;
  }

  function driver(): HostileDriver {
    if (hostile === undefined) throw new Error("no driver");
    return hostile;
  }

  function machine(): StandStill {
    if (standStill === undefined) throw new Error("no machine");
    return standStill;
  }

  function device() {
    const found = attachment().devices.find(({ name }) => name === "hostile");
    if (found === undefined) throw new Error("no device");
    return found;
  }

  const cpu = () => v86Cpu(guest().emulator);
  const ramBytes = () => cpu().memory_size[0] ?? 0;
  const ram = (): Stretch => {
    const from = cpu().mem8.byteOffset;
    return { from, to: from + ramBytes() };
  };
  const answers = async () => expect(await guest().succeed("echo $((6 * 7))")).toBe("42");

  /** From now on Linux reads its disks past its cache, again and again, and keeps the sums. */
  async function beginToRead(): Promise<void> {
    const reads: string[] = [];
    for (const id of DISKS) {
      const file = await diskFile(guest(), id);
      reads.push(`dd if=${file} iflag=direct bs=64k 2>/dev/null | md5sum >> /tmp/${id}`);
    }
    await guest().succeed(`( while ! [ -e /tmp/enough ]; do ${reads.join("; ")}; done; touch /tmp/ended ) &`);
  }

  /** All of v86's memory but the ground of the hostile driver; the machine stands still. */
  function allButTheGround(): HeldMemory {
    const { from, to } = ram();
    return new HeldMemory(cpu(), {
      "v86, below guest RAM": { from: 0, to: from },
      "guest RAM, below the ground": { from, to: from + GROUND.from },
      "guest RAM, above the ground": { from: from + GROUND.to, to: from + VGA },
      "the VGA's window and guest RAM behind it": { from: from + VGA, to },
      "v86, behind guest RAM": { from: to, to: state.from },
      state,
      "v86, behind our state": { from: state.to, to: cpu().wasm_memory.buffer.byteLength },
    });
  }

  it("is the driver of a device that Linux has found and has no driver for", async () => {
    const drivers = (await virtioDevices(guest())).map(({ type, driver }) => `${type}: ${driver}`);
    expect(drivers.sort()).toEqual(["blk: virtio_blk", "blk: virtio_blk", "undefined: "]);
  });

  describe("while the machine stands still", () => {
    it.each(HOSTILE_CASES.map((one) => [one.title, one] as const))("%s", async (_, { play }) => {
      const { lines, written } = await machine().during(attachment(), async () => {
        driver().begin();
        const held = allButTheGround();
        await play(driver());
        await driver().end();
        for (const { within, from, to } of held.changes()) {
          expect(within).toBe("state");
          own = { from: Math.min(own.from, from), to: Math.max(own.to, to) };
        }
        expect(own.to - own.from).toBeLessThanOrEqual(OWN_BYTES);
      });
      expect([...lines.values()]).not.toContain(true);
      expect(written.filter(({ from, to }) => from < GROUND.from || to > GROUND.to)).toEqual([]);
      await answers();
    });
  });

  it("while the machine runs: all of it, and Linux reads on", async () => {
    const { from } = ram();
    const held = new HeldMemory(cpu(), {
      "below the ground": { from, to: from + GROUND.from },
      "above the ground": { from: from + GROUND.to, to: from + LOW_END },
    });
    const before = attachment().counters;
    for (const { play } of HOSTILE_CASES) {
      driver().begin();
      await play(driver());
      await driver().end();
    }
    await answers();
    expect(held.changes()).toEqual([]);
    const after = attachment().counters;
    expect(after.hostile?.violations).toBeGreaterThan(before.hostile?.violations ?? Infinity);
  });

  it("Linux has read its disks through all of it, every byte", async () => {
    const reads = await guest().succeed("wc -l < /tmp/packed");
    await guest().succeed("touch /tmp/enough; while ! [ -e /tmp/ended ]; do sleep 0.1; done", LONG);
    for (const [i, id] of DISKS.entries()) {
      const sums = await guest().succeed(`sort /tmp/${id} | uniq`);
      expect(sums).toBe(`${md5(contents[i] ?? new Uint8Array())}  -`);
    }
    console.log(`read ${reads} times`);
    expect(attachment().devices.map(({ device }) => device.phase)).toEqual(["live", "live", "reset"]);
    expect(others).toEqual([]);
  });
});
