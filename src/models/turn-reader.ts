/**
 * Reads the device-readable bytes of chains in turns of bounded length. Many descriptors may name the same page, so
 * that a chain has gigabytes where guest memory has not; the host is not to wait for those. A chain that is not at
 * its end is kept and goes on at the next turn; a reset of its queue drops it (§2.6.1).
 */
import type { Chain, ChainReader } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";

/** Bytes that are copied at once, a multiple of 4. */
const PIECE = 0x4000;
/** Bytes after which a turn ends. */
const TURN = 0x10000;

/** What becomes of the chains. */
export interface TurnVisitor {
  /** A chain was taken. */
  chain(chain: Chain): void;
  /** Its next bytes, 16384 of them or what is left: a copy, overwritten by the next ones. */
  bytes(bytes: Uint8Array): void;
}

/** The reader of one queue whose chains are read to their ends and used with length 0. */
export class TurnReader {
  private readonly visitor: TurnVisitor;
  private readonly copy = new Uint8Array(PIECE);
  private open:
    | { readonly queue: DeviceQueue; readonly chain: Chain; readonly reader: ChainReader }
    | undefined;

  constructor(visitor: TurnVisitor) {
    this.visitor = visitor;
  }

  /** One turn, as DeviceModel.process: `budget` also says that the turn ended before the queue did. */
  process(queue: DeviceQueue, budget: number): number {
    if (this.open?.queue !== queue) this.open = undefined;
    let left = TURN;
    for (let served = 0; served < budget; served++) {
      this.open ??= this.take(queue);
      if (this.open === undefined) return served;
      const { chain, reader } = this.open;
      while (reader.remaining > 0) {
        if (left <= 0) return budget;
        const count = reader.read(this.copy);
        left -= count;
        this.visitor.bytes(this.copy.subarray(0, count));
      }
      this.open = undefined;
      queue.complete(chain.token, 0);
    }
    return budget;
  }

  /** Forgets the chain that is not at its end. */
  reset(): void {
    this.open = undefined;
  }

  private take(queue: DeviceQueue) {
    if (queue.take(1) === 0) return undefined;
    const chain = queue.chain(0).keep();
    this.visitor.chain(chain);
    return { queue, chain, reader: chain.reader() };
  }
}
