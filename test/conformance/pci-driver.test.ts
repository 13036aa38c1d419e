// Area "pci" (§4.1), the clauses of the driver: PciPort against a function that logs every access and knows its fields.
import { describe, expect, it } from "vitest";
import { PciPort, type PciPortOptions } from "../../src/transport/pci-port";
import {
  access,
  common,
  device,
  type FunctionOptions,
  fails,
  isr,
  LEGACY,
  msix,
  notify,
  setup,
  type TestCapability,
  TestFunction,
} from "../transport/pci-function";

const VERSION_1 = 1;
const RING_PACKED = 1 << 2;
const NOTIFICATION_DATA = 1 << 6;
const NOTIF_CONFIG_DATA = 1 << 7;
const RING_RESET = 1 << 8;
const HIGH = { descriptor: 0x1_0000_1000, driver: 0x1f_ffff_fffen, device: 0xffff_ffff_ffff_f000n };

/** A port of a function, opened; with these features of word 1 accepted. */
async function opened(
  options: FunctionOptions = {},
  use: PciPortOptions = {},
  features = VERSION_1,
): Promise<{ bus: TestFunction; port: PciPort }> {
  const bus = new TestFunction(options);
  const port = await PciPort.open(bus, use);
  if (!port.isLegacy) {
    await port.writeDriverFeatures(1, features);
    await port.writeStatus(0x0b);
  }
  bus.told();
  return { bus, port };
}

/** Which capability of a type is used, by its offset in BAR 4 or 5. */
async function chosen(...candidates: readonly TestCapability[]): Promise<string> {
  const bars = [0, 0, 0, 0, 0x4000, 0x4000];
  const bus = new TestFunction({ bars, capabilities: [...candidates, isr, notify] });
  const read: string[] = [];
  const port = await PciPort.open({
    readConfig: (offset, bytes) => bus.readConfig(offset, bytes),
    writeConfig: (offset, bytes, value) => bus.writeConfig(offset, bytes, value),
    barSize: (bar) => bus.barSize(bar),
    readBar: (bar, offset) => read.push(`${bar}+${offset}`),
    writeBar: () => {},
  });
  await port.readStatus();
  return read.join(" ");
}

describe("discovery", () => {
  it("PCI-006 PCI-007 §4.1.2.2 driver: matches both ranges of IDs, with any revision and subsystem", async () => {
    const ids: readonly (readonly [pci: number, virtio: number])[] = [
      [0x1041, 1],
      [0x107f, 63],
      [0x1000, 1],
      [0x1001, 2],
      [0x1002, 5],
      [0x1003, 3],
      [0x1004, 8],
      [0x1005, 4],
      [0x1009, 9],
    ];
    for (const [pciId, deviceId] of ids) {
      for (const [revision, subsystem] of [
        [0, 0x40],
        [1, 0x1100],
        [0xfe, 0],
      ] as const) {
        const port = await PciPort.open(new TestFunction({ device: pciId, revision, subsystem }));
        expect([port.deviceId, port.revision, port.isLegacy]).toEqual([deviceId, revision, false]);
      }
    }
    for (const pciId of [0x0fff, 0x1080]) {
      await expect(PciPort.open(new TestFunction({ device: pciId }))).rejects.toThrow(fails("PCI_ID"));
    }
    await expect(PciPort.open(new TestFunction({ vendor: 0x8086 }))).rejects.toThrow(fails("PCI_ID"));
  });

  it("PCI-092 §4.1.5.1.1.1 driver: takes a device without capabilities for a legacy one", async () => {
    const port = await PciPort.open(new TestFunction(LEGACY));
    expect([port.isLegacy, port.deviceId]).toEqual([true, 2]);
    const both = new TestFunction({ ...LEGACY, capabilities: [common, isr, device, notify, access] });
    expect((await PciPort.open(both)).isLegacy).toBe(false);
    expect((await PciPort.open(both, { legacy: true })).isLegacy).toBe(true);
  });

  it("PCI-093 §4.1.5.1.1.1 driver: as a non-transitional one gives such a device up, and writes nothing to it", async () => {
    const bus = new TestFunction(LEGACY);
    await expect(PciPort.open(bus, { legacy: false })).rejects.toThrow(fails("PCI_CAPABILITY"));
    expect([bus.log, bus.configWrites]).toEqual([[], []]);
  });
});

