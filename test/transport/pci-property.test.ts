// Any access to a virtio-pci function, at any status and during slow resets, is answered as §4.1 says or ignored.
import { expect, it } from "vitest";
import { runPci } from "./pci-program";

it("100,000 random accesses throw nothing and touch no byte outside guest RAM", async () => {
  const { accesses, phases, codes, chains } = await runPci(20_261_128, 100_000);
  expect(accesses).toBeGreaterThanOrEqual(100_000);
  expect(chains).toBeGreaterThan(100);
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
  for (const code of [
    "PCI_WIDTH",
    "PCI_ALIGN",
    "PCI_READONLY",
    "QUEUE_LOCKED",
    "QUEUE_SIZE_INVALID",
    "QUEUE_INDEX_RANGE",
    "BAD_ARGUMENT",
  ])
    expect(codes.get(code) ?? 0, code).toBeGreaterThan(50);
});
