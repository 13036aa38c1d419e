// Any sequence of register accesses, sensible or not: nothing throws, what must hold holds at every step, and a
// reset always leads back to a device that works (§2.1, §2.2, §2.4).
import fc from "fast-check";
import { expect, it } from "vitest";
import type { FeatureSet } from "../../src/negotiation/feature-set";
import { makeRig, type Rig, roundTrips, started } from "../control-rig";

const AREAS = [
  { descriptor: 0x1000, driver: 0x2000, device: 0x3000 },
  { descriptor: 0x4000, driver: 0x5000, device: 0x5010 },
  { descriptor: 0x1008, driver: 0x2001, device: -1 },
  { descriptor: 1 << 20, driver: 0xffff_ffff_ffff_fff0n, device: Number.NaN },
];

const number = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 5, 0x0b, 0x0f, 0x10f, 0x80000000, 0xffffffff, -1, 0.5, Number.NaN, 2 ** 40),
  fc.nat(0xffffffff),
);
const status = fc.constantFrom(0, 1, 3, 0x0b, 0x0f, 0x1b, 0x1f, 0x83, 0x8f, 0x4f, 0x09, 0xff);
const featureWord = fc.constantFrom(
  0,
  1,
  5,
  0x0d,
  0x145,
  0x801,
  0x805,
  4,
  0x30000000,
  0x40000000,
  0xffffffff,
);

type Step = (rig: Rig) => unknown;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: status.map(
      (value): Step =>
        ({ device }) =>
          device.writeStatus(value),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(0, 1, 1, 2, 9), featureWord).map(
      ([word, value]): Step =>
        ({ device }) =>
          device.writeFeatures(word, value),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1, 6, 8, 16, 17), fc.constantFrom(...AREAS))
      .map(
        ([index, size, areas]): Step =>
          ({ device }) =>
            device.enableQueue(index, { size, areas }),
      ),
  },
  number.map(
    (value): Step =>
      ({ device }) =>
        device.writeStatus(value),
  ),
  fc.tuple(number, number).map(
    ([word, value]): Step =>
      ({ device }) =>
        device.writeFeatures(word, value),
  ),
  fc.tuple(number, number).map(
    ([offset, bytes]): Step =>
      ({ device }) =>
        device.readConfig(offset, bytes),
  ),
  fc.tuple(fc.nat(20), fc.constantFrom(1, 2, 4), number).map(
    ([offset, bytes, value]): Step =>
      ({ device }) =>
        device.writeConfig(offset, bytes, value),
  ),
  number.map(
    (value): Step =>
      ({ device }) =>
        device.notify(value),
  ),
  number.map(
    (index): Step =>
      ({ device }) => [device.queueMaxSize(index), device.queueReady(index)],
  ),
  fc.nat(2).map(
    (index): Step =>
      ({ device }) =>
        device.resetQueue(index),
  ),
  fc.nat(2).map(
    (index): Step =>
      ({ device }) =>
        device.disableQueue(index),
  ),
  fc.constant<Step>(({ device }) => device.configGeneration()),
  fc.constant<Step>(({ device }) => device.configChanged()),
  fc.constant<Step>(({ device }) => device.process(8)),
);

/** What holds between two steps. */
function check(
  rig: Rig,
  before: { status: number; negotiated: FeatureSet | undefined; resets: number },
): void {
  const { device, model, notifications } = rig;
  const wasReset = model.resets !== before.resets;
  // §3.4: the device alone takes bits back, DRIVER_OK when it is suspended and SUSPEND when it is live again.
  const taken = { suspended: 0x04, live: 0x10 }[device.phase as string] ?? 0;
  if (!wasReset) expect(before.status & ~device.status & ~taken).toBe(0);
  expect(device.status & ~0xdf).toBe(0);
  if ((device.status & 0x10) !== 0) expect(device.negotiated?.has("SUSPEND")).toBe(true);
  const isNegotiated = (device.status & 8) !== 0;
  expect([device.negotiated !== undefined, device.ring !== undefined]).toEqual([isNegotiated, isNegotiated]);
  if (isNegotiated && !wasReset && before.negotiated !== undefined)
    expect(device.negotiated).toBe(before.negotiated);
  if (device.negotiated !== undefined) {
    expect(device.negotiated.isSubsetOf(device.offered) && device.negotiated.has("VERSION_1")).toBe(true);
  }
  for (const index of [0, 1]) if (device.queueReady(index)) expect(isNegotiated).toBe(true);
  if (device.hasWork) expect(["live", "suspending", "resuming"]).toContain(device.phase);
  for (const { status: at } of notifications.splice(0)) expect(at & 4).toBe(4);
}

it("registers never throw, keep their promises, and a reset heals", async () => {
  const config = [
    { name: "ro", offset: 0, bytes: 8, anyOf: [], value: 1n },
    { name: "rw", offset: 8, bytes: 4, anyOf: [], writable: true as const, value: 2 },
  ];
  const queues = ["a", "b"].map((name) => ({ name, maxSize: 16 }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const rig = makeRig({ model: { config, queues } });
      for (const run of steps) {
        const { status: at, negotiated } = rig.device;
        const before = { status: at, negotiated, resets: rig.model.resets };
        run(rig);
        check(rig, before);
      }
      await started(rig);
      expect(rig.device.process()).toBe("done");
      roundTrips(rig);
    }),
    { numRuns: 300 },
  );
});
