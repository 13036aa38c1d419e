/**
 * Probes of chains (§2.7, §2.8) on a live device: a console's transmit queue, which has no format of its own that could be
 * wrong. Most are put in both layouts.
 */
import {
  VIRTQ_DESC_F_INDIRECT as INDIRECT,
  VIRTQ_DESC_F_NEXT as NEXT,
  VIRTQ_DESC_F_WRITE as WRITE,
} from "../../../src/spec/queue";
import { inBoth, ours, type Probe, qemus } from "./probe";
import { BUFFER, PLAIN, type ProbeRing, RING_SIZE, TABLE } from "./probe-ring";

/** What differs between the layouts. */
type InLayout = Pick<Probe, "rule" | "notAsked" | "differs">;

interface RingCase {
  readonly does: string;
  readonly split?: InLayout;
  readonly packed?: InLayout;
  /** Features beside VERSION_1 and the layout's. */
  readonly more?: readonly string[];
  fill(ring: ProbeRing): void;
}

const NO_RAM = 1n << 40n;
const INDIRECT_DESC = ["INDIRECT_DESC"];
const table = (entries: number) => ({ addr: TABLE, len: 16 * entries, flags: INDIRECT });
const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

const LENGTH_ZERO = inBoth(qemus("nothing forbids it; ours skips the buffer"));
const NO_MEMORY = inBoth(
  ours(
    "an address is guest memory or the chain is broken; QEMU gives the device a buffer of its own instead",
  ),
);

