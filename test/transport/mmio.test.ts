// MmioTransport: the window of registers, its directions, widths and alignments, the lines out of it, and version 1.
import { describe, expect, it } from "vitest";
import { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as mmio from "../../src/spec/mmio";
import { legacyAreas } from "../../src/transport/legacy-queue-areas";
import { MmioTransport } from "../../src/transport/mmio";
import { RawSplit } from "../raw-ring";
import { MmioRig } from "./mmio-rig";

const config = [
  { name: "wide", offset: 0, bytes: 8, anyOf: [], value: 0x1122_3344_5566_7788n },
  { name: "mode", offset: 8, bytes: 2, anyOf: [], writable: true, value: 0x1234 },
  { name: "flag", offset: 10, bytes: 1, anyOf: [], writable: true, value: 7 },
  { name: "key", offset: 12, bytes: 4, anyOf: [], writable: true, value: 0 },
] as const;
const legacy = { device: { profile: "transitional" }, mmio: { version: 1 } } as const;

/** The registers of §4.2.2 by offset: what can be read, what can be written. */
const READABLE = [0x00, 0x04, 0x08, 0x0c, 0x10, 0x34, 0x44, 0x60, 0x70, 0xb0, 0xb4, 0xb8, 0xbc, 0xc0, 0xfc];
const WRITABLE = [
  0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64, 0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, 0xac, 0xc0,
];

describe("the window", () => {
  it("has the registers of version 2 at their places, each in its direction", () => {
    const { mmio: window, violations } = new MmioRig();
    for (let at = 0; at < 0x100; at += 4) {
      window.write(at, 0, 4);
      const isReadOnly = READABLE.includes(at) && !WRITABLE.includes(at);
      expect(
        violations.splice(0).map(({ code }) => code),
        `write at ${at}`,
      ).toEqual(isReadOnly ? ["MMIO_READONLY"] : at === 0x20 ? ["STATUS_SEQUENCE"] : []);
      window.read(at, 4);
      expect(violations, `read at ${at}`).toEqual([]);
    }
  });

  it("says who it is", () => {
    const rig = new MmioRig({ model: { deviceId: 42 }, mmio: { vendorId: 0x554d4551 } });
    expect([0x00, 0x04, 0x08, 0x0c].map((at) => rig.get(at))).toEqual([0x74726976, 2, 42, 0x554d4551]);
    expect(new MmioRig().get(mmio.VIRTIO_MMIO_VENDOR_ID)).toBe(0);
  });

  it("takes nothing but aligned words at control registers", () => {
    const rig = new MmioRig();
    for (const bytes of [0, 1, 2, 3, 8, -4, 0.5, Number.NaN]) {
      expect(rig.mmio.read(0, bytes)).toBe(0);
      rig.mmio.write(0x70, 1, bytes);
      expect(rig.codes(), `${bytes} bytes`).toEqual(["MMIO_WIDTH", "MMIO_WIDTH"]);
    }
    for (const offset of [1, 2, 3, 0xfe, -4, -1, 0.5, 2 ** 60]) {
      expect(rig.mmio.read(offset, 4)).toBe(0);
      rig.mmio.write(offset, 1, 4);
      expect(rig.codes(), `offset ${offset}`).toEqual(["MMIO_ALIGN", "MMIO_ALIGN"]);
    }
    expect(rig.device.status).toBe(0);
    expect(rig.mmio.read(Number.NaN, 4)).toBe(0);
    rig.mmio.read(0x0e, 1);
    expect(rig.violations.map(({ code, section, message }) => [code, section, message])).toEqual([
      ["MMIO_ALIGN", "4.2.2.2", "read of 4 bytes at offset NaN: the offset is no multiple of 4"],
      ["MMIO_WIDTH", "4.2.2.2", "read of 1 bytes at offset 14: control registers take 4"],
    ]);
  });

  it("takes 1, 2 and 4 bytes at the configuration, naturally aligned", () => {
    const rig = new MmioRig({ model: { config } }).to(0x0b);
    const read = (offset: number, bytes: number) => rig.mmio.read(0x100 + offset, bytes);
    expect([read(0, 4), read(4, 4), read(8, 2), read(10, 1), read(12, 4)]).toEqual([
      0x5566_7788, 0x1122_3344, 0x1234, 7, 0,
    ]);
    rig.mmio.write(0x108, 0xabcd_ef01, 2);
    rig.mmio.write(0x10a, 0x1ff, 1);
    rig.mmio.write(0x10c, 0x8000_0001, 4);
    expect([read(8, 2), read(10, 1), read(12, 4), rig.codes()]).toEqual([0xef01, 0xff, 0x8000_0001, []]);
    for (const [offset, bytes] of [
      [1, 2],
      [2, 4],
      [9, 2],
      [14, 4],
    ] as const) {
      expect(read(offset, bytes)).toBe(0);
      rig.mmio.write(0x100 + offset, 0, bytes);
      expect(rig.codes()).toEqual(["MMIO_ALIGN", "MMIO_ALIGN"]);
    }
    for (const bytes of [0, 3, 8]) {
      expect(read(0, bytes)).toBe(0);
      expect(rig.codes()).toEqual(["MMIO_WIDTH"]);
    }
    expect([read(16, 4), rig.codes()]).toEqual([0, ["CONFIG_RANGE"]]);
  });

  it("puts its violations into the transcript of the device", () => {
    const events: unknown[] = [];
    const rig = new MmioRig({
      onEvent: ({ step, code, note, section }) => events.push({ step, code, note, section }),
    });
    rig.put(mmio.VIRTIO_MMIO_VERSION, 1);
    expect(events).toEqual([
      {
        step: "violation",
        code: "MMIO_READONLY",
        note: "0x01 written to Version at 0x004, which is read-only",
        section: "4.2.2.2",
      },
    ]);
  });

  it("is refused where it can't be right", () => {
    const { device } = new MmioRig();
    const wrong = (make: () => unknown) => {
      try {
        make();
      } catch (error) {
        if (error instanceof VirtioError) return `${error.code}: ${error.message}`;
      }
      throw new Error("it was taken");
    };
    const shared = (...sharedMemory: { id: number; base: number | bigint; length: number | bigint }[]) =>
      wrong(() => new MmioTransport(device, { sharedMemory }));
    expect([
      wrong(() => new MmioTransport(device, { version: 3 as 2 })),
      wrong(() => new MmioTransport(device, { version: 1 })),
      wrong(() => new MmioTransport(device, { vendorId: 2 ** 32 })),
      shared({ id: 256, base: 0, length: 0 }),
      shared({ id: 0, base: 0, length: 0 }, { id: 0, base: 0, length: 0 }),
      shared({ id: 1, base: -1, length: 0 }),
      shared({ id: 1, base: 0, length: 1n << 64n }),
      shared({ id: 1, base: 0, length: 0.5 }),
    ]).toEqual([
      "BAD_ARGUMENT: version 3 is neither 1 nor 2",
      'BAD_ARGUMENT: version 1 is for legacy drivers, of which profile "strict" knows none',
      "BAD_ARGUMENT: vendor ID 4294967296 is no u32",
      "BAD_ARGUMENT: shared memory: id 256 is not within 0…255",
      "BAD_ARGUMENT: shared memory: id 0 is there twice",
      "BAD_ARGUMENT: shared memory: base -1 of id 1 is no u64",
      "BAD_ARGUMENT: shared memory: length 18446744073709551616 of id 1 is no u64",
      "BAD_ARGUMENT: shared memory: length 0.5 of id 1 is no u64",
    ]);
  });
});

describe("features", () => {
  it("moves 128 bits through two windows, each with a selector of its own", () => {
    const offer = FeatureSet.fromWords([0x3000_0000, 0x1, 0, 0]);
    const rig = new MmioRig({ device: { offer } }).to(0x03);
    rig.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    const shown = [0, 1, 2, 3, 4, 0x8000_0001, 0xffff_ffff].map((word) => {
      rig.put(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
      return rig.get(mmio.VIRTIO_MMIO_DEVICE_FEATURES);
    });
    expect(shown).toEqual([0x3000_0000, 1, 0, 0, 0, 0, 0]);
    rig.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES, 0x8000_0001);
    expect(rig.device.accepted.words).toEqual([0, 0x8000_0001, 0, 0]);
    expect(rig.codes()).toEqual([]);
  });
});

describe("the interrupt line", () => {
  it("changes with InterruptStatus alone", () => {
    const rig = new MmioRig({ model: { config } }).live();
    rig.offer("split", 2);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0);
    rig.serve();
    rig.device.configChanged();
    expect([rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), rig.levels, rig.mmio.interruptLevel]).toEqual([
      3,
      [true],
      true,
    ]);
    rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 1);
    expect([rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), rig.levels]).toEqual([2, [true]]);
    rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 2);
    expect([rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), rig.levels, rig.mmio.interruptLevel]).toEqual([
      0,
      [true, false],
      false,
    ]);
  });

  it("MMIO-032: undefined bits of InterruptACK are told of, the others count", () => {
    const rig = new MmioRig().live();
    rig.device.configChanged();
    rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 0x8000_0006);
    expect(rig.violations.map(({ code, message }) => [code, message])).toEqual([
      ["RESERVED_FLAGS", "InterruptACK 0x80000006 has undefined bits 0x80000004; those of 0x03 count"],
    ]);
    expect(rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS)).toBe(0);
  });

  it("lets a handler acknowledge from within the interrupt", () => {
    const rig: MmioRig = new MmioRig({
      mmio: { onInterrupt: (level) => void (level && rig.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 3)) },
    });
    rig.live();
    rig.device.configChanged();
    expect([rig.mmio.interruptLevel, rig.codes()]).toEqual([false, []]);
  });
});

