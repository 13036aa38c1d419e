// The driver's side of virtio-pci against functions that are absent, hostile or slow, and a whole initialisation.
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDriver } from "../../src/driver/driver";
import type { PortQueueSetup } from "../../src/driver/port";
import { PciPort, type PciPortOptions } from "../../src/transport/pci-port";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
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
} from "./pci-function";

const GOOD = [common, isr, device, notify];
const open = (options: FunctionOptions, use: PciPortOptions = {}) =>
  PciPort.open(new TestFunction(options), use);

describe("PciPort.probe", () => {
  it("asks for vendor, device, revision and the capability list, in this order, and writes nothing", async () => {
    const bus = new TestFunction();
    const port = await PciPort.probe(bus);
    expect(bus.configReads.slice(0, 5)).toEqual([0, 2, 8, 6, 0x34]);
    expect([bus.configWrites, bus.log]).toEqual([[], []]);
    expect([port?.transport, port?.deviceId, port?.fixedQueueSize]).toEqual(["pci", 2, false]);
  });

  it("takes all ones for no function and no error", async () => {
    const bus = new TestFunction();
    bus.isGone = true;
    expect(await PciPort.probe(bus)).toBeUndefined();
    expect(bus.configReads).toEqual([]);
    await expect(PciPort.open(bus)).rejects.toThrow(fails("DEVICE_ABSENT"));
  });

  it.each([
    [{ vendor: 0x1af5 }, /vendor 0x1af5: 0x1af4 makes/],
    [{ device: 0x0fff }, /device 0x0fff: virtio has 0x1000…0x107f/],
    [{ device: 0x1080 }, /device 0x1080: virtio has/],
    [{ device: 0x1006, subsystem: 0 }, /device 0x1006 .* subsystem 0 not within 1…63/],
    [{ device: 0x103f, subsystem: 64 }, /subsystem 64 not within/],
  ])("refuses %o with both numbers", async (options, message) => {
    await expect(open(options)).rejects.toThrow(fails("PCI_ID"));
    await expect(open(options)).rejects.toThrow(message);
  });

  it("goes by the subsystem where the list of transitional IDs ends", async () => {
    expect((await open({ device: 0x103f, subsystem: 26 })).deviceId).toBe(26);
  });

  it.each([
    [{ ...LEGACY, revision: 1 }, "PCI_CAPABILITY", /revision 1 .* revision 0/],
    [{ ...LEGACY, device: 0x1042 }, "PCI_CAPABILITY", /device 0x1042 .* 0x1000…0x103f/],
    [{ ...LEGACY, bars: [19] }, "PCI_CAPABILITY", /has 19 bytes: .* 20 or more/],
    [{ ...LEGACY, bars: [23], capabilities: [msix] }, "PCI_CAPABILITY", /has 23 bytes: .* 24 or more/],
  ])("finds no legacy interface in %o", async (options, code, message) => {
    await expect(open(options)).rejects.toThrow(fails(code));
    await expect(open(options, { legacy: true })).rejects.toThrow(message);
  });

  it("finds no legacy interface in memory space", async () => {
    const bus = new TestFunction(LEGACY);
    bus.config.setUint32(0x10, 0xfe000000, true);
    await expect(PciPort.open(bus)).rejects.toThrow(/BAR 0 reads 0xfe000000/);
  });
});

