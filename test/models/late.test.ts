import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import { BlkModel, type BlkOptions } from "../../src/models/blk";
import { DeferredBackend } from "../../src/models/deferred-backend";
import { MemoryBackend } from "../../src/models/memory-backend";
import { cut, header, LAYOUTS, openRig, pattern, UNWRITTEN } from "./rig";

const IN = 0;
const OUT = 1;

const tick = () => new Promise((resolve) => setTimeout(resolve, 0));

async function open(ring: readonly string[] = ["VERSION_1"], options: BlkOptions = {}) {
  const memory = new MemoryBackend(pattern(16 * 512));
  const backend = new DeferredBackend(memory);
  const rig = await openRig(new BlkModel(backend, options), [...ring, "FLUSH", "RING_RESET"]);
  const read = (sector: number) => rig.send([header(IN, sector)], [512, 1]);
  return { rig, memory, backend, read };
}

/** Every order of n things, as indexes into what is left. */
function orders(n: number): number[][] {
  if (n === 0) return [[]];
  return Array.from({ length: n }, (_, i) => orders(n - 1).map((rest) => [i, ...rest])).flat();
}

describe.each(LAYOUTS)("late backends on %s", (_, ring) => {
  it.each(orders(4))("finish in any order: picks %i %i %i %i", async (...picks) => {
    const { rig, memory, backend, read } = await open(ring);
    const sent = [0, 1, 2, 3].map(read);
    rig.device.process();
    expect(rig.used()).toEqual([]);
    expect(backend.pending).toBe(4);
    for (const pick of picks) await backend.settle(pick);
    await rig.device.idle();
    const back = rig.used();
    const inOrder = ring.includes("IN_ORDER");
    const expected = sent.map(({ token }) => ({ token, length: 513 }));
    if (inOrder) expect(back).toEqual(expected);
    else
      expect([...back].sort((a, b) => a.token - b.token)).toEqual(expected.sort((a, b) => a.token - b.token));
    for (const [sector, one] of sent.entries()) {
      expect(rig.answerOf(one)).toEqual([...memory.bytes.subarray(sector * 512, sector * 512 + 512), 0]);
    }
  });

  it("notify the driver by themselves", async () => {
    const { rig, backend, read } = await open(ring);
    read(0);
    rig.device.process();
    expect(rig.interrupts).toBe(0);
    await backend.settle();
    await rig.device.idle();
    expect(rig.interrupts).toBe(1);
  });

  it("do not hold up what comes after them", async () => {
    const { rig, backend, read } = await open(ring);
    read(0);
    rig.device.process();
    const second = rig.send([header(8)], [20, 1]);
    rig.device.process();
    expect(rig.answerOf(second).at(-1)).toBe(0);
    expect(rig.used()).toHaveLength(ring.includes("IN_ORDER") ? 0 : 1);
    await backend.settleAll();
    await rig.device.idle();
    expect(rig.queue.inFlight).toBe(ring.includes("IN_ORDER") ? 2 : 1);
    expect(rig.used()).toHaveLength(ring.includes("IN_ORDER") ? 2 : 1);
  });
});

