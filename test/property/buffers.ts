/**
 * The buffers that property programs offer: of 0, 1, size and size + 1 segments, empty ones, ones that end where a region
 * ends, and now and then one that is not quite in guest RAM or may not be written.
 */
import type { BufferRequest, GuestRegion, Segment } from "../model/ring";
import type { Random } from "./random";
import type { Setup } from "./setups";

export class BufferGenerator {
  /** Single: one segment each, so that as many buffers are in flight as the ring has descriptors. */
  shape: "single" | "mixed" = "mixed";
  readonly #random: Random;
  readonly #setup: Setup;

  constructor(random: Random, setup: Setup) {
    this.#random = random;
    this.#setup = setup;
  }

  /** A buffer of any shape, mostly one that can be added. */
  next(): BufferRequest {
    const random = this.#random;
    const { features } = this.#setup;
    const count = this.#segmentCount();
    const readableCount = random.pick([0, count, Math.min(1, count), random.below(count + 1)]);
    const isWhole = count > 64 && random.oneIn(3);
    const segments = Array.from({ length: count }, (_, i) => this.#segment(i >= readableCount, isWhole));
    return {
      readable: segments.slice(0, readableCount),
      writable: segments.slice(readableCount),
      indirect: features.indirect ? random.oneIn(2) : random.oneIn(100),
    };
  }

  #segmentCount(): number {
    const random = this.#random;
    const { size } = this.#setup;
    if (random.oneIn(50)) {
      return random.pick([0, size - 1, size, size + 1, Math.min(size, 1024), Math.min(size, 1025)]);
    }
    if (this.shape === "single") {
      return 1;
    }
    return size > 300 && random.oneIn(2)
      ? random.between(1, Math.ceil(size / 4))
      : random.between(1, Math.min(size, random.pick([2, 3, 5])));
  }

  /** A piece of a region, mostly small, often at its end; now and then not quite in it. `isWhole`: all of it. */
  #segment(isWritable: boolean, isWhole: boolean): Segment {
    const random = this.#random;
    const region = this.#region(isWritable);
    if (isWhole) {
      return { address: region.gpa, length: region.size };
    }
    const length = random.oneIn(20) ? 0 : random.pick([1, 8, 16, 64, 512, 1 + random.below(region.size)]);
    const room = region.size - Math.min(length, region.size);
    const address = region.gpa + random.pick([0, room, random.below(room + 1), random.below(room + 1)]);
    if (random.oneIn(120)) {
      return random.pick([
        { address: region.gpa + room + 1, length },
        { address: region.gpa + region.size, length: 1 },
        { address: Math.max(0, region.gpa - 1), length: 2 },
        { address, length: 0xffff_ffff },
        { address: 2 ** 52, length: 16 },
      ]);
    }
    return { address, length };
  }

  #region(isWritable: boolean): GuestRegion {
    const { regions } = this.#setup;
    const region = this.#random.pick(regions);
    const [first = region] = regions;
    return isWritable && region.readOnly && !this.#random.oneIn(40) ? first : region;
  }
}
