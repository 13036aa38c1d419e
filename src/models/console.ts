/**
 * The console device with one port (§5.3): what the driver sends goes to the host, what the host types goes into
 * receive buffers as they come. No receive buffer is taken while there is nothing to put into it.
 * Not here: MULTIPORT and its control queues.
 */
import { type ConfigField, configFields, type DeviceContext, type DeviceModel } from "../device/model";
import { VirtioError } from "../errors";
import { FeatureSet } from "../negotiation/feature-set";
import { VIRTIO_CONSOLE_RECEIVEQ, VIRTIO_CONSOLE_TRANSMITQ } from "../spec/console";
import type { DeviceQueue } from "../virtqueue/device-queue";
import { TurnReader } from "./turn-reader";

/** What a console offers and where its output goes. */
export interface ConsoleOptions {
  /** Takes what the driver sent, in order; the bytes are the host's to keep. A long buffer comes in pieces. */
  readonly onOutput?: (bytes: Uint8Array) => void;
  /** Device-type features: any of SIZE, EMERG_WRITE. Default both. */
  readonly offers?: readonly string[];
  /** Characters per row, 0…65535. Default 80. */
  readonly cols?: number;
  /** Rows, 0…65535. Default 25. */
  readonly rows?: number;
  /** Largest size of both queues, 1…32768. Default 64. */
  readonly queueSize?: number;
  /** Most bytes of input that wait for receive buffers. Default 65536. */
  readonly backlog?: number;
}

/** Features that this model can offer. */
const KNOWN = ["SIZE", "EMERG_WRITE"];

/** The device model of a console. */
export class ConsoleModel implements DeviceModel {
  readonly name = "console";
  readonly deviceId = 3;
  readonly deviceType = "console";
  readonly queues: DeviceModel["queues"];
  readonly offers: readonly string[];
  readonly config: readonly ConfigField[];
  /** Chains against the driver's rules so far: a buffer of the wrong kind, or none of the right one (§5.3.6.1). */
  breaches = 0;
  private readonly onOutput: (bytes: Uint8Array) => void;
  private readonly transmitted: TurnReader;
  /** Input that waits; its first `waiting` bytes count. */
  private readonly backlog: Uint8Array;
  private waiting = 0;
  private size: { readonly cols: number; readonly rows: number };
  private context: DeviceContext | undefined;

  /** @throws VirtioError BAD_ARGUMENT, UNKNOWN_NAME for options that make no console */
  constructor(options: ConsoleOptions = {}) {
    const { cols = 80, rows = 25, queueSize = 64 } = options;
    this.offers = FeatureSet.from(options.offers ?? KNOWN, "console").names("console");
    const unknown = this.offers.find((name) => !KNOWN.includes(name));
    if (unknown !== undefined) {
      throw bad(`the console model cannot offer ${unknown}, only ${KNOWN.join(", ")}`, "5.3.3");
    }
    this.queues = [
      { name: "receiveq", maxSize: queueSize },
      { name: "transmitq", maxSize: queueSize },
    ];
    this.size = judgeSize(cols, rows);
    this.backlog = new Uint8Array(options.backlog ?? 0x10000);
    this.onOutput = options.onOutput ?? (() => {});
    this.transmitted = new TurnReader({
      chain: ({ readableBytes, writableCount }) => {
        if (readableBytes === 0 || writableCount > 0) this.breaches++;
      },
      bytes: (bytes) => this.onOutput(bytes.slice()),
    });
    this.config = configFields("console", {
      cols: () => this.size.cols,
      rows: () => this.size.rows,
      emerg_wr: () => 0, // what is written is gone: the field keeps nothing
    });
  }

  start(context: DeviceContext): void {
    this.context = context;
  }

  reset(): void {
    this.context = undefined;
    this.waiting = 0;
    this.transmitted.reset();
  }

  /**
   * Types something: it is put into receive buffers, several if they are small, when the device is processed.
   *
   * @returns how many bytes were taken; the rest waits for room. 0 while no driver runs; a reset drops what waits
   */
  input(bytes: Uint8Array): number {
    if (this.context === undefined) return 0;
    const taken = Math.min(bytes.length, this.backlog.length - this.waiting);
    this.backlog.set(bytes.subarray(0, taken), this.waiting);
    this.waiting += taken;
    this.context.finish(VIRTIO_CONSOLE_RECEIVEQ);
    return taken;
  }

  /**
   * Changes the size; a driver that negotiated SIZE is notified.
   *
   * @param cols characters per row, 0…65535
   * @param rows 0…65535
   * @throws VirtioError BAD_ARGUMENT, also if SIZE is not offered
   */
  resize(cols: number, rows: number): void {
    if (!this.offers.includes("SIZE")) throw bad("this console offers no SIZE to change", "5.3.4");
    this.size = judgeSize(cols, rows);
    if (this.context?.negotiated.has("SIZE", "console")) this.context.configChanged();
  }

  /** §5.3.5.1: an emergency write counts at any status; its low byte is the character. */
  configWritten(_name: "emerg_wr", value: number | bigint): void {
    this.onOutput(Uint8Array.of(Number(value) & 0xff));
  }

  process(index: number, queue: DeviceQueue, budget: number): number {
    return index === VIRTIO_CONSOLE_TRANSMITQ
      ? this.transmitted.process(queue, budget)
      : this.receive(queue, budget);
  }

  private receive(queue: DeviceQueue, budget: number): number {
    let served = 0;
    while (this.waiting > 0 && served < budget && queue.take(1) === 1) {
      const chain = queue.chain(0);
      if (chain.readableCount > 0 || chain.writableBytes === 0) this.breaches++;
      const count = Math.min(this.waiting, chain.writableBytes);
      chain.writer().write(this.backlog.subarray(0, count));
      queue.complete(chain.token, count);
      this.backlog.copyWithin(0, count, this.waiting);
      this.waiting -= count;
      served++;
    }
    return served;
  }
}

function judgeSize(cols: number, rows: number): { readonly cols: number; readonly rows: number } {
  for (const value of [cols, rows]) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff) {
      throw bad(`a console of ${cols} × ${rows}: both are within 0…65535`, "5.3.4");
    }
  }
  return { cols, rows };
}

function bad(message: string, section: string): VirtioError {
  return new VirtioError("BAD_ARGUMENT", message, { section });
}
