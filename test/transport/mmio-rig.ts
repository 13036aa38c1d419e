/**
 * A device behind its virtio-mmio window, and a driver by hand: register accesses on a bench.
 */
import { expect } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as mmio from "../../src/spec/mmio";
import { type MmioOptions, MmioTransport } from "../../src/transport/mmio";
import { areasOf, DeviceBench, type DeviceBenchOptions, featuresOf, SPLIT_AREAS } from "./device-bench";
import { type AreaAddresses, acceptWord, type MmioHand, programQueue } from "./mmio-hand";

/** What a rig is made of. */
export interface MmioRigOptions extends DeviceBenchOptions {
  readonly mmio?: MmioOptions;
}

/** The two sides and what was heard of them. */
export class MmioRig extends DeviceBench implements MmioHand {
  readonly mmio: MmioTransport;
  /** Levels of the interrupt line as they came. */
  readonly levels: boolean[] = [];

  constructor(options: MmioRigOptions = {}) {
    super(options);
    this.mmio = new MmioTransport(this.device, {
      onInterrupt: (level) => this.levels.push(level),
      ...options.mmio,
    });
  }

  get(at: number): number {
    return this.mmio.read(at, 4);
  }

  put(at: number, value: number): void {
    this.mmio.write(at, value, 4);
  }

  /** Through the status steps up to `status`, with these features accepted where that comes. */
  to(status: number, accepted: readonly string[] = ["VERSION_1"]): this {
    this.put(mmio.VIRTIO_MMIO_STATUS, 0);
    for (const next of [0x01, 0x03, 0x0b, 0x0f]) {
      if (next > status) break;
      if (next === 0x0b) this.accept(FeatureSet.from(accepted));
      this.put(mmio.VIRTIO_MMIO_STATUS, next);
      expect(this.get(mmio.VIRTIO_MMIO_STATUS)).toBe(next);
    }
    return this;
  }

  /** Words 2 and 3 only for bits there, and first: a device of two words takes them for word 1. */
  accept({ words }: FeatureSet): void {
    for (const word of [3, 2, 1, 0] as const) {
      if (word < 2 || words[word] !== 0) acceptWord(this, word, words[word]);
    }
  }

  /** Size and addresses of a queue, not QueueReady. */
  program(index: number, size: number, areas: AreaAddresses): void {
    programQueue(this, index, size, areas);
  }

  /** Programs a queue and makes it ready. */
  setUp(index = 0, size = 8, areas: AreaAddresses = SPLIT_AREAS): void {
    this.program(index, size, areas);
    this.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
  }

  /** A live device with queue 0 of 8 ready. */
  live(layout: "split" | "packed" = "split", more: readonly string[] = []): this {
    this.to(0x0b, [...featuresOf(layout), ...more]);
    this.setUp(0, 8, areasOf(layout));
    this.put(mmio.VIRTIO_MMIO_STATUS, 0x0f);
    expect([this.get(mmio.VIRTIO_MMIO_QUEUE_READY), this.codes()]).toEqual([1, []]);
    this.serve(); // at DRIVER_OK a device looks at its queues without being notified
    return this;
  }
}