const CASES: readonly RingCase[] = [
  {
    does: "a sound chain of two buffers",
    split: { rule: "SPLIT-033 §2.7.13.1" },
    packed: { rule: "PACKED-042 §2.8" },
    fill: (ring) => ring.offer(PLAIN, PLAIN),
  },
  {
    does: "a descriptor of length 0, by itself",
    split: { rule: "SPLIT-033 §2.7.13.1", differs: LENGTH_ZERO },
    packed: { rule: "PACKED-042 §2.8", differs: LENGTH_ZERO },
    fill: (ring) => ring.offer({ addr: BUFFER, len: 0 }),
  },
  {
    does: "a descriptor of length 0 behind another one",
    split: { rule: "SPLIT-033 §2.7.13.1", differs: LENGTH_ZERO },
    packed: { rule: "PACKED-042 §2.8", differs: LENGTH_ZERO },
    fill: (ring) => ring.offer(PLAIN, { addr: BUFFER, len: 0 }),
  },
  {
    does: "a head that is no descriptor of the table",
    split: { rule: "SPLIT-031 §2.7.6" },
    fill: (ring) => ring.publish(RING_SIZE),
  },
  {
    does: "a `next` that is no descriptor of the table",
    split: { rule: "SPLIT-031 §2.7.6" },
    fill: (ring) => ring.offerAs([{ ...PLAIN, flags: NEXT, next: RING_SIZE }]),
  },
  {
    does: "a chain that leads back to its head",
    split: { rule: "SPLIT-012 §2.7.5.2" },
    fill: (ring) =>
      ring.offerAs([
        { ...PLAIN, flags: NEXT },
        { ...PLAIN, flags: NEXT, next: 0 },
      ]),
  },
  {
    does: "a chain that has all descriptors and no end",
    packed: { rule: "PACKED-017 §2.8.17" },
    fill: (ring) => ring.offerAs(times(RING_SIZE, { ...PLAIN, flags: NEXT })),
  },
  {
    does: "an available index one more than the queue size ahead",
    split: {
      rule: "SPLIT-031 §2.7.6",
      differs: inBoth(
        ours("more buffers than descriptors: the index can't be right; QEMU takes what old entries name"),
      ),
    },
    fill: (ring) => {
      ring.offer(PLAIN);
      ring.split.availIdx = RING_SIZE + 1;
    },
  },
  {
    does: "an available index that goes back by one",
    split: { rule: "SPLIT-015 §2.7.6.1" },
    fill: (ring) => {
      ring.split.availIdx = 0xffff;
    },
  },
  {
    does: "a readable buffer behind a writable one",
    split: { rule: "SPLIT-006 §2.7.4.2" },
    packed: { rule: "PACKED-018 §2.8.17" },
    fill: (ring) => ring.offer({ ...PLAIN, flags: WRITE }, PLAIN),
  },
  {
    does: "a buffer that is no RAM",
    split: { rule: "§2.7.5", differs: NO_MEMORY },
    packed: { rule: "§2.8.5", differs: NO_MEMORY },
    fill: (ring) => ring.offer({ addr: NO_RAM, len: 16 }),
  },
  {
    does: "two buffers that are no RAM",
    split: { rule: "§2.7.5" },
    packed: { rule: "§2.8.5" },
    fill: (ring) => ring.offer({ addr: NO_RAM, len: 16 }, { addr: 2n * NO_RAM, len: 16 }),
  },
  {
    does: "a buffer that ends behind 2^64",
    split: { rule: "§2.7.5", differs: NO_MEMORY },
    packed: { rule: "§2.8.5", differs: NO_MEMORY },
    fill: (ring) => ring.offer({ addr: (1n << 64n) - 8n, len: 16 }),
  },
  {
    does: "the same head twice at once",
    split: { rule: "CLEANUP-002 §3.3.1" },
    fill: (ring) => {
      ring.offer(PLAIN);
      ring.publish(0);
    },
  },
  {
    does: "the same buffer ID twice at once",
    packed: { rule: "PACKED-033 §2.8.6" },
    fill: (ring) => {
      ring.offer({ ...PLAIN, id: 3 });
      ring.offer({ ...PLAIN, id: 3 });
    },
  },
  {
    does: "a chain whose second descriptor is not available yet",
    packed: {
      rule: "PACKED-021 §2.8.17",
      differs: inBoth(ours("a list is available as a whole; QEMU reads on whatever the flags say")),
    },
    fill: (ring) => {
      ring.packed.desc(1, PLAIN);
      ring.offerAs([{ ...PLAIN, flags: NEXT }]);
    },
  },
  {
    does: "a descriptor with a flag that is undefined",
    split: { rule: "§2.7.5" },
    packed: { rule: "§2.8.5" },
    fill: (ring) => ring.offer({ ...PLAIN, flags: 0x10 }),
  },
  {
    does: "an indirect table of one entry, INDIRECT_DESC not negotiated",
    split: {
      rule: "SPLIT-INDIRECT-001 §2.7.5.3.1",
      differs: inBoth(ours("the flag has no meaning before it is negotiated; QEMU follows it")),
    },
    packed: {
      rule: "PACKED-INDIRECT-001 §2.8.19",
      differs: inBoth(ours("the flag has no meaning before it is negotiated; QEMU follows it")),
    },
    fill: (ring) => {
      ring.table(PLAIN);
      ring.offer(table(1));
    },
  },
  {
    does: "an indirect table of two entries",
    split: { rule: "SPLIT-INDIRECT-008 §2.7.5.3" },
    packed: { rule: "PACKED-INDIRECT-005 §2.8.7" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(PLAIN, PLAIN);
      ring.offer(table(2));
    },
  },
  {
    does: "the same with WRITE on the descriptor that points to it",
    split: { rule: "SPLIT-INDIRECT-006 §2.7.5.3.2" },
    packed: { rule: "PACKED-INDIRECT-006 §2.8.7" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(PLAIN, PLAIN);
      ring.offer({ ...table(2), flags: INDIRECT | WRITE });
    },
  },
  {
    does: "an indirect table of length 0",
    split: { rule: "SPLIT-INDIRECT-008 §2.7.5.3" },
    packed: {
      rule: "PACKED-INDIRECT-005 §2.8.7",
      notAsked: "ends: an assertion fails when it maps a table of no bytes",
    },
    more: INDIRECT_DESC,
    fill: (ring) => ring.offer(table(0)),
  },
  {
    does: "an indirect table of 24 bytes, one entry and a half",
    split: { rule: "SPLIT-INDIRECT-008 §2.7.5.3" },
    packed: { rule: "PACKED-INDIRECT-005 §2.8.7" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(PLAIN);
      ring.offer({ ...table(1), len: 24 });
    },
  },
  {
    does: "an indirect table that is no RAM",
    split: { rule: "§2.7.5.3" },
    packed: { rule: "§2.8.7" },
    more: INDIRECT_DESC,
    fill: (ring) => ring.offer({ ...table(1), addr: NO_RAM }),
  },
  {
    does: "a descriptor with INDIRECT and NEXT",
    split: {
      rule: "SPLIT-INDIRECT-004 §2.7.5.3.1",
      differs: inBoth(ours("the two exclude each other; QEMU looks at INDIRECT alone")),
    },
    packed: {
      rule: "PACKED-INDIRECT-004 §2.8.19",
      differs: inBoth(ours("the two exclude each other; QEMU looks at INDIRECT alone")),
    },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(PLAIN);
      ring.offer(table(1), PLAIN);
    },
  },
  {
    does: "INDIRECT behind a direct descriptor",
    packed: {
      rule: "PACKED-INDIRECT-004 §2.8.19",
      differs: inBoth(ours("a list is direct or indirect as a whole; QEMU takes the table for a buffer")),
    },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(PLAIN);
      ring.offer(PLAIN, table(1));
    },
  },
  {
    does: "an entry with INDIRECT in an indirect table",
    split: {
      rule: "SPLIT-INDIRECT-002 §2.7.5.3.1",
      differs: inBoth(ours("tables are not nested; QEMU takes the inner table for a buffer")),
    },
    packed: { rule: "PACKED-INDIRECT-005 §2.8.7" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table({ ...PLAIN, flags: INDIRECT });
      ring.offer(table(1));
    },
  },
  {
    does: "an entry whose `next` is outside of its indirect table",
    split: { rule: "SPLIT-INDIRECT-008 §2.7.5.3" },
    packed: { rule: "PACKED-INDIRECT-005 §2.8.7" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table({ ...PLAIN, flags: NEXT, ...(ring.layout === "split" ? { next: 5 } : {}) });
      ring.offer(table(1));
    },
  },
  {
    does: "an indirect table that leads back to its first entry",
    split: { rule: "SPLIT-INDIRECT-003 §2.7.5.3.1" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(PLAIN, { ...PLAIN, flags: NEXT, next: 0 });
      ring.offer(table(2));
    },
  },
  {
    does: "an indirect table of twice the queue size",
    split: { rule: "SPLIT-INDIRECT-003 §2.7.5.3.1" },
    packed: { rule: "PACKED-INDIRECT-003 §2.8.19" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(...times(2 * RING_SIZE, PLAIN));
      ring.offer(table(2 * RING_SIZE));
    },
  },
  {
    does: "an indirect table of 1025 entries",
    split: { rule: "SPLIT-INDIRECT-003 §2.7.5.3.1" },
    packed: { rule: "PACKED-INDIRECT-003 §2.8.19" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(...times(1025, PLAIN));
      ring.offer(table(1025));
    },
  },
  {
    does: "a writable buffer in a transmit queue",
    split: { rule: "CONSOLE-005 §5.3.6.1" },
    packed: { rule: "CONSOLE-005 §5.3.6.1" },
    fill: (ring) => ring.offer({ ...PLAIN, flags: WRITE }),
  },
];

/** Every case in every layout that has it. */
export const RING_PROBES: readonly Probe[] = CASES.flatMap(({ does, more = [], fill, ...layouts }) =>
  (["split", "packed"] as const).flatMap((layout): Probe[] => {
    const inLayout = layouts[layout];
    if (inLayout === undefined) return [];
    return [
      {
        does: `${layout}: ${does}`,
        device: "console",
        ...inLayout,
        run: (driver) => {
          const ring = driver.live(layout, { more });
          fill(ring);
          driver.notify();
          return driver.outcome(ring);
        },
      },
    ];
  }),
);
