/** One queue of one of v86's devices with its driver half, as a guest would have it. */
import { expect } from "vitest";
import type { Core } from "../../src/core/core";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { DriverQueue, type DriverQueueOptions } from "../../src/virtqueue/driver-queue";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";
import { type RingArea, ringAreas, ringLayout } from "../../src/virtqueue/layout";
import type { QueueImage } from "../../src/virtqueue/queue-image";
import type { Registers } from "./v86-machine";

const SIZE = 8;
const TABLE_ENTRIES = 4;
/** Guest memory of each queue. */
const WINDOW = 0x10000;
/** DRIVER_OK and what comes before. */
export const LIVE = 0xf;

/** A buffer of a chain, in guest memory. */
interface Piece {
  readonly address: number;
  readonly length: number;
}

/** What a driver queue is made on. */
export interface Side {
  readonly core: Core;
  readonly registers: Registers;
}

/** Everything up to FEATURES_OK. */
export function negotiate({ registers }: Side, features: readonly string[]): FeatureSet {
  expect(registers.negotiate(...features)).toBe(0xb);
  return FeatureSet.from(features);
}

export class Driven {
  private readonly side: Side;
  private readonly allocator: GuestAllocator;
  private readonly options: DriverQueueOptions;
  private half: DriverQueue;

  /** Enables queue `index` in the layout that was negotiated. */
  constructor(side: Side, index: number, negotiated: FeatureSet) {
    const { core, registers } = side;
    this.side = side;
    const ring = ringLayout(negotiated);
    const needs = ringAreas(ring.layout, SIZE);
    const allocator = new GuestAllocator(core, { gpa: WINDOW * (1 + index), size: WINDOW });
    this.allocator = allocator;
    const place = ({ bytes, align }: RingArea) => allocator.allocate(bytes, align);
    const areas = {
      descriptor: place(needs.descriptor),
      driver: place(needs.driver),
      device: place(needs.device),
    };
    const tables = { tables: allocator.allocate(SIZE * TABLE_ENTRIES * 16), entries: TABLE_ENTRIES };
    this.options = { index, ring, size: SIZE, areas, ...(ring.indirect ? { indirect: tables } : {}) };
    this.half = new DriverQueue(core, this.options);
    expect(registers.enable(index, SIZE, areas)).toBe(1);
  }

  get queue(): DriverQueue {
    return this.half;
  }

  /** Adds a chain of a readable and a writable buffer, each left out when it has no bytes; gives the writable one. */
  add(readable: Uint8Array, writable: number): Piece {
    const { core } = this.side;
    const out = this.buffer(readable.length);
    const back = this.buffer(writable);
    if (readable.length > 0) core.view(out.address, out.length).set(readable);
    const some = (buffer: Piece) => (buffer.length > 0 ? [buffer] : []);
    const { indirect } = this.half.ring;
    expect(this.half.add(some(out), some(back), { indirect })).toBeGreaterThan(0);
    return back;
  }

  /** Publishes and, if the device wants it, notifies. */
  publish(): void {
    if (this.half.publish()) this.side.registers.notify(this.options.index);
  }

  /** Lengths of what was used. */
  used(): number[] {
    return Array.from({ length: this.half.takeUsed() }, (_, i) => this.half.used.length(i));
  }

  /** Bytes of a buffer. */
  bytes({ address }: Piece, length: number): Buffer {
    return Buffer.from(this.side.core.view(address, length));
  }

  /** Goes on as it was: the driver half is not in v86's snapshots. */
  restore(image: QueueImage): void {
    this.end();
    this.half = DriverQueue.restore(this.side.core, { ...this.options, keepRings: true }, image);
  }

  end(): void {
    this.half.dispose();
  }

  private buffer(length: number): Piece {
    return { address: length > 0 ? this.allocator.allocate(length) : 0, length };
  }
}
