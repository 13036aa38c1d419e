/** v86's own net device with our queues in it, driven through its registers by the driver half, without a guest. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { loadV86Core } from "../../src/adapters/v86/memory";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { VIRTIO_PCI_ISR_QUEUE } from "../../src/spec/pci";
import { type UpgradedDevice, upgrade } from "../../src/v86";
import { Driven, LIVE, negotiate, type Side } from "./v86-driven";
import { V86Machine } from "./v86-machine";

const [RX, TX] = [0, 1];
const RING_FEATURES = ["RING_PACKED", "EVENT_IDX", "INDIRECT_DESC", "IN_ORDER"];
const RINGS = ["split", "packed"].flatMap((layout) =>
  [[], ["EVENT_IDX"], ["INDIRECT_DESC"], ["EVENT_IDX", "INDIRECT_DESC", "IN_ORDER"]].map((more) => [
    "VERSION_1",
    ...(layout === "packed" ? ["RING_PACKED"] : []),
    ...more,
  ]),
);
/** The net device's header stands before each frame. */
const HEADER = 12;
const frame = (i: number): Buffer => Buffer.alloc(60 + i, i);
const behindHeader = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.alloc(HEADER), bytes]);

let machine: V86Machine;
let device: UpgradedDevice;
let side: Side;
const sent: Buffer[] = [];
const violation = vi.fn();
/** v86 says each time that it drops a frame. */
const log = vi.spyOn(console, "log").mockImplementation(() => {});

beforeAll(async () => {
  machine = await V86Machine.start({ net_device: { type: "virtio" } });
  const options = { devices: ["net"], offer: RING_FEATURES, onViolation: violation } as const;
  const [net] = await upgrade(machine.emulator, options);
  if (net === undefined) throw new Error("no net device");
  device = net;
  side = { registers: machine.registers("net"), core: await loadV86Core(machine.cpu, 4 * 65536) };
  machine.emulator.add_listener("net0-send", (bytes) => sent.push(Buffer.from(bytes)));
});

afterAll(async () => {
  log.mockRestore();
  await machine.stop();
});

beforeEach(() => {
  sent.length = 0;
  violation.mockClear();
});

describe.each(RINGS.map((features) => [features.join(" "), features] as const))("with %s", (_, features) => {
  it("frames go out and come in, the driver told once a batch, while v86's memory grows", () => {
    const { registers } = side;
    const negotiated = negotiate(side, features);
    const tx = new Driven(side, TX, negotiated);
    const rx = new Driven(side, RX, negotiated);
    registers.status = LIVE;
    expect(device.negotiated?.equals(negotiated)).toBe(true);
    for (let round = 0; round < 20; round++) {
      sent.length = 0;
      tx.queue.arm();
      rx.queue.arm();
      for (let i = 0; i < 3; i++) tx.add(behindHeader(frame(round + i)), 0);
      tx.publish();
      expect(registers.isr).toBe(VIRTIO_PCI_ISR_QUEUE);
      expect(tx.used()).toEqual([0, 0, 0]);
      expect(sent).toEqual([frame(round), frame(round + 1), frame(round + 2)]);
      const buffer = rx.add(Buffer.alloc(0), 2048);
      rx.publish();
      expect(registers.isr).toBe(0);
      if (round % 5 === 0) machine.cpu.wasm_memory.grow(1);
      machine.send("net0-receive", frame(round));
      expect(registers.isr).toBe(VIRTIO_PCI_ISR_QUEUE);
      expect(rx.used()).toEqual([HEADER + 60 + round]);
      expect(rx.bytes(buffer, HEADER + 60 + round).subarray(HEADER)).toEqual(frame(round));
    }
    tx.end();
    rx.end();
    expect(violation).not.toHaveBeenCalled();
  });

  it("v86's JIT hears of the payload and of the ring", () => {
    const dirty = vi.spyOn(machine.cpu, "jit_dirty_cache");
    const rx = new Driven(side, RX, negotiate(side, features));
    side.registers.status = LIVE;
    const { address } = rx.add(Buffer.alloc(0), 256);
    rx.publish();
    dirty.mockClear();
    machine.send("net0-receive", frame(0));
    const isDirty = (at: number) => dirty.mock.calls.some(([low, high]) => low <= at && at < high);
    expect([address, address + HEADER + 59, address + HEADER + 60].map(isDirty)).toEqual([true, true, false]);
    const { descriptor, device: usedRing } = rx.queue.areas;
    const shown = rx.queue.ring.layout === "packed" ? Number(descriptor) + 14 : Number(usedRing) + 2;
    expect(isDirty(shown)).toBe(true);
    dirty.mockRestore();
    rx.end();
  });
});

