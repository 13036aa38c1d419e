/** Probes of the configuration space (§2.5, §4.2.2.2): what is shown at which status, and which writes count. */

import { CONFIG_LAYOUTS } from "../../../src/negotiation/config-table";
import { hex } from "../../../src/negotiation/control-event";
import { VIRTIO_MMIO_CONFIG, VIRTIO_MMIO_STATUS } from "../../../src/spec/mmio";
import { inBoth, neithers, ours, type Probe, qemus, strictOnly } from "./probe";
import type { ProbeDriver } from "./probe-driver";

/** A field of a device's configuration as a driver reaches it. */
function field(driver: ProbeDriver, type: "blk" | "balloon" | "net", name: string) {
  const layout = CONFIG_LAYOUTS[type].find((one) => one.name === name);
  if (layout === undefined) throw new Error(`${type} has no field ${name}`);
  const at = VIRTIO_MMIO_CONFIG + layout.offset;
  const bytes = layout.bytes === 1 || layout.bytes === 2 ? layout.bytes : 4;
  return {
    read: () => driver.subject.read(at, bytes),
    write: (value: number) => driver.subject.write(at, bytes, value),
  };
}

/** Whether a field of 0s and 1s in its lowest bit takes another value. */
function takes(driver: ProbeDriver, type: "blk" | "balloon" | "net", name: string): string {
  const { read, write } = field(driver, type, name);
  const before = read();
  write(before ^ 1);
  return read() === (before ^ 1) ? "takes effect" : "no effect";
}

export const CONFIG_PROBES: readonly Probe[] = [
  {
    does: "net: reads mtu at every status, MTU not accepted",
    rule: "CONFIG-006 §2.5.2",
    device: "net",
    run: (driver) => {
      const { read } = field(driver, "net", "mtu");
      const seen = [read()];
      for (const status of [0x01, 0x03, 0x0b, 0x0f]) seen.push(field(driver.to(status), "net", "mtu").read());
      return [...new Set(seen)].join(", ");
    },
  },
  {
    does: "net: reads mtu before and after it accepts MTU",
    rule: "SEED241-007 §2.5.1",
    device: "net",
    run: (driver) => {
      const { read } = field(driver.to(0x03), "net", "mtu");
      const seen = [read()];
      driver.accept(["VERSION_1", "VIRTIO_NET_F_MTU"]);
      seen.push(read());
      driver.status(0x0b);
      return [...new Set([...seen, read()])].join(", ");
    },
  },
  {
    does: "blk: writes writeback before FEATURES_OK",
    rule: "SEED241-009 §3.1.1",
    device: "blk",
    differs: strictOnly(ours("no field takes a value before FEATURES_OK")),
    run: (driver) =>
      takes(driver.to(0x03).accept(["VERSION_1", "VIRTIO_BLK_F_CONFIG_WCE"]), "blk", "writeback"),
  },
  {
    does: "blk: writes writeback after FEATURES_OK, CONFIG_WCE accepted",
    rule: "BLK-030 §5.2.6.1",
    device: "blk",
    run: (driver) =>
      takes(
        driver.to(0x0b, ["VERSION_1", "VIRTIO_BLK_F_FLUSH", "VIRTIO_BLK_F_CONFIG_WCE"]),
        "blk",
        "writeback",
      ),
  },
  {
    does: "blk: writes writeback after FEATURES_OK, CONFIG_WCE not accepted",
    rule: "BLK-030 §5.2.6.1",
    device: "blk",
    run: (driver) => takes(driver.to(0x0b, ["VERSION_1", "VIRTIO_BLK_F_FLUSH"]), "blk", "writeback"),
  },
  {
    does: "blk: writes capacity, which is read-only",
    rule: "§5.2.4",
    device: "blk",
    run: (driver) => takes(driver.to(0x0f), "blk", "capacity"),
  },
  {
    does: "balloon: writes poison_val before FEATURES_OK",
    rule: "SEED241-009 §3.1.1",
    device: "balloon",
    differs: {
      "qemu-mmio": qemus(
        "the profile lets early writes through for every device type; QEMU's balloon also asks for PAGE_POISON",
      ),
    },
    run: (driver) =>
      takes(driver.to(0x03).accept(["VERSION_1", "VIRTIO_BALLOON_F_PAGE_POISON"]), "balloon", "poison_val"),
  },
  {
    does: "balloon: writes poison_val between FEATURES_OK and DRIVER_OK",
    rule: "BALLOON-047 §5.5.6.6.1",
    device: "balloon",
    run: (driver) =>
      takes(driver.to(0x0b, ["VERSION_1", "VIRTIO_BALLOON_F_PAGE_POISON"]), "balloon", "poison_val"),
  },
  {
    does: "balloon: writes poison_val after FEATURES_OK, PAGE_POISON not accepted",
    rule: "BALLOON-047 §5.5.6.6.1",
    device: "balloon",
    differs: inBoth(
      qemus(
        "the field is there because the feature is offered; ours shows what was written and makes no use of it",
      ),
    ),
    run: (driver) => takes(driver.to(0x0b), "balloon", "poison_val"),
  },
  {
    does: "balloon: writes poison_val after DRIVER_OK",
    rule: "BALLOON-048 §5.5.6.6.1",
    device: "balloon",
    differs: inBoth(ours("the field is final at DRIVER_OK")),
    run: (driver) =>
      takes(driver.to(0x0f, ["VERSION_1", "VIRTIO_BALLOON_F_PAGE_POISON"]), "balloon", "poison_val"),
  },
  {
    does: "balloon: writes actual before FEATURES_OK",
    rule: "SEED241-009 §3.1.1",
    device: "balloon",
    differs: strictOnly(ours("no field takes a value before FEATURES_OK")),
    run: (driver) => takes(driver.to(0x03), "balloon", "actual"),
  },
  {
    does: "blk: reads capacity in bytes",
    rule: "MMIO-017 §4.2.2.2",
    device: "blk",
    run: ({ subject }) => [0, 1, 2, 3].map((i) => hex(subject.read(VIRTIO_MMIO_CONFIG + i, 1))).join(", "),
  },
  {
    does: "blk: reads a half-word at offset 1 of the configuration",
    rule: "MMIO-017 §4.2.2.2",
    device: "blk",
    run: ({ subject }) => hex(subject.read(VIRTIO_MMIO_CONFIG + 1, 2)),
  },
  {
    does: "console: reads the last word of the window, far behind the last field",
    rule: "§2.5",
    device: "console",
    differs: strictOnly(neithers("nothing is said of what is not there")),
    run: ({ subject }) => hex(subject.read(VIRTIO_MMIO_CONFIG + 0xfc, 4)),
  },
  {
    does: "console: writes the last word of the window",
    rule: "MMIO-013 §4.2.2.2",
    device: "console",
    run: (driver) => {
      driver.to(0x0f).put(VIRTIO_MMIO_CONFIG + 0xfc, 1);
      return hex(driver.get(VIRTIO_MMIO_STATUS));
    },
  },
];
