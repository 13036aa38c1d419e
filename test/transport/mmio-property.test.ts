// Any access to a virtio-mmio window, at any status and during slow resets, is answered as §4.2.2 says or ignored.
import { expect, it } from "vitest";
import { runMmio } from "./mmio-program";

it("100,000 random accesses throw nothing, touch no byte outside guest RAM, and leave a window that can be moved", async () => {
  const { accesses, phases, codes, chains, moves } = await runMmio(20_261_122, 100_000);
  expect(accesses).toBeGreaterThanOrEqual(100_000);
  expect(chains).toBeGreaterThan(100);
  expect(moves).toBeGreaterThan(10);
  // A program that stays at one place would prove little.
  for (const phase of [
    "reset",
    "acknowledged",
    "negotiating",
    "setup",
    "live",
    "needs-reset",
    "failed",
    "resetting",
  ])
    expect(phases.get(phase) ?? 0, phase).toBeGreaterThan(100);
  for (const code of ["MMIO_WIDTH", "MMIO_ALIGN", "MMIO_READONLY", "QUEUE_LOCKED", "RESERVED_FLAGS"])
    expect(codes.get(code) ?? 0, code).toBeGreaterThan(100);
});
