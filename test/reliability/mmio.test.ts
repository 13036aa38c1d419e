/**
 * The corpus on virtio-mmio: what a hostile or odd driver writes into the window. Each case ends with the codes that it
 * names, the status as it was, and not a byte outside guest RAM changed.
 */
import { describe, expect, it } from "vitest";
import * as mmio from "../../src/spec/mmio";
import type { Areas } from "../raw-ring";
import { areasOf, featuresOf, SPLIT_AREAS } from "../transport/device-bench";
import { MmioRig } from "../transport/mmio-rig";
import { corpusCase, titleOf } from "./corpus";

type Layout = "split" | "packed";
const LARGE: Record<Layout, Areas> = {
  split: { descriptor: 0x10000, driver: 0x90000, device: 0xa1000 },
  packed: { descriptor: 0x10000, driver: 0x90000, device: 0x90010 },
};
const LARGEST = [{ name: "a", maxSize: 32768 }];

const ready = (rig: MmioRig) => rig.get(mmio.VIRTIO_MMIO_QUEUE_READY);
const kick = (rig: MmioRig, value = 0) => {
  rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, value);
  rig.serve();
};

/** Runs a case for each of its layouts: `status` is where it begins, `act` is the case's action. */
function mmioCase(
  id: string,
  status: 0x0b | 0x0f,
  act: (rig: MmioRig, layout: Layout) => void,
  rigOf = () => new MmioRig(),
) {
  const { layout, expected } = corpusCase(id);
  const layouts: readonly Layout[] =
    layout === "both" ? ["split", "packed"] : [layout === "packed" ? "packed" : "split"];
  describe(titleOf(id), () => {
    it.each(layouts)("%s", (of) => {
      const rig = rigOf();
      const more = id === "T203" ? ["RING_RESET"] : [];
      if (status === 0x0f) rig.live(of, more);
      else rig.to(0x0b, [...featuresOf(of), ...more]);
      const before = rig.get(mmio.VIRTIO_MMIO_STATUS);
      act(rig, of);
      expect([...new Set(rig.codes())]).toEqual(expected.error);
      expect([expected.deviceStatus, rig.get(mmio.VIRTIO_MMIO_STATUS)]).toEqual(["unchanged", before]);
      rig.expectCanary();
    });
  });
}

/** A set-up that must be refused: the codes are the corpus's. */
const refused = (size: number, areas: Partial<Record<keyof Areas, number | bigint>> = {}) => {
  return (rig: MmioRig, layout: Layout) => {
    rig.setUp(0, size, { ...areasOf(layout), ...areas });
    expect(ready(rig)).toBe(0);
  };
};

