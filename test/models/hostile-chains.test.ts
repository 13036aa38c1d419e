// Chains of any shape with any bytes in them, on any queue: every device survives and uses what it takes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DeviceModel } from "../../src/device/model";
import { BalloonModel } from "../../src/models/balloon";
import { ConsoleModel } from "../../src/models/console";
import { RngModel } from "../../src/models/rng";
import { LAYOUTS, openRig } from "./rig";

/** What the host does between two chains, beside processing. */
interface Host {
  readonly model: DeviceModel;
  act(): void;
  /** Queues on which the device may leave chains untaken. */
  readonly leaves: readonly number[];
}

const HOSTS: readonly (readonly [name: string, make: () => Host])[] = [
  ["rng", () => ({ model: new RngModel((bytes) => void bytes.fill(1)), act: () => {}, leaves: [] })],
  [
    "console",
    () => {
      const model = new ConsoleModel({ backlog: 64 });
      return { model, act: () => void model.input(new Uint8Array(7)), leaves: [0] };
    },
  ],
  [
    "balloon",
    () => {
      const model = new BalloonModel();
      return { model, act: () => void model.requestStats(), leaves: [2] };
    },
  ],
];

const chains = fc.array(
  fc.record({
    queue: fc.nat(2),
    readable: fc.array(fc.uint8Array({ minLength: 0, maxLength: 40 }), { maxLength: 3 }),
    writable: fc.array(fc.nat(40), { maxLength: 3 }),
    acts: fc.boolean(),
  }),
  { maxLength: 10 },
);

describe.each(LAYOUTS)("on %s", (_, ring) => {
  it.each(HOSTS)("%s", async (_name, make) => {
    await fc.assert(
      fc.asyncProperty(chains, async (list) => {
        const host = make();
        const rig = await openRig(host.model, [...ring, ...host.model.offers.map(String)]);
        const count = host.model.queues.length;
        for (const { queue, readable, writable, acts } of list) {
          if (readable.length + writable.length === 0) continue;
          rig.send(readable, writable, queue % count);
          if (acts) host.act();
          for (let turn = 0; turn < 4 && rig.device.process() === "more"; turn++);
        }
        expect([rig.device.phase, rig.device.process()]).toEqual(["live", "done"]);
        for (let index = 0; index < count; index++) {
          rig.used(index);
          const { inFlight } = rig.queueAt(index);
          if (!host.leaves.includes(index)) expect(inFlight).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
