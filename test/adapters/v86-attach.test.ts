/** Our devices on v86's bus without a guest: our driver half uses them through v86's ports. */
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { V86Cpu } from "../../src/adapters/v86/emulator";
import { BlkModel } from "../../src/models/blk";
import { MemoryBackend } from "../../src/models/memory-backend";
import { NetModel } from "../../src/models/net";
import { RngModel } from "../../src/models/rng";
import { VIRTIO_BLK_S_OK as OK } from "../../src/spec/blk";
import { PciPort } from "../../src/transport/pci-port";
import { attach } from "../../src/v86";
import { Attached, Disk } from "./v86-attached";
import { fakeEmulator } from "./v86-fake";
import { V86Machine } from "./v86-machine";
import { V86Function } from "./v86-ports";

const RINGS = [
  ["VERSION_1"],
  ["VERSION_1", "EVENT_IDX", "INDIRECT_DESC"],
  ["VERSION_1", "RING_PACKED"],
  ["VERSION_1", "RING_PACKED", "EVENT_IDX", "INDIRECT_DESC"],
].map((ring) => [ring.join(" "), ring] as const);
const PACKED = ["VERSION_1", "RING_PACKED"];
const SECTORS = 64;
const disk = () => new MemoryBackend(new Uint8Array(randomBytes(512 * SECTORS)));

let rig: Attached | undefined;
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});

describe.each(RINGS)("a disk, %s", (_, ring) => {
  it("is read and written where guest RAM lies, while v86's memory grows", async () => {
    const backend = disk();
    rig = await Attached.start([new BlkModel(backend)]);
    const driven = await rig.disk(0, ring);
    for (const feature of ring) expect(rig.device(0).device.negotiated?.has(feature)).toBe(true);
    for (let round = 0; round < 40; round++) {
      const sector = (8 * round) % SECTORS;
      rig.machine.cpu.wasm_memory.grow(1);
      driven.bytes(0).set(randomBytes(4096));
      driven.add("write", sector);
      expect(await driven.served()).toEqual([OK]);
      expect(driven.bytes(0)).toEqual(backend.bytes.subarray(512 * sector, 512 * sector + 4096));
      driven.add("read", (sector + 8) % SECTORS, 1);
      driven.add("read", sector, 2);
      expect(await driven.served()).toEqual([OK, OK]);
      expect(driven.bytes(2)).toEqual(driven.bytes(0));
    }
    const bytes = { bytesToDevice: 120 * 16 + 40 * 4096, bytesFromDevice: 120 + 80 * 4096 };
    expect(rig.attachment.counters).toMatchObject({ blk0: { chains: 120, ...bytes, violations: 0 } });
  });

  it("tells v86's JIT of the payload and of the ring", async () => {
    rig = await Attached.start([new BlkModel(disk())]);
    const driven = await rig.disk(0, ring);
    const dirty = vi.spyOn(rig.machine.cpu, "jit_dirty_cache");
    driven.add("read", 0);
    await driven.served();
    const isDirty = (at: number) => dirty.mock.calls.some(([low, high]) => low <= at && at < high);
    const at = driven.address();
    expect([at - 1, at, at + 4095].map(isDirty)).toEqual([false, true, true]);
    const [queue] = driven.driving.driver.queues;
    const { descriptor = 0, device = 0 } = queue?.areas ?? {};
    expect(isDirty(queue?.ring.layout === "packed" ? Number(descriptor) + 14 : Number(device) + 2)).toBe(
      true,
    );
  });

  it("PCI §4.1.4.3.2 driver: goes on after the reset of its queue, at another size", async () => {
    const backend = disk();
    rig = await Attached.start([new BlkModel(backend)]);
    const first = await rig.disk(0, [...ring, "RING_RESET"]);
    first.add("read", 0);
    expect(await first.served()).toEqual([OK]);
    const { driver } = first.driving;
    await driver.resetQueue(0, { queueSize: 8 });
    expect([first.driving.driver.queues[0]?.size, rig.device(0).device.phase]).toEqual([8, "live"]);
    first.blk.dispose();
    const second = await Disk.start(rig.attachment, first.driving);
    for (let round = 0; round < 20; round++) {
      second.add("read", 8, 1);
      expect(await second.served()).toEqual([OK]);
    }
    expect(second.bytes(1)).toEqual(backend.bytes.subarray(4096, 8192));
  });
});

