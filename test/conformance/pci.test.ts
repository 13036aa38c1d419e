// Area "pci" (§4.1), the clauses of the device.
import { describe, expect, it } from "vitest";
import { LEGACY_DETECTIONS } from "../../src/device/legacy";
import { DEVICE_PROFILES, type DeviceProfile } from "../../src/device/profiles";
import { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as pci from "../../src/spec/pci";
import { PCI_CAP_ID_MSIX, PCI_CAP_ID_VNDR } from "../../src/spec/pci-header";
import { type CommonField, PciRig, type PciRigOptions } from "../transport/pci-rig";

const {
  VIRTIO_PCI_CAP_COMMON_CFG: COMMON,
  VIRTIO_PCI_CAP_DEVICE_CFG: DEVICE,
  VIRTIO_PCI_CAP_ISR_CFG: ISR,
  VIRTIO_PCI_CAP_NOTIFY_CFG: NOTIFY,
  VIRTIO_PCI_CAP_PCI_CFG: WINDOW,
  VIRTIO_PCI_CAP_SHARED_MEMORY_CFG: SHARED_MEMORY,
  VIRTIO_MSI_NO_VECTOR: NO_VECTOR,
} = pci;
const LAYOUTS = ["split", "packed"] as const;
const config = [{ name: "field", offset: 0, bytes: 4, anyOf: [], writable: true, value: 5 }] as const;
const transitional: PciRigOptions = { device: { profile: "transitional" }, pci: { transitional: true } };

/** A profile that would also keep these features. */
const honouring = (...more: string[]): DeviceProfile => {
  const { strict } = DEVICE_PROFILES;
  return { ...strict, honours: [...strict.honours, ...more] };
};

/** Serves a buffer of queue 0, kicked. */
function serveOne(rig: PciRig, layout: "split" | "packed" = "split"): void {
  rig.offer(layout, 1);
  rig.kick();
  rig.serve();
}

/** Header fields: vendor, device, revision, subsystem vendor, subsystem. */
const identity = (rig: PciRig) =>
  [0x00, 0x02, 0x08, 0x2c, 0x2e].map((at) => rig.pci.readConfig(at, at === 0x08 ? 1 : 2));

describe("discovery (§4.1.2)", () => {
  it("PCI-001 PCI-002 PCI-003 PCI-004 PCI-005 §4.1.2.1 device: a modern device's identifiers", () => {
    for (const deviceId of [1, 2, 26, 63]) {
      const id = 0x1040 + deviceId;
      expect(identity(new PciRig({ model: { deviceId } }))).toEqual([0x1af4, id, 1, 0x1af4, id]);
    }
  });

  it("PCI-001 PCI-002 PCI-008 PCI-010 §4.1.2.3 device: a transitional device's identifiers, by its type", () => {
    const ids = [
      [1, 0x1000],
      [2, 0x1001],
      [3, 0x1003],
      [4, 0x1005],
      [5, 0x1002],
      [8, 0x1004],
      [9, 0x1009],
    ] as const;
    for (const [deviceId, id] of ids)
      expect(identity(new PciRig({ ...transitional, model: { deviceId } }))).toEqual([
        0x1af4,
        id,
        0,
        0x1af4,
        deviceId,
      ]);
  });

  it("PCI-010 §4.1.2.1 device: the subsystem may be the environment's", () => {
    const environment = { subsystemVendorId: 0x8086, subsystemId: 0x1100, classCode: 0x010802 };
    const rig = new PciRig({ pci: environment });
    expect([identity(rig).slice(3), rig.pci.readConfig(8, 4)]).toEqual([[0x8086, 0x1100], 0x0108_0201]);
  });

  it("PCI-009 §4.1.1 device: PCI's own header: a list of capabilities, INTA#, a type 0 header, a class", () => {
    const rig = new PciRig();
    const read = (at: number, bytes: number) => rig.pci.readConfig(at, bytes);
    expect([read(0x06, 2) & 0x10, read(0x3d, 1), read(0x0e, 1), read(0x30, 4), read(0x0b, 1)]).toEqual([
      0x10, 1, 0, 0, 1,
    ]);
    const list = rig.capabilities();
    expect(list.every(({ at }) => at >= 0x40 && at % 4 === 0)).toBe(true);
    expect(new Set(list.map(({ at }) => at)).size).toBe(list.length);
  });
});

describe("capabilities (§4.1.4)", () => {
  const shared = [
    { id: 0, base: 0, length: 0x1000 },
    { id: 7, base: 0x1_0000_1000n, length: 0x2_0000_0000n },
  ];
  const rigOf = () => new PciRig({ model: { config }, pci: { sharedMemory: shared } });

  it("PCI-022 PCI-023 PCI-026 PCI-052 PCI-059 PCI-065 PCI-070 §4.1.4 device: each structure, with all of its bytes in cap_len", () => {
    const rig = rigOf();
    const list = rig.capabilities();
    expect(
      list.map(({ id, type, length }) => (id === PCI_CAP_ID_MSIX ? "MSI-X" : [id, type, length])),
    ).toEqual([
      [PCI_CAP_ID_VNDR, COMMON, 16],
      [PCI_CAP_ID_VNDR, ISR, 16],
      [PCI_CAP_ID_VNDR, DEVICE, 16],
      [PCI_CAP_ID_VNDR, NOTIFY, 20],
      [PCI_CAP_ID_VNDR, WINDOW, 20],
      [PCI_CAP_ID_VNDR, SHARED_MEMORY, 24],
      [PCI_CAP_ID_VNDR, SHARED_MEMORY, 24],
      "MSI-X",
    ]);
    list.forEach(({ at, length }, i) => {
      const next = list[i + 1];
      if (next !== undefined) expect(next.at).toBeGreaterThanOrEqual(at + length);
    });
    expect(
      new PciRig().capabilities().some(({ id, type }) => id === PCI_CAP_ID_VNDR && type === DEVICE),
    ).toBe(false);
  });

  it("PCI-025 PCI-066 §4.1.4 device: offsets are aligned, and each structure lies within its BAR and alone", () => {
    for (const kind of ["memory", "io"] as const) {
      const rig = new PciRig({ model: { config }, pci: { structures: { kind } } });
      const structures = [COMMON, ISR, DEVICE, NOTIFY].map((type) => rig.structure(type));
      for (const { bar, offset, length } of structures) {
        const { size = 0 } = rig.pci.bars.find(({ index }) => index === bar) ?? {};
        expect(offset + length).toBeLessThanOrEqual(size);
        const inside = structures.filter(
          (other) => other.offset < offset + length && offset < other.offset + other.length,
        );
        expect(inside.length).toBe(1);
      }
      expect([rig.structure(COMMON).offset % 4, rig.structure(DEVICE).offset % 4]).toEqual([0, 0]);
    }
  });

  it("PCI-021 §4.1.4.1 both: nothing changes in a capability that the driver writes to", () => {
    const rig = rigOf();
    for (const { at, length, id, type } of rig.capabilities()) {
      if (id === PCI_CAP_ID_MSIX || type === WINDOW) continue;
      const bytes = () => Array.from({ length }, (_, i) => rig.pci.readConfig(at + i, 1));
      const before = bytes();
      for (let i = 0; i < length; i += 4) rig.pci.writeConfig(at + i, 0xffff_ffff, 4);
      expect([bytes(), new Set(rig.codes())]).toEqual([before, new Set(["PCI_READONLY"])]);
    }
  });

  it("PCI-067 §4.1.4.7.1 device: shared memory lies within its BAR, in 64 bits, each with an id of its own", () => {
    const rig = rigOf();
    const list = rig.capabilities().filter(({ type, length }) => type === SHARED_MEMORY && length === 24);
    const word = (at: number) => rig.pci.readConfig(at, 4);
    const found = list.map(({ at }) => ({
      id: rig.pci.readConfig(at + 5, 1),
      base: BigInt(word(at + 8)) | (BigInt(word(at + 16)) << 32n),
      length: BigInt(word(at + 12)) | (BigInt(word(at + 20)) << 32n),
      bar: rig.pci.readConfig(at + 4, 1),
    }));
    expect(found).toEqual(
      shared.map(({ id, base, length }) => ({ id, base: BigInt(base), length: BigInt(length), bar: 2 })),
    );
    const { size = 0, is64 } = rig.pci.bars.find(({ index }) => index === 2) ?? {};
    expect([BigInt(size) >= 0x3_0000_1000n, is64]).toEqual([true, true]);
    const twice = () => new PciRig({ pci: { sharedMemory: [...shared, { id: 7, base: 0, length: 1 }] } });
    expect(twice).toThrow("id 7 is there twice");
  });

  it("PCI-070 §4.1.4.9.1 device: pci_cfg_data is a window of 1, 2 or 4 bytes into every structure", () => {
    const rig = rigOf();
    const { at } = rig.capability(WINDOW);
    const open = (type: number, offset: number, bytes: number) => {
      const { bar, offset: start } = rig.structure(type);
      rig.pci.writeConfig(at + 4, bar, 1);
      rig.pci.writeConfig(at + 8, start + offset, 4);
      rig.pci.writeConfig(at + 12, bytes, 4);
    };
    const get = (type: number, offset: number, bytes: number) => {
      open(type, offset, bytes);
      return rig.pci.readConfig(at + 16, bytes);
    };
    const put = (type: number, offset: number, value: number, bytes: number) => {
      open(type, offset, bytes);
      rig.pci.writeConfig(at + 16, value, bytes);
    };
    // A whole initialisation through it.
    for (const status of [1, 3]) put(COMMON, 20, status, 1);
    put(COMMON, 8, 1, 4);
    put(COMMON, 12, 1, 4);
    put(COMMON, 20, 0x0b, 1);
    for (const [field, value] of [
      [24, 8],
      [32, 0x1000],
      [40, 0x2000],
      [48, 0x3000],
    ] as const)
      put(COMMON, field, value, field === 24 ? 2 : 4);
    put(COMMON, 28, 1, 2);
    put(COMMON, 20, 0x0f, 1);
    put(DEVICE, 0, 77, 4);
    expect([get(COMMON, 20, 1), get(COMMON, 28, 2), get(DEVICE, 0, 4), rig.codes()]).toEqual([
      0x0f,
      1,
      77,
      [],
    ]);
    rig.offer("split", 1);
    put(NOTIFY, 0, 0, 2);
    rig.serve();
    expect([rig.used("split", 1), get(ISR, 0, 1), get(ISR, 0, 1)]).toEqual([true, 1, 0]);
    // Each access happens once, at the time of the driver's.
    rig.device.configChanged();
    open(ISR, 0, 1);
    expect([rig.isr(), rig.pci.readConfig(at + 16, 1)]).toEqual([2, 0]);
  });

  it("PCI-071 §4.1.4.9.2 both: the window opens at aligned bytes of a structure alone", () => {
    const rig = rigOf();
    const { at } = rig.capability(WINDOW);
    const { bar, offset } = rig.structure(COMMON);
    const attempt = (where: number, start: number, bytes: number) => {
      rig.pci.writeConfig(at + 4, where, 1);
      rig.pci.writeConfig(at + 8, start, 4);
      rig.pci.writeConfig(at + 12, bytes, 4);
      expect(rig.codes()).toEqual([]);
      rig.pci.readConfig(at + 16, 4);
      rig.pci.writeConfig(at + 16, 1, 4);
      return rig.codes();
    };
    for (const [where, start, bytes] of [
      [bar, offset + 2, 4],
      [bar, offset, 0],
      [bar, offset, 3],
      [bar, offset, 8],
      [bar, offset, 0xffff_ffff],
      [bar, offset + 64, 4],
      [bar, 0xffff_fffc, 4],
      [1, 0, 4],
      [5, 0, 4],
      [0xff, 0, 4],
    ] as const)
      expect(attempt(where, start, bytes), `${bytes} at ${start} of ${where}`).toEqual([
        "BAD_ARGUMENT",
        "BAD_ARGUMENT",
      ]);
    expect(rig.device.status).toBe(0);
  });
});

describe("common configuration (§4.1.4.3)", () => {
  it("PCI-013 §4.1.3.2 device: the halves of 64-bit fields are independent", () => {
    const wide = [{ name: "wide", offset: 0, bytes: 8, anyOf: [], value: 0x1122_3344_5566_7788n }];
    const rig = new PciRig({ model: { config: wide } }).to(0x0b);
    rig.put("queue_desc_hi", 0x8000_0001);
    expect([rig.get("queue_desc_lo"), rig.get("queue_desc_hi")]).toEqual([0, 0x8000_0001]);
    rig.put("queue_desc_lo", 0xffff_fff0);
    expect([rig.get("queue_desc_lo"), rig.get("queue_desc_hi")]).toEqual([0xffff_fff0, 0x8000_0001]);
    expect([rig.read(DEVICE, 4, 4), rig.read(DEVICE, 0, 4), rig.codes()]).toEqual([
      0x1122_3344,
      0x5566_7788,
      [],
    ]);
  });

  it("PCI-027 PCI-028 PCI-029 §4.1.4.3.1 device: features by word, for any select", () => {
    const rig = new PciRig({ model: { deviceId: 40, offers: [65, 127, 5] } }).to(0x03);
    for (const word of [3, 0, 2, 1, 4, 0x8000_0001, 0xffff_ffff]) {
      rig.put("device_feature_select", word);
      expect(rig.get("device_feature")).toBe(rig.device.offered.word(word));
    }
    rig.accept(FeatureSet.of("VERSION_1", 65, 127, 99));
    const shown = [0, 1, 2, 3, 4, 0xffff_ffff].map((word) => {
      rig.put("driver_feature_select", word);
      return rig.get("driver_feature");
    });
    // Bit 99 was never offered: it is shown, and FEATURES_OK is refused for it.
    expect(shown).toEqual([0, 1, 2, 0x8000_0008, 0, 0]);
    rig.put("device_status", 0x0b);
    expect(rig.get("device_status")).toBe(0x03);
  });

  it("PCI-030 §4.1.4.3.1 device: config_generation differs after a changed value was read, in eight bits", () => {
    const wide = { value: 2n };
    const fields = [{ name: "wide", offset: 0, bytes: 8, anyOf: [], value: () => wide.value }];
    const rig = new PciRig({ model: { config: fields } }).to(0x0f);
    const seen = new Set<number>();
    for (let i = 0; i < 600; i++) {
      const before = rig.get("config_generation");
      expect([rig.read(DEVICE, 0, 4), rig.get("config_generation")]).toEqual([Number(wide.value), before]);
      wide.value++;
      rig.read(DEVICE, 0, 4);
      const after = rig.get("config_generation");
      expect([after === before, after <= 0xff]).toEqual([false, true]);
      seen.add(after);
    }
    expect(seen.size).toBe(256);
  });

  it("PCI-031 PCI-032 PCI-033 PCI-083 §4.1.4.3.1 device: status 0 resets: queues, vectors and ISR status with it", () => {
    const rig = new PciRig();
    rig.enableMsix();
    rig.to(0x0b, ["VERSION_1", "RING_RESET"]);
    rig.put("config_msix_vector", 0);
    rig.put("queue_msix_vector", 1);
    rig.setUp();
    rig.put("device_status", 0x0f);
    rig.device.configChanged();
    rig.put("device_status", 0);
    const fields: CommonField[] = [
      "device_status",
      "queue_enable",
      "queue_reset",
      "config_msix_vector",
      "queue_msix_vector",
      "queue_desc_lo",
    ];
    expect(fields.map((field) => rig.get(field))).toEqual([0, 0, 0, NO_VECTOR, NO_VECTOR, 0]);
    expect([rig.isr(), rig.get("queue_size"), rig.device.phase, rig.codes()]).toEqual([0, 256, "reset", []]);
  });

  it("PCI-031 §4.1.4.3.1 device: a reset that takes its time shows 0 when it is over, and no sooner", async () => {
    let quiet = () => {};
    const rig = new PciRig({ intx: true }).live();
    serveOne(rig);
    Object.assign(rig.model, { reset: () => new Promise<void>((resolve) => (quiet = resolve)) });
    rig.put("device_status", 0);
    expect([
      rig.get("device_status") === 0,
      rig.get("queue_enable"),
      rig.isr(),
      rig.pci.interruptLevel,
    ]).toEqual([false, 0, 0, false]);
    quiet();
    await rig.device.idle();
    expect([rig.get("device_status"), rig.codes()]).toEqual([0, []]);
  });

  it.each(LAYOUTS)(
    "PCI-034 PCI-035 PCI-036 PCI-037 PCI-048 PCI-049 §4.1.4.3.1 device: %s, queue_reset: 1 while it goes on, then 0 in both, and after the queue is enabled",
    (layout) => {
      const during: number[][] = [];
      const both = () => [rig.get("queue_reset"), rig.get("queue_enable")];
      const rig: PciRig = new PciRig({
        onEvent: ({ access, after }) => {
          if (access?.register === "queue-reset" && after === "disabled") during.push(both());
        },
      });
      rig.live(layout, ["RING_RESET"]);
      rig.model.holds = true;
      rig.offer(layout, 2);
      rig.kick();
      rig.serve();
      expect(rig.model.taken.length).toBe(2);
      rig.put("queue_reset", 1);
      expect([during, both(), rig.codes()]).toEqual([[[1, 0]], [0, 0], []]);
      const before = rig.memory.copy(0, 0x10000);
      rig.model.context?.finish(0); // what the old queue held is gone
      rig.serve();
      expect([rig.memory.copy(0, 0x10000), rig.get("queue_size")]).toEqual([before, 256]);
      rig.model.holds = false;
      const areas = { descriptor: 0x4000, driver: 0x5000, device: 0x6000 };
      rig.setUp(0, 4, areas);
      rig.offer(layout, 4, 4, areas);
      rig.kick();
      rig.serve();
      expect([both(), rig.used(layout, 4, 4, areas), rig.codes()]).toEqual([[0, 1], true, []]);
    },
  );

  it("PCI-038 PCI-099 §4.1.4.3.1 device: queue_size is 0 for no queue, the largest after a reset, then what was written", () => {
    const rig = new PciRig().to(0x0b);
    const sizes = () =>
      [0, 1, 2, 0xffff].map((index) => {
        rig.put("queue_select", index);
        return rig.get("queue_size");
      });
    expect([sizes(), rig.get("num_queues")]).toEqual([[256, 64, 0, 0], 2]);
    rig.put("queue_select", 0);
    rig.put("queue_size", 32);
    expect(sizes()).toEqual([32, 64, 0, 0]);
    rig.put("device_status", 0);
    expect([sizes(), rig.codes()]).toEqual([[256, 64, 0, 0], []]);
  });

  it("PCI-039 PCI-042 PCI-043 §4.1.4.3.1 device: without RING_PACKED queue_size is 0 or a power of two", () => {
    const rig = new PciRig({ model: { queues: [{ name: "a", maxSize: 100 }] } });
    const write = (size: number) => {
      rig.put("queue_size", size);
      return [rig.get("queue_size"), rig.codes()];
    };
    // Before FEATURES_OK nothing is negotiated: the packed ring's 100 does not show yet.
    expect(rig.get("queue_size")).toBe(64);
    rig.to(0x0b);
    const invalid = [0, ["QUEUE_SIZE_INVALID"]];
    expect([write(48), write(0), write(128), write(32)]).toEqual([invalid, invalid, invalid, [32, []]]);
    rig.to(0x0b, ["VERSION_1", "RING_PACKED"]);
    expect([rig.get("queue_size"), write(48), write(0), write(101)]).toEqual([
      100,
      [48, []],
      invalid,
      invalid,
    ]);
  });

  it("PCI-040 PCI-050 PCI-100 §4.1.4.3 both: there is no administration virtqueue, and ADMIN_VQ can't be offered", () => {
    const rig = new PciRig().to(0x0f);
    expect([rig.get("admin_queue_index"), rig.get("admin_queue_num")]).toEqual([0, 0]);
    const make = () =>
      new PciRig({ device: { profile: honouring("ADMIN_VQ"), offer: ["VERSION_1", "ADMIN_VQ"] } });
    expect(make).toThrow(VirtioError);
    expect(make).toThrow("can't offer ADMIN_VQ");
  });

  it("PCI-041 §4.1.4.3.2 both: read-only fields keep their values", () => {
    const rig = new PciRig().to(0x0b);
    const fields: CommonField[] = [
      "device_feature",
      "num_queues",
      "config_generation",
      "queue_notify_off",
      "queue_notif_config_data",
    ];
    const before = fields.map((field) => rig.get(field));
    for (const field of fields) rig.put(field, 0xff);
    expect(fields.map((field) => rig.get(field))).toEqual(before);
    expect(rig.codes()).toEqual(fields.map(() => "PCI_READONLY"));
  });

  it("PCI-046 §4.1.4.3.2 both: 0 in queue_enable has no effect", () => {
    const rig = new PciRig().live();
    rig.put("queue_enable", 0);
    rig.put("queue_enable", 2);
    serveOne(rig);
    expect([rig.get("queue_enable"), rig.used("split", 1), rig.codes()]).toEqual([
      1,
      true,
      ["BAD_ARGUMENT", "BAD_ARGUMENT"],
    ]);
  });

  it("PCI-100 §4.1.4.3 both: queue_reset and queue_notif_config_data exist with their features alone", () => {
    const notifConfigData = (queue: number) => 0x100 + queue;
    const offer = ["VERSION_1", "RING_RESET", "NOTIF_CONFIG_DATA"];
    const rig = new PciRig({
      device: { profile: honouring("NOTIF_CONFIG_DATA"), offer },
      pci: { notifConfigData },
    });
    rig.live();
    expect(rig.get("queue_notif_config_data")).toBe(0);
    rig.put("queue_reset", 1);
    expect([rig.get("queue_reset"), rig.get("queue_enable"), rig.codes()]).toEqual([
      0,
      1,
      ["STATUS_SEQUENCE"],
    ]);
    rig.live("split", ["RING_RESET", "NOTIF_CONFIG_DATA"]);
    expect(rig.get("queue_notif_config_data")).toBe(0x100);
    rig.put("queue_select", 1);
    expect(rig.get("queue_notif_config_data")).toBe(0x101);
    rig.put("queue_select", 2);
    expect(rig.get("queue_notif_config_data")).toBe(0);
  });
});

describe("notifications (§4.1.4.4, §4.1.5.2)", () => {
  it("PCI-053 PCI-054 PCI-055 §4.1.4.4.1 device: without NOTIFICATION_DATA in the offer: even, from 2 on, and all within", () => {
    const device = { offer: ["VERSION_1"] };
    for (const notifyOffMultiplier of [0, 2, 4, 8, 4096]) {
      const rig = new PciRig({ device, pci: { notifyOffMultiplier } });
      const { offset, length } = rig.structure(NOTIFY);
      expect([offset % 2, length >= rig.notifyAt(1) + 2]).toEqual([0, true]);
    }
    for (const notifyOffMultiplier of [1, 3, 6, -2, 0.5, 2 ** 32, Number.NaN])
      expect(() => new PciRig({ device, pci: { notifyOffMultiplier } })).toThrow("notify_off_multiplier");
  });

  it("PCI-056 PCI-057 PCI-058 §4.1.4.4.1 device: with NOTIFICATION_DATA in the offer: a multiple of 4, and all within", () => {
    for (const notifyOffMultiplier of [0, 4, 8, 4096]) {
      const rig = new PciRig({ pci: { notifyOffMultiplier } });
      const { offset, length } = rig.structure(NOTIFY);
      expect([offset % 4, length >= rig.notifyAt(1) + 4]).toEqual([0, true]);
    }
    expect(() => new PciRig({ pci: { notifyOffMultiplier: 2 } })).toThrow("from 4 on");
  });

  it.each(LAYOUTS)(
    "PCI-072 PCI-073 PCI-074 PCI-075 PCI-101 §4.1.5.2 device: %s, a notification is 16 bits, with NOTIFICATION_DATA 32, at its queue's address",
    (layout) => {
      for (const notifyOffMultiplier of [0, 4, 64]) {
        for (const [more, value, bytes] of [
          [[], 0, 2],
          [["NOTIFICATION_DATA"], 0x0002_0000, 4],
        ] as const) {
          const rig = new PciRig({ pci: { notifyOffMultiplier } }).live(layout, more);
          rig.offer(layout, 2);
          rig.kick(0, value, bytes === 2 ? 4 : 2);
          rig.serve();
          expect([rig.used(layout, 0), rig.codes()]).toEqual([true, ["PCI_WIDTH"]]);
          rig.kick(0, value, bytes);
          rig.serve();
          expect([rig.used(layout, 2), rig.codes()]).toEqual([true, []]);
        }
      }
    },
  );

  it("PCI-073 §4.1.5.2 device: the device hears of all 32 bits", () => {
    const heard: number[] = [];
    const rig = new PciRig({
      onEvent: ({ access }) => {
        if (access?.register === "notify") heard.push(access.value);
      },
    });
    rig.to(0x0b, ["VERSION_1", "NOTIFICATION_DATA"]);
    rig.kick(1, 0x8765_0001, 4);
    expect([heard, rig.codes()]).toEqual([[0x8765_0001], []]);
  });

  it("PCI-101 §4.1.4.4 device: multiplier 0 is one address for all queues; else a queue's index belongs at its own", () => {
    const second = { descriptor: 0x4000, driver: 0x5000, device: 0x6000 };
    for (const notifyOffMultiplier of [0, 8]) {
      const rig = new PciRig({ pci: { notifyOffMultiplier } }).to(0x0b);
      rig.setUp(0);
      rig.setUp(1, 8, second);
      rig.put("device_status", 0x0f);
      rig.serve();
      rig.offer("split", 1, 8, second);
      rig.kick(0, 1);
      rig.serve();
      const isOne = notifyOffMultiplier === 0;
      expect([rig.used("split", 1, 8, second), rig.codes()]).toEqual([isOne, isOne ? [] : ["BAD_ARGUMENT"]]);
      rig.kick(1);
      rig.serve();
      rig.write(NOTIFY, 2, 0, 2);
      expect([rig.used("split", 1, 8, second), rig.codes()]).toEqual([true, ["PCI_ALIGN"]]);
    }
  });

  it("PCI-076 PCI-077 §4.1.5.2 device: with NOTIF_CONFIG_DATA the device's own value names the queue", () => {
    const notifConfigData = (queue: number) => 0x8000 - queue;
    for (const data of [false, true]) {
      const offer = ["VERSION_1", "NOTIFICATION_DATA", "NOTIF_CONFIG_DATA"];
      const rig = new PciRig({
        device: { profile: honouring("NOTIF_CONFIG_DATA"), offer },
        pci: { notifConfigData },
      });
      rig.live("split", data ? ["NOTIFICATION_DATA", "NOTIF_CONFIG_DATA"] : ["NOTIF_CONFIG_DATA"]);
      rig.offer("split", 1);
      const bytes = data ? 4 : 2;
      rig.kick(0, 0, bytes);
      rig.serve();
      expect([rig.used("split", 0), rig.codes()]).toEqual([true, ["QUEUE_INDEX_RANGE"]]);
      rig.kick(0, (data ? 0x0001_0000 : 0) + 0x8000, bytes);
      rig.serve();
      expect([rig.used("split", 1), rig.codes()]).toEqual([true, []]);
    }
  });
});

describe("interrupts (§4.1.4.5, §4.1.5)", () => {
  /** PCI's Interrupt Status bit and the line. */
  const lines = (rig: PciRig) => [(rig.pci.readConfig(0x06, 2) & 0x08) !== 0, rig.pci.interruptLevel];

  it("PCI-060 §4.1.4.5.1 device: the configuration's bit is set before its notification, with MSI-X too", () => {
    const seen: number[] = [];
    const rig: PciRig = new PciRig({ pci: { onMessage: () => seen.push(rig.isr()) } });
    rig.enableMsix();
    rig.unmask(0);
    rig.to(0x0b);
    rig.put("config_msix_vector", 0);
    rig.put("device_status", 0x0f);
    rig.device.configChanged();
    expect(seen).toEqual([2]);
    const plain: PciRig = new PciRig({
      intx: true,
      pci: { onInterrupt: (level) => void (level && seen.push(plain.isr())) },
    });
    plain.live();
    plain.device.configChanged();
    serveOne(plain);
    expect(seen).toEqual([2, 2, 1]);
  });

  it.each(LAYOUTS)(
    "PCI-061 PCI-062 PCI-063 §4.1.4.5.1 device: %s, without MSI-X the line and the status follow the ISR bits, which a read clears",
    (layout) => {
      const rig = new PciRig().live(layout);
      expect([lines(rig), rig.isr()]).toEqual([[false, false], 0]);
      serveOne(rig, layout);
      expect([lines(rig), rig.levels]).toEqual([[true, true], [true]]);
      rig.device.configChanged();
      expect([rig.isr(), lines(rig), rig.levels, rig.isr()]).toEqual([3, [false, false], [true, false], 0]);
      // PCI's own mask: the status still says it, the line doesn't.
      rig.pci.writeConfig(0x04, 0x0400, 2);
      rig.device.configChanged();
      expect(lines(rig)).toEqual([true, false]);
      rig.pci.writeConfig(0x04, 0, 2);
      expect([lines(rig), rig.levels]).toEqual([
        [true, true],
        [true, false, true],
      ]);
      rig.enableMsix();
      expect([lines(rig), rig.levels.length, rig.messages]).toEqual([[false, false], 4, []]);
    },
  );

  it("PCI-078 PCI-079 §4.1.5.3.1 §4.1.5.4.1 device: with MSI-X nothing is sent of what has no vector, and no line rises", () => {
    const rig = new PciRig();
    rig.enableMsix();
    for (const vector of [0, 1, 2]) rig.unmask(vector);
    rig.live();
    serveOne(rig);
    rig.device.configChanged();
    expect([rig.messages, rig.levels, lines(rig)]).toEqual([[], [], [false, false]]);
  });

  it("PCI-080 PCI-083 §4.1.5.1.2.1 device: any event is mapped to any vector and back, and read back", () => {
    const rig = new PciRig({ pci: { vectors: 3 } });
    rig.enableMsix();
    for (const vector of [0, 1, 2]) rig.unmask(vector);
    const sent = () => rig.messages.splice(0).map(({ vector }) => vector);
    for (const [used, changed] of [
      [0, 2],
      [2, 0],
      [1, 1],
      [NO_VECTOR, 1],
      [1, NO_VECTOR],
    ] as const) {
      rig.to(0x0b);
      rig.memory.fill(0x1000, 0x3000, 0);
      rig.setUp();
      rig.put("queue_msix_vector", used);
      rig.put("config_msix_vector", changed);
      expect([rig.get("queue_msix_vector"), rig.get("config_msix_vector")]).toEqual([used, changed]);
      rig.put("device_status", 0x0f);
      serveOne(rig);
      rig.device.configChanged();
      expect(sent()).toEqual([used, changed].filter((vector) => vector !== NO_VECTOR));
    }
    expect(rig.codes()).toEqual([]);
  });

  it("PCI-082 PCI-083 §4.1.5.1.2.1 device: the table's size is in the capability, one for each queue and the configuration", () => {
    const size = (rig: PciRig) => (rig.pci.readConfig(rig.msixAt + 2, 2) & 0x7ff) + 1;
    expect(size(new PciRig())).toBe(3);
    for (const vectors of [1, 2, 64, 2048]) {
      const rig = new PciRig({ pci: { vectors } });
      const word = (at: number) => rig.pci.readConfig(rig.msixAt + at, 4);
      const [table, bits] = [word(4), word(8)];
      const { size: bytes = 0 } = rig.pci.bars.find(({ index }) => index === (table & 7)) ?? {};
      expect([size(rig), table & 7, bits & 7]).toEqual([vectors, 1, 1]);
      expect([(bits & ~7) >= 16 * vectors, (bits & ~7) + Math.ceil(vectors / 8) <= bytes]).toEqual([
        true,
        true,
      ]);
      rig.put("queue_msix_vector", vectors - 1);
      expect([rig.get("queue_msix_vector"), rig.codes()]).toEqual([vectors - 1, []]);
    }
    expect(new PciRig({ intx: true }).capabilities().some(({ id }) => id === PCI_CAP_ID_MSIX)).toBe(false);
  });

  it("PCI-084 PCI-095 PCI-096 §4.1.5.1.2.1 device: a vector beyond the table reads back as NO_VECTOR, all others as written", () => {
    for (const intx of [false, true]) {
      const rig = new PciRig({ intx });
      const count = intx ? 0 : 3;
      for (const field of ["config_msix_vector", "queue_msix_vector"] as const) {
        for (const vector of [0, 1, 2, 3, 0x7ff, 0xfffe, NO_VECTOR]) {
          const isThere = vector < count || vector === NO_VECTOR;
          rig.put(field, vector);
          expect([rig.get(field), rig.codes()]).toEqual([
            isThere ? vector : NO_VECTOR,
            isThere ? [] : ["BAD_ARGUMENT"],
          ]);
        }
      }
    }
  });

  it("PCI-009 §4.1.1 device: masks keep a message pending, once, until the last of them goes", () => {
    const rig = new PciRig({ pci: { vectors: 40 } });
    const pba = rig.pci.readConfig(rig.msixAt + 8, 4) & ~7;
    const pending = () => [rig.pci.readBar(1, pba, 4), rig.pci.readBar(1, pba + 4, 4)];
    const control = (vector: number, value: number) => rig.pci.writeBar(1, 16 * vector + 12, value, 4);
    expect(rig.pci.readBar(1, 12, 4)).toBe(1); // masked from the start
    for (const at of [64, 68, 72, 76]) rig.pci.writeBar(1, at, 0xffff_ffff, 4);
    const ones = [64, 68, 72, 76].map((at) => rig.pci.readBar(1, at, 4));
    expect(ones).toEqual([0xffff_fffc, 0xffff_ffff, 0xffff_ffff, 1]);
    rig.enableMsix();
    rig.to(0x0b);
    rig.setUp();
    rig.put("queue_msix_vector", 33);
    rig.put("config_msix_vector", 0);
    rig.put("device_status", 0x0f);
    rig.device.configChanged();
    serveOne(rig);
    rig.device.configChanged();
    expect([pending(), rig.messages]).toEqual([[1, 2], []]);
    rig.unmask(33, 0xfee0_1004, 0x8000_0001);
    expect([pending(), rig.messages.splice(0)]).toEqual([
      [1, 0],
      [{ vector: 33, address: 0xfee0_1004n, data: 0x8000_0001 }],
    ]);
    rig.enableMsix(true, true);
    control(0, 0);
    expect([pending(), rig.messages]).toEqual([[1, 0], []]);
    rig.enableMsix(true, false);
    expect([pending(), rig.messages.splice(0).map(({ vector }) => vector)]).toEqual([[0, 0], [0]]);
    // A reset of the device takes back what was pending, and leaves the table.
    control(0, 1);
    rig.device.configChanged();
    rig.put("device_status", 0);
    control(0, 0);
    expect([pending(), rig.messages, rig.pci.readBar(1, 16 * 33, 4)]).toEqual([[0, 0], [], 0xfee0_1004]);
    rig.pci.writeBar(1, pba, 1, 4);
    rig.pci.readBar(1, 0, 2);
    rig.pci.readBar(1, 2, 4);
    expect(rig.codes()).toEqual(["PCI_READONLY", "PCI_WIDTH", "PCI_ALIGN"]);
  });
});

describe("the legacy interface (§4.1.4.10)", () => {
  const read = (rig: PciRig, at: number, bytes: number) => rig.pci.readBar(0, at, bytes);
  const write = (rig: PciRig, at: number, value: number, bytes: number) =>
    rig.pci.writeBar(0, at, value, bytes);
  const fields = [
    { name: "wide", offset: 0, bytes: 8, anyOf: [], value: 0x1122_3344_5566_7788n },
    { name: "mode", offset: 8, bytes: 2, anyOf: [], writable: true, value: 0x1234 },
  ] as const;
  const rigOf = () => new PciRig({ ...transitional, model: { config: fields } });

  it("PCI-086 PCI-091 PCI-098 §4.1.4.10 device: registers in BAR 0, in I/O space; reads of any width give the same bytes", () => {
    const rig = rigOf();
    expect(rig.pci.bars[0]).toMatchObject({ index: 0, kind: "io" });
    for (const status of [1, 3]) write(rig, 18, status, 1);
    write(rig, 4, 0x2000_0000, 4);
    write(rig, 14, 1, 2);
    const bytes = Array.from({ length: 30 }, (_, at) => read(rig, at, 1));
    expect(rig.codes()).toEqual([]);
    const natural = (at: number, width: number) =>
      bytes.slice(at, at + width).reduce((sum, byte, i) => sum + byte * 2 ** (8 * i), 0);
    for (const width of [1, 2, 4]) {
      for (let at = 0; at + width <= 30; at++)
        expect(read(rig, at, width), `${width} at ${at}`).toBe(natural(at, width));
    }
    expect([natural(0, 4), natural(4, 4), natural(12, 2), natural(14, 2), natural(18, 1)]).toEqual([
      rig.device.offered.word(0),
      0x2000_0000,
      64,
      1,
      3,
    ]);
    expect([natural(20, 4), natural(24, 4), natural(28, 2)]).toEqual([0x5566_7788, 0x1122_3344, 0x1234]);
  });

  it("PCI-086 §4.1.4.10 device: a whole legacy driver, queue by page, notified by its index", () => {
    const rig = rigOf();
    for (const status of [0, 1, 3]) write(rig, 18, status, 1);
    write(rig, 4, 0, 4);
    write(rig, 14, 0, 2);
    expect([read(rig, 12, 2), read(rig, 8, 4)]).toEqual([256, 0]);
    write(rig, 8, 4, 4);
    write(rig, 18, 7, 1);
    expect([read(rig, 8, 4), rig.device.isLegacy]).toEqual([4, true]);
    // §2.7.2 with an alignment of 4096: 256 descriptors are a page, the available ring the next, then the used ring.
    const areas = { descriptor: 0x4000, driver: 0x5000, device: 0x6000 };
    rig.offer("split", 2, 256, areas);
    write(rig, 16, 0, 2);
    rig.serve();
    expect([rig.used("split", 2, 256, areas), rig.pci.interruptLevel]).toEqual([true, true]);
    expect([read(rig, 19, 1), read(rig, 19, 1), rig.pci.interruptLevel]).toEqual([1, 0, false]);
    write(rig, 8, 0, 4);
    expect([read(rig, 8, 4), rig.codes()]).toEqual([0, []]);
    write(rig, 18, 0, 1);
    expect([read(rig, 18, 1), rig.device.phase]).toEqual([0, "reset"]);
    rig.expectCanary();
  });

  it("PCI-088 §4.1.4.10 both: the configuration is at 20, with MSI-X at 24 behind two vectors, and moves back", () => {
    const rig = rigOf();
    for (const status of [1, 3]) write(rig, 18, status, 1);
    expect([read(rig, 20, 4), read(rig, 28, 2)]).toEqual([0x5566_7788, 0x1234]);
    rig.enableMsix();
    expect([read(rig, 20, 2), read(rig, 22, 2), read(rig, 24, 4), read(rig, 32, 2)]).toEqual([
      NO_VECTOR,
      NO_VECTOR,
      0x5566_7788,
      0x1234,
    ]);
    write(rig, 20, 2, 2);
    write(rig, 22, 9, 2);
    write(rig, 32, 0xbeef, 2);
    expect([
      read(rig, 20, 2),
      read(rig, 22, 2),
      rig.get("config_msix_vector"),
      read(rig, 32, 2),
      rig.codes(),
    ]).toEqual([2, NO_VECTOR, 2, 0xbeef, ["BAD_ARGUMENT"]]);
    rig.enableMsix(false);
    expect([read(rig, 20, 4), read(rig, 28, 2)]).toEqual([0x5566_7788, 0xbeef]);
  });

  it("PCI-089 §4.1.4.10 device: only word 0 is reachable, and bits from 32 on count as not accepted", () => {
    const rig = rigOf();
    rig.to(0x03);
    rig.accept(FeatureSet.of("VERSION_1", "RING_PACKED", "EVENT_IDX"));
    expect(read(rig, 0, 4)).toBe(rig.device.offered.word(0));
    write(rig, 4, 0x2000_0000, 4);
    expect(rig.device.accepted.words).toEqual([0x2000_0000, 0, 0, 0]);
    write(rig, 18, 7, 1);
    expect([rig.device.negotiated?.names(), rig.device.ring?.layout, rig.codes()]).toEqual([
      ["EVENT_IDX"],
      "split",
      [],
    ]);
  });

  it("PCI-091 §4.1.5.1.1.1 device: a modern device has no legacy window", () => {
    const rig = new PciRig({ device: { profile: "transitional" } });
    write(rig, 18, 1, 1);
    expect([
      rig.device.status,
      read(rig, 18, 1),
      rig.pci.bars.some(({ kind }) => kind === "io"),
      rig.codes(),
    ]).toEqual([0, 0, false, []]);
  });

  it("§2.2.3 device: which window is used tells a legacy driver from a modern one", () => {
    const { "by-window": legacy } = LEGACY_DETECTIONS;
    const profile = { ...DEVICE_PROFILES.transitional, legacy };
    const rig = new PciRig({ ...transitional, device: { profile } });
    read(rig, 0, 4);
    expect(rig.device.isLegacy).toBe(true);
    rig.get("device_status");
    expect(rig.device.isLegacy).toBe(false);
    rig.live();
    expect(rig.device.isLegacy).toBe(false);
  });
});
