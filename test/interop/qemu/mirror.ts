/**
 * Guest memory twice: the core's, where the driver works, and the file that QEMU maps as RAM. What the driver writes is
 * carried over in publication order, what the device writes is carried back. Whoever writes a byte is its owner until the
 * other one is told, so what differs from the last common state has one author.
 */
import { readSync, writeSync } from "node:fs";
import type { Core } from "../../../src/core/core";
import { VIRTQ_DESC_SIZE } from "../../../src/spec/queue";
import { VIRTQ_USED_IDX } from "../../../src/spec/split";
import type { DriverQueue } from "../../../src/virtqueue/driver-queue";
import { ringAreas } from "../../../src/virtqueue/layout";
import type { TouchedRange } from "../../../src/virtqueue/ring-half";

/** Memory is compared in pieces of this many bytes, and byte by byte where a piece differs. */
const PIECE = 4096;
/** Every field of a ring that publishes something is this wide: avail idx, a packed descriptor's flags. */
const FIELD = 2;
/** Offset of a packed descriptor's flags (§2.8.13). */
const PACKED_FLAGS = 14;

/** The two memories of one guest. */
export class Mirror {
  private readonly core: Core;
  private readonly file: number;
  private readonly bytes: number;
  private readonly queues: () => readonly DriverQueue[];
  /** What both sides held when they were last alike. */
  private readonly common: Buffer;
  private readonly seen: Buffer;
  /** Queues whose rings were carried over since their device was last notified of them. */
  private readonly unannounced = new Set<DriverQueue>();

  /**
   * @param file guest RAM from guest address 0 on
   * @param queues those of all its drivers, made with `touched`
   */
  constructor(core: Core, file: number, queues: () => readonly DriverQueue[]) {
    this.core = core;
    this.file = file;
    this.queues = queues;
    this.bytes = core.regions[0]?.size ?? 0;
    this.common = Buffer.alloc(this.bytes);
    this.seen = Buffer.alloc(this.bytes);
    readSync(file, this.common, 0, this.bytes, 0);
  }

  /**
   * Carries over whole rings, in any order: while their device looks at nothing, before DRIVER_OK (§3.1.1). All else goes
   * as `push` carries it, since other devices may be at work.
   */
  pushNew(queues: readonly DriverQueue[]): void {
    for (const queue of queues) {
      queue.touched();
      for (const { address, length } of areasOf(queue)) this.pushBetween(address, address + length);
    }
    this.push();
  }

  /** Carries over what the drivers wrote: first buffers and indirect tables, then the rings as they were published. */
  push(): void {
    let at = 0;
    for (const { address, length } of this.rings()) {
      this.pushBetween(at, address);
      at = address + length;
    }
    this.pushBetween(at, this.bytes);
    for (const queue of this.queues()) if (this.pushRing(queue)) this.unannounced.add(queue);
  }

  /** Whether the queue's ring was carried over since the last call, so that its device has to be notified. */
  announce(queue: DriverQueue | undefined): boolean {
    return queue !== undefined && this.unannounced.delete(queue);
  }

  /**
   * Carries back what the device wrote. What publishes a used buffer is read before all else and becomes visible after
   * it: whatever the device writes meanwhile is found the next time.
   */
  pull(): void {
    const published = this.queues().flatMap((queue) => this.publishedFields(queue));
    readSync(this.file, this.seen, 0, this.bytes, 0);
    for (const { address, value } of published) this.seen.writeUInt16LE(value, address);
    const guest = this.core.view(0, this.bytes);
    for (const { from, to } of differences(this.seen, this.common, 0, this.bytes)) {
      this.seen.copy(this.common, from, from, to);
      guest.set(this.seen.subarray(from, to), from);
    }
  }

  /** Only bytes that the driver changed: the device may be writing next to them. */
  private pushBetween(start: number, end: number): void {
    const guest = this.core.view(0, this.bytes);
    for (const { from, to } of differences(guest, this.common, start, end)) this.write(from, to - from);
  }

  private pushRing(queue: DriverQueue): boolean {
    const ranges = inLastPlace(queue.touched());
    for (const { address, length } of ranges) {
      // The field that publishes ends its range: it goes by itself, after the rest.
      if (length > FIELD) this.write(address, length - FIELD);
      this.write(address + length - FIELD, FIELD);
    }
    return ranges.length > 0;
  }

  private write(address: number, length: number): void {
    const bytes = this.core.view(address, length);
    writeSync(this.file, bytes, 0, length, address);
    this.common.set(bytes, address);
  }

  /** The used index, or the flags of every packed descriptor, as they are in the file now. */
  private publishedFields({ ring, size, areas }: DriverQueue): { address: number; value: number }[] {
    if (ring.layout === "split") return [this.field(Number(areas.device) + VIRTQ_USED_IDX)];
    const flags = Number(areas.descriptor) + PACKED_FLAGS;
    return Array.from({ length: size }, (_, slot) => this.field(flags + slot * VIRTQ_DESC_SIZE));
  }

  private field(address: number): { address: number; value: number } {
    const field = Buffer.alloc(FIELD);
    readSync(this.file, field, 0, FIELD, address);
    return { address, value: field.readUInt16LE(0) };
  }

  /** The queues' areas by address. */
  private rings(): TouchedRange[] {
    return this.queues()
      .flatMap(areasOf)
      .sort((a, b) => a.address - b.address);
  }
}

function areasOf({ ring, size, areas }: DriverQueue): TouchedRange[] {
  const { descriptor, driver, device } = ringAreas(ring.layout, size);
  return [
    { address: Number(areas.descriptor), length: descriptor.bytes },
    { address: Number(areas.driver), length: driver.bytes },
    { address: Number(areas.device), length: device.bytes },
  ];
}

/** Where two memories differ, between two addresses. */
function* differences(a: Uint8Array, b: Uint8Array, start: number, end: number) {
  for (let piece = start; piece < end; piece += PIECE) {
    const limit = Math.min(piece + PIECE, end);
    if (Buffer.compare(a.subarray(piece, limit), b.subarray(piece, limit)) === 0) continue;
    for (let at = piece; at < limit; at++) {
      if (a[at] === b[at]) continue;
      const from = at;
      while (at < limit && a[at] !== b[at]) at++;
      yield { from, to: at };
    }
  }
}

/**
 * The same ranges without what is written again by a later one: memory is copied as it is now, so an index that was
 * published twice may go only after what its second value publishes. Fields are even in address and length.
 */
function inLastPlace(ranges: readonly TouchedRange[]): TouchedRange[] {
  const later = new Set<number>();
  const kept: TouchedRange[] = [];
  for (const { address, length } of ranges.toReversed()) {
    let end = address + length;
    for (let at = end - FIELD; at >= address - FIELD; at -= FIELD) {
      const isKept = at >= address && !later.has(at);
      if (isKept) {
        later.add(at);
        continue;
      }
      if (end > at + FIELD) kept.push({ address: at + FIELD, length: end - at - FIELD });
      end = at;
    }
  }
  return kept.reverse();
}
