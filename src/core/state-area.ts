/**
 * The state area: queue structs, shadows, records and logs, outside guest RAM. Computes how much a queue takes,
 * places its parts, and hands out and takes back blocks. Offsets are those of assembly/abi.ts.
 */
import * as abi from "../../assembly/abi";
import { VirtioError } from "../errors";

/** Where the core keeps its own state. */
export interface StateArea {
  /** Linear address, a multiple of 64. */
  readonly base: number;
  /** Bytes; {@link stateBytes} says how many are needed. */
  readonly size: number;
}

/** What decides the state of one queue. */
export interface QueueStateShape {
  /** Halves that will be used: ROLE_DRIVER | ROLE_DEVICE of assembly/abi.ts. */
  readonly roles: number;
  /** Largest queue size, 1…32768. */
  readonly maxSize: number;
  /** Most chains per crossing, 1…32768. */
  readonly batch: number;
  /** Bytes of chain records, and of submissions; undefined: enough for the longest chain. */
  readonly recordBytes?: number | undefined;
  /** Keep touched ranges. */
  readonly touched?: boolean | undefined;
}

/** Offsets of a queue's parts from the queue struct, and all its bytes. */
export interface QueueStateLayout {
  readonly batch: number;
  readonly recordBytes: number;
  readonly logEntries: number;
  readonly driverShadow: number;
  readonly deviceShadow: number;
  readonly driverRecords: number;
  readonly deviceRecords: number;
  readonly driverLog: number;
  readonly deviceLog: number;
  readonly bytes: number;
}

const LINE = 64;
const TABLE_ENTRIES_ALWAYS = 1024;

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Record bytes that hold the longest possible chain, and a batch of chains of three. */
function defaultRecordBytes(maxSize: number, batch: number, serves: boolean): number {
  const longest = maxSize + Math.max(maxSize, TABLE_ENTRIES_ALWAYS);
  const segment = serves ? abi.FLAT_SEGMENT_BYTES : abi.SEGMENT_RECORD_BYTES; // a device may want it in the flat list
  const chain = abi.CHAIN_RECORD_BYTES + longest * segment;
  const submission = abi.SUBMISSION_HEADER_BYTES + maxSize * abi.SUBMISSION_SEGMENT_BYTES;
  return Math.max(
    chain,
    submission,
    batch * (abi.SUBMISSION_HEADER_BYTES + 3 * abi.SUBMISSION_SEGMENT_BYTES),
  );
}

/** Places the parts of one queue's state. */
export function queueStateLayout(shape: QueueStateShape): QueueStateLayout {
  const batch = roundUp(shape.batch, 2);
  const logEntries = shape.touched ? 2 * shape.maxSize + 64 : 0;
  const drives = (shape.roles & abi.ROLE_DRIVER) !== 0;
  const serves = (shape.roles & abi.ROLE_DEVICE) !== 0;
  const recordBytes = roundUp(shape.recordBytes ?? defaultRecordBytes(shape.maxSize, batch, serves), 16);
  let offset = abi.QUEUE_BYTES;
  const part = (present: boolean, bytes: number): number => {
    const at = offset;
    if (present) offset += roundUp(bytes, LINE);
    return at;
  };
  return {
    batch,
    recordBytes,
    logEntries,
    driverShadow: part(drives, shape.maxSize * abi.SHADOW_BYTES),
    deviceShadow: part(serves, shape.maxSize * abi.SHADOW_BYTES),
    driverRecords: part(drives, batch * 16 + recordBytes),
    // The flat list's end stands behind records that fill their room.
    deviceRecords: part(serves, batch * abi.COMPLETION_RECORD_BYTES + recordBytes + abi.FLAT_SEGMENT_BYTES),
    driverLog: part(drives, logEntries * abi.LOG_ENTRY_BYTES),
    deviceLog: part(serves, logEntries * abi.LOG_ENTRY_BYTES),
    bytes: offset,
  };
}

/**
 * Bytes of state that some queues need, both halves of each in their own struct.
 *
 * @param needs `queues` 1…65536; `maxQueueSize` 1…32768; `batch` 1…32768, most chains per crossing (default 64);
 *   `recordBytes` as for the queues (default: enough for the longest chain); `touched`: with touched ranges
 */
export function stateBytes(needs: {
  readonly queues: number;
  readonly maxQueueSize: number;
  readonly batch?: number;
  readonly recordBytes?: number;
  readonly touched?: boolean;
}): number {
  const { queues, maxQueueSize: maxSize, batch = 64, recordBytes, touched } = needs;
  const one = (roles: number) => queueStateLayout({ roles, maxSize, batch, recordBytes, touched }).bytes;
  return roundUp(abi.CORE_BYTES, LINE) + queues * (one(abi.ROLE_DRIVER) + one(abi.ROLE_DEVICE));
}

/** First-fit blocks of the state area behind the core's own header. */
export class StateAllocator {
  readonly #free: { base: number; size: number }[];
  readonly #used = new Map<number, number>();
  readonly #grow: ((bytes: number) => void) | undefined;

  /** @param grow makes the area larger by at least so many bytes, by calling {@link extend}; absent: it is fixed */
  constructor(base: number, size: number, grow?: (bytes: number) => void) {
    this.#free = [{ base, size }];
    this.#grow = grow;
  }

  /** Bytes that are free, not necessarily in one piece. */
  get available(): number {
    return this.#free.reduce((sum, block) => sum + block.size, 0);
  }

  /** Adds bytes at the end. */
  extend(base: number, size: number): void {
    this.#insert({ base, size });
  }

  /** @throws VirtioError BAD_ARGUMENT when no block is large enough and the area can't grow */
  allocate(bytes: number): number {
    const size = roundUp(bytes, LINE);
    let block = this.#free.find((candidate) => candidate.size >= size);
    if (!block && this.#grow) {
      this.#grow(size);
      block = this.#free.find((candidate) => candidate.size >= size);
    }
    if (!block) {
      throw new VirtioError(
        "BAD_ARGUMENT",
        `the state area has ${this.available} bytes free, the queue needs ${size}`,
      );
    }
    const base = block.base;
    block.base += size;
    block.size -= size;
    if (!block.size) this.#free.splice(this.#free.indexOf(block), 1);
    this.#used.set(base, size);
    return base;
  }

  free(base: number): void {
    const size = this.#used.get(base);
    if (size === undefined) return;
    this.#used.delete(base);
    this.#insert({ base, size });
  }

  #insert(block: { base: number; size: number }): void {
    this.#free.push(block);
    this.#free.sort((a, b) => a.base - b.base);
    for (let i = this.#free.length - 1; i > 0; i--) {
      const left = this.#free[i - 1];
      const right = this.#free[i];
      if (left && right && left.base + left.size === right.base) {
        left.size += right.size;
        this.#free.splice(i, 1);
      }
    }
  }
}