describe("capabilities", () => {
  const other: TestCapability = { ...common, bar: 5, offset: 0x100 };

  it("PCI-014 §4.1.4.1 driver: ignores a reserved cfg_type", async () => {
    for (const type of [0, 6, 7, 10, 255]) {
      expect(await chosen({ ...common, bar: 5, type }, common)).toBe("4+20");
    }
  });

  it("PCI-015 §4.1.4.1 driver: uses the first structure of a type that it can", async () => {
    expect(await chosen(common, other)).toBe("4+20");
    expect(await chosen(other, common)).toBe(`5+${0x100 + 20}`);
    for (const unusable of [{ size: 15 }, { bar: 6 }, { length: 55 }, { offset: 2 }, { offset: 0x3ff8 }]) {
      expect(await chosen({ ...common, bar: 5, ...unusable }, other)).toBe(`5+${0x100 + 20}`);
    }
  });

  it("PCI-016 §4.1.4.1 driver: accepts a larger cap_len", async () => {
    expect(await chosen({ ...common, size: 44 })).toBe("4+20");
  });

  it("PCI-017 §4.1.4.1 driver: ignores a reserved BAR", async () => {
    for (const bar of [6, 7, 0xff]) expect(await chosen({ ...other, bar }, common)).toBe("4+20");
  });

  it("PCI-019 PCI-020 §4.1.4.1 driver: copes with an unexpectedly large length, and checks that it is large enough", async () => {
    for (const length of [0x4000, 0x40_0000, 0xffff_ffff]) {
      expect(await chosen({ ...common, length }, other)).toBe("4+20");
    }
    await expect(chosen({ ...common, length: 55 })).rejects.toThrow(/55 of 55 bytes .* 56 are needed/);
  });

  it.each([{}, { access: "pci-cfg" }] as const)(
    "PCI-018 PCI-021 PCI-069 PCI-094 §4.1.4.1 driver: writes no capability, nor looks into the vendor's: %o",
    async (use) => {
      const vendor: TestCapability = { type: 9, size: 32 };
      const { bus, port } = await opened(
        { capabilities: [vendor, common, isr, device, notify, access] },
        use,
      );
      await port.enableQueue(0, setup);
      await port.notify(0);
      await port.readConfig(0, 4);
      await port.handleInterrupt();
      // The vendor's capability is the first, at 0x40; that of §4.1.4.9 alone may be written, and is in its data and aim.
      expect(bus.configReads.filter((offset) => offset > 0x43 && offset < 0x60)).toEqual([]);
      const at = bus.configWrites.map((offset) => offset - (0x60 + 16 * 3 + 20));
      expect(at.every((offset) => "access" in use && [4, 8, 12, 16].includes(offset))).toBe(true);
      expect(at.length > 0).toBe("access" in use);
    },
  );

  it("PCI-071 §4.1.4.9.2 driver: through configuration space reaches only structures, aligned", async () => {
    // The function throws for an access that is askew, of another width than cap.length, or outside all structures.
    const { bus, port } = await opened({}, { access: "pci-cfg" }, VERSION_1 | NOTIFICATION_DATA);
    await port.enableQueue(1, setup);
    await port.notify(0x0004_0001);
    await port.writeConfig(22, 2, 7);
    await port.handleInterrupt();
    expect(bus.told().slice(-4)).toEqual([
      ["write", "queue_enable", 1],
      ["write", "notify+12/4", 0x0004_0001],
      ["write", "config+22/2", 7],
      ["read", "isr_status", 0],
    ]);
  });
});

