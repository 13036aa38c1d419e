/**
 * The corpus on virtio-pci: its cases were written for MMIO, each is done here to the field that stands for the register.
 */
import { describe, expect, it } from "vitest";
import { VIRTIO_PCI_CAP_COMMON_CFG as COMMON_CFG } from "../../src/spec/pci";
import { areasOf } from "../transport/device-bench";
import { type CommonField, PciRig } from "../transport/pci-rig";
import { runCasesBy, sharedCases, type TransportHand } from "./transport-cases";

const ready = (rig: PciRig) => rig.get("queue_enable");
const hand: TransportHand<PciRig> = {
  make: () => new PciRig(),
  makeWith: (maxSize, guestBytes) => new PciRig({ model: { queues: [{ name: "a", maxSize }] }, guestBytes }),
  ready,
  status: (rig) => rig.get("device_status"),
  writeStatus: (rig, status) => rig.put("device_status", status),
  // A queue that exists is notified at its own address, another one at that of queue 0.
  notify: (rig, value) => rig.kick(value < rig.device.queueCount ? value : 0, value),
  reset: (rig) => rig.get("queue_reset"),
  writeReset: (rig, value) => rig.put("queue_reset", value),
  code: (name) => name.replace("MMIO_", "PCI_"),
};
const pciCase = runCasesBy(hand);
const kick = (rig: PciRig, value = 0) => {
  hand.notify(rig, value);
  rig.serve();
};

sharedCases(pciCase, hand);
pciCase("T170", 0x0f, (rig, layout) => {
  rig.put("queue_size", 256);
  rig.offer(layout, 8);
  kick(rig);
  expect([ready(rig), rig.get("queue_size"), rig.used(layout, 8)]).toEqual([1, 8, true]);
});
pciCase("T171", 0x0f, (rig, layout) => {
  rig.put("queue_desc_lo", 0x3f000);
  rig.offer(layout, 2);
  kick(rig);
  expect([ready(rig), rig.get("queue_desc_lo"), rig.used(layout, 2)]).toEqual([1, 0x1000, true]);
});
pciCase("T174", 0x0b, (rig, layout) => {
  rig.program(0, 8, areasOf(layout));
  for (const value of [2, 0xffff]) rig.put("queue_enable", value);
  expect(ready(rig)).toBe(0);
});
pciCase("T186", 0x0b, (rig) => {
  const fields: CommonField[] = [
    "queue_size",
    "queue_enable",
    "queue_notify_off",
    "queue_desc_lo",
    "queue_reset",
  ];
  for (const index of [2, 5, 0xffff]) {
    rig.put("queue_select", index);
    expect([rig.get("queue_select"), ...fields.map((field) => rig.get(field))]).toEqual([
      index,
      0,
      0,
      0,
      0,
      0,
    ]);
  }
});
pciCase("T189", 0x0f, (rig, layout) => {
  rig.offer(layout, 1);
  for (const value of [0x8000, 0xffff]) kick(rig, value); // 16 bits are all that a notification has here
  expect(rig.used(layout, 0)).toBe(true);
});
pciCase("T192", 0x0f, (rig) => expect(rig.read(COMMON_CFG, 4, 1)).toBe(0));
pciCase("T194", 0x0f, (rig) => expect(rig.read(COMMON_CFG, 2, 4)).toBe(0));
pciCase("T195", 0x0f, (rig) => {
  const fields: CommonField[] = ["device_feature", "num_queues", "config_generation", "queue_notify_off"];
  const before = fields.map((field) => rig.get(field));
  for (const field of fields) rig.put(field, 0xffff_ffff);
  expect(fields.map((field) => rig.get(field))).toEqual(before);
  expect(rig.violations.length).toBe(fields.length);
});
pciCase("T199", 0x0f, (rig) => {
  for (const word of [2, 3, 4, 0xffff_ffff]) {
    rig.put("device_feature_select", word);
    expect(rig.get("device_feature")).toBe(0);
  }
});
pciCase("T202", 0x0f, (rig) => {
  const { bars } = rig.pci;
  const holes = bars.flatMap(({ index, size }) =>
    [size - 4, size, 0xffc].map((at) => rig.pci.readBar(index, at, 4)),
  );
  expect(new Set(holes)).toEqual(new Set([0]));
});

describe("beyond the corpus", () => {
  it("a notification of 32 bits without NOTIFICATION_DATA is none, and its low half is not served", () => {
    const rig = new PciRig().live();
    rig.offer("split", 1);
    for (const value of [0, 0x8000_0000, 0xffff_0000]) rig.kick(0, value, 4);
    rig.serve();
    expect([rig.used("split", 0), rig.codes()]).toEqual([true, ["PCI_WIDTH", "PCI_WIDTH", "PCI_WIDTH"]]);
  });

  it("the registers survive a handler that uses them from within an interrupt", () => {
    let depth = 0;
    const rig: PciRig = new PciRig({
      intx: true,
      pci: {
        onInterrupt: (level) => {
          if (!level || depth > 0) return;
          depth++;
          rig.isr();
          rig.put("queue_select", 0xffff);
          rig.put("device_status", 0);
          depth--;
        },
      },
    });
    rig.live();
    rig.offer("split", 4);
    rig.kick();
    rig.serve();
    expect([rig.get("device_status"), rig.pci.interruptLevel, rig.isr(), rig.codes()]).toEqual([
      0,
      false,
      0,
      [],
    ]);
    rig.live();
  });

  it("a message's receiver may reset and mask from within it", () => {
    const rig: PciRig = new PciRig({
      pci: {
        onMessage: ({ vector }) => {
          rig.put("device_status", 0);
          rig.pci.writeBar(1, 16 * vector + 12, 1, 4);
        },
      },
    });
    rig.enableMsix(true, true);
    rig.to(0x0b);
    for (const vector of [0, 1]) rig.unmask(vector);
    rig.put("config_msix_vector", 0);
    rig.setUp();
    rig.put("queue_msix_vector", 1);
    rig.put("device_status", 0x0f);
    rig.device.configChanged();
    rig.offer("split", 1);
    rig.kick();
    rig.serve();
    rig.enableMsix(true, false);
    // The first message resets the device: of what else was pending nothing is left (§2.4.1).
    expect([rig.get("device_status"), rig.pci.readBar(1, 12, 4), rig.pci.readBar(1, 28, 4)]).toEqual([
      0, 1, 0,
    ]);
  });
});
