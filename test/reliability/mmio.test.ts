/**
 * The corpus on virtio-mmio: what a hostile or odd driver writes into the window.
 */
import { expect } from "vitest";
import * as mmio from "../../src/spec/mmio";
import { areasOf } from "../transport/device-bench";
import { MmioRig } from "../transport/mmio-rig";
import { runCasesBy, sharedCases, type TransportHand } from "./transport-cases";

const ready = (rig: MmioRig) => rig.get(mmio.VIRTIO_MMIO_QUEUE_READY);
const hand: TransportHand<MmioRig> = {
  make: () => new MmioRig(),
  makeWith: (maxSize, guestBytes) => new MmioRig({ model: { queues: [{ name: "a", maxSize }] }, guestBytes }),
  ready,
  status: (rig) => rig.get(mmio.VIRTIO_MMIO_STATUS),
  writeStatus: (rig, status) => rig.put(mmio.VIRTIO_MMIO_STATUS, status),
  notify: (rig, value) => rig.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, value),
  reset: (rig) => rig.get(mmio.VIRTIO_MMIO_QUEUE_RESET),
  writeReset: (rig, value) => rig.put(mmio.VIRTIO_MMIO_QUEUE_RESET, value),
  code: (name) => name,
};
const mmioCase = runCasesBy(hand);
const kick = (rig: MmioRig, value = 0) => {
  hand.notify(rig, value);
  rig.serve();
};

sharedCases(mmioCase, hand);
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
mmioCase("T186", 0x0b, (rig) => {
  for (const index of [5, 0xffff, 0xffff_ffff]) {
    rig.put(mmio.VIRTIO_MMIO_QUEUE_SEL, index);
    expect([rig.get(mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX), ready(rig)]).toEqual([0, 0]);
  }
});
mmioCase("T189", 0x0f, (rig, layout) => {
  rig.offer(layout, 1);
  for (const value of [0x8000_0000, 0xffff_ffff]) kick(rig, value);
  expect(rig.used(layout, 0)).toBe(true);
});
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
