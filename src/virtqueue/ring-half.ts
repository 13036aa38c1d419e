/**
 * What both halves of a queue share: their struct in the state area, set-up from a RingLayout, the way from the
 * core's codes to errors, touched ranges, and the end of life. Knows nothing of adding or taking.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import type { QueueStateLayout } from "../core/state-area";
import { type ErrorCode, resultName, VirtioError } from "../errors";
import { VIRTQ_SIZE_MAX } from "../spec/queue";
import { breach } from "./breach";
import { type GuestAddress, type RingLayout, ringAreas } from "./layout";

/** What a queue is made of. */
export interface QueueOptions {
  /** Queue index, 0…65535: what a notification names. */
  readonly index: number;
  /** What the layout gate gave. */
  readonly ring: RingLayout;
  /** Queue size in descriptors, 1…32768; for split a power of two. */
  readonly size: number;
  /** Guest addresses of the three areas; sizes and alignments as {@link ringAreas} says. */
  readonly areas: {
    readonly descriptor: GuestAddress;
    readonly driver: GuestAddress;
    readonly device: GuestAddress;
  };
  /** Most chains per crossing, 1…32768; default 64. */
  readonly batch?: number;
  /** Bytes of chain records (device) or submissions (driver); default: enough for the longest chain. */
  readonly recordBytes?: number;
  /** Keep the ranges that this half writes, for a remote memory or a JIT; default false. */
  readonly touched?: boolean;
  /**
   * Let a packed ring with IN_ORDER move four descriptors at a time with SIMD; default true. The results are the same
   * either way; {@link RingHalf.fours} tells which way was gone.
   */
  readonly simd?: boolean;
  /** Called once when the other side breaks the ring. */
  readonly onViolation?: (error: VirtioError) => void;
}

/** A range of guest memory that a half wrote, in bytes. */
export interface TouchedRange {
  readonly address: number;
  readonly length: number;
}

const FLAGS = {
  eventIdx: abi.FEATURE_EVENT_IDX,
  indirect: abi.FEATURE_INDIRECT,
  inOrder: abi.FEATURE_IN_ORDER,
  notificationData: abi.FEATURE_NOTIFICATION_DATA,
  notifyOnEmpty: abi.FEATURE_NOTIFY_ON_EMPTY,
} as const satisfies Partial<Record<keyof RingLayout, number>>;

function featureBits(ring: RingLayout): number {
  let bits = 0;
  for (const [name, bit] of Object.entries(FLAGS) as [keyof typeof FLAGS, number][])
    if (ring[name]) bits |= bit;
  return bits;
}

function whole(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new VirtioError("BAD_ARGUMENT", `${name} ${value} is not a whole number in ${low}…${high}`);
  }
}

/** Low and high 32 bits of a guest address. @throws VirtioError BAD_ARGUMENT when it is none */
export function splitAddress(name: string, address: GuestAddress): readonly [number, number] {
  const valid =
    typeof address === "bigint"
      ? address >= 0n && address < 1n << 64n
      : Number.isSafeInteger(address) && address >= 0;
  if (!valid) throw new VirtioError("BAD_ARGUMENT", `${name} address ${address} is not in 0…2^64-1`);
  const wide = BigInt(address);
  return [Number(wide & 0xffffffffn), Number(wide >> 32n)];
}

/** The common half of DriverQueue and DeviceQueue. */
export abstract class RingHalf {
  readonly index: number;
  readonly ring: RingLayout;
  readonly size: number;
  readonly areas: QueueOptions["areas"];
  /** Most chains per crossing. */
  readonly batch: number;
  /** Linear address of the queue struct, for the raw exports. */
  readonly q: number;
  /** ROLE_DRIVER or ROLE_DEVICE of assembly/abi.ts. */
  readonly role: number;
  /** Offsets of the queue's parts from {@link q}. */
  readonly state: QueueStateLayout;
  protected readonly core: Core;
  readonly #onViolation: ((error: VirtioError) => void) | undefined;
  readonly #logAt: number;
  readonly #logCountAt: number;
  #error: VirtioError | undefined;
  #disposed = false;

