/**
 * Steps of a virtio-mmio driver by hand that take several registers (§4.2.2): a word of accepted features, the set-up of a
 * queue. They judge nothing, and write what their caller says, in range or not.
 */
import * as mmio from "../../src/spec/mmio";
import type { Areas } from "../raw-ring";

/** Guest-physical places of a queue's areas; too wide for a number now and then. */
export type AreaAddresses = { readonly [Name in keyof Areas]: number | bigint };

/** Whole registers of one window. */
export interface MmioHand {
  put(at: number, value: number): void;
}

/** Replaces one word of the accepted features. */
export function acceptWord(hand: MmioHand, word: number, bits: number): void {
  hand.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
  hand.put(mmio.VIRTIO_MMIO_DRIVER_FEATURES, bits);
}

/** Writes size and addresses of a queue, not QueueReady. */
export function programQueue(hand: MmioHand, index: number, size: number, areas: AreaAddresses): void {
  hand.put(mmio.VIRTIO_MMIO_QUEUE_SEL, index);
  hand.put(mmio.VIRTIO_MMIO_QUEUE_SIZE, size);
  for (const [at, address] of [
    [mmio.VIRTIO_MMIO_QUEUE_DESC_LOW, areas.descriptor],
    [mmio.VIRTIO_MMIO_QUEUE_DRIVER_LOW, areas.driver],
    [mmio.VIRTIO_MMIO_QUEUE_DEVICE_LOW, areas.device],
  ] as const) {
    hand.put(at, Number(BigInt(address) & 0xffff_ffffn));
    hand.put(at + 4, Number(BigInt(address) >> 32n));
  }
}
