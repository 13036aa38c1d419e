/**
 * The block device (§5.2): read, write, flush and get-id over one request queue, on any BlkBackend.
 * Not here: discard, write zeroes, secure erase, lifetime and zones; they are not offered and end with
 * VIRTIO_BLK_S_UNSUPP (§5.2.6.2).
 *
 * What becomes of a request that waits for its backend:
 * - reset of the device or of its queue: dropped. Its guest memory is out of reach at once and a late answer changes
 *   nothing (§2.4.1, §2.6.1);
 * - DEVICE_NEEDS_RESET: it completes as long as its own queue is whole; on a broken queue it is dropped (§2.1.2).
 */

import { type ConfigField, configFields, type DeviceContext, type DeviceModel } from "../device/model";
import { VirtioError } from "../errors";
import { FeatureSet } from "../negotiation/feature-set";
import {
  VIRTIO_BLK_ID_BYTES,
  VIRTIO_BLK_S_IOERR,
  VIRTIO_BLK_S_OK,
  VIRTIO_BLK_S_UNSUPP,
  VIRTIO_BLK_SECTOR_SIZE,
  VIRTIO_BLK_T_FLUSH,
  VIRTIO_BLK_T_GET_ID,
  VIRTIO_BLK_T_IN,
  VIRTIO_BLK_T_OUT,
} from "../spec/blk";
import type { DeviceQueue } from "../virtqueue/device-queue";
import type { BlkBackend } from "./backend";
import { BlkRequest } from "./blk-request";

/** What a block device offers and says of itself. */
export interface BlkOptions {
  /** What VIRTIO_BLK_T_GET_ID answers: up to 20 bytes of ASCII. Default "virtq". */
  readonly id?: string;
  /** Device-type features: any of FLUSH, SEG_MAX, BLK_SIZE, CONFIG_WCE, RO. Default FLUSH, SEG_MAX, BLK_SIZE. */
  readonly offers?: readonly string[];
  /** Largest queue size, 1…32768. Default 256. */
  readonly queueSize?: number;
  /** Most data segments of a request, shown with SEG_MAX. Default: what fits beside header and status. */
  readonly segMax?: number;
  /** Block size in bytes, shown with BLK_SIZE: a hint, requests stay in sectors of 512 (§5.2.5). Default 512. */
  readonly blkSize?: number;
  /** Hears why a backend failed; the driver is told VIRTIO_BLK_S_IOERR. */
  readonly onBackendError?: (error: unknown) => void;
}

/** Features that this model can offer. */
const KNOWN = ["FLUSH", "SEG_MAX", "BLK_SIZE", "CONFIG_WCE", "RO"];

/** The device model of a block device. */
export class BlkModel implements DeviceModel {
  readonly name = "blk";
  readonly deviceId = 2;
  readonly deviceType = "blk";
  readonly queues: DeviceModel["queues"];
  readonly offers: readonly string[];
  readonly config: readonly ConfigField[];
  private readonly backend: BlkBackend;
  private readonly id: Uint8Array;
  private readonly onBackendError: (error: unknown) => void;
  private context: DeviceContext | undefined;
  private flushAccepted = false;
  /** What the driver wrote to `writeback`; undefined until it does. */
  private writebackWritten: boolean | undefined;

  /** @throws VirtioError BAD_ARGUMENT for options that contradict each other or the specification */
  constructor(backend: BlkBackend, options: BlkOptions = {}) {
    this.backend = backend;
    this.offers = FeatureSet.from(options.offers ?? ["FLUSH", "SEG_MAX", "BLK_SIZE"], "blk").names("blk");
    const unknown = this.offers.find((name) => !KNOWN.includes(name));
    if (unknown !== undefined) throw bad(`the block model cannot offer ${unknown}, only ${KNOWN.join(", ")}`);
    this.id = new TextEncoder().encode(options.id ?? "virtq");
    if (this.id.length > VIRTIO_BLK_ID_BYTES) {
      throw bad(`a device ID of ${this.id.length} bytes is longer than ${VIRTIO_BLK_ID_BYTES}`, "5.2.6");
    }
    const maxSize = options.queueSize ?? 256;
    this.queues = [{ name: "requestq", maxSize }];
    this.onBackendError = options.onBackendError ?? (() => {});
    this.config = configFields("blk", {
      capacity: () => backend.sectors,
      seg_max: options.segMax ?? Math.max(1, maxSize - 2),
      blk_size: options.blkSize ?? VIRTIO_BLK_SECTOR_SIZE,
      writeback: () => Number(this.writeback),
    });
  }

