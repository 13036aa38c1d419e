// Area "mmio" (§4.2), the clauses of the device.
import { describe, expect, it } from "vitest";
import type { DeviceProfile } from "../../src/device/profiles";
import { DEVICE_PROFILES } from "../../src/device/profiles";
import { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as mmio from "../../src/spec/mmio";
import { MmioRig } from "../transport/mmio-rig";

const IDENTITY = [mmio.VIRTIO_MMIO_MAGIC_VALUE, mmio.VIRTIO_MMIO_VERSION];
const LAYOUTS = ["split", "packed"] as const;

/** A window whose device has a 64-bit value that the test changes. */
function wideRig() {
  const wide = { value: 0x1_0000_0002n };
  const config = [{ name: "wide", offset: 0, bytes: 8, anyOf: [], value: () => wide.value }];
  return { wide, rig: new MmioRig({ model: { config } }) };
}

describe("device", () => {
  it("MMIO-001 MMIO-002 §4.2.2.1 device: MagicValue and Version read the same at every status", () => {
    const rig = new MmioRig();
    for (const status of [0x00, 0x01, 0x03, 0x0b, 0x0f]) {
      rig.to(status);
      expect(IDENTITY.map((at) => rig.get(at))).toEqual([0x74726976, 2]);
    }
  });

  it.each(LAYOUTS)(
    "MMIO-003 MMIO-004 §4.2.2.1 device: %s, an event's bit stays until it is acknowledged, no other is set",
    (layout) => {
      const rig = new MmioRig().live(layout);
      const status = () => rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS);
      expect(status()).toBe(0);
      rig.offer(layout, 1);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0);
      rig.serve();
      expect([status(), status()]).toEqual([1, 1]);
      rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 2);
      rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 0);
      expect(status()).toBe(1);
      rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 1);
      expect(status()).toBe(0);
      rig.device.configChanged();
      expect(status()).toBe(2);
      rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 1);
      expect(status()).toBe(2);
      rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 2);
      expect(status()).toBe(0);
    },
  );

  it("MMIO-005 MMIO-045 §4.2.2.1 device: Status 0 resets, and clears InterruptStatus and every QueueReady", () => {
    const rig = new MmioRig().to(0x0b);
    rig.setUp(0);
    rig.setUp(1, 8, { descriptor: 0x4000, driver: 0x5000, device: 0x6000 });
    rig.put(mmio.VIRTIO_MMIO_STATUS, 0x0f);
    rig.device.configChanged();
    expect([rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), rig.levels]).toEqual([2, [true]]);
    rig.put(mmio.VIRTIO_MMIO_STATUS, 0);
    expect([rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), rig.levels]).toEqual([0, [true, false]]);
    for (const index of [0, 1]) {
      rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, index);
      expect(rig.get(mmio.VIRTIO_MMIO_QUEUE_READY)).toBe(0);
    }
    expect([rig.device.phase, rig.device.accepted.isEmpty, rig.model.resets]).toEqual(["reset", true, 2]);
    // Addresses and size are forgotten, too: the old ones can't be enabled.
    rig.to(0x0b);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_READY), rig.codes()]).toEqual([0, ["QUEUE_SIZE_INVALID"]]);
  });

  it("MMIO-006 MMIO-049 §4.2.2 device: ConfigGeneration moves with a change that reads could tear, and not without one", () => {
    const { wide, rig } = wideRig();
    rig.to(0x0f);
    const generation = () => rig.get(mmio.VIRTIO_MMIO_CONFIG_GENERATION);
    const low = () => rig.get(mmio.VIRTIO_MMIO_CONFIG);
    const high = () => rig.get(mmio.VIRTIO_MMIO_CONFIG + 4);
    const before = generation();
    expect([low(), high(), generation()]).toEqual([2, 1, before]);
    expect(low()).toBe(2);
    wide.value = 0x3_0000_0004n;
    expect(high()).toBe(3); // torn: the generation tells
    const after = generation();
    expect(after).not.toBe(before);
    expect([low(), high(), generation(), generation()]).toEqual([4, 3, after, after]);
    rig.device.configChanged();
    expect([low(), high()]).toEqual([4, 3]);
    wide.value = 5n;
    const old = generation(); // the change is older than the first of these two reads
    expect([low(), generation()]).toEqual([5, old]);
  });

  it.each(LAYOUTS)(
    "MMIO-007 §4.2.2.1 device: %s, no queue memory is touched while QueueReady is 0",
    (layout) => {
      const rig = new MmioRig().live(layout);
      rig.offer(layout, 4);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 0);
      expect(rig.get(mmio.VIRTIO_MMIO_QUEUE_READY)).toBe(0);
      const before = rig.memory.copy(0, 0x10000);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0);
      rig.serve();
      expect([rig.codes(), rig.model.taken.length]).toEqual([["QUEUE_NOT_READY"], 0]);
      expect(rig.memory.copy(0, 0x10000)).toEqual(before);
    },
  );

  it("MMIO-008 MMIO-009 §4.2.2.1 device: QueueReset reads 0 after a reset and after the queue is enabled", () => {
    const rig = new MmioRig().to(0x0b, ["VERSION_1", "RING_RESET"]);
    const both = () => [rig.get(mmio.VIRTIO_MMIO_QUEUE_RESET), rig.get(mmio.VIRTIO_MMIO_QUEUE_READY)];
    expect(both()).toEqual([0, 0]);
    rig.setUp();
    expect(both()).toEqual([0, 1]);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 1);
    rig.setUp();
    expect(both()).toEqual([0, 1]);
    rig.put(mmio.VIRTIO_MMIO_STATUS, 0);
    expect(both()).toEqual([0, 0]);
  });

  it.each(LAYOUTS)(
    "MMIO-010 MMIO-011 MMIO-012 §4.2.2.1 device: %s, QueueReset resets the queue: 1 while it goes on, then 0 in both",
    (layout) => {
      const during: number[][] = [];
      const both = () => [rig.get(mmio.VIRTIO_MMIO_QUEUE_RESET), rig.get(mmio.VIRTIO_MMIO_QUEUE_READY)];
      const rig: MmioRig = new MmioRig({
        onEvent: ({ access, after }) => {
          if (access?.register === "queue-reset" && after === "disabled") during.push(both());
        },
      });
      rig.live(layout, ["RING_RESET"]);
      rig.model.holds = true;
      rig.offer(layout, 2);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0);
      rig.serve();
      expect(rig.model.taken.length).toBe(2);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 1);
      expect([during, both(), rig.codes()]).toEqual([[[1, 0]], [0, 0], []]);
      const before = rig.memory.copy(0, 0x10000);
      rig.model.context?.finish(0); // what the old queue held is gone
      rig.serve();
      expect([rig.memory.copy(0, 0x10000), rig.used(layout, 0)]).toEqual([before, true]);
    },
  );

  it("MMIO-046 §4.2.5 both: ADMIN_VQ, and NOTIF_CONFIG_DATA of §2.9, can't be offered here", () => {
    for (const feature of ["ADMIN_VQ", "NOTIF_CONFIG_DATA"]) {
      const { strict } = DEVICE_PROFILES;
      const profile: DeviceProfile = { ...strict, honours: [...strict.honours, feature] };
      const make = () =>
        new MmioRig({ device: { profile, offer: ["VERSION_1", "NOTIFICATION_DATA", feature] } });
      expect(make).toThrow(VirtioError);
      expect(make).toThrow(`a device on MMIO can't offer ${feature}`);
    }
  });

  it("MMIO-047 §4.2.2 device: QueueSizeMax reads 0 for a queue that does not exist", () => {
    const rig = new MmioRig().to(0x0b);
    const sizes = [0, 1, 2, 0x10000, 0xffff_ffff].map((index) => {
      rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, index);
      return rig.get(mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX);
    });
    expect([sizes, rig.codes()]).toEqual([[256, 64, 0, 0, 0], []]);
  });

  it("MMIO-048 §4.2.2 device: QueueReady reads back what was written to it, of each queue by itself", () => {
    const rig = new MmioRig().to(0x0b);
    rig.setUp(0);
    const ready = () => rig.get(mmio.VIRTIO_MMIO_QUEUE_READY);
    expect(ready()).toBe(1);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, 1);
    expect(ready()).toBe(0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, 0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 0);
    expect(ready()).toBe(0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
    expect([ready(), rig.codes()]).toEqual([1, []]);
  });

  it("MMIO-050 §4.2.2 device: SHMLen and SHMBase read the region that SHMSel names, all ones for none", () => {
    const sharedMemory = [
      { id: 0, base: 0x1_2345_6000n, length: 0x2_0000_0000 },
      { id: 255, base: 0x4000_0000, length: 0 },
      { id: 7, base: 0xffff_ffff_ffff_ffffn, length: 0xffff_ffff_ffff_fffen },
    ];
    const rig = new MmioRig({ mmio: { sharedMemory } });
    const shown = (id: number) => {
      rig.put(mmio.VIRTIO_MMIO_SHM_SEL, id);
      const { VIRTIO_MMIO_SHM_LEN_LOW: length, VIRTIO_MMIO_SHM_BASE_LOW: base } = mmio;
      return [length, length + 4, base, base + 4].map((at) => rig.get(at));
    };
    const ones = new Array(4).fill(0xffff_ffff);
    expect([0, 255, 7, 1, 256, 0xffff_ffff].map(shown)).toEqual([
      [0, 2, 0x2345_6000, 1],
      [0, 0, 0x4000_0000, 0],
      [0xffff_fffe, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff],
      ones,
      ones,
      ones,
    ]);
  });

  it("MMIO-051 §4.2.2 device: DeviceFeatures shows and DriverFeatures sets bits Sel*32…Sel*32+31", () => {
    const { strict } = DEVICE_PROFILES;
    const offers = ["VERSION_1", 65, 127, 5];
    const profile: DeviceProfile = { ...strict, honours: [...strict.honours] };
    const rig = new MmioRig({ model: { offers }, device: { profile } }).to(0x03);
    for (const word of [3, 0, 2, 1, 4, 0xffff_ffff]) {
      rig.put(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
      expect(rig.get(mmio.VIRTIO_MMIO_DEVICE_FEATURES)).toBe(rig.device.offered.word(word));
    }
    expect([2, 3].map((word) => rig.device.offered.word(word))).toEqual([2, 0x8000_0000]);
    rig.accept(FeatureSet.of("VERSION_1", 65, 127));
    expect(rig.device.accepted.words).toEqual([0, 1, 2, 0x8000_0000]);
  });

  it("MMIO-052 §4.2.3.4 device: one line, high while any bit is set", () => {
    const rig = new MmioRig().live();
    rig.offer("split", 1);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0);
    rig.serve();
    rig.device.configChanged();
    expect([rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), rig.levels]).toEqual([3, [true]]);
    rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 1);
    expect([rig.mmio.interruptLevel, rig.levels]).toEqual([true, [true]]);
    rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 2);
    expect([rig.mmio.interruptLevel, rig.levels]).toEqual([false, [true, false]]);
  });

  it("MMIO-054 §4.2.4 both: a legacy device reads version 1 and has its queues by page", () => {
    const rig = new MmioRig({ device: { profile: "transitional" }, mmio: { version: 1 } });
    expect(rig.get(mmio.VIRTIO_MMIO_VERSION)).toBe(1);
    rig.put(mmio.VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
    for (const status of [0, 1, 3]) rig.put(mmio.VIRTIO_MMIO_STATUS, status);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, 8);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_ALIGN, 4096);
    const pages = [7, 0, 9].map((page) => {
      rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, page);
      return rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN);
    });
    rig.put(mmio.VIRTIO_MMIO_STATUS, 0);
    expect([pages, rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN), rig.codes()]).toEqual([[7, 0, 9], 0, []]);
  });

  it.each(LAYOUTS)(
    "MMIO-044 §4.2.3.3 device: %s, QueueNotify takes the index, or with NOTIFICATION_DATA the word that holds it",
    (layout) => {
      for (const [feature, word] of [
        [[], 0],
        [["NOTIFICATION_DATA"], 0x0002_0000],
      ] as const) {
        const rig = new MmioRig().live(layout, feature);
        rig.offer(layout, 2);
        rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, word);
        rig.serve();
        expect([rig.used(layout, 2), rig.codes()]).toEqual([true, []]);
      }
    },
  );
});