describe("a capability list", () => {
  it.each<[string, readonly TestCapability[]]>([
    ["points at itself", [...GOOD, { ...access, next: 0x84 }]],
    ["goes back to its start", [...GOOD, { ...access, next: 0x40 }]],
    ["goes back to its middle", [...GOOD, { type: 9, next: 0x50 }]],
    ["points into the header", [...GOOD, { type: 9, next: 0x3c }]],
    ["has pointers with reserved bits", [{ ...common, next: 0x53 }, isr, device, notify]],
    ["ends in all ones", [...GOOD, { id: 0xff, next: 0xff }]],
    ["reaches to the very end", [...GOOD, { type: 9, size: 4, at: 0xfc }]],
    [
      "runs backwards",
      [
        { ...common, at: 0xc0 },
        { ...isr, at: 0xb0 },
        { ...device, at: 0xa0 },
        { ...notify, at: 0x40 },
      ],
    ],
  ])("that %s is read once, and to its end", async (_, capabilities) => {
    const bus = new TestFunction({ capabilities });
    const port = await PciPort.open(bus);
    expect(await port.readStatus()).toBe(0);
    for (const offset of bus.configReads) {
      expect(bus.configReads.filter((other) => other === offset && offset >= 0x40).length).toBeLessThan(2);
    }
  });

  it("of every place there is ends", async () => {
    const bus = new TestFunction({ ...LEGACY, capabilities: [{ type: 9, size: 4, next: 0x44 }] });
    for (let at = 0x40; at < 0x100; at += 4) {
      bus.config.setUint8(at, 9);
      bus.config.setUint8(at + 1, at === 0xfc ? 0x40 : at + 4);
    }
    expect((await PciPort.open(bus)).isLegacy).toBe(true);
    expect(bus.configReads.filter((at) => at >= 0x40 && at % 4 === 1)).toHaveLength(48);
  });

  it("counts only if the status says that it is there", async () => {
    const bus = new TestFunction({ ...LEGACY, capabilities: GOOD });
    bus.config.setUint16(6, 0, true);
    expect((await PciPort.open(bus)).isLegacy).toBe(true);
  });
});

