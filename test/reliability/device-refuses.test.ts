/**
 * Hostile drivers whose ring bytes break a rule: the device half answers with the typed code, takes nothing, looks at no byte
 * that the case forbids, and stands still until its reset. Then the same input through a whole device.
 */
import { describe, expect, test } from "vitest";
import { loadCoreSync } from "../../src/core/core";
import { VirtioDevice } from "../../src/device/device";
import type { VirtioError } from "../../src/errors";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, TestModel } from "../control-rig";
import { RawMemory, RawPacked, RawSplit } from "../raw-ring";
import { placeOf } from "../ring-steps";
import type { WorldOptions } from "../rings";
import { corpusCase } from "./corpus";
import { HOSTILE_DRIVERS, type HostileDriver } from "./hostile-drivers";
import { deviceCase } from "./oracle";
import {
  avail,
  type Hand,
  profileOptions,
  put,
  refuses,
  type Stage,
  taken,
  untouched,
  visits,
} from "./stage";

/** The case on a half: what was in flight before stays so, what was good before the breach is delivered. */
function refusal(stage: Stage, id: string, hostile: HostileDriver): void {
  const { poke, inFlight = [], good = 0, visits: bound, unread = [] } = hostile;
  if (inFlight.length) {
    avail(stage, inFlight);
    taken(stage, inFlight.length);
  }
  poke(stage);
  if (good) taken(stage, good);
  refuses(stage, corpusCase(id).expected.error);
  expect(stage.device.state().inFlight).toBe(inFlight.length + good);
  if (!stage.log) return;
  // The core walks a chain the short way first, and once more to say what is wrong: twice the bound, and the head first.
  if (bound) expect(visits(stage, bound[1])).toBeLessThanOrEqual(bound[0] && 2 * bound[0] + 2);
  for (const [gpa, bytes] of unread) expect(untouched(stage, gpa, bytes)).toBe(true);
}

for (const [id, hostile] of Object.entries(HOSTILE_DRIVERS)) {
  deviceCase(id, (stage) => refusal(stage, id, hostile));
}

/** Profile MULTI: [0, 0x20000) and [0x30000, 0x50000) at 1 MiB and 2 MiB of the memory. */
const MULTI: Partial<WorldOptions> = {
  regions: [
    { gpa: 0, base: 0x100000, size: 0x20000 },
    { gpa: 0x30000, base: 0x200000, size: 0x20000 },
  ],
};
const intoTheHole = { addr: 0x1fff0, len: 32 };

deviceCase(
  "D253",
  (stage) => {
    stage.split.desc(0, intoTheHole);
    avail(stage, [0]);
    refuses(stage, ["DESC_OUT_OF_GUEST"]);
  },
  { setup: "S8", more: { ...MULTI, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x3000 } } },
);

deviceCase(
  "D253",
  (stage) => {
    put(stage, 0, intoTheHole);
    refuses(stage, ["DESC_OUT_OF_GUEST"]);
  },
  { setup: "P8", more: { ...MULTI, areas: { descriptor: 0x1000, driver: 0x2000, device: 0x2010 } } },
);

const GIB = 2 ** 30;

deviceCase(
  "D041",
  (stage) => {
    for (let i = 0; i < 8; i++) {
      const len = i < 7 ? 0x2000_0000 : 0x2000_0001;
      stage.split.desc(i, { addr: 0, len, ...(i < 7 && { flags: 1, next: i + 1 }) });
    }
    avail(stage, [0]);
    refuses(stage, ["CHAIN_BYTES_OVERFLOW"]);
  },
  {
    setup: "S8",
    more: { regions: [{ gpa: 0, base: 0x100000, size: GIB }], memoryBytes: GIB + 0x200000, fresh: true },
  },
);

describe("through a device", () => {
  /** A device whose queue 0 the driver plays by hand; its guest RAM is that of the corpus. */
  function openDevice(id: string) {
    const { layout, size, areas, features, options: policies } = profileOptions(corpusCase(id).setup);
    if (!areas) throw new Error(`${id} has no areas`);
    const names = ["VERSION_1", layout === "packed" && "RING_PACKED", features.indirect && "INDIRECT_DESC"];
    const accepted = FeatureSet.of(...names.flatMap((name) => name || []));
    const core = loadCoreSync({ guestBytes: 0x40000 });
    const model = new TestModel({ queues: [{ name: "q", maxSize: 256 }] });
    const violations: VirtioError[] = [];
    const device = new VirtioDevice(core, model, {
      strictRing: policies?.strictRing ?? false,
      onViolation: (error) => violations.push(error),
    });
    const guest = new RawMemory(() => core.view(0, 0x40000));
    const hand: Hand = {
      layout,
      size,
      split: new RawSplit(guest, size, areas),
      packed: new RawPacked(guest, size, areas),
      ...placeOf({}, layout, size),
    };
    const start = (): void => {
      guest.fill(0, 0x40000, 0);
      driveTo(device, 0x0b, accepted);
      device.enableQueue(0, { size, areas });
      device.writeStatus(0x0f);
      for (let i = 0; i < size; i++) {
        if (layout === "split") hand.split.desc(i, { addr: 0x8000, len: 16 });
        else hand.packed.desc(i, { addr: 0x8000, len: 16 });
      }
    };
    const kick = (): void => {
      device.notify(0);
      for (let i = 0; i < 3; i++) device.process();
    };
    return { device, model, violations, hand, start, kick };
  }

  test.each(Object.entries(HOSTILE_DRIVERS))(
    "%s sets DEVICE_NEEDS_RESET, reported once; after a reset the device works",
    (id, { poke, inFlight = [], good = 0 }) => {
      const { device, model, violations, hand, start, kick } = openDevice(id);
      model.holds = true;
      start();
      if (inFlight.length) {
        avail(hand, inFlight);
        kick();
      }
      poke(hand);
      kick();
      expect(device.readStatus()).toBe(0x4f);
      expect(violations.length).toBe(1);
      expect(corpusCase(id).expected.error).toContain(violations[0]?.code);
      expect(violations[0]?.section).not.toBe("");
      expect(model.taken.length).toBe(inFlight.length + good);

      start();
      model.holds = false;
      for (let n = 0; n < 3; n++) {
        if (hand.layout === "split") avail(hand, [n], n);
        else put(hand, n, { id: n });
        kick();
      }
      expect([device.readStatus(), violations.length]).toEqual([0x0f, 1]);
      expect(model.taken.length).toBe(inFlight.length + good + 3);
    },
  );
});
