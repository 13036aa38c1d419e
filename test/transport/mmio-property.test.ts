// Any access to a virtio-mmio window, at any status and during slow resets, is answered as §4.2.2 says or ignored.
import { expect, it } from "vitest";
import { runMmio } from "./mmio-program";
import { expectCoverage } from "./random-driver";

it("100,000 random accesses throw nothing and touch no byte outside guest RAM", async () => {
  const met = await runMmio(20_261_122, 100_000);
  expect(met.accesses).toBeGreaterThanOrEqual(100_000);
  expectCoverage(met, ["MMIO_WIDTH", "MMIO_ALIGN", "MMIO_READONLY", "QUEUE_LOCKED", "RESERVED_FLAGS"]);
});
