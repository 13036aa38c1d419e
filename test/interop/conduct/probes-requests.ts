/** Probes of block requests (§5.2.6) in sound chains, and of chains that only a device with requests in flight can tell. */
import {
  VIRTIO_BLK_REQ_HEADER_SIZE,
  VIRTIO_BLK_REQ_SECTOR,
  VIRTIO_BLK_REQ_TYPE,
  VIRTIO_BLK_SECTOR_SIZE,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_IN,
} from "../../../src/spec/blk";
import {
  VIRTQ_DESC_F_INDIRECT as INDIRECT,
  VIRTQ_DESC_F_NEXT as NEXT,
  VIRTQ_DESC_F_WRITE as WRITE,
} from "../../../src/spec/queue";
import type { RawDescriptor } from "../../raw-ring";
import { inBoth, ours, type Probe, qemus } from "./probe";
import type { ProbeDriver } from "./probe-driver";
import { BUFFER, type Layout, type ProbeRing, RING_SIZE, TABLE } from "./probe-ring";
import { NO_RAM } from "./ring-case";

const HEADER: RawDescriptor = { addr: BUFFER, len: VIRTIO_BLK_REQ_HEADER_SIZE };
const DATA: RawDescriptor = { addr: BUFFER + 0x1000, len: VIRTIO_BLK_SECTOR_SIZE, flags: WRITE };
const STATUS_AT = BUFFER + 0x800;
const STATUS: RawDescriptor = { addr: STATUS_AT, len: 1, flags: WRITE };
/** No status that a device gives. */
const UNTOUCHED = 0xee;

const GIVEN_BACK = "nothing can be done or said, so ours gives the chain back with length 0 and lives on";
const LOOPS = "loops for ever: its packed block queue tries the same descriptor again";

interface RequestCase {
  readonly type?: number;
  readonly sector?: number;
  readonly layout?: Layout;
  readonly more?: readonly string[];
  fill(ring: ProbeRing): void;
}

/** Puts one request to a disk of 64 sectors. */
function request(driver: ProbeDriver, { layout = "split", more = [], ...how }: RequestCase): string {
  const { type = VIRTIO_BLK_T_IN, sector = 0, fill } = how;
  const ring = driver.live(layout, { queue: 0, more });
  const { memory } = driver;
  memory.setU32(BUFFER + VIRTIO_BLK_REQ_TYPE, type);
  memory.setU64(BUFFER + VIRTIO_BLK_REQ_SECTOR, sector);
  memory.setU8(STATUS_AT, UNTOUCHED);
  fill(ring);
  driver.notify(0);
  const status = memory.u8(STATUS_AT);
  return `${driver.outcome(ring)}${status === UNTOUCHED ? "" : `, request status ${status}`}`;
}

/** Broken chains that a console's queue in QEMU survives and a block queue doesn't. */
const LOOPING: readonly (Pick<Probe, "does" | "rule"> & Pick<RequestCase, "fill">)[] = [
  {
    does: "a descriptor of length 0",
    rule: "PACKED-042 §2.8",
    fill: (ring) => ring.offer(HEADER, { ...DATA, len: 0 }, STATUS),
  },
  {
    does: "a readable buffer behind a writable one",
    rule: "PACKED-018 §2.8.17",
    fill: (ring) => ring.offer(HEADER, DATA, { ...STATUS, flags: 0 }),
  },
  {
    does: "two buffers that are no RAM",
    rule: "§2.8.5",
    fill: (ring) => ring.offer(HEADER, { ...DATA, addr: NO_RAM }, { ...STATUS, addr: 2n * NO_RAM }),
  },
  {
    does: "a chain that has all descriptors and no end",
    rule: "PACKED-017 §2.8.17",
    fill: (ring) => ring.offerAs(Array.from({ length: RING_SIZE }, () => ({ ...HEADER, flags: NEXT }))),
  },
  {
    does: "an indirect table that is no RAM",
    rule: "§2.8.7",
    fill: (ring) => ring.offer({ addr: NO_RAM, len: 32, flags: INDIRECT }),
  },
  {
    does: "an indirect table of 24 bytes",
    rule: "PACKED-INDIRECT-005 §2.8.7",
    fill: (ring) => ring.offer({ addr: TABLE, len: 24, flags: INDIRECT }),
  },
];

