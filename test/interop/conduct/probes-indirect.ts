/** Probes of indirect tables (§2.7.5.3, §2.8.7): what the descriptor that points to one says, and what is in it. */
import {
  VIRTQ_DESC_F_INDIRECT as INDIRECT,
  VIRTQ_DESC_F_NEXT as NEXT,
  VIRTQ_DESC_F_WRITE as WRITE,
} from "../../../src/spec/queue";
import { inBoth, ours, type Probe } from "./probe";
import { PLAIN, RING_SIZE, TABLE } from "./probe-ring";
import { NO_RAM, type RingCase, ringProbes } from "./ring-case";

const INDIRECT_DESC = ["INDIRECT_DESC"];
/** The descriptor that points to a table. */
const table = (entries: number) => ({ addr: TABLE, len: 16 * entries, flags: INDIRECT });
const plain = (entries: number) => Array.from({ length: entries }, () => PLAIN);

const CASES: readonly RingCase[] = [
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
      ring.table(...plain(2 * RING_SIZE));
      ring.offer(table(2 * RING_SIZE));
    },
  },
  {
    does: "an indirect table of 1025 entries",
    split: { rule: "SPLIT-INDIRECT-003 §2.7.5.3.1" },
    packed: { rule: "PACKED-INDIRECT-003 §2.8.19" },
    more: INDIRECT_DESC,
    fill: (ring) => {
      ring.table(...plain(1025));
      ring.offer(table(1025));
    },
  },
];

export const INDIRECT_PROBES: readonly Probe[] = ringProbes(CASES);
