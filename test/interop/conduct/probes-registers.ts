/** Probes of the window itself (§4.2.2): what registers read, which accesses count, and what a reset leaves. */
import { hex } from "../../../src/negotiation/control-event";
import * as mmio from "../../../src/spec/mmio";
import { inBoth, neithers, ours, type Probe, strictOnly } from "./probe";
import { type ProbeDriver, TRANSMITQ } from "./probe-driver";
import { PLAIN } from "./probe-ring";

const READ_ONLY = [
  mmio.VIRTIO_MMIO_MAGIC_VALUE,
  mmio.VIRTIO_MMIO_VERSION,
  mmio.VIRTIO_MMIO_DEVICE_ID,
  mmio.VIRTIO_MMIO_VENDOR_ID,
  mmio.VIRTIO_MMIO_DEVICE_FEATURES,
  mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX,
  mmio.VIRTIO_MMIO_INTERRUPT_STATUS,
  mmio.VIRTIO_MMIO_CONFIG_GENERATION,
];
const WRITE_ONLY = [
  mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL,
  mmio.VIRTIO_MMIO_DRIVER_FEATURES,
  mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL,
  mmio.VIRTIO_MMIO_QUEUE_SEL,
  mmio.VIRTIO_MMIO_QUEUE_SIZE,
  mmio.VIRTIO_MMIO_QUEUE_NOTIFY,
  mmio.VIRTIO_MMIO_INTERRUPT_ACK,
  mmio.VIRTIO_MMIO_QUEUE_DESC_LOW,
  mmio.VIRTIO_MMIO_QUEUE_DESC_HIGH,
  mmio.VIRTIO_MMIO_QUEUE_DRIVER_LOW,
  mmio.VIRTIO_MMIO_QUEUE_DRIVER_HIGH,
  mmio.VIRTIO_MMIO_QUEUE_DEVICE_LOW,
  mmio.VIRTIO_MMIO_QUEUE_DEVICE_HIGH,
  mmio.VIRTIO_MMIO_SHM_SEL,
];
/** Offsets that §4.2.2 leaves free. */
const FREE = [0x018, 0x01c, 0x02c, 0x048, 0x04c, 0x054, 0x058, 0x05c, 0x068, 0x06c, 0x074, 0x0f0];

const distinct = (values: readonly number[]): string =>
  [...new Set(values)].map((value) => hex(value)).join(", ");

/** A live console that has used one buffer and not been told that the driver knows. */
function interrupted(driver: ProbeDriver): ProbeDriver {
  driver.live("split").offer(PLAIN);
  return driver.notify();
}
const pending = (driver: ProbeDriver): string =>
  `InterruptStatus ${driver.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS)}`;

