/**
 * A million random accesses to virtio-mmio windows, as test/transport/mmio-property.test.ts with other seeds.
 */
import { expect, it } from "vitest";
import { runMmio } from "../transport/mmio-program";

it("a million random accesses throw nothing and touch no byte outside guest RAM", async () => {
  const { accesses, programs, phases, codes, chains, moves } = await runMmio(1122, 1_000_000);
  console.log(
    `${accesses} accesses in ${programs} programs, ${chains} chains, ${moves} moves`,
    phases,
    codes,
  );
  expect(accesses).toBeGreaterThanOrEqual(1_000_000);
  expect(chains).toBeGreaterThan(1000);
  expect(moves).toBeGreaterThan(100);
});