describe("queues", () => {
  it("QueueReady 1 twice is one set-up", () => {
    const rig = new MmioRig().live();
    rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_READY), rig.codes()]).toEqual([1, []]);
  });

  it("keeps what was programmed when a queue is stopped, and has it anew after a queue reset", () => {
    const rig = new MmioRig().to(0x0b, ["VERSION_1", "RING_RESET"]);
    rig.setUp();
    rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_READY), rig.codes()]).toEqual([1, []]);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 1);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_READY), rig.codes()]).toEqual([0, ["QUEUE_SIZE_INVALID"]]);
  });

  it("QueueReset means nothing without RING_RESET, nor with another value than 1", () => {
    const rig = new MmioRig().live();
    rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 1);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 2);
    expect([
      rig.codes(),
      rig.get(mmio.VIRTIO_MMIO_QUEUE_READY),
      rig.get(mmio.VIRTIO_MMIO_QUEUE_RESET),
    ]).toEqual([["STATUS_SEQUENCE", "BAD_ARGUMENT"], 1, 0]);
  });

  it("are not programmed while there is none, while the device is suspended, nor before a slow reset is over", async () => {
    const rig = new MmioRig().live("split", ["SUSPEND"]);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, 2);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, 8);
    expect(rig.codes()).toEqual(["QUEUE_INDEX_RANGE"]);
    rig.put(mmio.VIRTIO_MMIO_STATUS, 0x1f);
    rig.serve();
    expect(rig.get(mmio.VIRTIO_MMIO_STATUS)).toBe(0x1b);
    rig.program(1, 8, { descriptor: 0x4000, driver: 0x5000, device: 0x6000 });
    expect(rig.codes()).toEqual(new Array(7).fill("STATUS_SEQUENCE"));
    let quiet = () => {};
    Object.assign(rig.model, {
      reset: () =>
        new Promise<void>((resolve) => {
          quiet = resolve;
        }),
    });
    rig.put(mmio.VIRTIO_MMIO_STATUS, 0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, 8);
    expect(rig.violations.map(({ section, message }) => [section, message])).toEqual([
      ["2.4.2", "QueueSize 8 of queue 1 before the reset was over"],
    ]);
    expect(rig.get(mmio.VIRTIO_MMIO_STATUS)).not.toBe(0);
    quiet();
    await rig.device.idle();
    rig.violations.length = 0;
    Object.assign(rig.model, { reset: () => undefined });
    rig.live();
  });
});