  /** @throws VirtioError BAD_ARGUMENT, QUEUE_SIZE_INVALID, RING_ALIGN, RING_ADDR_OVERFLOW, RING_OUT_OF_GUEST, RING_OVERLAP */
  protected constructor(core: Core, options: QueueOptions, role: number, optionBits: number) {
    const { index, ring, size, areas, batch = 64, recordBytes, touched } = options;
    whole("queue index", index, 0, 65535);
    whole("batch", batch, 1, VIRTQ_SIZE_MAX);
    const addresses = (["descriptor", "driver", "device"] as const).map((name) =>
      splitAddress(`${name} area`, areas[name]),
    );
    if (!Number.isInteger(size) || size < 1 || size > VIRTQ_SIZE_MAX) {
      throw breach(
        "QUEUE_SIZE_INVALID",
        { queue: index, layout: ring.layout, size },
        big(size),
        BigInt(VIRTQ_SIZE_MAX),
      );
    }
    this.core = core;
    this.role = role;
    this.index = index;
    this.ring = ring;
    this.size = size;
    this.areas = areas;
    this.#onViolation = options.onViolation;
    const { q, layout } = core.allocateQueue({ roles: role, maxSize: size, batch, recordBytes, touched });
    this.q = q;
    this.state = layout;
    this.batch = layout.batch;
    const drives = role === abi.ROLE_DRIVER;
    this.#logAt = q + (drives ? layout.driverLog : layout.deviceLog);
    this.#logCountAt = q + (drives ? abi.DRIVER_LOG_COUNT : abi.DEVICE_LOG_COUNT);
    const bits =
      featureBits(ring) |
      optionBits |
      (touched ? abi.OPTION_LOG : 0) |
      (options.simd === false ? abi.OPTION_SCALAR : 0);
    const kind = ring.layout === "packed" ? abi.LAYOUT_PACKED : abi.LAYOUT_SPLIT;
    const [descriptor = [0, 0], driver = [0, 0], device = [0, 0]] = addresses;
    const code = core.exports.queueSetUp(q, kind, size, bits, index, ...descriptor, ...driver, ...device);
    if (code < 0) {
      core.freeQueue(q);
      throw this.#setUpError(resultName(code));
    }
  }

  /** What the other side did wrong; the queue is of no use until its reset. */
  get error(): ErrorCode | undefined {
    return this.#error?.code;
  }

  /** True until {@link dispose}. */
  get alive(): boolean {
    return !this.#disposed;
  }