mmioCase("T163", 0x0b, refused(0));
mmioCase("T164", 0x0b, refused(0x10000));
mmioCase("T166", 0x0b, refused(6));
mmioCase("T167", 0x0b, (rig) => {
  rig.setUp(0, 6, areasOf("packed"));
  expect(ready(rig)).toBe(1);
});
mmioCase("T168", 0x0b, (rig, layout) => {
  for (const size of [257, 512]) refused(size)(rig, layout);
});
mmioCase(
  "T169",
  0x0b,
  (rig, layout) => {
    rig.setUp(0, 32768, LARGE[layout]);
    expect(ready(rig)).toBe(1);
    rig.put(mmio.VIRTIO_MMIO_STATUS, 0x0f);
    rig.offer(layout, 1, 32768, LARGE[layout]);
    kick(rig);
    expect(rig.used(layout, 1, 32768, LARGE[layout])).toBe(true);
    rig.to(0x0b, featuresOf(layout));
  },
  () => new MmioRig({ model: { queues: LARGEST }, guestBytes: 0x200000 }),
);
mmioCase("T170", 0x0f, (rig, layout) => {
  rig.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, 256);
  rig.offer(layout, 8);
  kick(rig);
  expect([ready(rig), rig.used(layout, 8)]).toEqual([1, true]);
});
mmioCase("T171", 0x0f, (rig, layout) => {
  rig.put(mmio.VIRTIO_MMIO_QUEUE_DESC_LOW, 0x3f000);
  rig.offer(layout, 2);
  kick(rig);
  expect([ready(rig), rig.used(layout, 2)]).toEqual([1, true]);
});
mmioCase("T174", 0x0b, (rig, layout) => {
  rig.program(0, 8, areasOf(layout));
  rig.put(mmio.VIRTIO_MMIO_QUEUE_READY, 2);
  expect(ready(rig)).toBe(0);
});
mmioCase("T175", 0x0b, refused(8, { descriptor: 0x1008 }));
mmioCase("T176", 0x0b, refused(8, { driver: 0x2001 }));
mmioCase("T177", 0x0b, refused(8, { device: 0x3002 }));
mmioCase("T178", 0x0b, (rig) => {
  const areas = { ...SPLIT_AREAS, descriptor: 0x40000 - 128 };
  rig.setUp(0, 8, areas);
  expect(ready(rig)).toBe(1);
  rig.put(mmio.VIRTIO_MMIO_STATUS, 0x0f);
  rig.offer("split", 8, 8, areas);
  kick(rig);
  expect(rig.used("split", 8)).toBe(true);
  rig.to(0x0b);
});
mmioCase("T181", 0x0b, refused(8, { descriptor: 0x1_0000_1000n }));
mmioCase("T182", 0x0b, refused(8, { descriptor: 0xffff_ffff_ffff_fff0n }));
mmioCase("T183", 0x0b, refused(8, { device: 0x1040 }));
mmioCase("T186", 0x0b, (rig) => {
  for (const index of [5, 0xffff, 0xffff_ffff]) {
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, index);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX), ready(rig)]).toEqual([0, 0]);
  }
});
mmioCase("T188", 0x0f, (rig, layout) => {
  rig.offer(layout, 1);
  kick(rig, 2);
  expect(rig.used(layout, 0)).toBe(true);
});
mmioCase("T189", 0x0f, (rig, layout) => {
  rig.offer(layout, 1);
  for (const value of [0x8000_0000, 0xffff_ffff]) kick(rig, value);
  expect(rig.used(layout, 0)).toBe(true);
});
mmioCase("T190", 0x0b, (rig, layout) => {
  rig.setUp(0, 8, areasOf(layout));
  rig.offer(layout, 8);
  kick(rig);
  expect([rig.used(layout, 0), rig.model.taken]).toEqual([true, []]);
});
mmioCase("T191", 0x0f, (rig) => kick(rig, 1));
mmioCase("T192", 0x0f, (rig) => expect(rig.mmio.read(0, 1)).toBe(0));
mmioCase("T194", 0x0f, (rig) => expect(rig.mmio.read(2, 4)).toBe(0));
mmioCase("T195", 0x0f, (rig) => {
  const registers = [0x00, 0x04, 0x08, 0x0c, 0x34, 0x60, 0xfc];
  const before = registers.map((at) => rig.get(at));
  for (const at of registers) rig.put(at, 0xffff_ffff);
  expect(registers.map((at) => rig.get(at))).toEqual(before);
  expect(rig.violations.length).toBe(registers.length);
});
mmioCase("T196", 0x0f, (rig) => {
  rig.device.configChanged();
  const { accepted } = rig.device;
  expect([0x50, 0x64, 0x20].map((at) => rig.get(at))).toEqual([0, 0, 0]);
  expect([rig.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS), rig.device.accepted, rig.device.hasWork]).toEqual([
    2,
    accepted,
    false,
  ]);
});
mmioCase("T199", 0x0f, (rig) => {
  for (const word of [2, 3]) {
    rig.put(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
    expect(rig.get(mmio.VIRTIO_MMIO_DEVICE_FEATURES)).toBe(0);
  }
});
mmioCase("T201", 0x0f, (rig) => {
  rig.put(mmio.VIRTIO_MMIO_SHM_SEL, 0xff);
  expect([0xb0, 0xb4, 0xb8, 0xbc].map((at) => rig.get(at))).toEqual(new Array(4).fill(0xffff_ffff));
});
mmioCase("T202", 0x0f, (rig) =>
  expect([0x18, 0x2c, 0xc4, 0xf8].map((at) => rig.get(at))).toEqual([0, 0, 0, 0]),
);
mmioCase("T203", 0x0f, (rig, layout) => {
  rig.model.holds = true;
  rig.offer(layout, 4);
  kick(rig);
  const tokens = rig.model.taken.map(({ token }) => token);
  expect(tokens.length).toBe(4);
  rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 1);
  expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_RESET), ready(rig)]).toEqual([0, 0]);
  const old = rig.memory.copy(0, 0x4000);
  const areas = { descriptor: 0x4000, driver: 0x5000, device: layout === "split" ? 0x6000 : 0x5010 };
  rig.setUp(0, 4, areas);
  expect(ready(rig)).toBe(1);
  for (const token of tokens) {
    // The old chains are nobody's: their tokens name none of the new ring.
    expect(() => rig.model.context?.queue(0).complete(token, 0)).toThrow();
  }
  rig.model.context?.finish(0);
  expect(rig.used(layout, 0, 4, areas)).toBe(true);
  rig.model.holds = false;
  rig.offer(layout, 4, 4, areas);
  kick(rig);
  expect([rig.used(layout, 4, 4, areas), rig.memory.copy(0, 0x4000)]).toEqual([true, old]);
});
