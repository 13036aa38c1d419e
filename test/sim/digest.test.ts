import { describe, expect, it } from "vitest";
import { Digest } from "../../src/sim/digest";
import { pattern } from "../models/rig";

function digest(...parts: string[]): string {
  const digest = new Digest();
  for (const part of parts) digest.update(new TextEncoder().encode(part));
  return digest.hex();
}

describe("XXH32", () => {
  // Known answers of the xxHash reference with seed 0.
  it.each([
    ["", "02cc5d05"],
    ["a", "550d7456"],
    ["abc", "32d153ff"],
    ["Nobody inspects the spammish repetition", "e2293b2f"],
  ])("of %j is %s", (text, expected) => {
    expect(digest(text)).toBe(expected);
  });

  it("does not depend on how the bytes are cut", () => {
    const text = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const whole = digest(text);
    for (let first = 0; first <= text.length; first++) {
      for (const second of [first, Math.min(text.length, first + 7), text.length]) {
        expect(digest(text.slice(0, first), text.slice(first, second), text.slice(second))).toBe(whole);
      }
    }
  });

  it("does not depend on where the bytes lie, nor on pieces of odd length", () => {
    const bytes = pattern(30_011, 5);
    const pieces = (from: Uint8Array, lengths: readonly number[]) => {
      const running = new Digest();
      for (let at = 0, i = 0; at < from.length; i++) {
        const length = lengths[i % lengths.length] ?? 1;
        running.update(from.subarray(at, at + length));
        at += length;
      }
      return running.hex();
    };
    const whole = pieces(bytes, [bytes.length]);
    const elsewhere = new Uint8Array(bytes.length + 1).subarray(1);
    elsewhere.set(bytes);
    expect(pieces(elsewhere, [bytes.length])).toBe(whole);
    for (const lengths of [[1], [13], [16, 1], [4096], [5000, 3], [1514, 60], [16, 4095, 17]]) {
      expect(pieces(bytes, lengths)).toBe(whole);
      expect(pieces(elsewhere, lengths)).toBe(whole);
    }
  });

  it("can be read in mid-stream", () => {
    const running = new Digest();
    running.update(new Uint8Array(17).fill(97));
    const first = running.hex();
    expect(running.hex()).toBe(first);
    running.update(new Uint8Array(3));
    expect(running.hex()).not.toBe(first);
  });
});
