// PciTransport: configuration space, BARs and their layout, widths, interrupts, the legacy window, images.
import { describe, expect, it } from "vitest";
import { sealed } from "../../src/device/image-seal";
import { VirtioError } from "../../src/errors";
import * as pci from "../../src/spec/pci";
import { PciTransport } from "../../src/transport/pci";
import type { PciImage } from "../../src/transport/pci-image";
import type { PciOptions } from "../../src/transport/pci-options";
import { areasOf, featuresOf } from "./device-bench";
import { COMMON, type CommonField, PciRig } from "./pci-rig";

const { VIRTIO_PCI_CAP_COMMON_CFG: COMMON_CFG, VIRTIO_PCI_CAP_DEVICE_CFG: DEVICE_CFG } = pci;
const LAYOUTS = ["split", "packed"] as const;
const config = [
  { name: "wide", offset: 0, bytes: 8, anyOf: [], value: 0x1122_3344_5566_7788n },
  { name: "mode", offset: 8, bytes: 2, anyOf: [], writable: true, value: 0x1234 },
  { name: "flag", offset: 10, bytes: 1, anyOf: [], writable: true, value: 7 },
] as const;
const transitional = { device: { profile: "transitional" }, pci: { transitional: true } } as const;

/** What was thrown, as code and message. */
function wrong(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof VirtioError) return `${error.code}: ${error.message}`;
  }
  throw new Error("it was taken");
}

describe.each(LAYOUTS)("%s rings", (layout) => {
  it.each(["INTx", "MSI-X"])("a driver by hand negotiates, and buffers move, over %s", (kind) => {
    const rig = new PciRig({ intx: kind === "INTx" });
    if (kind === "MSI-X") {
      rig.enableMsix();
      rig.unmask(2);
    }
    rig.to(0x0b, featuresOf(layout));
    rig.program(0, 8, areasOf(layout));
    if (kind === "MSI-X") {
      rig.put("queue_msix_vector", 2);
      expect(rig.get("queue_msix_vector")).toBe(2);
    }
    rig.put("queue_enable", 1);
    rig.put("device_status", 0x0f);
    rig.offer(layout, 8);
    rig.kick(0);
    rig.serve();
    expect([rig.used(layout, 8), rig.device.ring?.layout]).toEqual([true, layout]);
    if (kind === "INTx") {
      expect([rig.pci.interruptLevel, rig.isr(), rig.pci.interruptLevel]).toEqual([true, 1, false]);
    } else {
      expect(rig.messages).toEqual([{ vector: 2, address: 0xfee0_0020n, data: 0x42 }]);
      expect([rig.levels, rig.isr()]).toEqual([[], 0]);
    }
    expect([rig.codes(), rig.model.taken.length]).toEqual([[], 8]);
    rig.expectCanary();
  });
});