export const REGISTER_PROBES: readonly Probe[] = [
  {
    does: "reads MagicValue and Version",
    rule: "MMIO-002 §4.2.2.1",
    device: "console",
    run: (driver) =>
      [mmio.VIRTIO_MMIO_MAGIC_VALUE, mmio.VIRTIO_MMIO_VERSION].map((at) => hex(driver.get(at))).join(", "),
  },
  {
    does: "reads VendorID",
    rule: "§4.2.2",
    device: "console",
    differs: inBoth(neithers("the maker's own number, an option of MmioTransport")),
    run: (driver) => hex(driver.get(mmio.VIRTIO_MMIO_VENDOR_ID)),
  },
  {
    does: "reads MagicValue in bytes and half-words",
    rule: "MMIO-016 §4.2.2.2",
    device: "console",
    run: ({ subject }) => distinct([subject.read(0, 1), subject.read(0, 2)]),
  },
  {
    does: "reads a word at offset 2, across MagicValue and Version",
    rule: "MMIO-016 §4.2.2.2",
    device: "console",
    run: ({ subject }) => hex(subject.read(2, 4)),
  },
  {
    does: "writes ACKNOWLEDGE to Status as a byte and as a half-word",
    rule: "MMIO-016 §4.2.2.2",
    device: "console",
    run: (driver) => {
      driver.subject.write(mmio.VIRTIO_MMIO_STATUS, 1, 1);
      driver.subject.write(mmio.VIRTIO_MMIO_STATUS, 2, 1);
      return driver.statusText;
    },
  },
  {
    does: "reads every write-only register",
    rule: "MMIO-015 §4.2.2.2",
    device: "console",
    run: (driver) => distinct(WRITE_ONLY.map((at) => driver.get(at))),
  },
  {
    does: "writes the complement to every read-only register",
    rule: "MMIO-014 §4.2.2.2",
    device: "console",
    run: (driver) => {
      const before = READ_ONLY.map((at) => driver.get(at));
      READ_ONLY.forEach((at, i) => {
        driver.put(at, ~(before[i] ?? 0));
      });
      return READ_ONLY.every((at, i) => driver.get(at) === before[i]) ? "nothing changes" : "changed";
    },
  },
  {
    does: "writes and reads offsets where no register is",
    rule: "MMIO-013 §4.2.2.2",
    device: "console",
    run: (driver) => {
      for (const at of FREE) driver.put(at, 0xffff_ffff);
      return distinct(FREE.map((at) => driver.get(at)));
    },
  },
  {
    does: "acknowledges the other interrupt than the pending one",
    rule: "MMIO-003 §4.2.2.1",
    device: "console",
    run: (driver) => {
      interrupted(driver).put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, mmio.VIRTIO_MMIO_INT_CONFIG);
      return pending(driver);
    },
  },
  {
    does: "acknowledges bits of InterruptStatus that are undefined",
    rule: "MMIO-032 §4.2.2.2",
    device: "console",
    run: (driver) => {
      interrupted(driver).put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, 0xffff_fffc);
      return pending(driver);
    },
  },
  {
    does: "reads InterruptStatus twice, then acknowledges what it saw",
    rule: "MMIO-003 §4.2.2.1",
    device: "console",
    run: (driver) => {
      const seen = [pending(interrupted(driver)), pending(driver)];
      driver.put(mmio.VIRTIO_MMIO_INTERRUPT_ACK, mmio.VIRTIO_MMIO_INT_VRING);
      return [...new Set(seen), `then ${driver.get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS)}`].join(", ");
    },
  },
  {
    does: "reads ConfigGeneration twice while nothing changes",
    rule: "MMIO-049 §4.2.2",
    device: "console",
    run: (driver) => {
      const before = driver.get(mmio.VIRTIO_MMIO_CONFIG_GENERATION);
      return driver.get(mmio.VIRTIO_MMIO_CONFIG_GENERATION) === before ? "the same" : "different";
    },
  },
  {
    does: "reads ConfigGeneration around an error that needs a reset",
    rule: "CONFIG-008 §2.5",
    device: "console",
    differs: strictOnly(
      neithers("the generation may move; QEMU counts notifications of changes, and an error is one"),
    ),
    run: (driver) => {
      const ring = driver.live("split");
      const before = driver.get(mmio.VIRTIO_MMIO_CONFIG_GENERATION);
      ring.publish(99);
      driver.notify();
      return driver.get(mmio.VIRTIO_MMIO_CONFIG_GENERATION) === before ? "the same" : "different";
    },
  },
  {
    does: "resets a live device with an interrupt pending",
    rule: "MMIO-005 §4.2.2.1",
    device: "console",
    run: (driver) => {
      interrupted(driver).status(0);
      const ready = driver.ofQueue(TRANSMITQ, mmio.VIRTIO_MMIO_QUEUE_READY);
      return `${driver.statusText}, QueueReady ${ready}, ${pending(driver)}`;
    },
  },
  {
    does: "writes 0x100 to Status",
    rule: "MMIO-045 §4.2.2.1",
    device: "console",
    differs: inBoth(ours("the whole register is looked at, not its low byte, and only 0 resets")),
    run: (driver) => driver.to(0x0f).status(0x100).statusText,
  },
];