describe("version 1", () => {
  const PAGE = 4096;

  /** A driver of before virtio 1.0: GuestPageSize first, no FEATURES_OK, a queue by its page. */
  function legacyRig(size = 8, align = PAGE): MmioRig {
    const rig = new MmioRig(legacy);
    rig.put(mmio.VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE);
    for (const status of [0, 1, 3]) rig.put(mmio.VIRTIO_MMIO_STATUS, status);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, 0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, size);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_ALIGN, align);
    return rig;
  }

  it("MMIO-054 §4.2.4 both: sets a queue up by its page, serves it, and stops it with page 0", () => {
    for (const align of [4, 64, PAGE]) {
      const rig = legacyRig(8, align);
      expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN), rig.get(mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX)]).toEqual([
        0, 256,
      ]);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, 3);
      expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN), rig.codes()]).toEqual([3, []]);
      rig.put(mmio.VIRTIO_MMIO_STATUS, 7);
      // §2.7.2: 8 descriptors, then 22 bytes of available ring, then the used ring at the next boundary.
      const areas = { descriptor: 0x3000, driver: 0x3080, device: Math.ceil((0x3080 + 22) / align) * align };
      rig.offer("split", 2, 8, areas);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, 0);
      rig.serve();
      expect([new RawSplit(rig.memory, 8, areas).usedIdx, rig.levels]).toEqual([2, [true]]);
      rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, 0);
      expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN), rig.codes()]).toEqual([0, []]);
      rig.expectCanary();
    }
  });

  it("MMIO-054 §4.2.4 device: a reset zeroes QueuePFN, and the page size outlives it", () => {
    const rig = legacyRig();
    rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, 3);
    for (const status of [0, 1, 3]) rig.put(mmio.VIRTIO_MMIO_STATUS, status);
    expect(rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN)).toBe(0);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, 8);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_ALIGN, PAGE);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, 5);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN), rig.codes()]).toEqual([5, []]);
  });

  it("has the legacy registers and none of the modern ones", () => {
    const { mmio: window, violations } = new MmioRig(legacy);
    const readable = [0x00, 0x04, 0x08, 0x0c, 0x10, 0x34, 0x40, 0x60, 0x70];
    const writable = [0x14, 0x20, 0x24, 0x28, 0x30, 0x38, 0x3c, 0x40, 0x50, 0x64, 0x70];
    for (let at = 0; at < 0x100; at += 4) {
      window.write(at, 0, 4);
      const readOnly = readable.includes(at) && !writable.includes(at);
      const codes = violations.splice(0).map(({ code }) => code);
      expect(codes, `write at ${at}`).toEqual(
        readOnly ? ["MMIO_READONLY"] : at === 0x20 ? ["STATUS_SEQUENCE"] : [],
      );
    }
    expect([0x04, 0x44, 0xb0, 0xb8, 0xc0, 0xfc].map((at) => window.read(at, 4))).toEqual([1, 0, 0, 0, 0, 0]);
  });

  it("shows and takes the first feature word alone", () => {
    const rig = new MmioRig(legacy);
    for (const status of [0, 1, 3]) rig.put(mmio.VIRTIO_MMIO_STATUS, status);
    const shown = [0, 1, 2].map((word) => {
      rig.put(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
      return rig.get(mmio.VIRTIO_MMIO_DEVICE_FEATURES);
    });
    expect(shown).toEqual([rig.device.offered.word(0), 0, 0]);
    rig.accept(FeatureSet.of("EVENT_IDX"));
    expect([rig.device.accepted.words, rig.codes()]).toEqual([[0x2000_0000, 0, 0, 0], []]);
    rig.accept(FeatureSet.of("VERSION_1"));
    expect(rig.violations.map(({ code, message }) => [code, message])).toEqual([
      ["BAD_ARGUMENT", "features 0x00000001 accepted in word 1, a legacy device has word 0"],
    ]);
    expect(rig.device.accepted.isEmpty).toBe(true);
  });

  it("refuses a page number that means nothing, and another one for a queue in use", () => {
    const attempt = (rig: MmioRig, pfn = 3) => {
      rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, pfn);
      expect(rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN)).toBe(0);
      return rig.violations.splice(0).map(({ code, message }) => `${code}: ${message}`)[0];
    };
    expect(attempt(legacyRig(8, 24))).toBe(
      "BAD_ARGUMENT: QueuePFN 3 of queue 0: QueueAlign 24 is no power of two",
    );
    const unpaged = legacyRig();
    unpaged.put(mmio.VIRTIO_MMIO_GUEST_PAGE_SIZE, 0);
    expect(attempt(unpaged)).toBe("BAD_ARGUMENT: QueuePFN 3 of queue 0: GuestPageSize 0 is no power of two");
    expect(attempt(legacyRig(0))).toMatch(/^QUEUE_SIZE_INVALID/);
    expect(attempt(legacyRig(7))).toMatch(/^QUEUE_SIZE_INVALID/);
    expect(attempt(legacyRig(), 0x100)).toMatch(/^RING_OUT_OF_GUEST/);
    const far = legacyRig();
    far.put(mmio.VIRTIO_MMIO_GUEST_PAGE_SIZE, 0x8000_0000);
    far.put(mmio.VIRTIO_MMIO_QUEUE_ALIGN, 0x8000_0000);
    expect(attempt(far, 0xffff_ffff)).toMatch(/^RING_OUT_OF_GUEST|^RING_ADDR_OVERFLOW/);
    const rig = legacyRig();
    rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, 3);
    rig.put(mmio.VIRTIO_MMIO_QUEUE_PFN, 5);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_PFN), rig.codes()]).toEqual([3, ["QUEUE_LOCKED"]]);
  });

  it("lays a legacy queue out as §2.7.2 says", () => {
    expect(legacyAreas(0x10000n, 256, 4096)).toEqual({
      descriptor: 0x10000n,
      driver: 0x11000n,
      device: 0x12000n,
    });
    expect(legacyAreas(0n, 8, 1)).toEqual({ descriptor: 0n, driver: 128n, device: 150n });
  });
});
