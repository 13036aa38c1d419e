// The driver's side of virtio-mmio against a map of registers that logs: which accesses, how wide, in which order.
import { describe, expect, it } from "vitest";
import type { PortQueueSetup } from "../../src/driver/port";
import * as mmio from "../../src/spec/mmio";
import { MmioPort } from "../../src/transport/mmio-port";
import type { RegisterBus } from "../../src/transport/register-bus";

type Access = readonly [how: "read" | "write", register: string, value: number];

const NAMES = new Map(
  Object.entries(mmio)
    .filter(([name]) => !/_(MAGIC|VERSION_LEGACY|VERSION_MODERN|INT_VRING|INT_CONFIG)$/.test(name))
    .map(([name, offset]) => [offset as number, name.replace("VIRTIO_MMIO_", "").toLowerCase()]),
);
const WRITE_ONLY = /_sel$|driver_features|queue_size$|_low$|_high$|notify|_ack|page_size|queue_align/;

/** A window of registers by name. What is written can be read, unless `on` says otherwise. */
class FakeBus implements RegisterBus {
  readonly log: Access[] = [];
  readonly values: Record<string, number> = { magic_value: 0x74726976, version: 2, device_id: 2 };
  /** By selected queue or feature window. */
  readonly banks: Record<string, Record<number, number>> = {};
  /** Answers by Promise, a turn later. */
  later = false;
  fails: string | undefined;
  readonly #selected: Record<string, number> = {};

  read(offset: number, bytes: 1 | 2 | 4) {
    return this.#answer(() => {
      const name = this.#name(offset, bytes);
      if (WRITE_ONLY.test(name)) throw new Error(`${name} was read`);
      const bank = this.banks[name];
      const value = bank === undefined ? this.values[name] : bank[this.#selected[selectorOf(name)] ?? -1];
      this.log.push(["read", name, value ?? 0]);
      return value ?? 0;
    });
  }

  write(offset: number, bytes: 1 | 2 | 4, value: number) {
    return this.#answer(() => {
      const name = this.#name(offset, bytes);
      if (value >>> 0 !== value) throw new Error(`${value} written to ${name}`);
      this.log.push(["write", name, value]);
      if (name.endsWith("_sel")) this.#selected[name] = value;
      const bank = this.banks[name];
      if (bank !== undefined) bank[this.#selected[selectorOf(name)] ?? -1] = value;
      else this.values[name] = value;
    });
  }

  /** The log since the last call. */
  told(): Access[] {
    return this.log.splice(0);
  }

  #name(offset: number, bytes: number): string {
    if (offset >= 0x100) return `config+${offset - 0x100}/${bytes}`;
    const name = NAMES.get(offset);
    if (name === undefined || bytes !== 4) throw new Error(`${bytes} bytes at ${offset} are no register`);
    if (name === this.fails) throw new Error(`no answer from ${name}`);
    return name;
  }

  #answer<T>(access: () => T): T | Promise<T> {
    return this.later ? new Promise<void>((resolve) => setImmediate(resolve)).then(access) : access();
  }
}

function selectorOf(name: string): string {
  return name === "device_features" ? "device_features_sel" : "queue_sel";
}

async function opened(version = 2, later = false) {
  const bus = new FakeBus();
  bus.values.version = version;
  bus.later = later;
  Object.assign(bus.banks, {
    device_features: { 0: 0x30000002, 1: 0x80000001 },
    queue_size_max: { 0: 256, 1: 8 },
    queue_ready: {},
    queue_pfn: {},
    queue_reset: {},
  });
  const port = await MmioPort.open(bus);
  bus.told();
  return { bus, port };
}

const areas = { descriptor: 0x1000, driver: 0x1080, device: 0x2000 };
const setup: PortQueueSetup = { size: 8, areas };
const FAR = 2 ** 32 * 4096;
const HIGH = { descriptor: 0x1_0000_1000, driver: 0x1f_ffff_fffen, device: 0xffff_ffff_ffff_f000n };
const fails = (code: string) => expect.objectContaining({ code });