describe.each([false, true])("common configuration, by Promise: %s", (later) => {
  it("PCI-011 PCI-012 §4.1.3.1 driver: reaches each field in its own width, 64 bits as two halves", async () => {
    // The function throws for another width than the field's.
    const { bus, port } = await opened({ later });
    await port.readDeviceFeatures(1);
    await port.configGeneration();
    await port.enableQueue(1, { size: 8, areas: HIGH });
    for (const [offset, bytes] of [
      [0, 1],
      [2, 2],
      [4, 4],
    ] as const) {
      await port.writeConfig(offset, bytes, bytes === 4 ? -1 : 1);
      await port.readConfig(offset, bytes);
    }
    expect(bus.told().slice(-7, -6)).toEqual([["write", "queue_enable", 1]]);
    for (const [offset, bytes] of [
      [1, 2],
      [2, 4],
    ] as const) {
      const askew = async () => port.readConfig(offset, bytes);
      await expect(askew()).rejects.toThrow(fails("CONFIG_RANGE"));
    }
    expect(bus.told()).toEqual([]);
  });

  it("PCI-041 PCI-044 PCI-046 PCI-102 §4.1.5.1.3 driver: programs a queue in the order of the section, and enables it last", async () => {
    // The function throws for a write to a field that is read-only for the driver.
    const { bus, port } = await opened({ later, capabilities: [common, isr, notify, msix] }, { vectors: {} });
    expect(await port.queueMaxSize(2)).toBe(0);
    await port.enableQueue(1, { size: 4, areas: HIGH });
    expect(bus.told()).toEqual([
      ["write", "queue_select", 2],
      ["read", "queue_size", 0],
      ["write", "queue_select", 1],
      ["read", "queue_size", 8],
      ["read", "queue_enable", 0],
      ["write", "queue_size", 4],
      ["write", "queue_msix_vector", 0xffff],
      ["read", "queue_msix_vector", 0xffff],
      ["write", "queue_desc_low", 0x1000],
      ["write", "queue_desc_high", 1],
      ["write", "queue_driver_low", 0xfffffffe],
      ["write", "queue_driver_high", 0x1f],
      ["write", "queue_device_low", 0xfffff000],
      ["write", "queue_device_high", 0xffffffff],
      ["read", "queue_notify_off", 3],
      ["write", "queue_enable", 1],
    ]);
    expect([await port.queueReady(1), await port.queueReady(0)]).toEqual([true, false]);
    // A queue in use is left alone: there is no way to stop it but a reset.
    const again = async () => port.enableQueue(1, setup);
    await expect(again()).rejects.toThrow(fails("QUEUE_LOCKED"));
    expect("disableQueue" in port).toBe(false);
    expect(
      bus.log.filter(([how, name, value]) => how === "write" && name === "queue_enable" && value === 0),
    ).toEqual([]);
  });

  it("PCI-042 PCI-043 §4.1.4.3.2 driver: writes no queue_size of 0, nor without RING_PACKED one that is no power of two", async () => {
    for (const [features, size, isGood] of [
      [VERSION_1, 0, false],
      [VERSION_1, 6, false],
      [VERSION_1 | RING_PACKED, 0, false],
      [VERSION_1 | RING_PACKED, 6, true],
      [VERSION_1, 8, true],
      [VERSION_1 | RING_PACKED, 9, false],
    ] as const) {
      const { bus, port } = await opened({ later }, {}, features);
      const attempt = async () => port.enableQueue(1, { ...setup, size });
      if (isGood) await attempt();
      else await expect(attempt()).rejects.toThrow(fails("QUEUE_SIZE_INVALID"));
      const sizes = bus.told().filter(([how, name]) => how === "write" && name === "queue_size");
      expect(sizes).toEqual(isGood ? [["write", "queue_size", size]] : []);
    }
  });

  it("PCI-047 PCI-048 PCI-049 §4.1.4.3.2 driver: a queue reset is over when queue_reset reads 0; another size may follow", async () => {
    const { bus, port } = await opened({ later }, {}, VERSION_1 | RING_RESET);
    await port.enableQueue(1, { ...setup, size: 2 });
    bus.told();
    await port.resetQueue(1);
    expect([await port.queueInReset(1), await port.queueInReset(0)]).toEqual([true, false]);
    expect(bus.told().slice(0, 4)).toEqual([
      ["write", "queue_select", 1],
      ["write", "queue_reset", 1],
      ["write", "queue_select", 1],
      ["read", "queue_reset", 1],
    ]);
    Object.assign(bus.banks, { queue_reset: {}, queue_enable: {} });
    expect(await port.queueInReset(1)).toBe(false);
    await port.enableQueue(1, setup);
    expect(bus.told().at(-1)).toEqual(["write", "queue_enable", 1]);
  });

  it("PCI-099 §4.1.4.3 both: queue_size shows the maximum after a reset, and the driver's own size after that", async () => {
    const { bus, port } = await opened({ later }, {}, VERSION_1 | RING_RESET);
    expect(await port.queueMaxSize(0)).toBe(256);
    await port.enableQueue(0, setup);
    expect(bus.banks.queue_size?.[0]).toBe(8);
    expect(await port.queueMaxSize(0)).toBe(256);
    bus.banks.queue_enable = {};
    await port.enableQueue(0, { ...setup, size: 64 });
    await port.writeStatus(0);
    expect(await port.queueMaxSize(0)).toBe(64); // what the device shows now is its word
    await port.enableQueue(1, setup);
    bus.banks.queue_size = {};
    expect(await port.queueMaxSize(1)).toBe(0); // and a queue that is gone is gone
  });

  it("PCI-100 §4.1.4.3 both: queue_reset and queue_notif_config_data are reached only where they exist", async () => {
    const { bus, port } = await opened({ later });
    await port.enableQueue(1, setup);
    const names = () => bus.told().map(([, name]) => name);
    expect(names()).not.toContain("queue_notif_config_data");
    const reset = async () => port.resetQueue(1);
    const inReset = async () => port.queueInReset(1);
    for (const attempt of [reset, inReset]) await expect(attempt()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    expect(names()).toEqual([]);
    const old = [{ ...common, length: 56 }, isr, notify];
    const short = await opened({ later, capabilities: old }, {}, VERSION_1 | RING_RESET | NOTIF_CONFIG_DATA);
    const attempts = [
      [async () => short.port.enableQueue(1, setup), "PCI_CAPABILITY"],
      [async () => short.port.resetQueue(1), "STATUS_SEQUENCE"],
    ] as const;
    for (const [attempt, code] of attempts) await expect(attempt()).rejects.toThrow(fails(code));
    expect(short.bus.banks.queue_enable).toEqual({});
  });
});

describe.each([false, true])("notifications, by Promise: %s", (later) => {
  it("PCI-072 PCI-074 PCI-101 §4.1.5.2 driver: 16 bits of index at queue_notify_off * multiplier", async () => {
    for (const [extra, where] of [
      [4, 12],
      [2, 6],
      [0, 0],
    ] as const) {
      const { bus, port } = await opened({ later, capabilities: [common, isr, { ...notify, extra }] });
      await port.enableQueue(0, setup);
      await port.enableQueue(1, setup);
      bus.told();
      for (const index of [1, 0, 1]) await port.notify(index);
      // One write each: where it goes was settled when the queue was set up.
      expect(bus.told()).toEqual([
        ["write", `notify+${where}/2`, 1],
        ["write", "notify+0/2", 0],
        ["write", `notify+${where}/2`, 1],
      ]);
    }
  });

  it("PCI-073 PCI-075 §4.1.5.2 driver: 32 bits with NOTIFICATION_DATA, the index in the low half", async () => {
    const { bus, port } = await opened({ later }, {}, VERSION_1 | NOTIFICATION_DATA);
    await port.enableQueue(1, setup);
    await port.notify(0xffff0001 | 0);
    expect(bus.told().at(-1)).toEqual(["write", "notify+12/4", 0xffff0001]);
  });

  it("PCI-076 PCI-077 §4.1.5.2.1 driver: the device's word for the queue with NOTIF_CONFIG_DATA", async () => {
    for (const [features, kick, expected] of [
      [NOTIF_CONFIG_DATA, 1, ["write", "notify+12/2", 0xaaaa]],
      [NOTIF_CONFIG_DATA | NOTIFICATION_DATA, 0x8005_0001, ["write", "notify+12/4", 0x8005_aaaa]],
    ] as const) {
      const { bus, port } = await opened({ later }, {}, VERSION_1 | features);
      await port.enableQueue(1, setup);
      await port.notify(kick);
      expect(bus.told().slice(-4)).toEqual([
        ["read", "queue_notify_off", 3],
        ["read", "queue_notif_config_data", 0xaaaa],
        ["write", "queue_enable", 1],
        expected,
      ]);
    }
  });
});

describe.each([false, true])("interrupts, by Promise: %s", (later) => {
  const withMsix = { later, capabilities: [common, isr, device, notify, msix] };

  it.each([
    [1, ["used"]],
    [2, ["config"]],
    [3, ["used", "config"]],
    [0xfd, ["used"]],
    [0, []],
  ] as const)(
    "PCI-081 §4.1.5.4.2 driver: one interrupt may mean both: ISR status %i",
    async (status, kinds) => {
      const { bus, port } = await opened({ later });
      const heard: unknown[] = [];
      port.onInterrupt((kind, queue) => heard.push([kind, queue]));
      bus.values.isr_status = status;
      await port.handleInterrupt();
      expect(bus.told()).toEqual([["read", "isr_status", status]]);
      expect(heard).toEqual(kinds.map((kind) => [kind, undefined]));
    },
  );

  it("PCI-064 §4.1.4.5.2 driver: with MSI-X on doesn't read ISR status; a message is told by its vector", async () => {
    const vectors = { config: 0, queue: (index: number) => [1, 0][index] };
    const { bus, port } = await opened(withMsix, { vectors });
    await port.enableQueue(0, setup);
    await port.enableQueue(1, setup);
    await port.writeStatus(0x0f);
    const heard: unknown[] = [];
    port.onInterrupt((kind, queue) => heard.push([kind, queue]));
    bus.told();
    await port.handleInterrupt();
    for (const vector of [1, 2]) port.handleVector(vector);
    expect(heard.splice(0)).toEqual([["used", 0]]);
    port.handleVector(0);
    expect(heard.splice(0)).toEqual([
      ["used", 1],
      ["config", undefined],
    ]);
    await port.writeStatus(0);
    port.handleVector(0);
    expect([heard, bus.told()]).toEqual([[], [["write", "device_status", 0]]]);
  });

  it("PCI-085 §4.1.5.1.2.2 driver: reads a vector back to see whether it was mapped", async () => {
    const { bus, port } = await opened(withMsix, { vectors: { config: 2, queue: () => 1 } });
    bus.keeps = (name, value) => (name.endsWith("msix_vector") ? 0xffff : value);
    const enable = async () => port.enableQueue(0, setup);
    await expect(enable()).rejects.toThrow(/vector 0x0001 for queue 0 reads back as 0xffff/);
    expect(bus.banks.queue_enable).toEqual({});
    const start = async () => port.writeStatus(0x0f);
    await expect(start()).rejects.toThrow(fails("PCI_VECTOR"));
    expect(bus.values.device_status).toBe(0x0b);
    bus.keeps = (_, value) => value;
    bus.told();
    await port.writeStatus(0x0f);
    await port.writeStatus(0x0f);
    expect(bus.told()).toEqual([
      ["write", "config_msix_vector", 2],
      ["read", "config_msix_vector", 2],
      ["write", "device_status", 0x0f],
      ["write", "device_status", 0x0f],
    ]);
  });

  it("PCI-085 PCI-096 §4.1.5.1.2.2 driver: supports a table of any size, and maps no vector beyond it", async () => {
    for (const [flags, size] of [
      [0x8000, 1],
      [0x8002, 3],
      [0x87ff, 2048],
    ] as const) {
      const capabilities = [common, isr, notify, { ...msix, extra: flags }];
      const within = await opened({ later, capabilities }, { vectors: { queue: () => size - 1 } });
      await within.port.enableQueue(0, setup);
      expect(within.bus.banks.queue_msix_vector).toEqual({ 0: size - 1 });
      const beyond = await opened({ later, capabilities }, { vectors: { queue: () => size } });
      const enable = async () => beyond.port.enableQueue(0, setup);
      await expect(enable()).rejects.toThrow(fails("BAD_ARGUMENT"));
      expect(beyond.bus.told()).toEqual([]);
      const open = PciPort.open(new TestFunction({ capabilities }), { vectors: { config: size } });
      await expect(open).rejects.toThrow(new RegExp(`vector ${size} .* has ${size}`));
    }
  });

  it("PCI-097 §4.1.5.1.2.2 driver: without MSI-X, or with it off, reports that vectors can't be had", async () => {
    for (const capabilities of [
      [common, isr, notify],
      [common, isr, notify, { ...msix, extra: 2 }],
    ]) {
      const open = PciPort.open(new TestFunction({ capabilities }), { vectors: { config: 0 } });
      await expect(open).rejects.toThrow(fails("PCI_VECTOR"));
      expect(await PciPort.open(new TestFunction({ capabilities }))).toBeInstanceOf(PciPort); // INTx
    }
  });
});

describe.each([false, true])("legacy interface, by Promise: %s", (later) => {
  it("PCI-087 §4.1.4.10 driver: uses the header in the I/O space of BAR 0", async () => {
    const { bus, port } = await opened({ ...LEGACY, later });
    Object.assign(bus.values, { device_features: 0x20000002 });
    Object.assign(bus.banks, { queue_size: { 0: 8 } });
    expect(await port.readDeviceFeatures(0)).toBe(0x20000002);
    await port.writeDriverFeatures(0, 2);
    expect(await port.queueMaxSize(0)).toBe(8);
    await port.enableQueue(0, setup);
    expect([await port.queueReady(0), await port.queueReady(1)]).toEqual([true, false]);
    await port.writeStatus(7);
    expect(await port.readStatus()).toBe(7);
    await port.notify(3);
    await port.handleInterrupt();
    expect(bus.told()).toEqual([
      ["read", "device_features", 0x20000002],
      ["write", "driver_features", 2],
      ["write", "queue_select", 0],
      ["read", "queue_size", 8],
      ["write", "queue_select", 0],
      ["read", "queue_size", 8],
      ["read", "queue_address", 0],
      ["write", "queue_address", 1],
      ["write", "queue_select", 0],
      ["read", "queue_address", 1],
      ["write", "queue_select", 1],
      ["read", "queue_address", 0],
      ["write", "device_status", 7],
      ["read", "device_status", 7],
      ["write", "queue_notify", 3],
      ["read", "isr_status", 0],
    ]);
  });

  it("PCI-088 §4.1.4.10 both: the configuration begins at 20, or at 24 with MSI-X on", async () => {
    for (const extra of [0x8002, 0x0002]) {
      const capabilities = [{ ...msix, extra }];
      const { bus, port } = await opened({ ...LEGACY, later, capabilities });
      await port.writeConfig(0, 4, 5);
      expect(await port.readConfig(0, 4)).toBe(5);
      expect(bus.told().map(([, name]) => name)).toEqual(["config+0/4", "config+0/4"]);
    }
  });

  it("PCI-098 §4.1.4.10 driver: may reach the configuration in any width", async () => {
    const { bus, port } = await opened({ ...LEGACY, later });
    await port.readConfig(3, 4);
    await port.readConfig(1, 2);
    expect(bus.told().map(([, name]) => name)).toEqual(["config+3/4", "config+1/2"]);
    const beyond = async () => port.readConfig(42, 4); // BAR 0 has 64 bytes
    await expect(beyond()).rejects.toThrow(fails("CONFIG_RANGE"));
  });

  it("PCI-085 PCI-087 §4.1.4.10 driver: with MSI-X on maps its events there", async () => {
    const { bus, port } = await opened(
      { ...LEGACY, later, capabilities: [msix] },
      { vectors: { config: 1, queue: () => 2 } },
    );
    Object.assign(bus.banks, { queue_size: { 0: 8 } });
    await port.enableQueue(0, setup);
    await port.writeStatus(7);
    expect(bus.told().slice(3)).toEqual([
      ["write", "queue_msix_vector", 2],
      ["read", "queue_msix_vector", 2],
      ["write", "queue_address", 1],
      ["write", "config_msix_vector", 1],
      ["read", "config_msix_vector", 1],
      ["write", "device_status", 7],
    ]);
  });
});
