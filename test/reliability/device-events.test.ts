/**
 * Notification suppression under hostile or awkward event words: ranges and not equality, wraps, offsets that name no slot, and
 * the race between arming and a driver that publishes.
 */
import { describe, expect, test } from "vitest";
import { FeatureSet } from "../../src/negotiation/feature-set";
import { driveTo, makeRig } from "../control-rig";
import { RawMemory, RawPacked, RawSplit } from "../raw-ring";
import { placeOf } from "../ring-steps";
import { GUEST } from "../rings";
import { titleOf } from "./corpus";
import { deviceCase } from "./oracle";
import { avail, profileOptions, put, taken, used } from "./stage";

const NEXT = 1;
const DISABLE = 1;
const DESC = 2;

deviceCase(
  "D110",
  (stage) => {
    stage.split.usedEvent = 10;
    avail(stage, [0, 1, 2, 3, 4]);
    expect(used(stage, taken(stage, 5))).toBe(true);
    expect(stage.split.usedIdx).toBe(13);
  },
  { start: { idx: 8 } },
);

deviceCase(
  "D111",
  (stage) => {
    stage.split.usedEvent = 0xfffe;
    avail(stage, [0, 1, 2, 3, 4, 5]);
    expect(used(stage, taken(stage, 6))).toBe(true);
    expect(stage.split.usedIdx).toBe(2);
  },
  { start: { idx: 0xfffc } },
);

deviceCase("D113", (stage) => {
  stage.split.usedEvent = stage.idx(-1);
  avail(stage, [0]);
  expect(used(stage, taken(stage, 1))).toBe(false);
});

deviceCase("D114", (stage) => {
  avail(stage, [0]);
  used(stage, taken(stage, 1));
  const publish = (): void => avail(stage, [1], 1);
  if (stage.log) {
    // The driver's turn comes between the store of avail_event and the core's next look at avail.idx.
    const availEvent = GUEST.base + 0x3000 + 4 + 8 * 8;
    stage.log.onceAfter(({ kind, address }) => kind === "store" && address === availEvent, publish);
    expect(stage.log.record(() => stage.world.device.arm())).toBe(true);
  } else {
    expect(stage.device.arm()).toBe(false);
    publish();
    expect(stage.device.arm()).toBe(true);
  }
  expect(stage.split.availEvent).toBe(stage.idx(1));
  expect(stage.device.hasAvailable()).toBe(true);
  used(stage, taken(stage, 1));
});

deviceCase("D116", (stage) => {
  stage.split.usedEvent = stage.idx(0);
  avail(stage, [0]);
  expect(used(stage, taken(stage, 1))).toBe(true);
  expect([stage.device.publish(), stage.device.publish()]).toEqual([false, false]);
});

deviceCase(
  "D118",
  (stage) => {
    stage.packed.driverEvent = [6 | 0x8000, DESC];
    for (let n = 0; n < 3; n++) put(stage, n, { id: 1, flags: n < 2 ? NEXT : 0 });
    expect(used(stage, taken(stage, 1))).toBe(true);
  },
  { start: { slot: 5, wrap: 1 } },
);

deviceCase("D120", (stage) => {
  stage.packed.driverEvent = [stage.offWrap(0), DISABLE];
  for (let n = 0; n < 8; n++) put(stage, n, { id: n });
  expect(used(stage, taken(stage, 8))).toBe(false);
});

deviceCase("D123", (stage) => {
  for (const offset of [8, 9, 0x7fff]) {
    const from = 16 * [8, 9, 0x7fff].indexOf(offset);
    stage.packed.driverEvent = [offset | 0x8000, DESC];
    const notified: boolean[] = [];
    for (let n = from; n < from + 16; n++) {
      put(stage, n, { id: 0 });
      notified.push(used(stage, taken(stage, 1)));
    }
    expect(notified).toEqual(notified.map(() => true)); // as if enabled
  }
});

// A hint, never a cursor: the device looks at its own position, whatever the notification says.
describe(titleOf("D125"), () => {
  test.each(["S8", "P8"])("D125 %s with NOTIFICATION_DATA", (setup) => {
    const { layout, size, areas } = profileOptions(setup);
    if (!areas) throw new Error("no areas");
    const rig = makeRig({});
    const names = ["VERSION_1", "NOTIFICATION_DATA", ...(layout === "packed" ? ["RING_PACKED"] : [])];
    driveTo(rig.device, 0x0b, FeatureSet.of(...names));
    rig.device.enableQueue(0, { size, areas });
    rig.device.writeStatus(0x0f);
    const guest = new RawMemory(() => rig.core.view(0, 0x40000));
    const hand = {
      layout,
      size,
      split: new RawSplit(guest, size, areas),
      packed: new RawPacked(guest, size, areas),
      ...placeOf({}, layout, size),
    };
    for (let n = 0; n < 6; n++) {
      if (layout === "split") {
        hand.split.desc(n, { addr: 0x8000, len: 16 });
        avail(hand, [n], n);
      } else put(hand, n, { id: n });
      for (const kick of [0x80c8_0000, 0x00c8_0000, 0xffff_0000, 0x0000_0000]) {
        rig.device.notify(kick);
        rig.device.process();
        expect(rig.model.taken.length).toBe(n + 1);
      }
    }
    expect([rig.violations.length, rig.device.readStatus()]).toEqual([0, 0x0f]);
  });
});