describe("a legacy driver", () => {
  it("finds a transitional device by its old ID, and its window", async () => {
    const backend = disk();
    rig = await Attached.start([{ model: new BlkModel(backend, { queueSize: 16 }), transitional: true }]);
    const driving = await rig.drive(0, ["FLUSH"], {}, { legacy: true });
    expect([driving.port.isLegacy, driving.port.revision, rig.bus(0).readConfig(2, 2)]).toEqual([
      true,
      0,
      0x1001,
    ]);
    const driven = await Disk.start(rig.attachment, driving);
    driven.add("read", 8);
    expect(await driven.served()).toEqual([OK]);
    expect(driven.bytes()).toEqual(backend.bytes.subarray(4096, 8192));
  });
});

it("firmware may set several status bits at once, unless the device's profile is another one", async () => {
  rig = await Attached.start([new RngModel(), { model: new RngModel(), profile: "strict" }]);
  for (const [i, expected] of [3, 0].entries()) {
    const port = await PciPort.open(rig.bus(i));
    await port.writeStatus(3);
    expect(await port.readStatus()).toBe(expected);
  }
});

describe("turns", () => {
  it("nothing runs within a register write, and the next microtask serves", async () => {
    rig = await Attached.start([new BlkModel(disk())]);
    const driven = await rig.disk(0, PACKED);
    driven.add("read", 0);
    const { device } = rig.device(0);
    const isDone = driven.blk.submit();
    expect([device.counters.availableNotifications, device.counters.chains]).toEqual([1, 0]);
    await isDone;
    await Promise.resolve();
    expect(device.counters.chains).toBe(1);
    expect(driven.finished()).toEqual([OK]);
  });

  it("a budget bounds one turn of each device; the rest comes behind the emulator's", async () => {
    rig = await Attached.start([new BlkModel(disk()), new BlkModel(disk())], { budget: 2 });
    const disks = [await rig.disk(0, PACKED), await rig.disk(1, PACKED)];
    for (const driven of disks) for (let i = 0; i < 5; i++) driven.add("read", i);
    const { counters } = rig.attachment;
    const served = () => Object.values(rig?.attachment.counters ?? {}).map(({ chains }) => chains);
    for (const driven of disks) driven.blk.submit();
    expect(counters.blk0?.chains).toBe(0);
    const turns: number[][] = [];
    for (let i = 0; i < 3; i++) {
      turns.push(await new Promise<number[]>((resolve) => setImmediate(() => resolve(served()))));
    }
    expect(turns).toEqual([
      [2, 2],
      [4, 4],
      [5, 5],
    ]);
    expect(disks.map((driven) => driven.finished())).toEqual([new Array(5).fill(OK), new Array(5).fill(OK)]);
    expect(rig.attachment.counters.blk0?.interrupts).toBe(1);
  });
});

