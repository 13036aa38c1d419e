/**
 * A virtio-mmio driver by hand (§4.2.2): whole registers, a word of accepted features, the set-up of a queue. It judges
 * nothing, and writes what its caller says, in range or not.
 */
import * as mmio from "../../src/spec/mmio";
import type { Areas } from "../raw-ring";

/** Guest-physical places of a queue's areas; too wide for a number now and then. */
export type AreaAddresses = { readonly [Name in keyof Areas]: number | bigint };

/** Ring places of the corpus. */
export const SPLIT_AREAS: Areas = { descriptor: 0x1000, driver: 0x2000, device: 0x3000 };
export const PACKED_AREAS: Areas = { descriptor: 0x1000, driver: 0x2000, device: 0x2010 };
export const areasOf = (layout: "split" | "packed"): Areas =>
  layout === "split" ? SPLIT_AREAS : PACKED_AREAS;
/** What a driver accepts for a layout. */
export const featuresOf = (layout: "split" | "packed"): string[] =>
  layout === "split" ? ["VERSION_1"] : ["VERSION_1", "RING_PACKED"];

/** Steps of a driver that take several registers. */
export abstract class MmioHand {
  abstract get(at: number): number;
  abstract put(at: number, value: number): void;

  /** Replaces one word of the accepted features. */
  acceptWord(word: number, bits: number): void {
    this.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
    this.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES, bits);
  }

  /** Size and addresses of a queue, not QueueReady. */
  program(index: number, size: number, areas: AreaAddresses): void {
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
  setUp(index = 0, size = 8, areas: AreaAddresses = SPLIT_AREAS): void {
    this.program(index, size, areas);
    this.put(mmio.VIRTIO_MMIO_QUEUE_READY, 1);
  }
}