  /**
   * Whether a finished write may still be volatile: CONFIG_WCE lets the driver choose, FLUSH alone means yes,
   * neither means no (§5.2.5, §5.2.6.2).
   */
  get writeback(): boolean {
    return this.writebackWritten ?? this.flushAccepted;
  }

  validate(accepted: FeatureSet): string | undefined {
    this.flushAccepted = accepted.has("FLUSH", "blk");
    return undefined;
  }

  start(context: DeviceContext): void {
    this.context = context;
  }

  configWritten(name: string, value: number | bigint): void {
    if (name === "writeback") this.writebackWritten = Number(value) !== 0;
  }

  reset(): void {
    this.context = undefined;
    this.flushAccepted = false;
    this.writebackWritten = undefined;
  }

  /** Tells the driver that the backend's size changed (§5.2.6.2: SHOULD). */
  resized(): void {
    this.context?.configChanged();
  }

  process(index: number, queue: DeviceQueue, budget: number): number {
    const context = this.context;
    if (context === undefined) return 0;
    let served = 0;
    while (served < budget) {
      const taken = queue.take(budget - served);
      if (taken === 0) break;
      for (let i = 0; i < taken; i++) this.serve(context, index, queue, i);
      served += taken;
    }
    return served;
  }

  private serve(context: DeviceContext, index: number, queue: DeviceQueue, i: number): void {
    const chain = queue.chain(i);
    const isDropped = () => !context.alive || !queue.alive || queue.error !== undefined;
    const request = BlkRequest.parse(chain, isDropped);
    if (request === undefined) {
      queue.complete(chain.token, 0);
      return;
    }
    const finish = (status: number) => {
      const hasData = request.type === VIRTIO_BLK_T_IN;
      const text = request.type === VIRTIO_BLK_T_GET_ID ? this.id : undefined;
      queue.complete(request.token, request.answerWith(status, hasData, text));
    };
    let status: number | Promise<number>;
    try {
      status = this.execute(request);
    } catch (error) {
      status = this.failed(error);
    }
    if (typeof status === "number") {
      finish(status);
      return;
    }
    const late = (value: number) => {
      if (isDropped()) return;
      finish(value);
      context.finish(index);
    };
    context.later(status, late, (reason) => late(this.failed(reason)));
  }

  private failed(reason: unknown): number {
    this.onBackendError(reason);
    return VIRTIO_BLK_S_IOERR;
  }

  /** Does the request, or starts it; the status that the driver is to see. */
  private execute(request: BlkRequest): number | Promise<number> {
    switch (request.type) {
      case VIRTIO_BLK_T_IN:
        if (!this.isWithin(request.sector, request.answer.length)) return VIRTIO_BLK_S_IOERR;
        return thenOk(this.backend.read(request.sector, request.answer));
      case VIRTIO_BLK_T_OUT:
        return this.write(request);
      case VIRTIO_BLK_T_FLUSH:
        if (!this.flushAccepted) return VIRTIO_BLK_S_UNSUPP;
        return thenOk(this.backend.flush());
      case VIRTIO_BLK_T_GET_ID:
        return VIRTIO_BLK_S_OK;
      default:
        return VIRTIO_BLK_S_UNSUPP;
    }
  }

  private write(request: BlkRequest): number | Promise<number> {
    // §5.2.6.2: with RO offered, accepted or not, a write fails and changes nothing.
    if (this.offers.includes("RO")) return VIRTIO_BLK_S_IOERR;
    if (!this.isWithin(request.sector, request.payload.length)) return VIRTIO_BLK_S_IOERR;
    const stored = this.backend.write(request.sector, request.payload);
    // §5.2.6.2: written through, data is durable before the request is used.
    if (this.writeback) return thenOk(stored);
    return thenOk(stored === undefined ? this.backend.flush() : stored.then(() => this.backend.flush()));
  }

  private isWithin(sector: number, bytes: number): boolean {
    return (
      bytes % VIRTIO_BLK_SECTOR_SIZE === 0 && sector + bytes / VIRTIO_BLK_SECTOR_SIZE <= this.backend.sectors
    );
  }
}

function thenOk(done: void | Promise<void>): number | Promise<number> {
  return done === undefined ? VIRTIO_BLK_S_OK : done.then(() => VIRTIO_BLK_S_OK);
}

function bad(message: string, section = "5.2.3"): VirtioError {
  return new VirtioError("BAD_ARGUMENT", message, { section });
}