describe("the bus", () => {
  const place = (cpu: V86Cpu) => cpu.devices.pci.devices.flatMap((device, id) => (device ? [id >> 3] : []));

  it("gives each device a number and ports of its own, on the least shared lines", async () => {
    const models = Array.from({ length: 9 }, () => new RngModel());
    const before: number[] = [];
    rig = await Attached.start(models, {}, ({ cpu }) => before.push(...place(cpu)));
    const slots = rig.attachment.devices.map(({ slot }) => slot);
    expect(new Set([...before, ...slots]).size).toBe(before.length + 9);
    const bases = slots.map((_, i) => rig?.bus(i).base(4) ?? 0);
    expect(new Set(bases).size).toBe(9);
    const lineOf = (slot: number) => (slot - 1) % 4;
    const users = [0, 0, 0, 0];
    const count = (slot: number) => {
      users[lineOf(slot)] = (users[lineOf(slot)] ?? 0) + 1;
    };
    for (const slot of before)
      if (new V86Function(rig.machine.cpu, slot).readConfig(0x3d, 1) !== 0) count(slot);
    for (const slot of slots) {
      expect(users[lineOf(slot)]).toBe(Math.min(...users));
      count(slot);
    }
    for (let i = 0; i < 9; i++) expect(rig.bus(i).readConfig(2, 2)).toBe(0x1044);
  });

  it("moves a BAR with its registers", async () => {
    const backend = disk();
    rig = await Attached.start([new BlkModel(backend)]);
    const bus = rig.bus(0);
    const before = bus.base(4);
    bus.writeConfig(0x20, 4, 0xc000);
    expect(rig.machine.cpu.io.ports[before]?.device).toBeUndefined();
    const driven = await rig.disk(0, PACKED);
    driven.add("read", 0);
    expect(await driven.served()).toEqual([OK]);
    expect(bus.barSize(4)).toBe(rig.device(0).pci.bars[0]?.size);
    expect(bus.base(4)).toBe(0xc000);
  });

  it("a line stays high for whoever still wants it when another device lowers it", async () => {
    rig = await Attached.start(Array.from({ length: 5 }, () => new BlkModel(disk())));
    const { devices } = rig.attachment;
    const pair = devices.flatMap(({ slot }, i) =>
      devices.flatMap((other, j) => (j > i && (other.slot - slot) % 4 === 0 ? [[i, j] as const] : [])),
    );
    const [[first, second] = [0, 0]] = pair;
    expect(second).toBeGreaterThan(first);
    const { pci } = rig.machine.cpu.devices;
    const calls: string[] = [];
    const { slot: slotA } = rig.device(first);
    const { slot: slotB } = rig.device(second);
    for (const i of [first, second]) {
      const driven = await rig.disk(i, PACKED);
      driven.add("read", 0);
      await driven.served();
    }
    vi.spyOn(pci, "raise_irq").mockImplementation((id) => void calls.push(`raise ${id >> 3}`));
    const read = (i: number) => rig?.device(i).pci.interruptLevel;
    expect([read(first), read(second)]).toEqual([true, true]);
    rig.device(first).device.writeStatus(0);
    rig.device(first).pci.reset();
    expect(calls).toEqual([`raise ${slotB}`]);
    expect([read(first), read(second)]).toEqual([false, true]);
    pci.lower_irq(slotA << 3); // as one of v86's own devices on that line would
    expect(calls).toEqual([`raise ${slotB}`, `raise ${slotB}`]);
    pci.lower_irq((slotA + 1) << 3);
    expect(calls).toHaveLength(2);
    rig.device(second).pci.reset();
    expect(calls).toHaveLength(2);
  });
});

describe("a restart", () => {
  it("resets our devices with v86's", async () => {
    rig = await Attached.start([new BlkModel(disk())]);
    await rig.disk(0, PACKED);
    expect(rig.device(0).device.phase).toBe("live");
    rig.machine.emulator.restart();
    expect([rig.device(0).device.phase, rig.device(0).device.status]).toEqual(["reset", 0]);
    const again = await rig.disk(0, ["VERSION_1"]);
    again.add("read", 0);
    expect(await again.served()).toEqual([OK]);
  });
});

