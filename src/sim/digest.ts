/**
 * XXH32, streaming: the digest of a workload's bytes. Fast, the same in every JavaScript engine and checkable with
 * `xxhsum -H0`; it finds accidents, not attackers (a disk is compared by SHA-256, see disk.ts).
 */

const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

/** An XXH32 in progress (seed 0). */
export class Digest {
  private readonly lanes = Int32Array.of(PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1);
  private readonly stripe = new Uint8Array(16);
  private filled = 0;
  private length = 0;

  /** Adds bytes; how they are cut into calls makes no difference. */
  update(bytes: Uint8Array): void {
    this.length += bytes.length;
    let at = 0;
    if (this.filled > 0) {
      const missing = Math.min(16 - this.filled, bytes.length);
      this.stripe.set(bytes.subarray(0, missing), this.filled);
      this.filled += missing;
      at = missing;
      if (this.filled < 16) return;
      this.consume(this.stripe, 0, 16);
      this.filled = 0;
    }
    const whole = at + ((bytes.length - at) & ~15);
    this.consume(bytes, at, whole);
    if (whole < bytes.length) {
      this.stripe.set(bytes.subarray(whole));
      this.filled = bytes.length - whole;
    }
  }

  /** The digest of what was added so far, as 8 hexadecimal digits. More may be added afterwards. */
  hex(): string {
    const [a = 0, b = 0, c = 0, d = 0] = this.lanes;
    let hash = this.length >= 16 ? rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18) : PRIME_5;
    hash = (hash + this.length) | 0;
    let at = 0;
    for (; at + 4 <= this.filled; at += 4) {
      hash = Math.imul(rotate((hash + Math.imul(word(this.stripe, at), PRIME_3)) | 0, 17), PRIME_4);
    }
    for (; at < this.filled; at++) {
      hash = Math.imul(rotate((hash + Math.imul(this.stripe[at] ?? 0, PRIME_5)) | 0, 11), PRIME_1);
    }
    hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
    hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
    return ((hash ^ (hash >>> 16)) >>> 0).toString(16).padStart(8, "0");
  }

  private consume(bytes: Uint8Array, from: number, to: number): void {
    const at = bytes.byteOffset + from;
    if (at % 4 === 0) this.consumeWords(new Uint32Array(bytes.buffer, at, (to - from) >>> 2));
    else this.consumeWords(new Uint32Array(bytes.slice(from, to).buffer));
  }

  private consumeWords(words: Uint32Array): void {
    let [a = 0, b = 0, c = 0, d = 0] = this.lanes;
    for (let i = 0; i < words.length; i += 4) {
      a = round(a, words[i] ?? 0);
      b = round(b, words[i + 1] ?? 0);
      c = round(c, words[i + 2] ?? 0);
      d = round(d, words[i + 3] ?? 0);
    }
    this.lanes[0] = a;
    this.lanes[1] = b;
    this.lanes[2] = c;
    this.lanes[3] = d;
  }
}

function round(lane: number, input: number): number {
  return Math.imul(rotate((lane + Math.imul(input, PRIME_2)) | 0, 13), PRIME_1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Little-endian. */
function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}