export const REQUEST_PROBES: readonly Probe[] = [
  {
    does: "split: a read of one sector",
    rule: "BLK-029 §5.2.6.1",
    device: "blk",
    run: (driver) => request(driver, { fill: (ring) => ring.offer(HEADER, DATA, STATUS) }),
  },
  {
    does: "packed: a read of one sector",
    rule: "BLK-029 §5.2.6.1",
    device: "blk",
    run: (driver) => request(driver, { layout: "packed", fill: (ring) => ring.offer(HEADER, DATA, STATUS) }),
  },
  {
    does: "split: the header in a direct descriptor, the rest in an indirect table",
    rule: "SPLIT-INDIRECT-007 §2.7.5.3.2",
    device: "blk",
    differs: inBoth(
      ours("a device handles direct descriptors before INDIRECT; QEMU takes the table for a buffer"),
    ),
    run: (driver) =>
      request(driver, {
        more: ["INDIRECT_DESC"],
        fill: (ring) => {
          ring.table(DATA, STATUS);
          ring.offer(HEADER, { addr: TABLE, len: 32, flags: INDIRECT });
        },
      }),
  },
  {
    does: "split: writable buffers where a header is needed",
    rule: "BLK-029 §5.2.6.1",
    device: "blk",
    differs: inBoth(qemus(GIVEN_BACK)),
    run: (driver) => request(driver, { fill: (ring) => ring.offer(DATA, STATUS) }),
  },
  {
    does: "packed: writable buffers where a header is needed",
    rule: "BLK-029 §5.2.6.1",
    device: "blk",
    differs: inBoth(qemus(GIVEN_BACK)),
    run: (driver) => request(driver, { layout: "packed", fill: (ring) => ring.offer(DATA, STATUS) }),
  },
  {
    does: "split: half a header",
    rule: "BLK-029 §5.2.6.1",
    device: "blk",
    differs: inBoth(qemus(GIVEN_BACK)),
    run: (driver) => request(driver, { fill: (ring) => ring.offer({ ...HEADER, len: 8 }, DATA, STATUS) }),
  },
  {
    does: "split: no byte for the status",
    rule: "BLK-029 §5.2.6.1",
    device: "blk",
    differs: inBoth(qemus(GIVEN_BACK)),
    run: (driver) => request(driver, { fill: (ring) => ring.offer(HEADER) }),
  },
  {
    does: "split: a request type that nobody knows",
    rule: "§5.2.6.2",
    device: "blk",
    run: (driver) => request(driver, { type: 0xff, fill: (ring) => ring.offer(HEADER, DATA, STATUS) }),
  },
  {
    does: "split: a read behind the last sector",
    rule: "BLK-027 §5.2.6.1",
    device: "blk",
    run: (driver) => request(driver, { sector: 64, fill: (ring) => ring.offer(HEADER, DATA, STATUS) }),
  },
  {
    does: "split: a read of 100 bytes",
    rule: "BLK-029 §5.2.6.1",
    device: "blk",
    run: (driver) => request(driver, { fill: (ring) => ring.offer(HEADER, { ...DATA, len: 100 }, STATUS) }),
  },
  {
    does: "split: a flush, FLUSH not accepted",
    rule: "BLK-034 §5.2.6.2",
    device: "blk",
    differs: inBoth(ours("what was not negotiated is unsupported; QEMU flushes")),
    run: (driver) =>
      request(driver, { type: VIRTIO_BLK_T_FLUSH, fill: (ring) => ring.offer(HEADER, STATUS) }),
  },
  {
    does: "split: an available index one more than the queue size ahead, in a block queue",
    rule: "SPLIT-031 §2.7.6",
    device: "blk",
    differs: inBoth(
      ours("nothing of such a ring is taken; QEMU sees it when more is in flight than the queue has"),
    ),
    run: (driver) =>
      request(driver, {
        fill: (ring) => {
          ring.offer(HEADER, DATA, STATUS);
          ring.split.availIdx = RING_SIZE + 1;
        },
      }),
  },
  {
    does: "split: a head whose request is in flight",
    rule: "§2.7.13.1",
    device: "blk that is slow",
    differs: inBoth(ours("the descriptors of a buffer in flight are not free; QEMU serves them twice")),
    run: (driver) => inFlight(driver, "split", (ring) => ring.publish(0)),
  },
  {
    does: "packed: a buffer ID whose request is in flight",
    rule: "PACKED-033 §2.8.6",
    device: "blk that is slow",
    run: (driver) =>
      inFlight(driver, "packed", (ring) =>
        ring.offer({ ...HEADER, id: 0 }, { ...DATA, id: 0 }, { ...STATUS, id: 0 }),
      ),
  },
  ...LOOPING.map(
    ({ does, rule, fill }): Probe => ({
      does: `packed: ${does} in a block queue`,
      rule,
      device: "blk",
      notAsked: LOOPS,
      run: (driver) => request(driver, { layout: "packed", more: ["INDIRECT_DESC"], fill }),
    }),
  ),
];

/** Sends a read that isn't answered, and then something else. */
function inFlight(driver: ProbeDriver, layout: Layout, then: (ring: ProbeRing) => void): string {
  const ring = driver.live(layout, { queue: 0 });
  ring.offer(HEADER, DATA, STATUS);
  driver.notify(0);
  const before = driver.outcome(ring);
  then(ring);
  driver.notify(0);
  return `${before}, then ${driver.outcome(ring)}`;
}
