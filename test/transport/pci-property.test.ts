// Any access to a virtio-pci function, at any status and during slow resets, is answered as §4.1 says or ignored.
import { expect, it } from "vitest";
import { runPci } from "./pci-program";
import { expectCoverage } from "./random-driver";

it("100,000 random accesses throw nothing and touch no byte outside guest RAM", async () => {
  const met = await runPci(20_261_128, 100_000);
  expect(met.accesses).toBeGreaterThanOrEqual(100_000);
  expect(met.moves).toBeGreaterThan(10);
  expectCoverage(met, [
    "PCI_WIDTH",
    "PCI_ALIGN",
    "PCI_READONLY",
    "QUEUE_LOCKED",
    "QUEUE_SIZE_INVALID",
    "QUEUE_INDEX_RANGE",
    "BAD_ARGUMENT",
  ]);
});
