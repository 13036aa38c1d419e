/** Probes of a queue's set-up (§2.6, §4.2.3.2): sizes, addresses, QueueReady and QueueReset. */
import { hex } from "../../../src/negotiation/control-event";
import * as mmio from "../../../src/spec/mmio";
import { VIRTIO_CONFIG_S_NEEDS_RESET } from "../../../src/spec/status";
import { SPLIT_AREAS } from "../../transport/device-bench";
import type { AreaAddresses } from "../../transport/mmio-hand";
import { inBoth, neithers, ours, type Probe, strictOnly } from "./probe";
import { type ProbeDriver, TRANSMITQ } from "./probe-driver";
import { PLAIN } from "./probe-ring";

/** No device has so many queues, of those that are asked. */
const NO_QUEUE = 100;
const SIZE_MAX = 1024;

const isReady = (driver: ProbeDriver, queue = TRANSMITQ): string =>
  `QueueReady ${driver.ofQueue(queue, mmio.VIRTIO_MMIO_QUEUE_READY)}`;

/** What becomes of QueueReady after a set-up at FEATURES_OK. */
function setUp(
  driver: ProbeDriver,
  size: number,
  areas: AreaAddresses = SPLIT_AREAS,
  queue = TRANSMITQ,
): string {
  driver.to(0x0b).setUp(queue, size, areas);
  const broken = (driver.get(mmio.VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) !== 0;
  return `${isReady(driver, queue)}${broken ? ", needs reset" : ""}`;
}

export const QUEUE_PROBES: readonly Probe[] = [
  {
    does: "reads QueueSizeMax of a queue that there is",
    rule: "MMIO-047 §4.2.2",
    device: "console",
    run: (driver) => `${driver.ofQueue(TRANSMITQ, mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX)}`,
  },
  {
    does: "reads QueueSizeMax and QueueReady of queue 100",
    rule: "MMIO-047 §4.2.2",
    device: "console",
    run: (driver) =>
      `${driver.ofQueue(NO_QUEUE, mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX)}, ${isReady(driver, NO_QUEUE)}`,
  },
  {
    does: "reads QueueSizeMax of queue 65536, queue 1 having been selected before",
    rule: "MMIO-047 §4.2.2",
    device: "console",
    differs: inBoth(ours("there is no such queue; QEMU ignores the selection and answers for queue 1")),
    run: (driver) => {
      driver.put(mmio.VIRTIO_MMIO_QUEUE_SEL, TRANSMITQ);
      return `${driver.ofQueue(0x10000, mmio.VIRTIO_MMIO_QUEUE_SIZE_MAX)}`;
    },
  },
  {
    does: "sets up queue 100",
    rule: "MMIO-053 §4.2.3.2",
    device: "console",
    differs: inBoth(ours("there is no such queue")),
    run: (driver) => setUp(driver, 8, SPLIT_AREAS, NO_QUEUE),
  },
  {
    does: "notifies queue 100, and 0xffffffff",
    rule: "MMIO-044 §4.2.3.3",
    device: "console",
    run: (driver) => {
      driver.live("split");
      return driver.notify(NO_QUEUE).notify(0xffff_ffff).statusText;
    },
  },
  {
    does: "notifies a queue that is not ready",
    rule: "MMIO-007 §4.2.2.1",
    device: "console",
    run: (driver) => driver.to(0x0f).notify().statusText,
  },
  {
    does: "enables a queue before FEATURES_OK",
    rule: "INIT-009 §3.1.1",
    device: "console",
    differs: strictOnly(
      ours("queues are set up when the features are final, for the ring follows from them"),
    ),
    run: (driver) => {
      driver.to(0x03).setUp(TRANSMITQ, 8);
      return isReady(driver);
    },
  },
  {
    does: "enables a queue after DRIVER_OK",
    rule: "INIT-001 §3.1.1",
    device: "console",
    differs: inBoth(ours("queues are set up before DRIVER_OK, or after their own reset")),
    run: (driver) => {
      driver.to(0x0f).setUp(TRANSMITQ, 8);
      return isReady(driver);
    },
  },
  {
    does: "enables a queue of size 0",
    rule: "MMIO-053 §4.2.3.2",
    device: "console",
    differs: inBoth(ours("a queue has a descriptor or more")),
    run: (driver) => setUp(driver, 0),
  },
  {
    does: "enables a queue of twice QueueSizeMax",
    rule: "MMIO-026 §4.2.2.2",
    device: "console",
    differs: inBoth(ours("the size is larger than the largest")),
    run: (driver) => setUp(driver, 2 * SIZE_MAX),
  },
  {
    does: "enables a queue of size 0x10008",
    rule: "MMIO-026 §4.2.2.2",
    device: "console",
    differs: inBoth(ours("the size is larger than the largest")),
    run: (driver) => setUp(driver, 0x10008),
  },
  {
    does: "enables a split queue of 7 descriptors",
    rule: "SPLIT-002 §2.7",
    device: "console",
    differs: inBoth(ours("no power of two")),
    run: (driver) => setUp(driver, 7),
  },
  {
    does: "enables a queue whose descriptor table is at an odd address",
    rule: "SPLIT-001 §2.7.1",
    device: "console",
    differs: inBoth(ours("not aligned to 16 bytes")),
    run: (driver) => setUp(driver, 8, { ...SPLIT_AREAS, descriptor: 0x1001 }),
  },
  {
    does: "enables a queue whose three areas are at one address",
    rule: "SPLIT-003 §2.7",
    device: "console",
    differs: inBoth(ours("the areas overlap: the device would write into the descriptor table")),
    run: (driver) => setUp(driver, 8, { descriptor: 0x1000, driver: 0x1000, device: 0x1000 }),
  },
  {
    does: "enables a queue whose descriptor table is no RAM",
    rule: "§2.7",
    device: "console",
    differs: inBoth(
      ours("a queue that can't be reached is not ready; QEMU shows it ready and never serves it"),
    ),
    run: (driver) => setUp(driver, 8, { ...SPLIT_AREAS, descriptor: 1n << 40n }),
  },
  {
    does: "enables a queue whose used ring ends behind 2^64",
    rule: "§2.7",
    device: "console",
    differs: inBoth(ours("a queue that can't be reached is not ready, and does no harm to the device")),
    run: (driver) => setUp(driver, 8, { ...SPLIT_AREAS, device: (1n << 64n) - 16n }),
  },
  {
    does: "uses a queue whose descriptor table is at guest address 0",
    rule: "§2.7",
    device: "console",
    differs: inBoth(
      neithers("0 is an address like any other; QEMU takes it for a queue that was never set up"),
    ),
    run: (driver) => {
      driver.to(0x0b).setUp(TRANSMITQ, 8, { ...SPLIT_AREAS, descriptor: 0 });
      driver.status(0x0f);
      const { memory } = driver;
      memory.setU32(8, 16); // descriptor 0: 16 bytes at address 0
      memory.setU16(SPLIT_AREAS.driver + 2, 1);
      driver.notify();
      return `${isReady(driver)}, ${memory.u16(SPLIT_AREAS.device + 2)} used`;
    },
  },
  {
    does: "writes 2 to QueueReady",
    rule: "MMIO-048 §4.2.2",
    device: "console",
    differs: inBoth(ours("0 and 1 are its values")),
    run: (driver) => {
      driver.to(0x0b).program(TRANSMITQ, 8, SPLIT_AREAS);
      driver.put(mmio.VIRTIO_MMIO_QUEUE_READY, 2);
      return isReady(driver);
    },
  },
  {
    does: "writes 0 to QueueReady and reads it back",
    rule: "MMIO-029 §4.2.2.2",
    device: "console",
    run: (driver) => {
      driver.live("split");
      driver.put(mmio.VIRTIO_MMIO_QUEUE_READY, 0);
      return isReady(driver);
    },
  },
  {
    does: "writes 0 to QueueReady, then sends a buffer",
    rule: "MMIO-007 §4.2.2.1",
    device: "console",
    differs: inBoth(ours("a queue that is not ready is left alone; QEMU serves on")),
    run: (driver) => {
      const ring = driver.live("split");
      driver.put(mmio.VIRTIO_MMIO_QUEUE_READY, 0);
      return driver.send(ring);
    },
  },
  {
    does: "writes QueueSize 4 to a ready queue of 8, then sends five buffers",
    rule: "MMIO-027 §4.2.2.2",
    device: "console",
    differs: inBoth(ours("the size of a ready queue is fixed; in QEMU it changes under the ring")),
    run: (driver) => {
      const ring = driver.live("split");
      driver.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, 4);
      for (let i = 0; i < 5; i++) {
        ring.offer(PLAIN);
        driver.notify();
      }
      const [id] = ring.split.usedRing(4);
      return ring.used !== 5 ? driver.outcome(ring) : id === 4 ? "served with 8" : "served with 4";
    },
  },
  {
    does: "writes other addresses to a ready queue, then sends a buffer",
    rule: "MMIO-027 §4.2.2.2",
    device: "console",
    run: (driver) => {
      const ring = driver.live("split");
      driver.program(TRANSMITQ, 8, { descriptor: 0x4000, driver: 0x5000, device: 0x6000 });
      return driver.send(ring);
    },
  },
  {
    does: "resets a queue through QueueReset, RING_RESET negotiated",
    rule: "MMIO-012 §4.2.2.1",
    device: "console",
    differs: inBoth(
      ours("QueueReset does what RING_RESET promises; QEMU 7.2 offers the feature and lacks the register"),
    ),
    run: (driver) => {
      driver.live("split", { more: ["RING_RESET"] });
      const { verdict } = driver;
      driver.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 1);
      const reset = driver.ofQueue(TRANSMITQ, mmio.VIRTIO_MMIO_QUEUE_RESET);
      return `${verdict}, QueueReset ${reset}, ${isReady(driver)}`;
    },
  },
  {
    does: "writes QueueReset without RING_RESET",
    rule: "MMIO-010 §4.2.2.1",
    device: "console",
    run: (driver) => {
      driver.live("split");
      driver.put(mmio.VIRTIO_MMIO_QUEUE_RESET, 1);
      return isReady(driver);
    },
  },
  {
    does: "reads SHMLen and SHMBase of a region that there isn't",
    rule: "MMIO-050 §4.2.2",
    device: "console",
    differs: inBoth(ours("length and base read all ones; QEMU's base reads 0")),
    run: (driver) => {
      driver.put(mmio.VIRTIO_MMIO_SHM_SEL, 7);
      const registers = [
        mmio.VIRTIO_MMIO_SHM_LEN_LOW,
        mmio.VIRTIO_MMIO_SHM_LEN_HIGH,
        mmio.VIRTIO_MMIO_SHM_BASE_LOW,
        mmio.VIRTIO_MMIO_SHM_BASE_HIGH,
      ];
      return [...new Set(registers.map((at) => hex(driver.get(at))))].join(", ");
    },
  },
];