describe("MmioPort.probe", () => {
  it("MMIO-036 MMIO-037 §4.2.3.1.1 driver: reads MagicValue, Version and DeviceID, in this order", async () => {
    const bus = new FakeBus();
    const port = await MmioPort.probe(bus);
    expect(bus.told()).toEqual([
      ["read", "magic_value", 0x74726976],
      ["read", "version", 2],
      ["read", "device_id", 2],
    ]);
    expect([port?.deviceId, port?.transport, port?.version]).toEqual([2, "mmio", 2]);
  });

  it("MMIO-018 MMIO-019 §4.2.2.2 driver: leaves a device with another magic value alone", async () => {
    const bus = new FakeBus();
    bus.values.magic_value = 0x12345678;
    await expect(MmioPort.probe(bus)).rejects.toThrow(fails("MMIO_MAGIC"));
    expect(bus.told()).toEqual([["read", "magic_value", 0x12345678]]);
  });

  it.each([0, 3, 0x102])(
    "MMIO-020 MMIO-021 §4.2.2.2 driver: leaves a device of version %i alone",
    async (version) => {
      const bus = new FakeBus();
      bus.values.version = version;
      await expect(MmioPort.open(bus)).rejects.toThrow(fails("MMIO_VERSION"));
      expect(bus.told().map(([, name]) => name)).toEqual(["magic_value", "version"]);
    },
  );

  it("MMIO-022 MMIO-023 MMIO-038 §4.2.3.1.1 driver: takes DeviceID 0 for no device and no error", async () => {
    const bus = new FakeBus();
    bus.values.device_id = 0;
    expect(await MmioPort.probe(bus)).toBeUndefined();
    expect(bus.told()).toHaveLength(3);
    await expect(MmioPort.open(bus)).rejects.toThrow(fails("DEVICE_ABSENT"));
  });
});

it("MmioPort takes what a bus of signed words answers", async () => {
  const { bus, port } = await opened();
  bus.banks.device_features = { 1: 0x80000001 | 0 };
  expect(await port.readDeviceFeatures(1)).toBe(0x80000001);
  const reads: RegisterBus = { read: () => 0x80000000 | 0, write: () => {} };
  await expect(MmioPort.probe(reads)).rejects.toThrow("MagicValue reads 0x80000000,");
});

