/**
 * The entropy device (§5.4): fills the writable buffers of its one queue with random bytes, at once or by Promise.
 * No features, no configuration. A request that waits for its bytes is dropped by a reset (§2.4.1, §2.6.1).
 */
import type { DeviceContext, DeviceModel } from "../device/model";
import { VirtioError } from "../errors";
import type { Chain } from "../virtqueue/chain";
import type { DeviceQueue } from "../virtqueue/device-queue";

/** Fills the bytes with randomness, now or by the time its Promise resolves. They are not guest memory. */
export type EntropySource = (bytes: Uint8Array) => void | Promise<void>;

/** How an entropy device behaves. */
export interface RngOptions {
  /** Largest queue size, 1…32768. Default 256. */
  readonly queueSize?: number;
  /** Most bytes for one request, 1 and up: no driver makes the device collect gigabytes. Default 65536. */
  readonly mostBytes?: number;
}

/** What getRandomValues gives at once. */
const PIECE = 65_536;

/** The device model of an entropy device. */
export class RngModel implements DeviceModel {
  readonly name = "rng";
  readonly deviceId = 4;
  readonly deviceType = "entropy";
  readonly queues: DeviceModel["queues"];
  readonly offers: readonly string[] = [];
  readonly config: DeviceModel["config"] = [];
  /** Chains against the driver's rules so far: with readable buffers or without writable ones (§5.4.6.1). */
  breaches = 0;
  private readonly source: EntropySource;
  private readonly mostBytes: number;
  private context: DeviceContext | undefined;

  /**
   * @param source default: the platform's getRandomValues. If it fails, the device needs a reset
   * @throws VirtioError BAD_ARGUMENT if `mostBytes` allows none
   */
  constructor(source: EntropySource = platformRandom, options: RngOptions = {}) {
    this.source = source;
    this.mostBytes = options.mostBytes ?? PIECE;
    if (!Number.isInteger(this.mostBytes) || this.mostBytes < 1) {
      const text = `${this.mostBytes} bytes at most: a request gets one or more`;
      throw new VirtioError("BAD_ARGUMENT", text, { section: "5.4.6" });
    }
    this.queues = [{ name: "requestq", maxSize: options.queueSize ?? 256 }];
  }

  start(context: DeviceContext): void {
    this.context = context;
  }

  reset(): void {
    this.context = undefined;
  }

  process(index: number, queue: DeviceQueue, budget: number): number {
    const { context } = this;
    if (context === undefined) return 0;
    let served = 0;
    while (served < budget) {
      const taken = queue.take(budget - served);
      if (taken === 0) break;
      for (let i = 0; i < taken; i++) this.serve(context, index, queue, queue.chain(i));
      served += taken;
    }
    return served;
  }

  private serve(context: DeviceContext, index: number, queue: DeviceQueue, chain: Chain): void {
    if (chain.readableCount > 0 || chain.writableBytes === 0) this.breaches++;
    if (chain.writableBytes === 0) {
      queue.complete(chain.token, 0);
      return;
    }
    // §5.4.6.2: one byte or more, not necessarily as many as there is room for.
    const bytes = new Uint8Array(Math.min(chain.writableBytes, this.mostBytes));
    const collected = this.source(bytes);
    if (typeof collected !== "object" || !("then" in collected)) {
      answer(queue, chain, bytes);
      return;
    }
    const kept = chain.keep();
    const arrived = () => {
      if (!queue.alive || queue.error !== undefined) return;
      answer(queue, kept, bytes);
      context.finish(index);
    };
    context.later(collected, arrived, (reason) => {
      throw reason;
    });
  }
}

function answer(queue: DeviceQueue, chain: Chain, bytes: Uint8Array): void {
  const writer = chain.writer();
  writer.write(bytes);
  queue.complete(chain.token, writer.written);
}

function platformRandom(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += PIECE) {
    globalThis.crypto.getRandomValues(bytes.subarray(at, at + PIECE));
  }
}