describe("features", () => {
  it("are offered besides v86's, and nothing is accepted before the driver accepts it", () => {
    const { registers } = side;
    for (const name of [...RING_FEATURES, "VERSION_1"]) expect(registers.offered.has(name)).toBe(true);
    expect(registers.offered.has("MTU", "net")).toBe(true);
    expect(device.offered.equals(registers.offered)).toBe(true);
    registers.status = 0;
    expect(registers.accepted.isEmpty).toBe(true);
    expect(device.negotiated).toBeUndefined();
  });

  it("INIT §3.1.1 device: FEATURES_OK is refused without VERSION_1", () => {
    expect(side.registers.negotiate("RING_PACKED")).toBe(3);
    expect(violation.mock.calls.map(([error]) => error.code)).toEqual(["FEATURES_REFUSED"]);
    expect(device.ring).toBeUndefined();
  });

  it("are settled by FEATURES_OK: what is accepted later counts after the next reset", () => {
    const { registers } = side;
    negotiate(side, ["VERSION_1"]);
    registers.accept(FeatureSet.of("VERSION_1", "RING_PACKED"));
    registers.status = 3;
    registers.status = 0xb;
    registers.status = LIVE;
    expect(device.ring?.layout).toBe("split");
    registers.status = 0;
    expect(device.ring).toBeUndefined();
    negotiate(side, ["VERSION_1", "RING_PACKED"]);
    expect(device.ring?.layout).toBe("packed");
  });
});

it("INIT §3.1.1 device: what was available before DRIVER_OK is looked at with it, not before", () => {
  const tx = new Driven(side, TX, negotiate(side, ["VERSION_1", "RING_PACKED"]));
  tx.add(behindHeader(frame(1)), 0);
  tx.publish();
  expect(sent).toEqual([]);
  side.registers.status = LIVE;
  expect(sent).toEqual([frame(1)]);
  tx.end();
});

describe("INIT §3.1.1 device: before DRIVER_OK", () => {
  it("no buffer is used", () => {
    const rx = new Driven(side, RX, negotiate(side, ["VERSION_1"]));
    rx.add(Buffer.alloc(0), 256);
    rx.publish();
    machine.send("net0-receive", frame(1));
    expect(rx.used()).toEqual([]);
    side.registers.status = LIVE;
    machine.send("net0-receive", frame(2));
    expect(rx.used()).toEqual([HEADER + 62]);
    rx.end();
  });

  it("a notification of before a reset is forgotten", () => {
    const before = new Driven(side, TX, negotiate(side, ["VERSION_1"]));
    before.publish();
    side.registers.notify(TX);
    before.end();
    const after = new Driven(side, TX, negotiate(side, ["VERSION_1"]));
    after.add(behindHeader(frame(1)), 0);
    after.queue.publish();
    side.registers.status = LIVE;
    expect(sent).toEqual([]);
    side.registers.notify(TX);
    expect(sent).toEqual([frame(1)]);
    after.end();
  });
});

describe("a ring in use", () => {
  it("stays as it is when it is enabled again", () => {
    const tx = new Driven(side, TX, negotiate(side, ["VERSION_1"]));
    side.registers.status = LIVE;
    for (let i = 0; i < 3; i++) {
      tx.add(behindHeader(frame(i)), 0);
      tx.publish();
      expect(tx.used()).toEqual([0]);
      const { descriptor, driver, device: used } = tx.queue.areas;
      const areas = { descriptor: Number(descriptor), driver: Number(driver), device: Number(used) };
      expect(side.registers.enable(TX, tx.queue.size, areas)).toBe(1);
    }
    expect(sent).toEqual([frame(0), frame(1), frame(2)]);
    tx.end();
  });

  it("RESET §2.4.1 device: a chain that was taken before the reset isn't given to a model after it", () => {
    const queue = machine.stock("net").virtio.queues[RX];
    const before = new Driven(side, RX, negotiate(side, ["VERSION_1"]));
    side.registers.status = LIVE;
    before.add(Buffer.alloc(0), 256);
    before.publish();
    expect(queue?.has_request()).toBe(true);
    before.end();
    const after = new Driven(side, RX, negotiate(side, ["VERSION_1"]));
    side.registers.status = LIVE;
    after.add(Buffer.alloc(0), 256);
    after.publish();
    machine.send("net0-receive", frame(1));
    expect(after.used()).toEqual([HEADER + 61]);
    after.end();
  });

  it("shows a model where the writable buffers are", () => {
    const rx = new Driven(side, RX, negotiate(side, ["VERSION_1", "RING_PACKED"]));
    side.registers.status = LIVE;
    const { address } = rx.add(Buffer.alloc(4), 64);
    rx.publish();
    const chain = machine.stock("net").virtio.queues[RX]?.pop_request();
    expect(chain).toMatchObject({ length_readable: 4, length_writable: 64 });
    expect(chain?.write_buffers).toEqual([{ addr_low: address, len: 64 }]);
    rx.end();
  });
});