describe("configuration space", () => {
  it("sizes its BARs as PCI has it, and keeps the addresses", () => {
    const rig = new PciRig({
      ...transitional,
      pci: { ...transitional.pci, sharedMemory: [{ id: 1, base: 0, length: 2n ** 33n }] },
    });
    const { bars } = rig.pci;
    expect(bars.map(({ index, kind, size, is64 }) => [index, kind, size, is64])).toEqual([
      [0, "io", 32, false],
      [1, "memory", 8192, false],
      [2, "memory", 2 ** 33, true],
      [4, "memory", 16384, false],
    ]);
    const sized = [0, 1, 2, 3, 4, 5].map((bar) => {
      rig.pci.writeConfig(0x10 + 4 * bar, 0xffff_ffff, 4);
      return rig.pci.readConfig(0x10 + 4 * bar, 4);
    });
    expect(sized).toEqual([0xffff_ffe1, 0xffff_e000, 0x0000_000c, 0xffff_fffe, 0xffff_c000, 0]);
    rig.pci.writeConfig(0x10, 0xc000, 4);
    rig.pci.writeConfig(0x18, 0x1234_5678, 4);
    rig.pci.writeConfig(0x1c, 6, 4);
    expect([0, 2, 4].map((bar) => rig.pci.barBase(bar))).toEqual([undefined, undefined, undefined]);
    rig.pci.writeConfig(0x04, 3, 2);
    expect([0, 2, 3].map((bar) => rig.pci.barBase(bar))).toEqual([0xc000n, 0x6_0000_0000n, undefined]);
    expect(rig.codes()).toEqual([]);
  });

  it("tells the host when decoding may have changed", () => {
    let told = 0;
    const rig = new PciRig({ pci: { onDecode: () => told++ } });
    rig.pci.writeConfig(0x20, 0xfe00_0000, 4);
    rig.pci.writeConfig(0x04, 6, 2);
    rig.pci.writeConfig(0x3c, 11, 1);
    expect([told, rig.pci.barBase(4), rig.pci.readConfig(0x3c, 1)]).toEqual([2, 0xfe00_0000n, 11]);
    rig.pci.reset();
    expect([told, rig.pci.barBase(4), rig.pci.readConfig(0x20, 4)]).toEqual([3, undefined, 0]);
  });

  it("drops writes to what is not the driver's, and takes any aligned width", () => {
    const rig = new PciRig();
    rig.pci.writeConfig(0x00, 0, 4);
    rig.pci.writeConfig(0x08, 0xffff_ffff, 4);
    rig.pci.writeConfig(0x06, 0xffff, 2);
    expect([rig.pci.readConfig(0, 4), rig.pci.readConfig(8, 4), rig.pci.readConfig(6, 2)]).toEqual([
      0x1042_1af4, 0x0100_0001, 0x0010,
    ]);
    expect([rig.pci.readConfig(2, 1), rig.pci.readConfig(3, 1), rig.pci.readConfig(0x3d, 1)]).toEqual([
      0x42, 0x10, 1,
    ]);
    expect(rig.codes()).toEqual([]);
  });

  it("answers impossible accesses with a violation and 0", () => {
    const rig = new PciRig();
    for (const [offset, bytes, code] of [
      [0, 3, "PCI_WIDTH"],
      [0, 8, "PCI_WIDTH"],
      [0, Number.NaN, "PCI_WIDTH"],
      [1, 2, "PCI_ALIGN"],
      [2, 4, "PCI_ALIGN"],
      [-4, 4, "PCI_ALIGN"],
      [256, 4, "PCI_ALIGN"],
      [Number.NaN, 1, "PCI_ALIGN"],
    ] as const) {
      expect(rig.pci.readConfig(offset, bytes)).toBe(0);
      rig.pci.writeConfig(offset, 0xffff_ffff, bytes);
      expect(rig.codes(), `${bytes} at ${offset}`).toEqual([code, code]);
    }
  });

  it("has an image for emulators that keep configuration space themselves", () => {
    const rig = new PciRig({
      intx: true,
      device: { profile: "transitional" },
      pci: {
        transitional: true,
        structures: { kind: "io", bar: 2 },
        barAddresses: { 0: 0xc000, 2: 0xc100n },
      },
    });
    const image = rig.pci.configSpaceImage();
    expect(image.length).toBe(256);
    expect([...image]).toEqual(Array.from({ length: 256 }, (_, at) => rig.pci.readConfig(at, 1)));
    rig.violations.length = 0; // pci_cfg_data was read without a place
    expect([image[0x10], image[0x11], image[0x18], image[0x19]]).toEqual([0x01, 0xc0, 0x01, 0xc1]);
    expect(rig.pci.bars.map(({ index, kind, size }) => [index, kind, size])).toEqual([
      [0, "io", 32],
      [2, "io", 128],
    ]);
    image.fill(0);
    expect(rig.pci.readConfig(0, 2)).toBe(0x1af4);
    rig.live();
    rig.offer("split", 1);
    rig.kick();
    rig.serve();
    expect([rig.levels, rig.isr(), rig.levels]).toEqual([[true, false], 1, [true, false]]);
  });
});

