/**
 * Follows every byte of an echo workload: what the driver sent against what the device took, what the device had to
 * answer against what the driver got. Both expectations come from the seed, never from guest memory.
 */

import { Digest } from "./digest";
import type { Integrity } from "./metrics";
import { fillAnswer, fillPayload } from "./payload";
import type { Workload } from "./workload";

type Direction = "toDevice" | "fromDevice";

/** The checker of one run. Chains are taken and come back in the order in which they were sent. */
export class EchoCheck {
  private readonly workload: Workload;
  private readonly seed: number;
  /** The payload of each chain in flight, by its number modulo `inFlight`: the host's own copy. */
  private readonly payloads: Uint8Array;
  private readonly answer: Uint8Array;
  private readonly digests = {
    toDevice: { sent: new Digest(), received: new Digest() },
    fromDevice: { sent: new Digest(), received: new Digest() },
  };
  private takenChain = 0;
  private takenBytes = 0;
  private returnedChains = 0;
  private mismatches = 0;
  private readonly counted = { toDevice: 0, fromDevice: 0 };
  private first: Integrity["firstMismatch"] = null;

  constructor(workload: Workload, seed: number) {
    this.workload = workload;
    this.seed = seed;
    this.payloads = new Uint8Array(workload.inFlight * workload.readableBytes);
    this.answer = new Uint8Array(workload.writableBytes);
  }

  /** The bytes that the driver is to send in a chain; valid until the chain has come back. */
  payload(chain: number): Uint8Array {
    const payload = this.copyOf(chain);
    fillPayload(payload, this.seed, chain);
    this.digests.toDevice.sent.update(payload);
    return payload;
  }

  /** Takes note of one segment that the device took, in the order of the segments. */
  taken(bytes: Uint8Array): void {
    this.digests.toDevice.received.update(bytes);
    this.counted.toDevice += bytes.length;
    const chain = this.takenChain;
    const from = this.takenBytes;
    this.compare("toDevice", chain, from, this.copyOf(chain).subarray(from, from + bytes.length), bytes);
    this.takenBytes += bytes.length;
    if (this.takenBytes < this.workload.readableBytes) return;
    this.takenBytes = 0;
    this.takenChain++;
  }

  /**
   * Takes note of a chain that came back.
   *
   * @param length used length, as the device said
   * @param segments the writable buffers in order, in guest memory
   */
  returned(chain: number, length: number, segments: readonly Uint8Array[]): void {
    fillAnswer(this.answer, this.copyOf(chain), this.seed, chain);
    this.digests.fromDevice.sent.update(this.answer);
    this.counted.fromDevice += length;
    this.returnedChains++;
    let at = 0;
    for (const segment of segments) {
      const written = segment.subarray(0, Math.max(0, length - at));
      this.digests.fromDevice.received.update(written);
      this.compare("fromDevice", chain, at, this.answer.subarray(at, at + segment.length), written);
      at += segment.length;
    }
  }

  /** Bytes that the device took, and that it says it wrote. */
  get bytes(): { readonly toDevice: number; readonly fromDevice: number } {
    return this.counted;
  }

  /** What became of the workload; all bytes of a chain that did not come back differ. */
  result(): Integrity {
    const { toDevice, fromDevice } = this.digests;
    const { chains, readableBytes, writableBytes } = this.workload;
    const missing = chains - this.returnedChains;
    const lost = { chain: this.returnedChains, offset: 0, expected: null, actual: null } as const;
    return {
      algorithm: "xxh32",
      sent: `${toDevice.sent.hex()}-${fromDevice.sent.hex()}`,
      received: `${toDevice.received.hex()}-${fromDevice.received.hex()}`,
      mismatches: this.mismatches + missing * (readableBytes + writableBytes),
      firstMismatch: this.first ?? (missing > 0 ? { ...lost, direction: "fromDevice" } : null),
    };
  }

  private copyOf(chain: number): Uint8Array {
    const { inFlight, readableBytes } = this.workload;
    const at = (chain % inFlight) * readableBytes;
    return this.payloads.subarray(at, at + readableBytes);
  }

  /** `actual` may be shorter than `expected`: the bytes that are missing differ. */
  private compare(
    direction: Direction,
    chain: number,
    offset: number,
    expected: Uint8Array,
    actual: Uint8Array,
  ): void {
    if (isEqual(expected, actual)) return;
    for (let i = 0; i < expected.length; i++) {
      if (expected[i] === actual[i]) continue;
      this.mismatches++;
      this.first ??= {
        chain,
        direction,
        offset: offset + i,
        expected: expected[i] ?? null,
        actual: actual[i] ?? null,
      };
    }
  }
}

/** By words where both lie on word boundaries, as they nearly always do. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length || (a.byteOffset | b.byteOffset) % 4 !== 0) return false;
  const words = a.length >>> 2;
  const aWords = new Uint32Array(a.buffer, a.byteOffset, words);
  const bWords = new Uint32Array(b.buffer, b.byteOffset, words);
  for (let i = 0; i < words; i++) if (aWords[i] !== bWords[i]) return false;
  for (let i = words * 4; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