describe("a driver that is told nothing is there", () => {
  it("is asked for a notification, and its frame is dropped by v86", () => {
    const rx = new Driven(side, RX, negotiate(side, ["VERSION_1", "RING_PACKED", "EVENT_IDX"]));
    side.registers.status = LIVE;
    machine.send("net0-receive", frame(0));
    expect(side.registers.isr).toBe(0);
    expect(rx.used()).toEqual([]);
    rx.add(Buffer.alloc(0), 256);
    expect(rx.queue.publish()).toBe(true);
    rx.end();
  });

  it("loses nothing to a model that pops without looking", () => {
    negotiate(side, ["VERSION_1"]);
    side.registers.status = LIVE;
    const queue = machine.stock("net").virtio.queues[RX];
    const chain = queue?.pop_request();
    expect(chain).toMatchObject({ length_readable: 0, length_writable: 0, length_written: 0 });
    expect(chain?.set_next_blob(Uint8Array.of(1))).toBe(0);
    expect(chain?.get_next_blob(new Uint8Array(1))).toBe(0);
    if (chain !== undefined) queue?.push_reply(chain);
    queue?.flush_replies();
    expect(side.registers.isr).toBe(0);
    expect(violation).not.toHaveBeenCalled();
  });
});

describe.each(["split", "packed"])("a snapshot of a %s ring", (layout) => {
  const features = ["VERSION_1", "INDIRECT_DESC", ...(layout === "packed" ? ["RING_PACKED"] : [])];

  it("goes on where v86 saved it, in the layout of then", async () => {
    const { registers } = side;
    const rx = new Driven(side, RX, negotiate(side, features));
    registers.status = LIVE;
    const [, second, third] = [1, 2, 3].map(() => rx.add(Buffer.alloc(0), 256));
    rx.publish();
    machine.send("net0-receive", frame(1));
    expect(rx.used()).toHaveLength(1);
    // Has the device take the next chain, and not pop it.
    expect(machine.stock("net").virtio.queues[RX]?.has_request()).toBe(true);
    const image = rx.queue.save();
    const state = await machine.emulator.save_state();
    // Saving changes nothing: the ring goes on.
    machine.send("net0-receive", frame(4));
    expect(rx.used()).toEqual([HEADER + 64]);
    registers.status = 0;
    negotiate(side, ["VERSION_1", layout === "packed" ? "EVENT_IDX" : "RING_PACKED"]);
    machine.memory.fill(0, 0x80000, 0xaa);

    await machine.emulator.restore_state(state);
    rx.restore(image);
    expect(device.ring).toMatchObject({ layout, indirect: true, eventIdx: false });
    machine.send("net0-receive", frame(2));
    machine.send("net0-receive", frame(3));
    expect(rx.used()).toEqual([HEADER + 62, HEADER + 63]);
    for (const [buffer, i] of [[second, 2] as const, [third, 3] as const]) {
      if (buffer !== undefined) expect(rx.bytes(buffer, HEADER + 60 + i).subarray(HEADER)).toEqual(frame(i));
    }
    rx.end();
    expect(violation).not.toHaveBeenCalled();
  });

  it("that is damaged breaks the device and not the emulator", () => {
    const rx = new Driven(side, RX, negotiate(side, features));
    side.registers.status = LIVE;
    rx.add(Buffer.alloc(0), 256);
    rx.publish();
    const queue = machine.stock("net").virtio.queues[RX];
    const state = queue?.get_state() ?? [];
    const otherQueue = String(state.at(-1)).replace('"index":0', '"index":1');
    for (const damaged of ["", "{}", "null", otherQueue, undefined]) {
      queue?.set_state([...state.slice(0, -1), damaged]);
      machine.send("net0-receive", frame(1));
      expect(violation.mock.calls.map(([error]) => error.code)).toEqual(["SNAPSHOT_INVALID"]);
      expect(device.needsReset).toBe(true);
      violation.mockClear();
      negotiate(side, features);
      side.registers.status = LIVE;
    }
    rx.end();
  });
});