describe.each([false, true])("MmioPort, by Promise: %s", (later) => {
  it("answers at once or later, as its bus does", async () => {
    const { port } = await opened(2, later);
    const answers = [port.readStatus(), port.queueMaxSize(0), port.queueReady(0), port.readDeviceFeatures(0)];
    expect(answers.map((answer) => answer instanceof Promise)).toEqual([later, later, later, later]);
    expect(await Promise.all(answers)).toEqual([0, 256, false, 0x30000002]);
  });

  it("MMIO-024 MMIO-025 §4.2.2.2 driver: selects a feature word first", async () => {
    const { bus, port } = await opened(2, later);
    expect(await port.readDeviceFeatures(1)).toBe(0x80000001);
    await port.writeDriverFeatures(1, 0x80000001 | 0);
    expect(bus.told()).toEqual([
      ["write", "device_features_sel", 1],
      ["read", "device_features", 0x80000001],
      ["write", "driver_features_sel", 1],
      ["write", "driver_features", 0x80000001],
    ]);
  });

  it("MMIO-017 §4.2.2.2 driver: reaches the configuration in 1, 2 and 4 bytes", async () => {
    const { bus, port } = await opened(2, later);
    for (const bytes of [1, 2, 4] as const) {
      await port.writeConfig(4 * bytes, bytes, 0x80 + bytes);
      expect(await port.readConfig(4 * bytes, bytes)).toBe(0x80 + bytes);
    }
    await port.writeConfig(0, 4, -1);
    expect(bus.told().map(([how, name, value]) => `${how} ${name} ${value}`)).toEqual([
      "write config+4/1 129",
      "read config+4/1 129",
      "write config+8/2 130",
      "read config+8/2 130",
      "write config+16/4 132",
      "read config+16/4 132",
      "write config+0/4 4294967295",
    ]);
  });

  it("reads and writes status and generation, and notifies with what it is given (MMIO-044 §4.2.3.3)", async () => {
    const { bus, port } = await opened(2, later);
    bus.values.config_generation = 7;
    await port.writeStatus(3);
    expect([await port.readStatus(), await port.configGeneration()]).toEqual([3, 7]);
    await port.notify(0xffff0001 | 0);
    expect(bus.told().at(-1)).toEqual(["write", "queue_notify", 0xffff0001]);
  });

  it("MMIO-053 §4.2.3.2 driver: sets a queue up in the order of the section", async () => {
    const { bus, port } = await opened(2, later);
    await port.enableQueue(1, { size: 8, areas: HIGH });
    expect(bus.told()).toEqual([
      ["write", "queue_sel", 1],
      ["read", "queue_ready", 0],
      ["read", "queue_size_max", 8],
      ["write", "queue_size", 8],
      ["write", "queue_desc_low", 0x1000],
      ["write", "queue_desc_high", 1],
      ["write", "queue_driver_low", 0xfffffffe],
      ["write", "queue_driver_high", 0x1f],
      ["write", "queue_device_low", 0xfffff000],
      ["write", "queue_device_high", 0xffffffff],
      ["write", "queue_ready", 1],
    ]);
    expect([await port.queueReady(1), await port.queueReady(0)]).toEqual([true, false]);
  });

  it("MMIO-026 MMIO-027 §4.2.2.2 driver: touches nothing of a queue in use, nor with too large a size", async () => {
    const { bus, port } = await opened(2, later);
    const attempt = async (index: number, wanted: PortQueueSetup) => port.enableQueue(index, wanted);
    for (const size of [16, 9, 0])
      await expect(attempt(1, { size, areas })).rejects.toThrow(fails("QUEUE_SIZE_INVALID"));
    await expect(attempt(9, setup)).rejects.toThrow(fails("QUEUE_SIZE_INVALID"));
    await attempt(1, setup);
    bus.told();
    await expect(attempt(1, setup)).rejects.toThrow(fails("QUEUE_LOCKED"));
    expect(bus.told()).toEqual([
      ["write", "queue_sel", 1],
      ["read", "queue_ready", 1],
    ]);
  });

  it("MMIO-028 MMIO-029 §4.2.2.2 driver: stops a queue with 0 and reads that back", async () => {
    const { bus, port } = await opened(2, later);
    await port.enableQueue(0, setup);
    bus.told();
    await port.disableQueue(0);
    expect(bus.told()).toEqual([
      ["write", "queue_sel", 0],
      ["write", "queue_ready", 0],
      ["read", "queue_ready", 0],
    ]);
  });

  it("MMIO-033 §4.2.2.2 driver: a queue reset is over when QueueReset reads 0", async () => {
    const { bus, port } = await opened(2, later);
    await port.resetQueue(1);
    expect([await port.queueInReset(1), await port.queueInReset(0)]).toEqual([true, false]);
    bus.banks.queue_reset = {};
    expect(await port.queueInReset(1)).toBe(false);
    expect(bus.told().slice(0, 2)).toEqual([
      ["write", "queue_sel", 1],
      ["write", "queue_reset", 1],
    ]);
  });

  it("keeps a selector until the register behind it was reached, whatever else is asked at the time", async () => {
    const { bus, port } = await opened(2, later);
    const answers = await Promise.all([
      port.queueMaxSize(1),
      port.readDeviceFeatures(1),
      port.queueMaxSize(0),
      port.queueMaxSize(1),
      port.readDeviceFeatures(0),
    ]);
    expect(answers).toEqual([8, 0x80000001, 256, 8, 0x30000002]);
    bus.fails = "queue_size_max";
    const broken = (async () => port.queueMaxSize(1))();
    const next = (async () => port.readDeviceFeatures(1))();
    await expect(broken).rejects.toThrow("no answer");
    expect(await next).toBe(0x80000001);
  });
});

