/**
 * A driver by hand for one subject: the steps that probes share, and short words for what it sees. The words hold nothing
 * that depends on time.
 */
import { hex } from "../../../src/negotiation/control-event";
import { FeatureSet } from "../../../src/negotiation/feature-set";
import * as mmio from "../../../src/spec/mmio";
import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from "../../../src/spec/packed";
import {
  VIRTIO_CONFIG_S_FEATURES_OK as FEATURES_OK,
  VIRTIO_CONFIG_S_NEEDS_RESET as NEEDS_RESET,
} from "../../../src/spec/status";
import { type RawMemory, RawPacked, RawSplit } from "../../raw-ring";
import { areasOf, featuresOf, SPLIT_AREAS } from "../../transport/device-bench";
import { type AreaAddresses, acceptWord, type MmioHand, programQueue } from "../../transport/mmio-hand";
import { BUFFER, type Layout, PLAIN, ProbeRing, RING_SIZE } from "./probe-ring";
import type { Subject } from "./subject";

/** The queue that most probes use: what a console sends. */
export const TRANSMITQ = 1;

/** Status bytes in the order of §3.1.1. */
const STEPS = [0x01, 0x03, 0x0b, 0x0f];

/** The driver of one subject. */
export class ProbeDriver implements MmioHand {
  readonly subject: Subject;

  constructor(subject: Subject) {
    this.subject = subject;
  }

  get memory(): RawMemory {
    return this.subject.memory;
  }

  get(at: number): number {
    return this.subject.read(at, 4) >>> 0;
  }

  put(at: number, value: number): void {
    this.subject.write(at, 4, value >>> 0);
  }

  /** Replaces one word of the accepted features. */
  acceptWord(word: number, bits: number): this {
    acceptWord(this, word, bits);
    return this;
  }

  /** Writes size and addresses of a queue, not QueueReady. */
  program(index: number, size: number, areas: AreaAddresses): void {
    programQueue(this, index, size, areas);
  }

  /** Programs a queue and makes it ready. */
  setUp(index = 0, size = 8, areas: AreaAddresses = SPLIT_AREAS): void {
    this.program(index, size, areas);
    this.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
  }

  /** Writes status bytes one after the other. */
  status(...bytes: readonly number[]): this {
    for (const byte of bytes) this.put(mmio.VIRTIO_MMIO_STATUS, byte);
    return this;
  }

  /** Replaces the accepted features: words 1 and 0, for a device may take 2 and 3 for word 1. */
  accept(features: readonly (string | number)[]): this {
    const { words } = FeatureSet.from(features);
    for (const word of [1, 0] as const) this.acceptWord(word, words[word]);
    return this;
  }

  /** A reset, and the steps up to FEATURES_OK or DRIVER_OK with these features accepted. */
  to(status: number, features: readonly (string | number)[] = ["VERSION_1"]): this {
    this.status(0);
    for (const step of STEPS.filter((step) => step <= status)) {
      if (step === 0x0b) this.accept(features);
      this.status(step);
    }
    return this;
  }

  /** A device with FEATURES_OK and one queue of eight descriptors. */
  ready(layout: Layout, { queue = TRANSMITQ, more = [] as readonly string[] } = {}): ProbeRing {
    this.to(0x0b, [...featuresOf(layout), ...more]);
    this.setUp(queue, RING_SIZE, areasOf(layout));
    return new ProbeRing(this.memory, layout);
  }

  /** The same, with DRIVER_OK. */
  live(layout: Layout, options: Parameters<ProbeDriver["ready"]>[1] = {}): ProbeRing {
    const ring = this.ready(layout, options);
    this.status(0x0f);
    return ring;
  }

  notify(queue = TRANSMITQ): this {
    this.put(mmio.VIRTIO_MMIO_QUEUE_NOTIFY, queue);
    return this;
  }

  offered(word: number): number {
    this.put(mmio.VIRTIO_MMIO_DEVICE_FEATURES_SEL, word);
    return this.get(mmio.VIRTIO_MMIO_DEVICE_FEATURES);
  }

  /** A register of the queue that is selected. */
  ofQueue(queue: number, at: number): number {
    this.put(mmio.VIRTIO_MMIO_QUEUE_SEL, queue);
    return this.get(at);
  }

  // What it sees

  get statusText(): string {
    return `status ${hex(this.get(mmio.VIRTIO_MMIO_STATUS))}`;
  }

  get verdict(): string {
    return (this.get(mmio.VIRTIO_MMIO_STATUS) & FEATURES_OK) !== 0 ? "FEATURES_OK" : "refused";
  }

  get needsReset(): boolean {
    return (this.get(mmio.VIRTIO_MMIO_STATUS) & NEEDS_RESET) !== 0;
  }

  /** What has become of the chains of a ring. */
  outcome(ring: ProbeRing): string {
    const { used } = ring;
    const words = used === 0 ? "not used" : `${used} used`;
    if (!this.needsReset) return words;
    return used === 0 ? "needs reset" : `needs reset, ${words}`;
  }

  /** Sends one sound buffer, and sees what has become of all chains of the ring. */
  send(ring: ProbeRing): string {
    ring.offer(PLAIN);
    this.notify();
    return this.outcome(ring);
  }

  /**
   * Which ring the device takes its first chain from. The bytes are the same chain in both layouts: a descriptor that is
   * available by its flags and by the available ring.
   */
  ringInForce(queue = TRANSMITQ): string {
    const split = new RawSplit(this.memory, RING_SIZE, SPLIT_AREAS);
    const packed = new RawPacked(this.memory, RING_SIZE, SPLIT_AREAS);
    packed.desc(0, { addr: BUFFER, len: 16, flags: VIRTQ_DESC_F_AVAIL });
    split.setAvailRing(0, 0);
    split.availIdx = 1;
    this.setUp(queue, RING_SIZE, SPLIT_AREAS);
    const status = this.get(mmio.VIRTIO_MMIO_STATUS);
    this.status(status | 0x04).notify(queue);
    // The packed one first: where the used index of a split ring is, a packed device writes its event flags.
    if ((packed.flags(0) & VIRTQ_DESC_F_USED) !== 0) return "packed ring served";
    return split.usedIdx === 1 ? "split ring served" : "no ring served";
  }
}
