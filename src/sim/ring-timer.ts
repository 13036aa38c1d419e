/**
 * How long the rings alone take: add, publish, take, complete, publish, reclaim, over and over on buffers that nobody
 * reads or writes. One crossing into WebAssembly for each of them and batch, the flat list read and written by JavaScript,
 * every check on. Models, payloads, digests and the control plane are not in it.
 */
import * as abi from "../../assembly/abi";
import type { Core } from "../core/core";
import { VirtioError } from "../errors";
import { DeviceQueue } from "../virtqueue/device-queue";
import { DriverQueue } from "../virtqueue/driver-queue";
import type { GuestAllocator } from "../virtqueue/guest-allocator";
import { type RingLayout, ringAreas } from "../virtqueue/layout";
import type { Workload } from "./workload";

/** How long to warm up and to measure, in milliseconds. */
export interface RingTimerOptions {
  readonly warmUp?: number;
  readonly measure?: number;
}

/** One sample is about so long: short enough that most are not interrupted, long enough for the clock. */
const SAMPLE_MS = 0.2;
/** The sample that counts: low, because all disturbances make a sample longer. */
const QUANTILE = 0.1;

/**
 * Measures a ring of the same layout, size, batch and chains as a run's.
 *
 * @returns nanoseconds per chain
 */
export function timeRings(
  core: Core,
  allocator: GuestAllocator,
  ring: RingLayout,
  size: number,
  workload: Workload,
  indirect: boolean,
  { warmUp = 60, measure = 120 }: RingTimerOptions = {},
): number {
  const loop = new RingLoop(core, allocator, ring, size, workload, indirect);
  try {
    const batches = loop.batchesWithin(warmUp);
    const perSample = Math.max(1, Math.round((batches * SAMPLE_MS) / warmUp));
    const samples: number[] = [];
    const end = performance.now() + measure;
    do {
      const from = performance.now();
      for (let i = 0; i < perSample; i++) loop.batch();
      samples.push(performance.now() - from);
    } while (performance.now() < end);
    samples.sort((a, b) => a - b);
    const sample = samples[Math.floor(samples.length * QUANTILE)] ?? 0;
    return (sample * 1e6) / (perSample * workload.batch);
  } finally {
    loop.dispose();
  }
}

class RingLoop {
  private readonly driver: DriverQueue;
  private readonly device: DeviceQueue;
  private readonly core: Core;
  /** Words that a chain takes in the flat list. */
  private readonly entryWords: number;
  private readonly chains: number;
  private readonly written: number;

  constructor(
    core: Core,
    allocator: GuestAllocator,
    ring: RingLayout,
    size: number,
    workload: Workload,
    indirect: boolean,
  ) {
    const { batch, buffers } = workload;
    const areas = ringAreas(ring.layout, size);
    const place = ({ bytes, align }: { bytes: number; align: number }) => allocator.allocate(bytes, align);
    const common = {
      index: 0,
      ring,
      size,
      batch,
      areas: {
        descriptor: place(areas.descriptor),
        driver: place(areas.driver),
        device: place(areas.device),
      },
    };
    const submission = abi.SUBMISSION_HEADER_BYTES + buffers * abi.SUBMISSION_SEGMENT_BYTES;
    this.driver = new DriverQueue(core, {
      ...common,
      recordBytes: batch * submission,
      ...(indirect
        ? { indirect: { tables: allocator.allocate(size * buffers * 16), entries: buffers } }
        : {}),
    });
    this.device = new DeviceQueue(core, {
      ...common,
      recordBytes: batch * (abi.CHAIN_RECORD_BYTES + buffers * abi.FLAT_SEGMENT_BYTES),
    });
    this.core = core;
    this.entryWords = (buffers * abi.FLAT_SEGMENT_BYTES) >>> 2;
    this.chains = batch;
    this.written = workload.writableBytes;
    this.writeSubmissions(core, allocator, workload, indirect);
  }

  /** One batch, all the way round. */
  batch(): void {
    const { driver, device, chains } = this;
    let round = driver.addBatch(chains);
    driver.publish();
    for (let left = chains; left > 0; ) left -= this.serve(left);
    device.publish();
    for (let left = chains; left > 0 && round > 0; left -= round) round = driver.takeUsed(left);
    if (round === 0) throw new VirtioError("INTERNAL", `not all of ${chains} chains came back`);
  }

  /** Takes chains and completes them as fully written, in the flat list. */
  private serve(most: number): number {
    const { core, device, written, entryWords } = this;
    const taken = device.takeBatch(most);
    if (taken < 1) throw new VirtioError("INTERNAL", `none of ${most} chains could be taken`);
    const words = core.words();
    const end = device.flat + taken * entryWords;
    for (let at = device.flat + 3; at < end; at += entryWords) words[at] = written;
    device.completeBatch(taken);
    return taken;
  }

  /** How many batches fit into a time; their use is to warm the code up. */
  batchesWithin(milliseconds: number): number {
    const end = performance.now() + milliseconds;
    let batches = 0;
    while (performance.now() < end) {
      for (let i = 0; i < 8; i++) this.batch();
      batches += 8;
    }
    return batches;
  }

  dispose(): void {
    this.driver.dispose();
    this.device.dispose();
  }

  /** `add` leaves the submissions as they are, so they are written once. All chains share their buffers. */
  private writeSubmissions(
    core: Core,
    allocator: GuestAllocator,
    workload: Workload,
    indirect: boolean,
  ): void {
    const { readable, writable } = workload;
    const addresses = [...readable, ...writable].map((length) => ({
      length,
      address: allocator.allocate(length),
    }));
    const words = core.words();
    let at = this.driver.submissions.word;
    for (let chain = 0; chain < workload.batch; chain++) {
      words.set([readable.length, writable.length, indirect ? abi.SUBMISSION_INDIRECT : 0, 0], at);
      at += abi.SUBMISSION_HEADER_BYTES >>> 2;
      for (const { address, length } of addresses) {
        words.set([address, 0, length, 0], at);
        at += abi.SUBMISSION_SEGMENT_BYTES >>> 2;
      }
    }
  }
}