describe("a structure", () => {
  const without = (...types: readonly TestCapability[]) => GOOD.filter((one) => !types.includes(one));

  it.each<[string, TestCapability, TestCapability, RegExp]>([
    ["short capability", common, { size: 15 }, /common configuration at 0x74: cap_len 15 is less than 16/],
    ["short capability", notify, { size: 16 }, /notification at 0x70: cap_len 16 is less than 20/],
    ["capability beyond the end", isr, { at: 0xf4 }, /it ends at 260, beyond 256/],
    ["reserved BAR", isr, { bar: 6 }, /ISR status at 0x74: BAR 6 is reserved, there are 6/],
    ["missing BAR", common, { bar: 2 }, /0 of 64 bytes can be reached in BAR 2, 56 are needed/],
    ["offset beyond its BAR", common, { offset: 0x4000 }, /0 of 64 bytes/],
    ["offset far beyond its BAR", notify, { offset: 0xffff_fffe }, /0 of 256 bytes/],
    ["end beyond its BAR", common, { offset: 0x3fcc }, /52 of 64 bytes/],
    ["offset askew", common, { offset: 2 }, /offset 2 is no multiple of 4/],
    ["offset askew", notify, { offset: 0x3001 }, /offset 12289 is no multiple of 2/],
    ["length of nothing", isr, { length: 0 }, /0 of 0 bytes/],
    ["multiplier of 1", notify, { extra: 1 }, /notify_off_multiplier 1 is neither 0/],
    ["multiplier of 6", notify, { extra: 6 }, /notify_off_multiplier 6 is neither/],
    ["multiplier of all ones", notify, { extra: 0xffff_ffff }, /notify_off_multiplier 4294967295/],
  ])("with a %s is not used, and another one is: %o %o", async (_, one, change, message) => {
    const bad = { ...one, ...change };
    await expect(open({ capabilities: [...without(one), bad] })).rejects.toThrow(message);
    await expect(open({ capabilities: [...without(one), bad] })).rejects.toThrow(fails("PCI_CAPABILITY"));
    // One that stands at the very end has nothing behind it.
    const order = change.at === undefined ? [bad, one] : [one, bad];
    expect((await open({ capabilities: [...without(one), ...order] })).isLegacy).toBe(false);
  });

  it("of another capability ID than the vendor's is none of virtio", async () => {
    const bus = new TestFunction({ capabilities: [{ ...common, id: 0x01, bar: 5 }, ...GOOD] });
    expect(await (await PciPort.open(bus)).readStatus()).toBe(0);
    await expect(open({ capabilities: [{ ...common, id: 0x01 }, isr] })).rejects.toThrow(/for common/);
  });

  it("that is missing is named; a transitional device doesn't get by without it", async () => {
    for (const options of [{}, { device: 0x1001, revision: 0 }]) {
      const lacking = open({ ...options, capabilities: without(isr, notify) });
      await expect(lacking).rejects.toThrow(/for notification, ISR status: none among 2 capabilities/);
    }
  });

  it("with the largest multiplier there is can be used", async () => {
    const bus = new TestFunction({ capabilities: [common, isr, { ...notify, extra: 0x8000_0000 }] });
    bus.banks.queue_notify_off = { 0: 0, 1: 0xffff };
    const port = await PciPort.open(bus);
    await port.enableQueue(0, setup);
    const enable = async () => port.enableQueue(1, setup);
    await expect(enable()).rejects.toThrow(/queue_notify_off 65535 \* 2147483648 .* has 256/);
    expect(bus.banks.queue_enable).toEqual({ 0: 1 });
  });

  it("of notifications has to cover each queue's address, in the width that is negotiated", async () => {
    const NOTIFICATION_DATA = 1 << 6;
    for (const [change, features, off, isGood] of [
      [{ length: 14 }, 1, 3, true],
      [{ length: 13 }, 1, 3, false],
      [{ length: 16 }, 1 | NOTIFICATION_DATA, 3, true],
      [{ length: 14 }, 1 | NOTIFICATION_DATA, 3, false],
      [{ extra: 2 }, 1 | NOTIFICATION_DATA, 3, false],
      [{ extra: 2 }, 1 | NOTIFICATION_DATA, 2, true],
      [{ offset: 0x3002 }, 1 | NOTIFICATION_DATA, 1, false],
      [{ offset: 0x3002 }, 1, 1, true],
    ] as const) {
      const bus = new TestFunction({ capabilities: [common, isr, { ...notify, ...change }] });
      bus.banks.queue_notify_off = { 1: off };
      const port = await PciPort.open(bus);
      await port.writeDriverFeatures(1, features);
      const enable = async () => port.enableQueue(1, setup);
      if (isGood) await enable();
      else await expect(enable()).rejects.toThrow(fails("PCI_CAPABILITY"));
      expect(bus.banks.queue_enable).toEqual(isGood ? { 1: 1 } : {});
    }
  });

  it("of configuration may be missing, and says so when it is read", async () => {
    const port = await open({ capabilities: without(device) });
    expect(() => port.readConfig(0, 1)).toThrow(/1 bytes at offset 0 of a configuration of 0 bytes/);
    const full = await open({});
    expect(() => full.writeConfig(24, 1, 0)).toThrow(/offset 24 of a configuration of 24 bytes/);
    expect(() => full.readConfig(-4, 4)).toThrow(fails("CONFIG_RANGE"));
    expect(() => full.readConfig(6, 4)).toThrow(/4 bytes at offset 6 .* are not aligned/);
  });

  it("can be reached without any BAR, if there is a capability for that", async () => {
    const bars = [0, 0, 0, 0, 0, 0];
    await expect(open({ bars })).rejects.toThrow(/0 of 64 bytes .* 0 of 1 bytes .* 0 of 256 bytes/);
    await expect(open({ bars, capabilities: GOOD }, { access: "pci-cfg" })).rejects.toThrow(/cfg_type 5/);
    await expect(open(LEGACY, { access: "pci-cfg" })).rejects.toThrow(fails("PCI_CAPABILITY"));
    const port = await open({ bars }, { access: "pci-cfg" });
    await port.writeStatus(1);
    expect(await port.readStatus()).toBe(1);
  });
});

