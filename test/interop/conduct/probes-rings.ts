/** Probes of chains of direct descriptors (§2.7.5, §2.7.6, §2.8.5, §2.8.6): sound ones, and what a device can't follow. */
import { VIRTQ_DESC_F_NEXT as NEXT, VIRTQ_DESC_F_WRITE as WRITE } from "../../../src/spec/queue";
import { inBoth, ours, type Probe, qemus } from "./probe";
import { BUFFER, PLAIN, RING_SIZE } from "./probe-ring";
import { NO_RAM, type RingCase, ringProbes } from "./ring-case";

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
    fill: (ring) => ring.offerAs(Array.from({ length: RING_SIZE }, () => ({ ...PLAIN, flags: NEXT }))),
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
    split: { rule: "§2.7.13.1" },
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
    does: "a writable buffer in a transmit queue",
    split: { rule: "CONSOLE-005 §5.3.6.1" },
    packed: { rule: "CONSOLE-005 §5.3.6.1" },
    fill: (ring) => ring.offer({ ...PLAIN, flags: WRITE }),
  },
];

export const RING_PROBES: readonly Probe[] = ringProbes(CASES);
