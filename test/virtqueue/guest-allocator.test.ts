/** The guest allocator: alignment, exhaustion with both numbers, and no byte lost over many rounds. */
import { describe, expect, it } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { GuestAllocator } from "../../src/virtqueue/guest-allocator";

const core = loadCoreSync({ guestBytes: 1 << 16 });
const bad = expect.objectContaining({ code: "BAD_ARGUMENT" }) as Error;

describe("GuestAllocator", () => {
  it("aligns, zeroes, and takes pieces back in any order", () => {
    const allocator = new GuestAllocator(core, { gpa: 0x100, size: 0x8000 });
    core.view(0x100, 0x8000).fill(0xff);
    let random = 1;
    const live: { address: number; bytes: number }[] = [];
    for (let i = 0; i < 2000; i++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      if (live.length > 20 || (random & 0x100 && live.length)) {
        const [piece] = live.splice(random % live.length, 1);
        if (piece) allocator.free(piece.address);
        continue;
      }
      const bytes = 1 + (random % 500);
      const align = 1 << (random % 9);
      const address = allocator.allocate(bytes, align);
      expect(address % align).toBe(0);
      expect(core.view(address, bytes).every((byte) => byte === 0)).toBe(true);
      for (const other of live)
        expect(address + bytes <= other.address || other.address + other.bytes <= address).toBe(true);
      core.view(address, bytes).fill(0xee);
      live.push({ address, bytes });
    }
    for (const piece of live) allocator.free(piece.address);
    expect(allocator.available).toBe(0x8000);
    expect(allocator.allocate(0x8000)).toBe(0x100);
  });

  it("says what was wanted and what is free", () => {
    const allocator = new GuestAllocator(core, { gpa: 0, size: 1024 });
    allocator.allocate(1000);
    expect(() => allocator.allocate(100)).toThrow(/100 bytes .* 24 are free/);
    for (const [bytes, align] of [
      [0, 16],
      [-1, 16],
      [1.5, 16],
      [8, 3],
      [8, 0],
    ] as const) {
      expect(() => allocator.allocate(bytes, align)).toThrow(bad);
    }
    expect(() => allocator.free(8)).toThrow(bad);
    expect(() => new GuestAllocator(core, { gpa: 0, size: 1 << 20 })).toThrow(bad);
  });
});