describe.each([false, true])("MmioPort.handleInterrupt, by Promise: %s", (later) => {
  it.each([
    [1, ["used"]],
    [2, ["config"]],
    [3, ["used", "config"]],
    [0xfffffffd, ["used"]],
  ] as const)(
    "MMIO-030 MMIO-031 MMIO-032 MMIO-041 MMIO-043 §4.2.3.4 driver: InterruptStatus %i",
    async (status, kinds) => {
      const { bus, port } = await opened(2, later);
      const heard: unknown[] = [];
      port.onInterrupt((kind, queue) => heard.push([kind, queue, bus.log.length]));
      bus.values.interrupt_status = status;
      await port.handleInterrupt();
      expect(bus.told()).toEqual([
        ["read", "interrupt_status", status],
        ["write", "interrupt_ack", status & 3],
      ]);
      // MMIO-042: no queue is named, so every one is meant.
      expect(heard).toEqual(kinds.map((kind) => [kind, undefined, 2]));
    },
  );

  it.each([0, 0xfffffffc])("leaves a spurious interrupt alone: InterruptStatus %i", async (status) => {
    const { bus, port } = await opened(2, later);
    const heard: unknown[] = [];
    port.onInterrupt((kind) => heard.push(kind));
    bus.values.interrupt_status = status;
    await port.handleInterrupt();
    expect([bus.told().map(([, name]) => name), heard]).toEqual([["interrupt_status"], []]);
  });

  it("does without a handler, and doesn't wait for a sequence that is under way", async () => {
    const { bus, port } = await opened(2, later);
    bus.values.interrupt_status = 1;
    const order: string[] = [];
    const size = (async () => port.queueMaxSize(0))()
      .then(() => port.queueMaxSize(0))
      .then(() => order.push("size"));
    await (async () => port.handleInterrupt())();
    order.push("interrupt");
    await size;
    expect(order[0]).toBe(later ? "interrupt" : order[0]);
    expect(order).toHaveLength(2);
  });
});

describe.each([false, true])("MMIO-054 §4.2.4 driver: a legacy device, by Promise: %s", (later) => {
  it("takes a queue as a page number, with the page size told once before the first", async () => {
    const { bus, port } = await opened(1, later);
    expect(await port.queueMaxSize(1)).toBe(8);
    await port.enableQueue(1, setup);
    expect(bus.told()).toEqual([
      ["write", "queue_sel", 1],
      ["read", "queue_pfn", 0],
      ["read", "queue_size_max", 8],
      ["write", "guest_page_size", 4096],
      ["write", "queue_sel", 1],
      ["read", "queue_pfn", 0],
      ["read", "queue_size_max", 8],
      ["write", "queue_size", 8],
      ["write", "queue_align", 4096],
      ["write", "queue_pfn", 1],
    ]);
    expect([await port.queueReady(1), await port.queueReady(0)]).toEqual([true, false]);
    bus.told();
    await port.enableQueue(0, setup);
    expect(bus.told()[0]).toEqual(["write", "queue_sel", 0]);
    await port.writeStatus(0);
    bus.banks.queue_pfn = {};
    bus.told();
    await port.enableQueue(0, setup);
    expect(bus.told()[0]).toEqual(["write", "guest_page_size", 4096]);
  });

  it("asks for no size of a queue in use, stops one with page 0, and has no queue reset", async () => {
    const { bus, port } = await opened(1, later);
    await port.enableQueue(0, setup);
    bus.told();
    await expect((async () => port.queueMaxSize(0))()).rejects.toThrow(fails("QUEUE_LOCKED"));
    await port.disableQueue(0);
    expect(bus.told()).toEqual([
      ["write", "queue_sel", 0],
      ["read", "queue_pfn", 1],
      ["write", "queue_sel", 0],
      ["write", "queue_pfn", 0],
      ["read", "queue_pfn", 0],
    ]);
    await expect((async () => port.resetQueue(0))()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    expect([await port.queueInReset(0), await port.configGeneration(), bus.told()]).toEqual([false, 0, []]);
  });

  it.each([
    ["page 0", { ...setup, areas: { descriptor: 0, driver: 0x80, device: 0x1000 } }],
    ["within a page", { ...setup, areas: { descriptor: 0x1010, driver: 0x1090, device: 0x2000 } }],
    ["a gap", { ...setup, areas: { ...areas, driver: 0x1100 } }],
    ["a used ring elsewhere", { ...setup, areas: { ...areas, device: 0x3000 } }],
    ["another size", { size: 16, areas }],
    [
      "a page number of 33 bits",
      { ...setup, areas: { descriptor: FAR, driver: FAR + 0x80, device: FAR + 0x1000 } },
    ],
  ])("refuses areas that are no run of pages: %s", async (_, wanted) => {
    const { bus, port } = await opened(1, later);
    await expect((async () => port.enableQueue(0, wanted))()).rejects.toThrow(fails("RING_ALIGN"));
    expect(bus.told()).toEqual([]);
  });
});
