/**
 * The statistics of a balloon's driver (§5.5.6.3). The driver keeps one buffer available; using it asks for new values,
 * which come in the next one. That one is read and put back untaken, so that between two requests the device holds
 * nothing, and it is what the next request uses.
 */
import {
  VIRTIO_BALLOON_S_HTLB_PGFAIL as LAST_TAG,
  VIRTIO_BALLOON_STAT_BYTES as STAT_BYTES,
} from "../spec/balloon";
import type { Chain } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";

/** One value; see VIRTIO_BALLOON_S_*. */
export interface BalloonStat {
  readonly tag: number;
  /** Bytes, or a count: by the tag. */
  readonly value: bigint;
}

/** What is read of one buffer: a hundred times what there is to tell. */
const MOST_ENTRIES = 1000;

/** The statsq's side of a balloon. */
export class BalloonStats {
  private readonly onStats: (stats: BalloonStat[]) => void;
  private readonly onBreach: () => void;
  /** Nothing asked for; a buffer is to be used; the next buffer is to be read. */
  private phase: "idle" | "ask" | "read" = "idle";

  constructor(onStats: (stats: BalloonStat[]) => void, onBreach: () => void) {
    this.onStats = onStats;
    this.onBreach = onBreach;
  }

  /** Wants new values; one request at a time, more of them are the same. */
  request(): void {
    if (this.phase === "idle") this.phase = "ask";
  }

  reset(): void {
    this.phase = "idle";
  }

  /** As DeviceModel.process. */
  process(queue: DeviceQueue): number {
    if (this.phase === "idle" || queue.take(1) === 0) return 0;
    const chain = queue.chain(0);
    if (this.phase === "ask") {
      this.phase = "read";
      queue.complete(chain.token, 0);
      return 1;
    }
    this.phase = "idle";
    const stats = this.parse(chain);
    queue.undo(chain.token);
    this.onStats(stats);
    // The buffer lies there still: have it looked at again if it is to be used at once.
    return this.isAsked ? 1 : 0;
  }

  private get isAsked(): boolean {
    return this.phase === "ask";
  }

  private parse(chain: Chain): BalloonStat[] {
    const { readableBytes, writableCount } = chain;
    const entries = Math.min(Math.floor(readableBytes / STAT_BYTES), MOST_ENTRIES);
    if (writableCount > 0 || readableBytes === 0 || readableBytes > entries * STAT_BYTES) this.onBreach();
    const reader = chain.reader();
    const stats: BalloonStat[] = [];
    for (let i = 0; i < entries; i++) {
      const tag = reader.readU16();
      const value = reader.readU64();
      // §5.5.6.3.2: unknown tags are ignored, and any order is fine.
      if (tag <= LAST_TAG) stats.push({ tag, value });
    }
    return stats;
  }
}