describe.each([
  ["at once", false],
  ["later", true],
])("PciPort, a bus that answers %s", (_, later) => {
  const opened = async (use: PciPortOptions = {}, options: FunctionOptions = {}) => {
    const bus = new TestFunction({ later, ...options });
    return { bus, port: await PciPort.open(bus, use) };
  };

  it("answers at once or later, as its bus does", async () => {
    const { bus, port } = await opened();
    bus.values.config_generation = 255;
    const answers = [
      port.readStatus(),
      port.queueMaxSize(0),
      port.queueReady(0),
      port.readDeviceFeatures(1),
      port.configGeneration(),
      port.readConfig(0, 4),
    ];
    expect(answers.map((answer) => answer instanceof Promise)).toEqual(answers.map(() => later));
    expect(await Promise.all(answers)).toEqual([0, 256, false, 1, 255, 0]);
  });

  it.each(["bar", "pci-cfg"] as const)(
    "keeps a selector until the register behind it was reached, whatever else is asked at the time: %s",
    async (how) => {
      const { bus, port } = await opened({ access: how });
      bus.values.device_status = 3;
      const answers = await Promise.all([
        port.queueMaxSize(1),
        port.readDeviceFeatures(1),
        port.queueMaxSize(0),
        port.readStatus(),
        port.queueMaxSize(1),
        port.readDeviceFeatures(0),
      ]);
      expect(answers).toEqual([8, 1, 256, 3, 8, 0x30000002]);
    },
  );

  it("goes by the features of the moment of FEATURES_OK, until that is refused or the device reset", async () => {
    const { bus, port } = await opened();
    const width = async () => {
      bus.banks.queue_enable = {};
      await port.enableQueue(1, setup);
      await port.notify(1);
      return bus.told().at(-1)?.[1].slice(-1);
    };
    const NOTIFICATION_DATA = 1 << 6;
    await port.writeDriverFeatures(1, 1 | NOTIFICATION_DATA);
    await port.writeDriverFeatures(4, 1 | NOTIFICATION_DATA);
    await port.writeStatus(0x0b);
    await port.writeDriverFeatures(1, 1);
    expect(await width()).toBe("4");
    await port.writeStatus(0x0f);
    expect(await width()).toBe("4");
    bus.values.device_status = 3; // as if it had been refused
    await port.readStatus();
    await port.writeStatus(0x0b);
    expect(await width()).toBe("2");
    await port.writeStatus(0);
    const notified = async () => port.notify(1);
    await expect(notified()).rejects.toThrow(fails("QUEUE_NOT_READY"));
    await port.writeDriverFeatures(1, NOTIFICATION_DATA);
    await port.writeStatus(0x0b);
    expect(await width()).toBe("4");
    await port.writeStatus(0);
    expect(await width()).toBe("2");
  });

  it("selects no queue that 16 bits can't name", async () => {
    for (const options of [{}, LEGACY]) {
      const { bus, port } = await opened({}, options);
      expect(await port.queueMaxSize(0x10000)).toBe(0);
      for (const attempt of [
        async () => port.enableQueue(0x10000, setup),
        async () => port.queueReady(0x10000),
      ]) {
        await expect(attempt()).rejects.toThrow(fails("QUEUE_INDEX_RANGE"));
      }
      expect(bus.told()).toEqual([]);
    }
  });

  it("of a legacy device has its queues by page, in the device's size", async () => {
    const { bus, port } = await opened({}, LEGACY);
    Object.assign(bus.banks, { queue_size: { 0: 8, 1: 16 } });
    expect([port.isLegacy, port.fixedQueueSize, await port.configGeneration()]).toEqual([true, true, 0]);
    const attempt = async (index: number, wanted: PortQueueSetup) => port.enableQueue(index, wanted);
    await expect(attempt(0, { ...setup, areas: { ...setup.areas, driver: 0x1100 } })).rejects.toThrow(
      fails("RING_ALIGN"),
    );
    expect(bus.told()).toEqual([]);
    await expect(attempt(1, setup)).rejects.toThrow(/8 descriptors, a legacy device's 16/);
    await attempt(0, setup);
    await expect(attempt(0, setup)).rejects.toThrow(fails("QUEUE_LOCKED"));
    expect(bus.banks.queue_address).toEqual({ 0: 1 });
    const reset = async () => port.resetQueue(0);
    await expect(reset()).rejects.toThrow(fails("STATUS_SEQUENCE"));
    expect(await port.queueInReset(0)).toBe(false);
  });

  it("of a legacy device reaches 32 features", async () => {
    const { bus, port } = await opened({}, LEGACY);
    bus.values.device_features = 0xffff_ffff;
    expect([await port.readDeviceFeatures(0), await port.readDeviceFeatures(1)]).toEqual([0xffff_ffff, 0]);
    bus.told();
    await port.writeDriverFeatures(1, 0);
    const accept = async () => port.writeDriverFeatures(1, 1);
    await expect(accept()).rejects.toThrow(fails("FEATURES_REFUSED"));
    expect(bus.told()).toEqual([]);
  });

  describe("behind VirtioDriver", () => {
    function driverOn(port: PciPort) {
      const core = loadCoreSync({ guestBytes: 1 << 18 });
      const allocator = new GuestAllocator(core);
      const supports = ["VERSION_1", "EVENT_IDX"];
      return new VirtioDriver({ core, allocator, port, supports, queueSize: 4, statusReads: 3 });
    }

    it("is initialised, with words 0 and 1 in the order of PCI", async () => {
      const { bus, port } = await opened();
      bus.told();
      expect(await driverOn(port).initialize()).toMatchObject({ ok: true, ring: { layout: "split" } });
      const told = bus.told().map(([how, name, value]) => `${how === "read" ? "?" : "="} ${name} ${value}`);
      const [first, enabled] = [told.indexOf("= driver_feature_select 0"), told.indexOf("= queue_enable 1")];
      expect(told.slice(0, first).join(", ")).toBe(
        "= device_status 0, ? device_status 0, ? device_status 0, = device_status 1, ? device_status 1, = device_status 3, " +
          [0, 1, 2, 3]
            .map((word) => `= device_feature_select ${word}, ? device_feature ${[805306370, 1][word] ?? 0}`)
            .join(", "),
      );
      expect(told.slice(first, first + 8)).toEqual([
        "= driver_feature_select 0",
        "= driver_feature 536870912",
        "= driver_feature_select 1",
        "= driver_feature 1",
        "? device_status 3",
        "= device_status 11",
        "? device_status 11",
        "= queue_select 0",
      ]);
      expect(told.slice(enabled, enabled + 6)).toEqual([
        "= queue_enable 1",
        "= queue_select 0",
        "? queue_enable 1",
        "= queue_select 1",
        "? queue_size 8",
        "= queue_select 1",
      ]);
      expect(bus.banks.queue_size).toEqual({ 0: 4, 1: 4 });
      expect(told.at(-1)).toBe("= device_status 15");
    });

    it("PCI-045 §4.1.4.3.2 driver: waits until device_status reads 0, and gives up one that never does", async () => {
      const { bus, port } = await opened();
      bus.values.device_status = 0x0f;
      bus.keeps = (name, value) => (name === "device_status" && value === 0 ? 0x0f : value);
      bus.told();
      expect(await driverOn(port).initialize()).toMatchObject({ ok: false, code: "DEVICE_NEEDS_RESET" });
      const told = bus.told().map(([how, , value]) => `${how} ${value}`);
      expect(told.slice(0, 4)).toEqual(["write 0", "read 15", "read 15", "read 15"]);
      expect(bus.values.queue_select).toBeUndefined();
    });

    it("PCI-085 §4.1.5.1.2.2 driver: gives a device up that can't map a vector", async () => {
      const { bus, port } = await opened({ vectors: { config: 0 } }, { capabilities: [...GOOD, msix] });
      bus.keeps = (name, value) => (name === "config_msix_vector" ? 0xffff : value);
      expect(await driverOn(port).initialize()).toMatchObject({ ok: false, code: "PCI_VECTOR" });
      expect(bus.values.device_status).toBe(0x8b);
    });

    it("has to be reset when the device is gone: all ones", async () => {
      const { bus, port } = await opened();
      const driver = driverOn(port);
      await driver.initialize();
      bus.isGone = true;
      await port.handleInterrupt();
      await expect(driver.check()).rejects.toThrow(fails("DEVICE_NEEDS_RESET"));
      await expect(driver.readConfigField("capacity")).resolves.toBe(0xffff_ffff_ffff_ffffn);
      expect(await driver.initialize()).toMatchObject({ ok: false, code: "DEVICE_NEEDS_RESET" });
      const setUp = async () => port.enableQueue(0, setup);
      await expect(setUp()).rejects.toThrow(/queue_enable reads 65535/);
    });

    it("takes a legacy queue in the device's own size", async () => {
      const { bus, port } = await opened({}, LEGACY);
      Object.assign(bus.banks, { queue_size: { 0: 16 } });
      bus.values.device_features = 1 << 29;
      const driver = driverOn(port);
      expect(await driver.initialize()).toMatchObject({ ok: true });
      expect([driver.isLegacy, driver.queues.map(({ size }) => size), bus.values.device_status]).toEqual([
        true,
        [16],
        7,
      ]);
    });
  });
});
