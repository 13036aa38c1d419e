/** Captures that somebody damaged: a reader ends with frames or with a CaptureError, whatever the bytes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture";
import { CaptureError } from "../../src/capture/capture-error";
import { hex, PCAP_BIG, PCAP_LITTLE, PCAPNG_BIG, PCAPNG_LITTLE } from "./golden";

const SEEDS = [
  hex(...PCAP_LITTLE),
  hex(...PCAP_BIG),
  hex(...PCAPNG_LITTLE, ...PCAPNG_BIG),
  hex(...PCAPNG_BIG, ...PCAPNG_LITTLE, ...PCAPNG_LITTLE),
];

/** Lengths and counts that hurt, and any other byte. */
const value = fc.oneof(fc.constantFrom(0, 1, 4, 8, 12, 0x7f, 0x80, 0xff), fc.nat(255));
const mutation = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), at: fc.nat(1000), value }),
  fc.record({ kind: fc.constant("word" as const), at: fc.nat(1000), value: fc.nat(0xffffffff) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(1000), value }),
  fc.record({
    kind: fc.constant("remove" as const),
    at: fc.nat(1000),
    value: fc.integer({ min: 1, max: 40 }),
  }),
  fc.record({
    kind: fc.constant("repeat" as const),
    at: fc.nat(1000),
    value: fc.integer({ min: 1, max: 40 }),
  }),
);

function mutate(
  seed: Uint8Array,
  changes: readonly { kind: string; at: number; value: number }[],
): Uint8Array {
  let bytes: Uint8Array = seed.slice();
  for (const { kind, at: anywhere, value } of changes) {
    const at = anywhere % (bytes.length + 1);
    if (kind === "set" && at < bytes.length) bytes[at] = value;
    else if (kind === "word" && at + 4 <= bytes.length)
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
    else if (kind === "cut") bytes = bytes.slice(0, at);
    else if (kind === "remove") bytes = splice(bytes, at, at + value, 0);
    else if (kind === "repeat") bytes = splice(bytes, at, at, value);
  }
  return bytes;
}

/** Without `from`…`to`, and the next `again` bytes twice. */
function splice(bytes: Uint8Array, from: number, to: number, again: number): Uint8Array {
  return Uint8Array.of(
    ...bytes.subarray(0, from),
    ...bytes.subarray(from, from + again),
    ...bytes.subarray(to),
  );
}

describe("a damaged capture", () => {
  it("is read or refused with a place, never more", () => {
    const ended = { read: 0, refused: 0 };
    const property = fc.property(
      fc.constantFrom(...SEEDS),
      fc.array(mutation, { minLength: 1, maxLength: 6 }),
      (seed, changes) => {
        const bytes = mutate(seed, changes);
        try {
          let end = 0;
          for (const frame of readCapture(bytes).frames()) {
            // Each frame lies behind the one before, so there are fewer frames than bytes.
            expect(frame.offset).toBeGreaterThanOrEqual(end);
            end = frame.offset + frame.bytes.length;
            expect(end).toBeLessThanOrEqual(bytes.length);
            expect(frame.bytes.length).toBeLessThanOrEqual(frame.originalLength);
          }
          ended.read++;
        } catch (error) {
          if (!(error instanceof CaptureError)) throw error;
          expect(error.message).toMatch(/offset \d/);
          expect(error.offset).toBeLessThanOrEqual(bytes.length);
          ended.refused++;
        }
      },
    );
    fc.assert(property, { numRuns: 20_000 });
    // Both ends are met often, or the mutations are worth nothing.
    expect(ended.read).toBeGreaterThan(1000);
    expect(ended.refused).toBeGreaterThan(1000);
  });
});