describe("dispose()", () => {
  it("pulls the devices out and leaves the emulator as it was", async () => {
    const machine = await V86Machine.start({});
    const { cpu } = machine;
    const methods = () => [
      Object.hasOwn(cpu, "get_state"),
      Object.hasOwn(cpu, "set_state"),
      Object.hasOwn(cpu, "reboot_internal"),
      Object.hasOwn(cpu.devices.pci, "lower_irq"),
      Object.hasOwn(machine.emulator, "save_state"),
    ];
    const before = [methods(), cpu.get_state().length];
    const attaching = attach(machine.emulator, [new RngModel()]);
    await expect(attach(machine.emulator, [new RngModel()])).rejects.toMatchObject({ code: "DEVICE_BUSY" });
    const attachment = await attaching;
    const id = (attachment.devices[0]?.slot ?? 0) << 3;
    expect(methods()).not.toEqual(before[0]);
    await expect(attach(machine.emulator, [new RngModel()])).rejects.toMatchObject({ code: "DEVICE_BUSY" });
    attachment.dispose();
    expect([methods(), cpu.get_state().length]).toEqual(before);
    expect([cpu.devices.pci.devices[id], cpu.devices.pci.device_spaces[id]]).toEqual([undefined, undefined]);
    expect(cpu.io.ports.slice(0x1000, 0x2000).every(({ device }) => device === undefined)).toBe(true);
    const again = await attach(machine.emulator, [new RngModel()]);
    expect(again.devices[0]?.slot).toBe(id >> 3);
    await machine.stop();
  });

  it("leaves alone what somebody else has put in front", async () => {
    const machine = await V86Machine.start({});
    const attachment = await attach(machine.emulator, [new RngModel()]);
    const { cpu } = machine;
    const before = cpu.get_state;
    const front: V86Cpu["get_state"] = () => before.call(cpu);
    cpu.get_state = front;
    const saved = cpu.get_state().length;
    attachment.dispose();
    expect(cpu.get_state).toBe(front);
    expect(cpu.get_state()).toHaveLength(saved - 1);
    await machine.stop();
  });
});

describe("what is attached", () => {
  it("has names and counters, of models that drop things too", async () => {
    const net = new NetModel();
    rig = await Attached.start([net, new RngModel(), { model: new RngModel(), name: "dice" }]);
    expect(rig.attachment.devices.map(({ name }) => name)).toEqual(["net0", "rng0", "dice"]);
    net.receive(new Uint8Array(60));
    expect(rig.attachment.counters.net0).toEqual({
      chains: 0,
      bytesToDevice: 0,
      bytesFromDevice: 0,
      availableNotifications: 0,
      usedNotifications: 0,
      usedSuppressed: 0,
      drops: 1,
      violations: 0,
      interrupts: 0,
    });
  });

  it.each([
    [
      "two devices of one name",
      [
        { model: new RngModel(), name: "a" },
        { model: new RngModel(), name: "a" },
      ],
      {},
    ],
    ["none", [], {}],
    ["a budget of 0", [new RngModel()], { budget: 0 }],
    [
      "more than a bus holds",
      Array.from({ length: 32 }, () => new RngModel(undefined, { queueSize: 1 })),
      {},
    ],
  ] as const)("%s is refused, and the emulator left as it was", async (_, devices, options) => {
    const machine = await V86Machine.start({});
    const { pci } = machine.cpu.devices;
    const before = pci.devices.filter((device) => device !== undefined).length;
    await expect(attach(machine.emulator, devices, options)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    expect(pci.devices.filter((device) => device !== undefined)).toHaveLength(before);
    expect([pci, machine.cpu, machine.emulator].map((one) => Object.hasOwn(one, "lower_irq"))).not.toContain(
      true,
    );
    await attach(machine.emulator, [new RngModel()]);
    await machine.stop();
  });

  it.each([
    ["v86.cpu.io.ports", "v86.cpu.io", "ports"],
    ["v86.cpu.io.create_empty_entry", "v86.cpu.io", "create_empty_entry"],
    ["v86.cpu.devices.pci.devices", "v86.cpu.devices.pci", "devices"],
    ["v86.cpu.devices.pci.device_spaces", "v86.cpu.devices.pci", "device_spaces"],
    ["v86.cpu.get_state", "v86.cpu", "get_state"],
    ["v86.cpu.set_state", "v86.cpu", "set_state"],
    ["v86.cpu.reboot_internal", "v86.cpu", "reboot_internal"],
    ["save_state", "", "save_state"],
    ["restore_state", "", "restore_state"],
  ])("an emulator without %s is refused by name", async (path, owner, name) => {
    const emulator = fakeEmulator();
    const parts = owner === "" ? [] : owner.split(".");
    const object = parts.reduce<object>((one, part) => Reflect.get(one, part) as object, emulator);
    Reflect.deleteProperty(object, name);
    await expect(attach(emulator, [new RngModel()])).rejects.toMatchObject({
      code: "EMULATOR_UNSUPPORTED",
      message: expect.stringContaining(`lacks ${path}:`),
    });
  });
});
