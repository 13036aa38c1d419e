import { describe, expect, it } from "vitest";
import { Digest } from "../../src/sim/digest";

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

  it("can be read in mid-stream", () => {
    const running = new Digest();
    running.update(new Uint8Array(17).fill(97));
    const first = running.hex();
    expect(running.hex()).toBe(first);
    running.update(new Uint8Array(3));
    expect(running.hex()).not.toBe(first);
  });
});