describe("BARs", () => {
  it("accesses the fields of the common configuration in their own width and place alone", () => {
    const rig = new PciRig();
    const { bar, offset, length } = rig.structure(COMMON_CFG);
    const fields = new Map<number, number>(Object.values(COMMON));
    expect([...fields.values()].reduce((sum, bytes) => sum + bytes, 0)).toBe(length);
    for (let at = 0; at < length; at++) {
      for (const bytes of [1, 2, 4] as const) {
        rig.pci.readBar(bar, offset + at, bytes);
        const wanted = fields.get(at);
        const code = wanted === undefined ? ["PCI_ALIGN"] : wanted === bytes ? [] : ["PCI_WIDTH"];
        expect(rig.codes(), `${bytes} bytes at ${at}`).toEqual(code);
      }
    }
  });

  it("says which fields are read-only", () => {
    const rig = new PciRig();
    const readOnly = (Object.keys(COMMON) as CommonField[]).filter((field) => {
      rig.put(field, 0);
      return rig.violations.splice(0).some(({ code }) => code === "PCI_READONLY");
    });
    expect(readOnly).toEqual([
      "device_feature",
      "num_queues",
      "config_generation",
      "queue_notify_off",
      "queue_notif_config_data",
      "admin_queue_index",
      "admin_queue_num",
    ]);
    rig.write(pci.VIRTIO_PCI_CAP_ISR_CFG, 0, 1, 1);
    expect(rig.violations.map(({ message }) => message)).toEqual([
      "0x01 written to ISR status, which is read-only",
    ]);
  });

  it("reads nothing where nothing is, and takes no impossible access", () => {
    const rig = new PciRig();
    expect([rig.pci.readBar(4, 0x800, 4), rig.pci.readBar(3, 0, 4), rig.pci.readBar(4, 2 ** 40, 1)]).toEqual([
      0, 0, 0,
    ]);
    rig.pci.writeBar(4, 0x800, 1, 4);
    rig.pci.writeBar(0, 18, 1, 1);
    expect([rig.codes(), rig.device.status]).toEqual([[], 0]);
    for (const bytes of [0, 3, 8, -1, Number.NaN]) {
      expect(rig.pci.readBar(4, 0, bytes)).toBe(0);
      rig.pci.writeBar(4, 20, 1, bytes);
      expect(rig.codes()).toEqual(["PCI_WIDTH", "PCI_WIDTH"]);
    }
    for (const offset of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(rig.pci.readBar(4, offset, 1)).toBe(0);
      expect(rig.codes()).toEqual(["PCI_ALIGN"]);
    }
  });

  it("takes the device's configuration naturally aligned", () => {
    const rig = new PciRig({ model: { config } }).to(0x0b);
    const read = (at: number, bytes: number) => rig.read(DEVICE_CFG, at, bytes);
    expect([read(0, 4), read(4, 4), read(8, 2), read(10, 1)]).toEqual([0x5566_7788, 0x1122_3344, 0x1234, 7]);
    rig.write(DEVICE_CFG, 8, 0xabcd_ef01, 2);
    expect([read(8, 2), rig.codes()]).toEqual([0xef01, []]);
    for (const [at, bytes] of [
      [1, 2],
      [6, 4],
    ] as const) {
      expect(read(at, bytes)).toBe(0);
      rig.write(DEVICE_CFG, at, 0, bytes);
      expect(rig.codes()).toEqual(["PCI_ALIGN", "PCI_ALIGN"]);
    }
    expect([rig.structure(DEVICE_CFG).length, read(11, 1), rig.codes()]).toEqual([12, 0, ["CONFIG_RANGE"]]);
  });

  it("puts structures where the user wants them, and refuses what can't be", () => {
    const places = {
      common: { bar: 0, offset: 0 },
      notify: { bar: 1, offset: 0 },
      isr: { bar: 2, offset: 0 },
      device: { bar: 3, offset: 0 },
    };
    const rig = new PciRig({ model: { config }, intx: true, pci: { structures: { kind: "io", places } } });
    expect(rig.pci.bars.map(({ index, size }) => [index, size])).toEqual([
      [0, 64],
      [1, 8],
      [2, 4],
      [3, 16],
    ]);
    rig.live();
    const make = (options: PciOptions, rigOptions = {}) =>
      wrong(() => new PciTransport(new PciRig({ model: { config }, ...rigOptions }).device, options));
    const message = { onMessage: () => {} };
    const at = (name: string, bar: number, offset: number) => ({
      structures: { places: { [name]: { bar, offset } } },
    });
    expect([
      make(at("common", 6, 0)),
      make(at("common", 4, 2)),
      make(at("common", 4, 2 ** 31)),
      make({ structures: { kind: "io", places: { isr: { bar: 0, offset: 2 ** 16 } } } }),
      make(at("notify", 4, 2)),
      make(at("isr", 4, 0x1004)),
      make(at("isr", 4, 8)),
      make({ ...at("isr", 1, 0), ...message }),
      make({ ...at("isr", 3, 0), sharedMemory: [{ id: 0, base: 0, length: 16 }] }),
      make({ structures: { kind: "io", bar: 1 }, ...message }),
      make({ sharedMemory: [{ id: 0, base: 0, length: 0 }] }),
      make({ sharedMemory: [0, 1, 2, 3, 4].map((id) => ({ id, base: id * 16, length: 16 })) }),
      make({ vectors: 2 }),
      make({ vectors: 2049, ...message }),
      make({ transitional: true }),
      make({ notifyOffMultiplier: 2 }),
      make({ notifyOffMultiplier: 12 }),
      make({ notifConfigData: () => 7 }),
      make({ notifConfigData: (queue) => queue - 1 }),
      make({ barAddresses: { 4: 0x1000 } }),
      make({ barAddresses: { 4: 0.5 } }),
      make({ barAddresses: { 5: 0 } }),
      make({ classCode: 2 ** 24 }),
      make({ transitional: true, subsystemId: 3 }, { device: { profile: "transitional" } }),
      make({ transitional: true }, { model: { deviceId: 26 }, device: { profile: "transitional" } }),
      make({}, { model: { deviceId: 64 } }),
    ]).toEqual([
      "BAD_ARGUMENT: the common configuration in BAR 6, there are 0…5",
      "BAD_ARGUMENT: the common configuration at offset 2 of BAR 4, it begins at a multiple of 4",
      "BAD_ARGUMENT: BAR 4 of 4294967296 bytes, at most it has 2147483648",
      "BAD_ARGUMENT: BAR 0 of 131072 bytes, at most it has 65536",
      "BAD_ARGUMENT: the notification structure at offset 2 of BAR 4, it begins at a multiple of 4",
      "BAD_ARGUMENT: the device-specific configuration at 4096 overlaps the ISR status at 4100…4100 of BAR 4",
      "BAD_ARGUMENT: the ISR status at 8 overlaps the common configuration at 0…63 of BAR 4",
      "BAD_ARGUMENT: the ISR status at 0 overlaps the MSI-X table at 0…47 of BAR 1",
      "BAD_ARGUMENT: BAR 2 takes BAR 3, too, which holds something",
      "BAD_ARGUMENT: BAR 1 can't hold both the MSI-X table and the common configuration: they are different kinds of BAR",
      "BAD_ARGUMENT: shared memory 0: 0 bytes at 0 can't lie in a BAR",
      "BAD_ARGUMENT: 24 bytes of a capability don't fit into the 256 of configuration space",
      "BAD_ARGUMENT: 2 vectors, and no onMessage to take their messages",
      "BAD_ARGUMENT: 2049 vectors are not within 0…2048",
      'BAD_ARGUMENT: a transitional device is for legacy drivers, of which profile "strict" knows none',
      "BAD_ARGUMENT: notify_off_multiplier 2 is neither 0 nor a power of two from 4 on",
      "BAD_ARGUMENT: notify_off_multiplier 12 is neither 0 nor a power of two from 4 on",
      "BAD_ARGUMENT: queue_notif_config_data 7 is that of queues 0 and 1",
      "BAD_ARGUMENT: queue_notif_config_data -1 of queue 0 is no u16",
      "BAD_ARGUMENT: address 4096 of BAR 4, which has 16384 bytes and 32 bits",
      "BAD_ARGUMENT: address 0.5 of BAR 4, which has 16384 bytes and 32 bits",
      "BAD_ARGUMENT: address for BAR 5, there are 4",
      "BAD_ARGUMENT: class code 16777216 is not within 0…16777215",
      "BAD_ARGUMENT: subsystem ID 3: a transitional device has its device ID there, 2",
      "BAD_ARGUMENT: test device, device ID 26, has no transitional PCI device ID",
      "BAD_ARGUMENT: test device: device ID 64 is not within 0…63",
    ]);
  });
});

