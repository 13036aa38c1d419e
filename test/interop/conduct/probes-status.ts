/** Probes of the status and of its order (§2.1, §3.1.1). */
import * as mmio from "../../../src/spec/mmio";
import { inBoth, neithers, ours, type Probe, strictOnly } from "./probe";
import { type ProbeDriver, TRANSMITQ } from "./probe-driver";
import { PLAIN } from "./probe-ring";

const NOT_LIVE = "no buffer is used while DRIVER_OK is not set; QEMU asks for no status when it is notified";

/** InterruptStatus of a live device whose driver has put a bad head into an empty ring. */
function afterError(driver: ProbeDriver): number {
  driver.live("split").publish(99);
  return driver.notify().get(mmio.VIRTIO_MMIO_INTERRUPT_STATUS);
}

export const STATUS_PROBES: readonly Probe[] = [
  {
    does: "clears FEATURES_OK by a write without it",
    rule: "STATUS-002 §2.1.1",
    device: "console",
    differs: strictOnly(ours("the write has no effect")),
    run: (driver) => driver.to(0x0b).status(0x03).statusText,
  },
  {
    does: "clears DRIVER_OK of a live device",
    rule: "STATUS-002 §2.1.1",
    device: "console",
    differs: {
      strict: ours("the write has no effect, and the device stays live"),
      "qemu-mmio": ours(NOT_LIVE),
    },
    run: (driver) => {
      const ring = driver.live("split");
      driver.status(0x0b);
      return `${driver.statusText}, ${driver.send(ring)}`;
    },
  },
  {
    does: "sets ACKNOWLEDGE, DRIVER, FEATURES_OK and DRIVER_OK in one write",
    rule: "INIT-001 §3.1.1",
    device: "console",
    differs: strictOnly(ours("the steps come one at a time; a write that skips some has no effect")),
    run: (driver) => driver.accept(["VERSION_1"]).status(0x0f).statusText,
  },
  {
    does: "sets FEATURES_OK first of all",
    rule: "INIT-001 §3.1.1",
    device: "console",
    differs: strictOnly(ours("ACKNOWLEDGE and DRIVER come first; the write has no effect")),
    run: (driver) => driver.accept(["VERSION_1"]).status(0x08).statusText,
  },
  {
    does: "sets DRIVER_OK without FEATURES_OK",
    rule: "INIT-001 §3.1.1",
    device: "console",
    differs: strictOnly(ours("without FEATURES_OK nothing is negotiated, and nothing starts")),
    run: (driver) => {
      const served = driver.to(0x03).accept(["VERSION_1"]).ringInForce();
      return `${driver.statusText}, ${served}`;
    },
  },
  {
    does: "sets the unassigned bit 0x20",
    rule: "STATUS-001 §2.1",
    device: "console",
    differs: strictOnly(ours("it stands for no step of a driver; the write has no effect")),
    run: (driver) => driver.to(0x03).status(0x23).statusText,
  },
  {
    does: "sets DEVICE_NEEDS_RESET itself",
    rule: "STATUS-001 §2.1",
    device: "console",
    differs: strictOnly(ours("it is the device's bit; the write has no effect")),
    run: (driver) => driver.to(0x0f).status(0x4f).statusText,
  },
  {
    does: "sets SUSPEND, which is not negotiated",
    rule: "STATUS-009 §2.1",
    device: "console",
    differs: {
      strict: ours("a bit without a meaning is not kept"),
      "qemu-mmio": ours(
        "the same in every profile: a SUSPEND that shows would say that the device is suspended",
      ),
    },
    run: (driver) => driver.to(0x0f).status(0x1f).statusText,
  },
  {
    does: "sets FAILED, then FEATURES_OK",
    rule: "STATUS-003 §2.1.1",
    device: "console",
    differs: strictOnly(ours("after FAILED only a reset counts")),
    run: (driver) => driver.to(0x03).accept(["VERSION_1"]).status(0x83, 0x8b).statusText,
  },
  {
    does: "sets FAILED on a live device and sends a buffer",
    rule: "STATUS-003 §2.1.1",
    device: "console",
    differs: inBoth(ours("a driver that gave up is not served any more, in any profile")),
    run: (driver) => {
      const ring = driver.live("split");
      driver.status(0x8f);
      return `${driver.statusText}, ${driver.send(ring)}`;
    },
  },
  {
    does: "notifies of a buffer before DRIVER_OK",
    rule: "STATUS-005 §2.1.2",
    device: "console",
    differs: inBoth(ours(NOT_LIVE)),
    run: (driver) => {
      const ring = driver.ready("split");
      return driver.send(ring);
    },
  },
  {
    does: "fills a ring before DRIVER_OK and never notifies",
    rule: "§3.1.1",
    device: "console",
    differs: inBoth(
      neithers(
        "at DRIVER_OK ours looks at its queues by itself; QEMU does so only where it has ioeventfd, which qtest lacks",
      ),
    ),
    run: (driver) => {
      const ring = driver.ready("split");
      ring.offer(PLAIN);
      driver.status(0x0f);
      return driver.outcome(ring);
    },
  },
  {
    does: "looks for the notification of DEVICE_NEEDS_RESET",
    rule: "STATUS-007 §2.1.2",
    device: "console",
    run: (driver) => {
      const isNotified = (afterError(driver) & mmio.VIRTIO_MMIO_INT_CONFIG) !== 0;
      return `${driver.statusText}, ${isNotified ? "notified" : "not notified"}`;
    },
  },
  {
    does: "looks for a used buffer notification after the same error",
    rule: "MMIO-004 §4.2.2.1",
    device: "console",
    differs: inBoth(
      ours("no buffer was used, so its bit stays 0; QEMU sets both bits for a change of the configuration"),
    ),
    run: (driver) => ((afterError(driver) & mmio.VIRTIO_MMIO_INT_VRING) !== 0 ? "notified" : "not notified"),
  },
  {
    does: "goes on sending after DEVICE_NEEDS_RESET",
    rule: "STATUS-004 §2.1.1",
    device: "console",
    run: (driver) => {
      const ring = driver.live("split");
      ring.publish(99);
      driver.notify();
      return driver.send(ring);
    },
  },
  {
    does: "resets after DEVICE_NEEDS_RESET and begins anew",
    rule: "RESET-001 §2.4.1",
    device: "console",
    run: (driver) => {
      driver.live("split").publish(99);
      driver.notify(TRANSMITQ).status(0);
      const { statusText } = driver;
      driver.memory.fill(0, 0x8000, 0);
      const ring = driver.live("split");
      return `${statusText}, then ${driver.send(ring)}`;
    },
  },
];
