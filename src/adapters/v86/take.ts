/**
 * The chains of one take of a queue, which become requests one by one. Their records stand where the core wrote them
 * until the queue takes again; what is not replied to by then is copied.
 */
import * as abi from "../../../assembly/abi";
import type { Core } from "../../core/core";
import type { Chain } from "../../virtqueue/chain";
import type { DeviceQueue } from "../../virtqueue/device-queue";
import { type Origin, PoppedRequest } from "./request";

// Words of a chain record.
const TOKEN = abi.CHAIN_TOKEN >>> 2;
const READABLE = abi.CHAIN_READABLE_BYTES >>> 2;
const WRITABLE = abi.CHAIN_WRITABLE_BYTES >>> 2;
const TWO_32 = 2 ** 32;

/** One take, from its first request to its last reply. */
export class Take implements Origin {
  readonly core: Core;
  readonly queue: DeviceQueue;
  /** Chains that are not requests yet: from `made` to `count`. */
  private count: number;
  private made = 0;
  private replied = 0;
  private kept: readonly Chain[] | undefined = undefined;

  /** @param count chains of the queue's last take */
  constructor(core: Core, queue: DeviceQueue, count: number) {
    this.core = core;
    this.queue = queue;
    this.count = count;
  }

  /** The next chain as a request; undefined after the last one. */
  next(): PoppedRequest | undefined {
    if (this.made === this.count) return undefined;
    const words = this.core.words();
    const index = this.made++;
    const at = this.queue.record(index);
    return new PoppedRequest(
      this,
      index,
      words[at + TOKEN] ?? 0,
      wide(words[at + READABLE] ?? 0, words[at + READABLE + 1] ?? 0),
      wide(words[at + WRITABLE] ?? 0, words[at + WRITABLE + 1] ?? 0),
    );
  }

  reply(token: number, written: number): void {
    this.replied++;
    this.queue.completeLater(token, written);
  }

  chain(index: number): Chain | undefined {
    return this.kept === undefined ? this.queue.chain(index).keep() : this.kept[index];
  }

  /** Before the queue takes again. */
  end(): void {
    if (this.replied === this.made) return;
    this.kept = Array.from({ length: this.made }, (_, index) => this.queue.chain(index).keep());
  }

  /**
   * Gives chains back as if they had not been taken: those that are no requests, and the last requests.
   *
   * @param requests so many of them, that nobody was given
   */
  undo(requests: number): void {
    this.made -= requests;
    while (this.count > this.made) this.queue.undo(this.queue.chain(--this.count).token);
  }
}

/** A 64-bit number of bytes, at most 2^32; almost all have no high half. */
function wide(low: number, high: number): number {
  return high === 0 ? low : low + high * TWO_32;
}
