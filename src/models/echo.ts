/**
 * A device that answers with what it is sent: no device of the specification and without a device id, so for the
 * loopback transport alone. A chain's writable buffers are filled with its readable bytes, repeated.
 */
import type { DeviceModel } from "../device/model";
import type { Chain } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";

/** What an echo device may do besides. */
export interface EchoOptions {
  /** Largest queue size, 1…32768. Default 256. */
  readonly queueSize?: number;
  /** Sees each readable segment as the device took it, in order. The view is guest memory: copy what you keep. */
  readonly onTaken?: (bytes: Uint8Array) => void;
  /**
   * Answers a chain without readable bytes: fills the view, a writable segment in guest memory.
   * Without it such a chain completes with length 0.
   *
   * @param chain how many chains the device had taken since its reset
   * @param offset bytes of this chain that earlier segments hold
   */
  readonly source?: (target: Uint8Array, chain: number, offset: number) => void;
}

/** The device model of an echo. */
export class EchoModel implements DeviceModel {
  readonly name = "echo";
  readonly deviceId = 0;
  readonly queues: DeviceModel["queues"];
  readonly offers: readonly string[] = [];
  readonly config: DeviceModel["config"] = [];
  private readonly options: EchoOptions;
  private taken = 0;

  constructor(options: EchoOptions = {}) {
    this.options = options;
    this.queues = [{ name: "echoq", maxSize: options.queueSize ?? 256 }];
  }

  reset(): void {
    this.taken = 0;
  }

  process(_index: number, queue: DeviceQueue, budget: number): number {
    let served = 0;
    while (served < budget) {
      const taken = queue.take(budget - served);
      if (taken === 0) break;
      for (let i = 0; i < taken; i++) {
        const chain = queue.chain(i);
        queue.complete(chain.token, this.answer(chain));
        this.taken++;
      }
      served += taken;
    }
    return served;
  }

  /** Fills the writable buffers; returns how many bytes they hold now. */
  private answer(chain: Chain): number {
    const { readableCount, writableCount } = chain;
    const { onTaken, source } = this.options;
    for (let i = 0; onTaken && i < readableCount; i++) onTaken(chain.view(i));
    let written = 0;
    for (let i = readableCount; i < readableCount + writableCount; i++) {
      const target = chain.writableView(i);
      if (readableCount > 0) repeat(chain, written, target);
      else if (source) source(target, this.taken, written);
      else return 0;
      written += target.length;
    }
    return written;
  }
}

/** Fills `target` with the chain's readable bytes over and over, as if `offset` bytes had been written before. */
function repeat(chain: Chain, offset: number, target: Uint8Array): void {
  const period = chain.readableBytes;
  const start = offset % period;
  const once = target.subarray(0, period);
  const reader = chain.reader();
  reader.skip(start);
  const copied = reader.read(once);
  if (copied < once.length) chain.reader().read(once.subarray(copied));
  for (let done = period; done < target.length; done *= 2) target.copyWithin(done, 0, done);
}
