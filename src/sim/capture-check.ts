/**
 * Follows every frame of a replay: what was sent against what the wire carried and what arrived, in order. The
 * expectation is the capture's own copy, never guest memory.
 */
import type { CapturedFrame } from "../capture/frame";
import type { FrameToWrite } from "../capture/pcapng-writer";
import { Digest } from "./digest";
import type { FirstMismatch, Integrity } from "./metrics";

/** A frame on its way. */
interface Expected extends FrameToWrite {
  /** From 0. */
  readonly number: number;
}

/** Frames between two places, oldest first. */
interface Leg {
  readonly frames: Expected[];
  /** Frames that were sent and did not get to its end. */
  dropped: number;
}

/** The checker of one replay. */
export class CaptureCheck {
  /** Frames that arrived otherwise than they were sent. */
  differ = 0;
  /** Bytes that the sending device took, and that the receiving one wrote: headers and frames. */
  readonly bytes = { toDevice: 0, fromDevice: 0 };
  private readonly headerBytes: number;
  private count = 0;
  private mismatches = 0;
  private first: FirstMismatch | null = null;
  private readonly toWire: Leg = { frames: [], dropped: 0 };
  private readonly toDriver: Leg = { frames: [], dropped: 0 };
  private readonly sentDigest = new Digest();
  private readonly wireDigest = new Digest();
  private readonly arrivedDigest = new Digest();

  /** @param headerBytes what stands before each frame in a buffer */
  constructor(headerBytes: number) {
    this.headerBytes = headerBytes;
  }

  /** Frames that were sent. */
  get sent(): number {
    return this.count;
  }

  /** Frames that were sent and have neither arrived nor been dropped. */
  get inFlight(): number {
    return this.toWire.frames.length + this.toDriver.frames.length;
  }

  /** Frames that did not arrive. */
  get dropped(): number {
    return this.toWire.dropped + this.toDriver.dropped;
  }

  /** Takes note of a frame that the driver sends; copies it. */
  send({ bytes, timestamp, originalLength }: CapturedFrame): void {
    this.sentDigest.update(bytes);
    this.toWire.frames.push({ number: this.count++, bytes: bytes.slice(), timestamp, originalLength });
  }

  /**
   * Takes note of a frame that the sending device put on the wire.
   *
   * @param lost how many frames that device has thrown away in all: they are not waited for
   */
  carry(frame: Uint8Array, lost: number): void {
    this.wireDigest.update(frame);
    this.bytes.toDevice += this.headerBytes + frame.length;
    const expected = this.next(this.toWire, frame, lost);
    if (expected === undefined) return;
    this.toDriver.frames.push(expected);
    if (differences(expected.bytes, frame) > 0) this.firstAt("toDevice", expected, frame);
  }

  /**
   * Takes note of a frame that the receiving driver got.
   *
   * @param lost how many frames from the wire did not come through in all: they are not waited for
   * @returns the frame as it may be written, with the time and length of the one that was sent
   */
  arrive(frame: Uint8Array, lost: number): FrameToWrite {
    this.arrivedDigest.update(frame);
    this.bytes.fromDevice += this.headerBytes + frame.length;
    const expected = this.next(this.toDriver, frame, lost);
    const count = expected === undefined ? frame.length : differences(expected.bytes, frame);
    if (count > 0) {
      this.differ++;
      this.mismatches += count;
      if (expected !== undefined) this.firstAt("fromDevice", expected, frame);
    }
    const originalLength = Math.max(expected?.originalLength ?? 0, frame.length);
    return { bytes: frame, timestamp: expected?.timestamp, originalLength };
  }

  /** Nothing more comes: what is still on its way was dropped. */
  finish(): void {
    for (const leg of [this.toDriver, this.toWire]) {
      while (leg.frames.length > 0) this.drop(leg);
    }
  }

  /** What became of the frames. All bytes of one that did not arrive differ. */
  result(): Integrity {
    const sent = this.sentDigest.hex();
    return {
      algorithm: "xxh32",
      sent: `${sent}-${sent}`,
      received: `${this.wireDigest.hex()}-${this.arrivedDigest.hex()}`,
      mismatches: this.mismatches,
      firstMismatch: this.first,
    };
  }

  /** The frame that should come next: the oldest one, unless that may be lost and another one came. */
  private next(leg: Leg, frame: Uint8Array, lost: number): Expected | undefined {
    while (leg.dropped < lost) {
      const [oldest] = leg.frames;
      if (oldest === undefined || differences(oldest.bytes, frame) === 0) break;
      this.drop(leg);
    }
    return leg.frames.shift();
  }

  private drop(leg: Leg): void {
    const frame = leg.frames.shift();
    if (frame === undefined) return;
    leg.dropped++;
    this.mismatches += frame.bytes.length;
    const direction = leg === this.toWire ? "toDevice" : "fromDevice";
    const [expected = null] = frame.bytes;
    this.first ??= { chain: frame.number, direction, offset: 0, expected, actual: null };
  }

  private firstAt(
    direction: FirstMismatch["direction"],
    { number, bytes }: Expected,
    frame: Uint8Array,
  ): void {
    if (this.first !== null) return;
    let offset = 0;
    while (bytes[offset] === frame[offset]) offset++;
    const [expected, actual] = [bytes[offset] ?? null, frame[offset] ?? null];
    this.first = { chain: number, direction, offset, expected, actual };
  }
}

/** Bytes that differ; those that only one has included. */
function differences(expected: Uint8Array, actual: Uint8Array): number {
  const longer = Math.max(expected.length, actual.length);
  let count = 0;
  for (let i = 0; i < longer; i++) if (expected[i] !== actual[i]) count++;
  return count;
}
