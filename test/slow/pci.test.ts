/**
 * A million random accesses to virtio-pci functions, as test/transport/pci-property.test.ts with other seeds.
 */
import { expect, it } from "vitest";
import { runPci } from "../transport/pci-program";

it("a million random accesses throw nothing and touch no byte outside guest RAM", async () => {
  const { accesses, programs, phases, codes, chains } = await runPci(1128, 1_000_000);
  console.log(`${accesses} accesses in ${programs} programs, ${chains} chains`, phases, codes);
  expect(accesses).toBeGreaterThanOrEqual(1_000_000);
  expect(chains).toBeGreaterThan(1000);
});