describe("queues", () => {
  it("keeps what was programmed, reads it back, and locks it while the queue is enabled", () => {
    const rig = new PciRig().to(0x0b);
    const areas = { descriptor: 0x1_0000_1000n, driver: 0x2000, device: 0x3000 };
    rig.program(0, 16, areas);
    expect(
      ["queue_desc_lo", "queue_desc_hi", "queue_size"].map((field) => rig.get(field as CommonField)),
    ).toEqual([0x1000, 1, 16]);
    rig.setUp();
    for (const field of ["queue_size", "queue_desc_lo", "queue_driver_hi", "queue_device_lo"] as const) {
      rig.put(field, 4);
      expect(rig.codes(), field).toEqual(["QUEUE_LOCKED"]);
    }
    expect([rig.get("queue_size"), rig.get("queue_desc_lo")]).toEqual([8, 0x1000]);
    rig.put("queue_select", 2);
    rig.put("queue_desc_lo", 4);
    expect([rig.get("queue_desc_lo"), rig.codes()]).toEqual([0, ["QUEUE_INDEX_RANGE"]]);
  });

  it("queue_enable 1 twice is one set-up, with the largest size if none was written", () => {
    const rig = new PciRig().to(0x0b);
    rig.program(1, 8, { descriptor: 0x1000, driver: 0x2000, device: 0x3000 });
    rig.put("queue_enable", 1);
    rig.put("queue_enable", 1);
    rig.put("queue_select", 0);
    for (const [field, address] of [
      ["queue_desc_lo", 0x10000],
      ["queue_driver_lo", 0x12000],
      ["queue_device_lo", 0x14000],
    ] as const)
      rig.put(field, address);
    rig.put("queue_enable", 1);
    expect([rig.get("queue_enable"), rig.get("queue_size"), rig.codes()]).toEqual([1, 256, []]);
  });

  it("are not programmed while the device is suspended, nor before a slow reset is over", async () => {
    const rig = new PciRig().live("split", ["SUSPEND"]);
    rig.put("device_status", 0x1f);
    rig.put("config_msix_vector", 1);
    expect([rig.device.phase, rig.codes()]).toEqual(["suspending", ["STATUS_SEQUENCE"]]);
    rig.serve();
    expect(rig.get("device_status")).toBe(0x1b);
    rig.program(1, 8, { descriptor: 0x4000, driver: 0x5000, device: 0x6000 });
    rig.put("queue_msix_vector", 1);
    rig.put("config_msix_vector", 1);
    expect(rig.codes()).toEqual(new Array(9).fill("STATUS_SEQUENCE"));
    let quiet = () => {};
    const slow = () => new Promise<void>((resolve) => (quiet = resolve));
    Object.assign(rig.model, { reset: slow });
    rig.put("device_status", 0);
    rig.put("queue_size", 8);
    expect([rig.codes(), rig.get("device_status") === 0, rig.get("queue_enable")]).toEqual([
      ["STATUS_SEQUENCE"],
      false,
      0,
    ]);
    quiet();
    await rig.device.idle();
    Object.assign(rig.model, { reset: () => undefined });
    rig.live();
  });
});