  /**
   * The guest ranges written since the last call, in publication order: the index or the head flags last.
   * Empty unless the queue was made with `touched`.
   */
  touched(): TouchedRange[] {
    this.assertAlive();
    const words = this.core.words();
    const count = words[this.#logCountAt >>> 2] ?? 0;
    const ranges: TouchedRange[] = [];
    for (let i = 0; i < count; i++) {
      const at = (this.#logAt + i * abi.LOG_ENTRY_BYTES) >>> 2;
      ranges.push({ address: this.core.guestAddress(words[at] ?? 0), length: words[at + 1] ?? 0 });
    }
    words[this.#logCountAt >>> 2] = 0;
    return ranges;
  }

  /**
   * Where the queue stands, as vhost counts it: for split the index 0…65535; for packed slot | wrap counter << 15 of
   * the available position in the low 16 bits, and of the used position in the high 16 bits. What `startAt` takes.
   */
  get vringBase(): number {
    this.assertAlive();
    const drives = this.role === abi.ROLE_DRIVER;
    const at = drives
      ? [abi.DRIVER_AVAIL, abi.DRIVER_AVAIL_WRAP, abi.DRIVER_USED, abi.DRIVER_USED_WRAP]
      : [abi.DEVICE_AVAIL, abi.DEVICE_AVAIL_WRAP, abi.DEVICE_USED, abi.DEVICE_USED_WRAP];
    const [avail = 0, availWrap = 0, used = 0, usedWrap = 0] = at.map((offset) => this.word(offset));
    if (this.ring.layout === "split") return avail;
    return (avail | (availWrap << 15) | ((used | (usedWrap << 15)) << 16)) >>> 0;
  }

  /** Groups of four descriptors or buffers that SIMD has moved so far, modulo 2^32; 0 where that is off. */
  get fours(): number {
    this.assertAlive();
    return this.word(abi.QUEUE_FOURS);
  }

  /** Ends the queue: its state is given back, every method throws QUEUE_NOT_READY from here on. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.core.freeQueue(this.q);
  }

  /** @throws VirtioError QUEUE_NOT_READY after {@link dispose} */
  protected assertAlive(): void {
    if (this.#disposed) {
      throw new VirtioError("QUEUE_NOT_READY", `queue ${this.index} has been disposed`, {
        queue: this.index,
      });
    }
  }

  /** One word of the queue struct. */
  protected word(offset: number): number {
    return this.core.words()[(this.q + offset) >>> 2] ?? 0;
  }

  protected setWord(offset: number, value: number): void {
    this.core.words()[(this.q + offset) >>> 2] = value;
  }

  /** What broke this half as the core has it: a negative code, or 0. */
  protected fault(): number {
    return Math.min(this.word(this.role === abi.ROLE_DRIVER ? abi.DRIVER_STATE : abi.DEVICE_STATE) | 0, 0);
  }

  /** The caller's own mistake, as an error to throw. */
  protected mistake(code: number): VirtioError {
    return breach(resultName(code), this, ...this.#faultNumbers());
  }

  /** The other side's breach: kept, and reported once. */
  protected broke(code: number): void {
    if (this.#error) return;
    this.#error = this.mistake(code);
    this.#onViolation?.(this.#error);
  }

  /** A breach that was recovered from: reported, not kept. */
  protected reported(code: number): void {
    this.#onViolation?.(this.mistake(code));
  }

  /** A trap of the core: the queue is broken, the other queues of the instance are not. Gives the error to throw. */
  protected trapped(cause: unknown): VirtioError {
    const text = cause instanceof Error ? cause.message : String(cause);
    const error = new VirtioError("INTERNAL", `queue ${this.index}: the core trapped: ${text}`, {
      queue: this.index,
    });
    if (!this.#error) {
      this.#error = error;
      this.#onViolation?.(error);
    }
    return error;
  }

  protected healed(): void {
    this.#error = undefined;
  }

  /** For breach messages. */
  get queue(): number {
    return this.index;
  }

  /** For breach messages. */
  get layout(): "split" | "packed" {
    return this.ring.layout;
  }

  #faultNumbers(): [bigint, bigint] {
    const wide = (offset: number): bigint =>
      (BigInt(this.word(offset + 4)) << 32n) | BigInt(this.word(offset));
    return [wide(abi.QUEUE_FAULT_VALUE), wide(abi.QUEUE_FAULT_BOUND)];
  }

  #setUpError(code: ErrorCode): VirtioError {
    const known = breach(code, this, BigInt(this.size), BigInt(VIRTQ_SIZE_MAX));
    const needs = ringAreas(this.ring.layout, this.size);
    const areas = (["descriptor", "driver", "device"] as const)
      .map(
        (name) =>
          `${name} at ${hex(this.areas[name])} (${needs[name].bytes} bytes, alignment ${needs[name].align})`,
      )
      .join(", ");
    return new VirtioError(code, `${known.message}: ${areas}`, { section: known.section, queue: this.index });
  }
}

/** A count from a caller, as a u32 that the core clamps to the batch. @throws VirtioError BAD_ARGUMENT */
export function countOf(max: number): number {
  if (!Number.isInteger(max) || max < 0) throw new VirtioError("BAD_ARGUMENT", `${max} is no count`);
  return Math.min(max, 0xffffffff);
}

const hex = (address: GuestAddress): string => `0x${address.toString(16)}`;
const big = (value: number): bigint => (Number.isInteger(value) ? BigInt(value) : 0n);
