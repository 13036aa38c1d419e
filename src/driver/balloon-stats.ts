/** The driver's side of a balloon's statsq (§5.5.6.3.1): one buffer, filled anew whenever the device has used it. */
import type { Core } from "../core/core";
import { VIRTIO_BALLOON_STAT_BYTES as STAT_BYTES } from "../spec/balloon";
import type { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";

/** What a driver tells of its memory: the value by VIRTIO_BALLOON_S_* tag, asked for each time. */
export type BalloonStatistics = ReadonlyMap<number, () => number | bigint>;

/** No tag of the specification: the device ignores it (§5.5.6.3.2). */
const PADDING_TAG = 0xffff;

/** The one buffer of a statsq. The tags never change: every buffer has the same subset. */
export class StatsBuffer {
  private readonly core: Core;
  private readonly allocator: GuestAllocator;
  private readonly queue: DriverQueue;
  private readonly statistics: BalloonStatistics;
  private readonly entries: number;
  private readonly address: number;

  /** Makes the buffer available for the first time; publish it. */
  constructor(core: Core, allocator: GuestAllocator, queue: DriverQueue, statistics: BalloonStatistics) {
    this.core = core;
    this.allocator = allocator;
    this.queue = queue;
    this.statistics = statistics;
    // Entries take 10 bytes and the text wants a multiple of 6: three entries are a multiple of both.
    this.entries = Math.max(1, Math.ceil(statistics.size / 3)) * 3;
    this.address = allocator.allocate(this.entries * STAT_BYTES);
    this.offer();
  }

  /** Offers new values if the device asked for some by using the buffer. @returns whether there is one to publish */
  answer(): boolean {
    const used = this.queue.takeUsed();
    if (used > 0) this.offer();
    return used > 0;
  }

  dispose(): void {
    this.allocator.free(this.address);
  }

  private offer(): void {
    const length = this.entries * STAT_BYTES;
    const { buffer, byteOffset } = this.core.view(this.address, length);
    const view = new DataView(buffer, byteOffset, length);
    const entries = [...this.statistics].map(([tag, value]) => [tag, BigInt(value())] as const);
    for (let i = 0; i < this.entries; i++) {
      const [tag, value] = entries[i] ?? [PADDING_TAG, 0n];
      view.setUint16(i * STAT_BYTES, tag, true);
      view.setBigUint64(i * STAT_BYTES + 2, value, true);
    }
    this.queue.add([{ address: this.address, length }]);
  }
}