describe("the legacy window", () => {
  const legacyRig = () => new PciRig({ ...transitional, model: { config } });
  const read = (rig: PciRig, at: number, bytes: number) => rig.pci.readBar(0, at, bytes);
  const write = (rig: PciRig, at: number, value: number, bytes: number) =>
    rig.pci.writeBar(0, at, value, bytes);

  it("takes whole fields, several at once, and none in part", () => {
    const rig = legacyRig();
    write(rig, 18, 1, 1);
    write(rig, 18, 3, 1);
    for (const [at, bytes] of [
      [4, 1],
      [8, 2],
      [10, 4],
      [15, 1],
      [17, 2],
      [18, 4],
    ] as const) {
      write(rig, at, 0xffff_ffff, bytes);
      expect(rig.codes(), `${bytes} at ${at}`).toEqual(["PCI_WIDTH"]);
    }
    expect([read(rig, 4, 4), read(rig, 8, 4), read(rig, 14, 2), read(rig, 18, 1)]).toEqual([0, 0, 0, 3]);
    write(rig, 14, 0x0001_0001, 4); // queue_select and a notification
    expect([read(rig, 14, 2), rig.codes()]).toEqual([1, []]);
    for (const [at, bytes] of [
      [0, 4],
      [12, 2],
      [19, 1],
    ] as const) {
      write(rig, at, 0, bytes);
      expect(rig.codes()).toEqual(["PCI_READONLY"]);
    }
    write(rig, 12, 0x0000_ffff, 4); // queue_size is read-only, queue_select isn't
    expect([read(rig, 14, 2), rig.codes()]).toEqual([0, ["PCI_READONLY"]]);
  });

  it("writes the configuration at any width and place", () => {
    const rig = legacyRig();
    write(rig, 18, 1, 1);
    write(rig, 18, 3, 1);
    write(rig, 28, 0xcd, 1);
    write(rig, 29, 0xab, 1);
    expect([read(rig, 28, 2), read(rig, 27, 4) >>> 8, rig.codes()]).toEqual([0xabcd, 0x07_abcd, []]);
    write(rig, 20, 0, 4);
    expect([read(rig, 40, 4), rig.codes()]).toEqual([0, ["CONFIG_READONLY"]]);
  });

  it("refuses a page of a queue that can't be there, and another one for a queue in use", () => {
    const rig = legacyRig();
    write(rig, 18, 1, 1);
    write(rig, 18, 3, 1);
    for (const [page, code] of [
      [0x3f, "RING_OUT_OF_GUEST"],
      [0xffff_ffff, "RING_OUT_OF_GUEST"],
    ] as const) {
      write(rig, 8, page, 4);
      expect([read(rig, 8, 4), rig.codes()]).toEqual([0, [code]]);
    }
    write(rig, 8, 4, 4);
    write(rig, 8, 8, 4);
    expect([read(rig, 8, 4), rig.codes()]).toEqual([4, ["QUEUE_LOCKED"]]);
    write(rig, 14, 9, 2);
    write(rig, 8, 4, 4);
    expect([read(rig, 8, 4), read(rig, 12, 2), rig.codes()]).toEqual([0, 0, ["QUEUE_INDEX_RANGE"]]);
  });
});