describe("a request that waits for its backend", () => {
  it("fails with VIRTIO_BLK_S_IOERR when the backend rejects", async () => {
    const errors: unknown[] = [];
    const { rig, backend, read } = await open(["VERSION_1"], {
      onBackendError: (error) => errors.push(error),
    });
    const sent = read(0);
    rig.device.process();
    await backend.settle(0, new Error("gone"));
    await rig.device.idle();
    expect(rig.used()).toEqual([{ token: sent.token, length: 513 }]);
    expect(rig.answerOf(sent).at(-1)).toBe(1);
    expect(errors).toEqual([new Error("gone")]);
  });

  it("finds guest memory that has grown meanwhile", async () => {
    const { rig, memory, backend, read } = await open();
    const sent = read(2);
    rig.device.process();
    rig.core.memory.grow(4);
    await backend.settleAll();
    await rig.device.idle();
    expect(rig.used()).toHaveLength(1);
    expect(rig.answerOf(sent)).toEqual([...memory.bytes.subarray(1024, 1536), 0]);
  });

  it("§2.4.1 is dropped by a device reset: no byte of guest memory changes, nothing is used", async () => {
    const { rig, backend, read } = await open();
    const sent = read(0);
    rig.device.process();
    await rig.driver.reset();
    await backend.settleAll();
    await rig.device.idle();
    await tick();
    expect(rig.answerOf(sent).every((byte) => byte === UNWRITTEN)).toBe(true);
    expect(rig.interrupts).toBe(0);
  });

  it("does not disturb the next life of the device", async () => {
    const { rig, memory, backend, read } = await open();
    const old = read(0);
    rig.device.process();
    await rig.driver.initialize();
    const next = rig.send([header(IN, 1)], [512, 1]);
    rig.device.process();
    expect(backend.pending).toBe(2);
    await backend.settleAll((pending) => pending - 1);
    await rig.device.idle();
    expect(rig.used()).toEqual([{ token: next.token, length: 513 }]);
    expect(rig.answerOf(next)).toEqual([...memory.bytes.subarray(512, 1024), 0]);
    expect(old.token).not.toBe(0);
  });

  it("§2.6.1 is dropped by a reset of its queue", async () => {
    const { rig, backend, read } = await open(["VERSION_1"]);
    const sent = read(0);
    rig.device.process();
    rig.device.resetQueue(0);
    expect(rig.device.queueReady(0)).toBe(false);
    await backend.settleAll();
    await rig.device.idle();
    expect(rig.answerOf(sent).every((byte) => byte === UNWRITTEN)).toBe(true);
  });

  it("§2.1.2 completes after DEVICE_NEEDS_RESET as long as its queue is whole", async () => {
    const { rig, backend, read } = await open();
    const sent = read(0);
    rig.device.process();
    rig.device.needsReset(new VirtioError("INTERNAL", "on fire"));
    await backend.settleAll();
    await rig.device.idle();
    expect(rig.answerOf(sent).at(-1)).toBe(0);
  });

  it("§2.1.2 is dropped when its queue broke", async () => {
    const { rig, backend, read } = await open();
    const sent = read(0);
    rig.device.process();
    // The driver runs its index 100 ahead of a queue of 64.
    const { driver } = rig.queue.areas;
    const avail = rig.core.view(Number(driver), 4);
    avail[2] = 101;
    rig.device.notify(0);
    rig.device.process();
    expect(rig.device.phase).toBe("needs-reset");
    await backend.settleAll();
    await rig.device.idle();
    expect(rig.answerOf(sent).every((byte) => byte === UNWRITTEN)).toBe(true);
  });

  it("gives a backend no memory after the reset, even if it asks", async () => {
    const seen: unknown[] = [];
    const backend = {
      sectors: 4,
      async read(_: number, target: { views(): readonly Uint8Array[] }) {
        await tick();
        try {
          target.views()[0]?.fill(1);
        } catch (error) {
          seen.push((error as VirtioError).code);
        }
      },
      write() {},
      flush() {},
    };
    const rig = await openRig(new BlkModel(backend), ["VERSION_1"]);
    const sent = rig.send([header(IN, 0)], [512, 1]);
    rig.device.process();
    await rig.driver.reset();
    await rig.device.idle();
    expect(seen).toEqual(["DEVICE_NEEDS_RESET"]);
    expect(rig.answerOf(sent).every((byte) => byte === UNWRITTEN)).toBe(true);
  });

  it("writes what the buffers held, cut anyhow", async () => {
    const { rig, memory, backend } = await open();
    const data = pattern(1024, 77);
    rig.send([header(OUT, 4), ...cut(data, [3, 500, 13, 400])], [1]);
    rig.device.process();
    await backend.settleAll();
    await rig.device.idle();
    expect(rig.used()).toHaveLength(1);
    expect(memory.bytes.subarray(4 * 512, 6 * 512)).toEqual(data);
  });
});
