/**
 * A device behind its virtio-mmio window, and a driver by hand: register accesses on a bench.
 */
import { expect } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";
import * as mmio from "../../src/spec/mmio";
import { type MmioOptions, MmioTransport } from "../../src/transport/mmio";
import type { Areas } from "../raw-ring";
import { areasOf, DeviceBench, type DeviceBenchOptions, featuresOf, SPLIT_AREAS } from "./device-bench";

/** What a rig is made of. */
export interface MmioRigOptions extends DeviceBenchOptions {
  readonly mmio?: MmioOptions;
}

/** The two sides and what was heard of them. */
export class MmioRig extends DeviceBench {
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

  accept({ words }: FeatureSet): void {
    words.forEach((word, index) => {
      this.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, index);
      this.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES, word);
    });
  }

  /** Size and addresses of a queue, not QueueReady. */
  program(index: number, size: number, areas: { [Name in keyof Areas]: number | bigint }): void {
    this.put(mmio.VIRTIO_MMIO_QUEUE_SEL, index);
    this.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, size);
    for (const [at, address] of [
      [mmio.VIRTIO_MMIO_QUEUE_DESC_LOW, areas.descriptor],
      [mmio.VIRTIO_MMIO_QUEUE_DRIVER_LOW, areas.driver],
      [mmio.VIRTIO_MMIO_QUEUE_DEVICE_LOW, areas.device],
    ] as const) {
      this.put(at, Number(BigInt(address) & 0xffff_ffffn));
      this.put(at + 4, Number(BigInt(address) >> 32n));
    }
  }

  /** Programs a queue and makes it ready. */
  setUp(index = 0, size = 8, areas: { [Name in keyof Areas]: number | bigint } = SPLIT_AREAS): void {
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