describe("a reset of the function", () => {
  it("forgets what the driver and the bus have set", () => {
    const rig = new PciRig();
    const before = rig.pci.configSpaceImage();
    rig.pci.writeConfig(0x20, 0xfe00_0000, 4);
    rig.pci.writeConfig(0x3c, 9, 1);
    rig.enableMsix();
    rig.unmask(1);
    rig.live();
    rig.put("config_msix_vector", 1);
    rig.put("queue_select", 1);
    rig.put("device_feature_select", 1);
    rig.enableMsix(false);
    rig.device.configChanged();
    expect(rig.levels).toEqual([true]);
    rig.pci.reset();
    expect([rig.pci.configSpaceImage(), rig.levels, rig.device.phase]).toEqual([
      before,
      [true, false],
      "reset",
    ]);
    expect([
      rig.get("queue_select"),
      rig.get("device_feature_select"),
      rig.get("config_msix_vector"),
    ]).toEqual([0, 0, 0xffff]);
    expect([rig.pci.readBar(1, 16, 4), rig.pci.readBar(1, 28, 4), rig.codes()]).toEqual([0, 1, []]);
    rig.live();
  });
});

describe("an image of the function", () => {
  /** A driver in the middle of things: a live queue, a second one half programmed, a message waiting, a window open. */
  function busyRig(): PciRig {
    const rig = new PciRig();
    rig.pci.writeConfig(0x20, 0xfe00_0000, 4);
    rig.pci.writeConfig(0x04, 6, 2);
    rig.enableMsix();
    rig.unmask(2, 0xfee0_0120, 0x31);
    rig.to(0x0b);
    rig.put("config_msix_vector", 0);
    rig.setUp();
    rig.put("queue_msix_vector", 2);
    rig.put("device_status", 0x0f);
    rig.device.configChanged();
    rig.program(1, 16, { descriptor: 0x1_0000_4000n, driver: 0x5000, device: 0x6000 });
    rig.put("driver_feature_select", 1);
    const { at } = rig.capability(pci.VIRTIO_PCI_CAP_PCI_CFG);
    rig.pci.writeConfig(at + 12, 4, 4);
    return rig;
  }

  it("goes on in another transport: registers, vectors, what waited, and the device behind it", () => {
    const old = busyRig();
    const rig = new PciRig();
    rig.pci.restore(JSON.stringify(old.pci.save()));
    expect(rig.pci.configSpaceImage()).toEqual(old.pci.configSpaceImage());
    const fields = Object.keys(COMMON) as CommonField[];
    for (const index of [0, 1]) {
      for (const one of [rig, old]) one.put("queue_select", index);
      for (const field of fields) expect(rig.get(field), field).toBe(old.get(field));
    }
    // The restored device notifies of its queue, once: to the vector that it had.
    expect(rig.messages.splice(0)).toEqual([{ vector: 2, address: 0xfee0_0120n, data: 0x31 }]);
    rig.unmask(0);
    expect(rig.messages.splice(0).map(({ vector }) => vector)).toEqual([0]);
    expect([rig.isr(), rig.pci.barBase(4)]).toEqual([2, 0xfe00_0000n]);
    rig.offer("split", 1);
    rig.kick();
    rig.serve();
    expect([rig.used("split", 1), rig.messages.map(({ vector }) => vector), rig.codes()]).toEqual([
      true,
      [2],
      [],
    ]);
  });

  it("carries the line and the ISR status over, and adds the notification of its queue", () => {
    const old = new PciRig({ intx: true }).live();
    old.device.configChanged();
    const rig = new PciRig({ intx: true });
    rig.pci.restore(old.pci.save());
    expect([rig.levels, rig.pci.readConfig(6, 2) & 8, rig.isr(), rig.levels]).toEqual([
      [true, false],
      8,
      3,
      [true, false],
    ]);
  });

  it("carries a legacy driver's queue over", () => {
    const old = new PciRig(transitional);
    for (const status of [1, 3]) old.pci.writeBar(0, 18, status, 1);
    old.pci.writeBar(0, 8, 4, 4);
    old.pci.writeBar(0, 18, 7, 1);
    const rig = new PciRig(transitional);
    rig.pci.restore(old.pci.save());
    expect([rig.pci.readBar(0, 8, 4), rig.device.isLegacy, rig.pci.interruptLevel]).toEqual([4, true, true]);
  });

  it("is taken after a reset, or not at all", () => {
    const image = busyRig().pci.save();
    const rig = new PciRig().to(0x03);
    const before = rig.pci.save();
    for (const take of [() => rig.pci.restore(image), () => rig.pci.judge(image)]) {
      expect(wrong(take)).toBe(
        "DEVICE_BUSY: the device can't be saved or restored now: phase negotiating, status 0x03: an image goes into a device after its reset",
      );
    }
    expect(rig.pci.save()).toEqual(before);
  });

  it("leaves the registers alone when the device refuses its part, and tells nobody", () => {
    const { checksum, ...good } = busyRig().pci.save();
    const { checksum: old, ...device } = good.device;
    // The half of a ring is judged last, when the registers are there already.
    const [first, ...others] = device.queues;
    const setup = { ...first?.setup, image: {} };
    const broken = sealed({
      ...good,
      device: sealed({ ...device, queues: [{ ...first, setup }, ...others] }),
    });
    const rig = new PciRig();
    const before = rig.pci.save();
    rig.pci.judge(broken);
    expect(wrong(() => rig.pci.restore(broken))).toMatch(/^SNAPSHOT_INVALID/);
    expect([rig.pci.save(), rig.messages, rig.levels]).toEqual([before, [], []]);
  });

  it("is judged without being taken", () => {
    const rig = new PciRig();
    const before = rig.pci.save();
    rig.pci.judge(busyRig().pci.save());
    expect(rig.pci.save()).toEqual(before);
    expect(wrong(() => rig.pci.judge("{}"))).toMatch(/^SNAPSHOT_INVALID/);
  });

  it("is refused when anything in it is damaged or doesn't fit, and nothing has changed then", () => {
    const good = busyRig().pci.save();
    const rig = new PciRig();
    const before = rig.pci.save();
    const change = (changes: Partial<Record<keyof PciImage, unknown>>) => {
      const { checksum, ...rest } = { ...good, ...changes };
      return sealed(rest);
    };
    const byte = (at: number, value: number) => good.config.map((old, i) => (i === at ? value : old));
    const word = (at: number, value: number) => good.table.map((old, i) => (i === at ? value : old));
    const queue = (changes: object) => [{ ...good.queues[0], ...changes }, good.queues[1]];
    const refused = [
      { ...good, isr: 1 },
      change({ schema: "virtq.pci/2" }),
      change({ config: good.config.slice(1) }),
      change({ config: byte(0x02, 0x41) }),
      change({ config: byte(0x44, 0x09) }),
      change({ isr: 4 }),
      change({ queueSelect: 0x10000 }),
      change({ configVector: 3 }),
      change({ queues: good.queues.slice(1) }),
      change({ queues: queue({ vector: 0x7ff }) }),
      change({ queues: queue({ halves: [0] }) }),
      change({ queues: queue({ halves: [0x7000, 0, 0, 0, 0, 0] }) }),
      change({ device: { ...good.device, status: 0 } }),
      change({ queues: queue({ size: 70000 }) }),
      change({ table: good.table.slice(4) }),
      change({ table: word(0, 1) }),
      change({ table: word(3, 2) }),
      change({ pending: [3] }),
      change({ pending: [1, 1] }),
      change({ pending: [2, 0] }),
      `${JSON.stringify(good)} `,
      null,
    ].map((image) => wrong(() => rig.pci.restore(image)));
    expect(refused.filter((message) => !message.startsWith("SNAPSHOT_INVALID"))).toEqual([]);
    expect(new Set(refused).size).toBe(refused.length);
    expect([rig.pci.save(), rig.device.status]).toEqual([before, 0]);
    rig.pci.restore(change({}));
  });
});
